"""What every model must beat: the prior alone, and the best single column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from assay.contract import Array, Context
from assay.errors import TamperedError
from assay.files import read_json, write_json
from assay.paradigms.supervised.learner import Encoding, Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe


@dataclass(frozen=True)
class Prior(SupervisedRecipe):
    """The same answer for every row: the mean (the median where mae decides), or how common each class is."""

    title: ClassVar[str] = "the prior"
    encoding: ClassVar[Encoding] = "codes"
    baseline: ClassVar[bool] = True
    order: ClassVar[float] = 0.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        return Constant(prior(lesson.y, lesson), flat=lesson.goal == "regression")


def prior(y: Array, lesson: Lesson) -> Array:
    """The constant that fits y best: (k,) shares, or (1,) mean or median."""
    if lesson.goal == "regression":
        return np.array([np.median(y) if lesson.metric == "mae" else y.mean()])
    if lesson.goal == "multilabel":
        return np.asarray(y.mean(axis=0))
    return np.bincount(y, minlength=lesson.k) / len(y)


@dataclass(frozen=True)
class Constant:
    """The same scores for every row; `values` (k,), or (1,) and squeezed for regression."""

    values: Array
    kind: ClassVar[str] = "constant"
    flat: bool = False

    def scores(self, X: Array, /) -> Array:
        tiled = np.tile(self.values, (len(X), 1))
        return tiled[:, 0] if self.flat else tiled

    def save(self, folder: Path, /) -> None:
        write_json(folder / "constant.json", {"values": self.values.tolist(), "flat": self.flat})

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        try:
            said = read_json(folder / "constant.json")
            return cls(np.array([float(v) for v in said["values"]]), bool(said["flat"]))
        except (OSError, KeyError, TypeError, ValueError) as wrong:
            raise TamperedError(f"the constant in {folder} cannot be read: {wrong!r}") from None
