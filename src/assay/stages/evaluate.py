"""A saved model on labelled cases it has not met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.contract import TEST, Report
from assay.stages.finish import within
from assay.stages.load import Loaded, load, paradigm_of
from assay.stages.prove import report_on
from assay.store.store import Store


def evaluate(model: Loaded | str | Path, data: Any, *, store: Store | None = None) -> Report:
    """Every metric with its interval, and what the checks see, on all cases of `data`.

    data: whatever the model's paradigm reads: a labelled file or frame, an environment's id."""
    loaded = model if isinstance(model, Loaded) else load(model, store=store)
    task = paradigm_of(loaded).rebind(loaded.model, data)
    cases = task.cases(TEST)
    return report_on(task, task.attempt(within(loaded.model, cases[:1], task), cases), "new")
