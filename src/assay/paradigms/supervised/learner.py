"""What a learner is below the table: arrays in, arrays out, and files that need no pickle.

A recipe of this paradigm says which `encoding` it wants and turns a `Lesson` into a `Learner`;
`recipe.py` does the rest once for all: encode, weigh, hold out rows for early stopping, wrap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, Self

import numpy as np

from assay.contract import Array

Goal = Literal["regression", "binary", "multiclass", "multilabel"]

Encoding = Literal["codes", "numbers", "crossed"]
"""codes: float32 (n, d), missing is NaN, a category is its integer code (for trees).
numbers: float64 (n, d), no NaN, numbers standardised, categories one-hot (for everything that adds or measures).
crossed: codes, and beside them arithmetic of numbers and means by category where those pay; it looks at the truth."""


@dataclass(frozen=True)
class Truth:
    """What there is to learn, for an encoding that looks at it: y, k and unit as in a `Lesson`.

    alone: inputs that are not to be crossed with others"""

    goal: Goal
    y: Array
    k: int
    seed: int = 0
    unit: Array | None = None
    alone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Lesson:
    """What there is to learn from, as arrays.

    X        (n, d) in the recipe's encoding
    y        regression: float64 (n,). binary, multiclass: int64 (n,) in 0..k-1, every class present.
             multilabel: float64 (n, k) of 0 and 1
    weight   float64 (n,), above zero, mean one over these rows and those for early stopping; or None
    k        classes, labels, or 1 for regression
    categorical  positions of columns of X that hold codes (codes encoding only)
    metric   the name of the metric that decides
    monotone a sign a column of X: the scores may only rise (1) or fall (-1) with it, or do as they like (0); empty
             where none is declared, and then for numbers and two classes alone
    unit     int64 (n,), equal where rows are of one unit and must stay together; None where each row is its own
    X_val, y_val, weight_val  rows for early stopping, disjoint from X; None unless the recipe sets `early_stops`
    """

    goal: Goal
    X: Array
    y: Array
    k: int
    weight: Array | None = None
    categorical: tuple[int, ...] = ()
    metric: str = ""
    monotone: tuple[int, ...] = ()
    unit: Array | None = None
    X_val: Array | None = None
    y_val: Array | None = None
    weight_val: Array | None = None


class Learner(Protocol):
    """A fitted function on arrays.

    scores(X): regression (n,) in units of y; binary and multiclass (n, k), rows sum to one;
    multilabel (n, k), each in [0, 1]. float64 always. Pure, one thread, rows independent of each other.
    save/load: files in `folder` in safe formats only: JSON, safetensors, or the booster's own text or binary format.
    `load` checks every shape and index it will use and raises TamperedError on nonsense."""

    kind: ClassVar[str]                          # registered in assay.learners as supervised.<kind>

    def scores(self, X: Array, /) -> Array: ...

    def save(self, folder: Path, /) -> None: ...

    @classmethod
    def load(cls, folder: Path, /) -> Self: ...


def softmax(raw_NK: Array) -> Array:
    """Rows to probabilities: exp(r) over the sum of its row, (N, K) float64."""
    shifted: Array = np.exp(raw_NK - raw_NK.max(axis=1, keepdims=True))
    total: Array = shifted.sum(axis=1, keepdims=True)
    return np.divide(shifted, total)


def sigmoid(raw: Array) -> Array:
    """1 / (1 + exp(-raw)), without overflow at either end."""
    return np.exp(-np.logaddexp(0.0, -raw))


def two_columns(p_N: Array) -> Array:
    """The probability of the second class as the (N, 2) that `scores` gives."""
    return np.column_stack([1.0 - p_N, p_N])
