"""The Python face: the same functions as the command line's, taking frames as well as paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assay.contract import Report
from assay.problem import problem
from assay.report.story import Comparison
from assay.stages import compare as _compare
from assay.stages import evaluate as _evaluate
from assay.stages import judge as _judge
from assay.stages import load as _load
from assay.stages import train as _train
from assay.stages import verify as _verify
from assay.stages.judge import Judged
from assay.stages.load import Loaded
from assay.stages.train import Trained
from assay.stages.verify import Verified
from assay.store.store import Store


def train(
    data: Any = None, /, *, store: str | Path | None = None, listen: Callable[[dict[str, Any]], None] | None = None,
    **said: Any,
) -> Trained:
    """From data to a proved model: `assay.train(df, target="churn", budget="5m")`.

    data: pandas, polars or arrow frame, a path or glob, an environment's id, a problem.yaml, or a Problem.
    said: any field of Problem; `budget` takes spans such as "5m". Raises UserError for what cannot be used,
    GateError where a check is sure of a leak."""
    return _train.train(problem(data, **said), store=None if store is None else Store.due(store), listen=listen)


def resume(run: str | None = None, /, *, store: str | Path | None = None) -> Trained:
    """Go on with an interrupted run: the latest, or the one named."""
    return _train.resume(run, store=_at(store))


def load(ref: str | Path, /, *, store: str | Path | None = None) -> Loaded:
    """The model called "churn", "churn@champion", "churn:3" or "last", of a run, or in a folder."""
    return _load.load(ref, store=_at(store))


def evaluate(
    model: Loaded | str | Path, data: Any, /, *, metric: str | None = None, store: str | Path | None = None
) -> Report:
    """Every metric with its interval on labelled cases the model has not met.

    metric: one to put first, or a function of yours as "./metrics.py:profit"."""
    return _evaluate.evaluate(model, data, metric=metric, store=_at(store))


def compare(run: str, other: str, /, *, store: str | Path | None = None) -> list[Comparison]:
    """Two runs on the test cases they share, paired, metric by metric."""
    return _compare.compare(run, other, store=_at(store))


def verify(run: str | Path, /, *, key: str | Path | None = None, store: str | Path | None = None) -> Verified:
    """Check a finished run, by its name or its folder, against its receipt and compute every number anew.

    key: a public key that has to have signed it. Raises GateError that names the first difference."""
    return _verify.verify(str(run), key=None if key is None else str(key), store=_at(store))


def judge(
    source: Any, contestants: str | Iterable[str], /, *, fresh: bool = False, grace_s: float | None = None,
    store: str | Path | None = None, listen: Callable[[dict[str, Any]], None] | None = None, **said: Any,
) -> Judged:
    """Other tools against assay's model, on the same locked test cases: `assay.judge("problem.yaml", "flaml,./x.py")`.

    source: what `train` takes, which is then trained first; or the id of a finished run, or "last".
    contestants: as after `--with`. said: any field of Problem. fresh: let everyone run anew, whoever answered before.
    grace_s: seconds over the budget after which a contestant is killed; half the budget if not said."""
    return _judge.judge(_judge.asked(source, said), contestants, store=None if store is None else Store.due(store),
                        listen=listen, fresh=fresh, grace_s=grace_s)


def _at(store: str | Path | None) -> Store | None:
    return None if store is None else Store.at(store, create=False)
