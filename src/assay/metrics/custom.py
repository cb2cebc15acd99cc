"""A metric of the user's own: a plain function of the truth and of what was answered, known by the hash of its file.

    def profit(truth, answered):        # arrays; the mean, sum or whatever else of them that is one number
        return float((truth * answered * 40 - answered * 3).mean())
    profit.needs = "label"              # or "probability", the default for classes; "value" for numbers
    profit.higher_is_better = True      # the default

What the two arrays hold, n cases:

    goal         needs          truth                               answered
    binary       probability    0 or 1 (n,), 1 the class looked for its probability (n,)
    binary       label          0 or 1 (n,)                         0 or 1 (n,)
    multiclass   probability    position of the class (n,)          probabilities (n, k), classes in order
    multiclass   label          text (n,)                           text (n,)
    multilabel   both           0 or 1 (n, labels)                  probabilities, or 0 and 1 (n, labels)
    regression   value          the number (n,)                     the number (n,)

The function is imported where its task is opened and nowhere else: a saved model never names it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from assay.contract import Array, Metric, Table
from assay.errors import ProblemError, TamperedError, nearest

Function = Callable[[Array, Array], Any]
_COLUMNS = {
    ("binary", "probability"): "target.positive out.p", ("binary", "label"): "target.positive out.positive",
    ("multiclass", "probability"): "target out.p.*", ("multiclass", "label"): "target out.label",
    ("multilabel", "probability"): "target.* out.p.* out.label.*", ("multilabel", "label"): "target.* out.label.*",
    ("regression", "value"): "target out.value",
}


def is_custom(name: str) -> bool:
    """Whether the name means a function of the user's: it has a colon, as no metric of ours has."""
    return ":" in name


def custom(said: str, goal: str) -> tuple[Metric, dict[str, str]]:
    """The metric that `./file.py:function` or `module:function` names, and what says later which function that was:
    {said, path, sha256, folder}.

    Raises ProblemError: no such file, module or function, it cannot be imported, its `needs` do not fit the goal."""
    place, _, name = said.rpartition(":")
    folder = Path.cwd()
    path = _file_of(place, said) if _is_file(place) else None
    module = _from_file(path, said) if path else _from_name(place, folder, said)
    path = path or Path(str(module.__file__))
    source = {"said": said, "path": str(path), "sha256": _hash(path), "folder": str(folder)}
    return _metric(_function(module, name, said), goal, said), source


def again(source: Mapping[str, str], goal: str) -> Metric:
    """The metric that was recorded, from the same file.

    Raises ProblemError where the file is gone, TamperedError where it is not what it was; then nothing is run."""
    said, path = source["said"], Path(source["path"])
    place, _, name = said.rpartition(":")
    if not path.is_file():
        raise ProblemError(f"the metric {said} decides here, and its file {path} is gone. Put it back where it was.")
    if _hash(path) != source["sha256"]:
        raise TamperedError(f"{path} has changed since the metric {said} was declared. Put it back as it was, or train "
                            "anew.")
    module = _from_file(path, said) if _is_file(place) else _from_name(place, Path(source["folder"]), said)
    if Path(str(module.__file__)).resolve() != path.resolve():
        raise TamperedError(f"the metric {said} was found in {path}, and now is in {module.__file__}.")
    return _metric(_function(module, name, said), goal, said)


def tried(metric: Metric, outcomes: Table) -> None:
    """Raises ProblemError where the metric cannot tell a number of these outcomes, before anything is fitted."""
    value = metric.fn(outcomes)
    if not math.isfinite(value):
        raise ProblemError(f"the metric {metric.name!r} returned {value} for {len(outcomes):,} answers made up to try "
                           "it; wanted a finite number.")


# --- finding it -----------------------------------------------------------------------------------


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place


def _file_of(place: str, said: str) -> Path:
    path = Path(place).expanduser().absolute()
    if not path.is_file():
        raise ProblemError(f"--metric {said}: there is no file {path}.")
    return path


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _from_file(path: Path, said: str) -> ModuleType:
    """The module in the file; what lies beside it can be imported while it is."""
    name = f"assay_metric_{_hash(path)[:16]}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProblemError(f"--metric {said}: {path} is not a Python file. Wanted ./metrics.py:function.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _searched(path.parent), _telling(said, f"importing {path}"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _from_name(place: str, folder: Path, said: str) -> ModuleType:
    with _searched(folder), _telling(said, f"importing {place}"):
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as miss:
            raise ProblemError(f"--metric {said}: there is no module {miss.name!r}, neither installed nor in {folder}. "
                               "A file is named as ./metrics.py:function.") from None
    if not getattr(module, "__file__", None):
        raise ProblemError(f"--metric {said}: {place} is no Python file, so what decides could not be recorded.")
    return module


@contextmanager
def _searched(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _telling(said: str, doing: str) -> Iterator[None]:
    """Whatever the user's code raises, as one sentence."""
    try:
        yield
    except ProblemError:
        raise
    except (Exception, SystemExit) as wrong:
        why = " ".join(str(wrong).split())[:300]
        raise ProblemError(f"--metric {said}: {doing} raised {type(wrong).__name__}: {why}") from wrong


def _function(module: ModuleType, name: str, said: str) -> Function:
    found = getattr(module, name, None)
    if not callable(found):
        own = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        guess = nearest(name, own)
        raise ProblemError(f"--metric {said}: {module.__file__} has no function {name!r}. {guess}".rstrip())
    function: Function = found
    return function


# --- making it a metric -----------------------------------------------------------------------------


def _metric(function: Function, goal: str, said: str) -> Metric:
    from assay.metrics import GOALS, known

    name = said.rpartition(":")[2]
    if any(name in known(g) for g in GOALS) or name == "cost":
        raise ProblemError(f"--metric {said}: assay has a metric called {name!r} already. Rename the function.")
    needs = getattr(function, "needs", "value" if goal == "regression" else "probability")
    better = getattr(function, "higher_is_better", True)
    fitting = [n for g, n in _COLUMNS if g == goal]
    if needs not in fitting:
        raise ProblemError(f"--metric {said}: {name}.needs is {needs!r}; for {goal} it can be {' or '.join(fitting)}.")
    if not isinstance(better, bool):
        raise ProblemError(f"--metric {said}: {name}.higher_is_better is {better!r}; wanted True or False.")
    says = (function.__doc__ or "").strip().partition("\n")[0] or f"The user's own function {said}."
    return Metric(name, partial(_value, function, said, goal, needs), frozenset(_COLUMNS[goal, needs].split()), better,
                  says=says)


def _value(function: Function, said: str, goal: str, needs: str, outcomes: Table) -> float:
    """What the function says of the outcomes; NaN where there are none. Raises ProblemError where it says no number."""
    if not outcomes.height:
        return math.nan
    truth, answered = _arrays(goal, needs, outcomes)
    with _telling(said, f"calling it on {len(truth):,} cases"):
        value = function(truth, answered)
    if isinstance(value, bool | str) or np.ndim(value) or not isinstance(value, int | float | np.number | np.ndarray):
        raise ProblemError(f"--metric {said}: it returned {type(value).__name__} {str(value)[:80]}; wanted one number.")
    return float(value)


def _arrays(goal: str, needs: str, t: Table) -> tuple[Array, Array]:
    """Copies of their own, so that a function that writes into them spoils nothing."""
    if goal == "regression":
        return np.array(t["target"], dtype=float), np.array(t["out.value"], dtype=float)
    if goal == "binary":
        answered = t["out.p"] if needs == "probability" else t["out.positive"].cast(int)
        return np.array(t["target.positive"], dtype=int), np.array(answered)
    if goal == "multilabel":
        labels = [c.removeprefix("out.label.") for c in t.columns if c.startswith("out.label.")]
        start = "out.p." if needs == "probability" else "out.label."
        kind = float if needs == "probability" else int
        return (np.column_stack([np.array(t[f"target.{n}"], dtype=int) for n in labels]),
                np.column_stack([np.array(t[start + n], dtype=kind) for n in labels]))
    if needs == "label":
        return np.array(t["target"].cast(str).to_list()), np.array(t["out.label"].cast(str).to_list())
    classes = [c.removeprefix("out.p.") for c in t.columns if c.startswith("out.p.")]
    at = {name: i for i, name in enumerate(classes)}
    truth = np.array([at.get(name, -1) for name in t["target"].cast(str).to_list()])
    return truth, np.array(t.select(f"out.p.{c}" for c in classes).to_numpy())
