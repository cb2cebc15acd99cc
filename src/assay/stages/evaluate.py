"""A saved model on labelled cases it has not met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.capabilities import JudgedBy
from assay.contract import TEST, Report, Table
from assay.errors import UserError
from assay.stages.finish import within
from assay.stages.load import Loaded, load, paradigm_of
from assay.stages.prove import report_on
from assay.store import looks
from assay.store.package import manifest
from assay.store.store import Store


def evaluate(
    model: Loaded | str | Path, data: Any, *, metric: str | None = None, store: Store | None = None
) -> Report:
    """Every metric with its interval, and what the checks see, on all cases of `data`.

    data: whatever the model's paradigm reads: a labelled file or frame, an environment's id. metric: one to put first,
    or a function of the user's; no model brings one along. Raises UserError where it cannot be had."""
    loaded = model if isinstance(model, Loaded) else load(model, store=store)
    task = paradigm_of(loaded).rebind(loaded.model, data)
    if metric is not None:
        if not isinstance(task, JudgedBy):
            raise UserError(f"a {task.name} task has its own metrics only, so leave out --metric.")
        task = task.judged_by(metric)
    cases = task.cases(TEST)
    level = _looked(loaded, cases, store).level
    return report_on(task, task.attempt(within(loaded.model, cases[:1], task), cases), "new", level=level)


def _looked(loaded: Loaded, cases: Table, store: Store | None) -> looks.Look:
    """This model's look at these labels, counted in the store it came from or that is found; else it is the first."""
    sealed = looks.seal(cases)
    where = store or Store.found()
    if where is None:
        return looks.Look(sealed, 1, "")
    digest = manifest(loaded.folder)["digest"]
    return looks.record(where.folder, sealed, run=f"model {digest}", what=f"assay evaluate {loaded.name}")
