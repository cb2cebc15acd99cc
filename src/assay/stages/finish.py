"""Between the race and the proof: a model's answers for cases held out calibrate it, and bound its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from assay.contract import Bounds, Finding, Finishes, Metric, Model, Paradigm, Signature, Table
from assay.errors import UserError

LEVEL = 0.9
"""At what level answers are bounded where they are put to a test."""


def finished(
    paradigm: Paradigm, model: Model, scores: Mapping[str, Table], name: str, metric: Metric, seed: int
) -> tuple[Model, tuple[Finding, ...]]:
    """The model finished by its outcomes on cases held out, where its paradigm can and there are any; else as it is."""
    if not isinstance(paradigm, Finishes) or name not in scores:
        return model, ()
    return paradigm.finished(model, scores[name], metric, seed)


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
