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
    monotonic: ClassVar[bool] = True

    def learn(self, lesson: Lesson, _: Context, /) -> Learner:
        return Constant(prior(lesson.y, lesson), flat=lesson.goal == "regression")


def prior(y: Array, lesson: Lesson) -> Array:
    """The constant that fits y best: (k,) shares, or (1,) mean or median, rows weighted."""
    if lesson.goal == "regression":
        middle = lesson.metric == "mae"
        return np.array([_median(y, lesson.weight) if middle else np.average(y, weights=lesson.weight)])
    if lesson.goal == "multilabel":
        return np.asarray(np.average(y, axis=0, weights=lesson.weight))
    count = np.bincount(y, lesson.weight, minlength=lesson.k)
    return np.asarray(count / count.sum())


def _median(y: Array, weight: Array | None) -> float:
    """The least value that half of the weight does not exceed; the plain median without weights.

    >>> _median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 3.0]))
    9.0
    """
    if weight is None:
        return float(np.median(y))
    order = np.argsort(y, kind="stable")
    half = np.cumsum(weight[order])
    return float(y[order][np.searchsorted(half, half[-1] / 2)])


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


MOST_BINS = 16                                  # of a number
LOOKED_AT = 50_000                              # rows the column is chosen by
PRIOR_ROWS = 10.0                               # how many rows the prior counts for in a bin


@dataclass(frozen=True)
class OneColumn(SupervisedRecipe):
    """The best single column: a number in up to 16 bins or a category by its levels, each bin with its own answer.

    The column is the one with the least squared error (Brier score for classes) over three inner folds."""

    title: ClassVar[str] = "the best single column"
    encoding: ClassVar[Encoding] = "codes"
    baseline: ClassVar[bool] = True
    order: ClassVar[float] = 1.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        if not lesson.X.shape[1]:
            return Constant(prior(lesson.y, lesson), flat=lesson.goal == "regression")
        rows = np.random.default_rng(ctx.seed).permutation(len(lesson.y))[:LOOKED_AT]
        Y = _answers(lesson.y[rows], lesson)
        w = np.ones(len(lesson.y)) if lesson.weight is None else lesson.weight
        fold = np.arange(len(rows)) % 3
        losses = []
        for j in range(lesson.X.shape[1]):
            x = lesson.X[rows, j]
            losses.append(_loss(bins_of(x, edges_of(x, j in lesson.categorical)), Y, w[rows], fold))
        column = int(np.argmin(losses))
        edges = edges_of(lesson.X[:, column], column in lesson.categorical)
        bins = bins_of(lesson.X[:, column], edges)
        middle = lesson.goal == "regression" and lesson.metric == "mae"
        size = len(edges) + 2
        table = _medians(bins, lesson.y, lesson.weight, size) if middle else _means(
            bins, _answers(lesson.y, lesson), w, size)
        return Binned(column, lesson.X.shape[1], edges, table, flat=lesson.goal == "regression")


def _answers(y: Array, lesson: Lesson) -> Array:
    """y as (n, k): itself, or one column a class."""
    if lesson.goal == "regression":
        return y[:, None]
    return y if lesson.goal == "multilabel" else np.eye(lesson.k)[y]


def edges_of(x: Array, codes: bool, most: int = MOST_BINS) -> Array:
    """Where bins begin, ascending: between codes, or quantiles of a number."""
    known = x[~np.isnan(x)].astype(np.float64)
    if not len(known):
        return np.empty(0)
    if codes:
        return np.arange(known.max()) + 0.5
    values = np.unique(known)
    if len(values) <= most:
        return (values[1:] + values[:-1]) / 2
    return np.unique(np.quantile(known, np.linspace(0, 1, most + 1)[1:-1]))


def bins_of(x: Array, edges: Array) -> Array:
    """The bin of each value, (n,); the last, len(edges) + 1, is for missing ones."""
    return np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x.astype(np.float64), side="right"))


def _means(bins: Array, Y: Array, w: Array, size: int) -> Array:
    """(size, k): the weighted mean of Y in each bin, drawn towards the mean of all."""
    count = np.bincount(bins, w, minlength=size)[:, None]
    total: Array = np.stack([np.bincount(bins, w * Y[:, j], minlength=size) for j in range(Y.shape[1])], axis=1)
    share: Array = np.average(Y, axis=0, weights=w)
    drawn: Array = (total + PRIOR_ROWS * share) / (count + PRIOR_ROWS)
    return drawn


def _medians(bins: Array, y: Array, weight: Array | None, size: int) -> Array:
    """(size, 1): the weighted median of y in each bin, that of all where a bin has few rows."""
    table = np.full((size, 1), _median(y, weight))
    order = np.argsort(bins, kind="stable")
    found, start = np.unique(bins[order], return_index=True)
    for bin_, rows in zip(found, np.split(order, start[1:]), strict=True):
        if len(rows) >= PRIOR_ROWS:
            table[bin_] = _median(y[rows], None if weight is None else weight[rows])
    return table


def _loss(bins: Array, Y: Array, w: Array, fold: Array) -> float:
    """Weighted mean squared error of bin means over inner folds."""
    size = int(bins.max()) + 1
    errors = []
    for f in range(3):
        fit, held = fold != f, fold == f
        squared = ((Y[held] - _means(bins[fit], Y[fit], w[fit], size)[bins[held]]) ** 2).mean(axis=1)
        errors.append(np.average(squared, weights=w[held]))
    return float(np.mean(errors))


@dataclass(frozen=True)
class Binned:
    """One column looked up in a table. edges ascending; table (len(edges) + 2, k), its last row for missing values."""

    column: int
    width: int
    edges: Array
    table: Array
    flat: bool
    kind: ClassVar[str] = "binned"

    def scores(self, X: Array, /) -> Array:
        found: Array = self.table[bins_of(X[:, self.column], self.edges)]
        return found[:, 0] if self.flat else found

    def save(self, folder: Path, /) -> None:
        write_json(folder / "binned.json", {
            "column": self.column, "width": self.width, "flat": self.flat,
            "edges": self.edges.tolist(), "table": self.table.tolist(),
        })

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        try:
            said = read_json(folder / "binned.json")
            column, width = int(said["column"]), int(said["width"])
            edges, table = np.array(said["edges"], dtype=np.float64), np.array(said["table"], dtype=np.float64)
        except (OSError, KeyError, TypeError, ValueError) as wrong:
            raise TamperedError(f"the single column in {folder} cannot be read: {wrong!r}") from None
        if not 0 <= column < width or edges.ndim != 1 or table.ndim != 2 or len(table) != len(edges) + 2:
            raise TamperedError(f"the single column in {folder} is not whole: its bins and table do not fit")
        return cls(column, width, edges, table, bool(said.get("flat", False)))
