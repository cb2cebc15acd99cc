"""Between the race and the proof: a model's answers for cases held out calibrate it, and bound its answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from assay.capabilities import Bounds, Finishes
from assay.contract import TRAIN, Finding, Model, Paradigm, Signature, Table, Task
from assay.errors import UserError
from assay.search.assembly import by_fold
from assay.search.verdict import Verdict

ALIKE = 500                                     # training cases that fold models are compared on
LEVEL = 0.9
"""At what level answers are bounded where they are put to a test."""


def finished(
    paradigm: Paradigm, task: Task, model: Model, verdict: Verdict, name: str, seconds: float
) -> tuple[Model, tuple[Finding, ...]]:
    """The model finished by its outcomes on cases held out, where its paradigm can and there are any; else as it is.

    seconds: what its fold models may take to answer for the same few training cases, which tells how much better
    their average is than each of them."""
    if not isinstance(paradigm, Finishes) or name not in verdict.scores:
        return model, ()
    alike = _alike(task, by_fold(model, verdict), seconds)
    return paradigm.finished(model, verdict.scores[name], task.metrics[0], task.seed, alike=alike)


def _alike(task: Task, models: Sequence[Model], seconds: float) -> list[Table]:
    """Outcomes of each model for the same training cases; none where the time is too short for all."""
    if not models:
        return []
    cases = task.cases(TRAIN)
    few = cases[np.sort(np.random.default_rng(task.seed).permutation(len(cases))[:ALIKE])]
    began = time.monotonic()
    first = task.attempt(models[0], few)
    if (time.monotonic() - began) * len(models) > seconds:
        return []
    return [first, *(task.attempt(model, few) for model in models[1:])]


@dataclass(frozen=True)
class Within:
    """A model that bounds its answers, as one that answers with the bounds: for putting it to a test.

    Its outcomes have out.low and out.high, or out.set, and out.level."""

    model: Any                                  # a Model and Bounds
    level: float = LEVEL
    loader: ClassVar[str] = ""                  # never saved

    @property
    def signature(self) -> Signature:
        found: Signature = self.model.signature
        return found

    def predict(self, batch: Table, /) -> Table:
        answers: Table = self.model.predict_within(batch, self.level)
        return answers.with_columns(pl.lit(self.level).alias("level"))

    def save(self, folder: Path, /) -> None:
        self.model.save(folder)


def within(model: Model, some: Table, task: Any) -> Model:
    """The model with its bounds, where it has any at LEVEL for `some` cases; else as it is."""
    if not isinstance(model, Bounds):
        return model
    try:
        task.attempt(Within(model), some)
    except UserError:
        return model
    return Within(model)
