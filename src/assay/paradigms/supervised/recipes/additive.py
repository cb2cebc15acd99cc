"""An additive model of binned columns: one curve a column, all of them summed (Hastie & Tibshirani 1986, Stat. Sci. 1).

Curves are steps, as in Lou, Caruana & Gehrke 2012 (KDD): a number in up to 32 bins, a category by its levels, a bin of
its own for missing values. It needs NumPy alone, so it is the first model there is while libraries are still loading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Encoding, Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.baselines import bins_of, edges_of
from assay.paradigms.supervised.recipes.fitted import (
    Link,
    in_chunks,
    link_of,
    linked,
    load_fitted,
    require,
    require_link,
    require_shapes,
    save_fitted,
)
from assay.paradigms.supervised.recipes.inner import Clock, loss, sample, with_held_out

MOST_BINS = 32                                  # of a number
MOST_ROWS = 20_000                              # that curves are fitted to; more would cost time and change little
LOOKED_AT = 10_000                              # rows that bins are made by
MOST_HELD = 10_000                              # rows that say when to stop
REFIT_ROWS = 10_000                             # up to so many, curves are fitted once more on those set apart too
ROWS_A_BIN = 25                                 # at least, of a number
SMOOTHINGS = (10.0, 2.0, 50.0, 200.0)
CHOOSING_ROWS, CHOOSING_PASSES = 8_000, 5       # that a smoothing is chosen by
LEAST = 1e-4                                    # by how much, as a share, a pass lowers the loss that is worth another
SLOWEST = 0.1                                   # of a full step
CHUNK_ROWS = 16_384


@dataclass(frozen=True, eq=False)
class AdditiveLearner:
    """raw_c = base_c + Σ_j table_j[bin of x_j, c], for C outputs; then the link.

    edges (E,) ascending within each column, column j's being edges[at_j : at_j+1]; table (E + 2 d, C), column j's steps
    beginning at row at_j + 2 j: below its first edge, between edges, above the last, missing.
    """

    base: Array
    edges: Array
    at: Array                                   # (d + 1,) int64
    table: Array
    link: Link
    kind: ClassVar[str] = "additive"

    def scores(self, X: Array, /) -> Array:
        return linked(in_chunks(self._raw, X, CHUNK_ROWS), self.link)

    def _raw(self, X: Array) -> Array:
        raw = np.tile(self.base, (len(X), 1))
        for j, (low, high) in enumerate(zip(self.at[:-1], self.at[1:], strict=True)):
            steps = self.table[low + 2 * j : high + 2 * j + 2]
            raw += steps[bins_of(X[:, j], self.edges[low:high])]
        return raw

    def save(self, folder: Path, /) -> None:
        arrays = {name: getattr(self, name) for name in ("base", "edges", "at", "table")}
        save_fitted(folder, {"link": self.link}, arrays)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        kinds = {"base": "float64", "edges": "float64", "at": "int64", "table": "float64"}
        facts, arrays = load_fitted(folder, kinds)
        at, edges = arrays["at"], arrays["edges"]
        require(folder, at.ndim == 1 and len(at) > 1 and edges.ndim == 1, "its columns do not fit")
        require(folder, at[0] == 0 and at[-1] == len(edges) and bool((np.diff(at) >= 0).all()), "its edges do not fit")
        inner = np.delete(np.diff(edges), np.unique(at[1:-1][(at[1:-1] > 0) & (at[1:-1] < len(edges))]) - 1)
        require(folder, bool((inner > 0).all()), "edges are not ascending")
        outputs = len(arrays["base"]) if arrays["base"].ndim == 1 else 0
        require(folder, outputs > 0, "its outputs do not fit")
        require_shapes(folder, arrays, {"table": (len(edges) + 2 * (len(at) - 1), outputs)})
        return cls(**arrays, link=require_link(folder, facts, outputs))


@dataclass(frozen=True)
class Additive(SupervisedRecipe):
    """Steps found column after column by Newton's method, each drawn towards nothing as if `smoothing` more rows said
    so, for at most so many passes, until rows set apart are answered no better. None: chosen by those rows.

    Fitted to 20,000 rows at most, drawn at random."""

    smoothing: float | None = None
    passes: int = 40
    title: ClassVar[str] = "additive model"
    encoding: ClassVar[Encoding] = "codes"
    order: ClassVar[float] = 60.0
    max_rows: ClassVar[int | None] = MOST_ROWS

    def space(self) -> Mapping[str, Any]:
        return {"smoothing": ("log", 0.5, 200.0)}

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        clock = Clock.start(ctx)
        apart, width = with_held_out(lesson, MOST_HELD, ctx.seed), lesson.X.shape[1]
        bins = int(np.clip(len(lesson.X) // ROWS_A_BIN, 4, MOST_BINS))
        edges = [edges_of(lesson.X[:LOOKED_AT, j], j in lesson.categorical, bins) for j in range(width)]
        fit = _Fit(apart, edges, clock)
        smoothing = fit.smoothing(ctx.seed) if self.smoothing is None else self.smoothing
        best = fit.curves(smoothing, self.passes)
        if len(lesson.X) <= REFIT_ROWS and apart is not lesson and not clock.out:
            fit = _Fit(lesson, edges, clock)
            best = fit.curves(smoothing, best.passes)
        at = np.cumsum([0, *map(len, edges)]).astype(np.int64)
        table = np.concatenate([np.empty((0, len(fit.base))), *best.tables])
        return AdditiveLearner(fit.base, np.concatenate([np.empty(0), *edges]), at, table, fit.link)


@dataclass(frozen=True)
class _Curves:
    """A table (bins, C) a column, and the mean loss of the rows set apart, or of all where there are none, after so
    many passes."""

    tables: tuple[Array, ...]
    loss: float
    passes: int = 0


class _Fit:
    """The rows of a lesson in bins: `rows` and, where some are set apart, `held`, an array (n,) a column."""

    def __init__(self, lesson: Lesson, edges: list[Array], clock: Clock) -> None:
        self.lesson, self.edges, self.clock = lesson, edges, clock
        self.link = link_of(lesson.goal, lesson.k)
        self.rows = [bins_of(lesson.X[:, j], e) for j, e in enumerate(edges)]
        X = lesson.X_val
        self.held = None if X is None else [bins_of(X[:, j], e) for j, e in enumerate(edges)]
        self.weight = np.ones(len(lesson.y)) if lesson.weight is None else lesson.weight
        self.truth = _truth(lesson, self.link)
        self.base = _unlinked(np.average(self.truth, axis=0, weights=self.weight), self.link)

    def smoothing(self, seed: int) -> float:
        """The one of SMOOTHINGS that serves best, by curves of some of the rows."""
        if self.held is None:
            return SMOOTHINGS[0]
        few = _Fit(sample(self.lesson, CHOOSING_ROWS, seed), self.edges, self.clock)
        tried = {s: few.curves(s, CHOOSING_PASSES).loss for s in SMOOTHINGS}
        return min(tried, key=lambda s: tried[s])

    def curves(self, smoothing: float, passes: int) -> _Curves:
        """A pass that leaves the rows it learns from worse off is taken back, and the next goes half as far."""
        tables: tuple[Array, ...] = tuple(np.zeros((len(e) + 2, len(self.base))) for e in self.edges)
        raw, rate = self._raw(tables, self.rows, len(self.truth)), 1.0
        own = self._loss(raw)
        best = _Curves(tables, self._held_loss(tables, own))
        for done in range(passes):
            stepped = self._pass(tables, raw, smoothing, rate)
            moved = self._raw(stepped, self.rows, len(raw))
            now = self._loss(moved)
            if now < own:
                tables, raw, own = stepped, moved, now
                found = _Curves(tables, self._held_loss(tables, own), done + 1)
                if found.loss > best.loss * (1 - LEAST):
                    break
                best = found
            elif (rate := rate / 2) < SLOWEST:
                break
            if self.clock.out:
                break
        return best

    def _pass(self, tables: tuple[Array, ...], raw: Array, smoothing: float, rate: float) -> tuple[Array, ...]:
        """One Newton step a column, the slopes followed to first order from one column to the next."""
        fitted = linked(raw, self.link)
        fitted = fitted[:, 1:] if self.link == "two" else fitted.reshape(len(raw), -1)
        w = self.weight[:, None]
        slope = w * (self.truth - fitted)
        bend = np.broadcast_to(w, slope.shape) if self.link == "value" else w * np.maximum(fitted * (1 - fitted), 1e-6)
        bend = bend * _steeper(self.link, slope.shape[1])
        stepped = []
        for table, bins in zip(tables, self.rows, strict=True):
            drawn = smoothing * bend.mean(axis=0)
            sums = [np.column_stack([np.bincount(bins, of[:, c], minlength=len(table)) for c in range(of.shape[1])])
                    for of in (slope, bend)]
            step = rate * (sums[0] - drawn * table) / (sums[1] + drawn)
            slope -= bend * step[bins]
            stepped.append(table + step)
        return tuple(stepped)

    def _raw(self, tables: tuple[Array, ...], bins: list[Array], n: int) -> Array:
        raw = np.tile(self.base, (n, 1))
        for table, at in zip(tables, bins, strict=True):
            raw += table[at]
        return raw

    def _loss(self, raw: Array) -> float:
        return loss(self.lesson.goal, linked(raw, self.link), self.lesson.y, self.lesson.weight)

    def _held_loss(self, tables: tuple[Array, ...], own: float) -> float:
        lesson = self.lesson
        if self.held is None or lesson.y_val is None:
            return own
        scores = linked(self._raw(tables, self.held, len(lesson.y_val)), self.link)
        return loss(lesson.goal, scores, lesson.y_val, lesson.weight_val)


def _truth(lesson: Lesson, link: Link) -> Array:
    """y as (n, C): itself, or one column an output that is 1 where it is meant."""
    if link == "value":
        return lesson.y[:, None]
    if link == "each":
        return lesson.y
    return np.eye(lesson.k)[lesson.y] if link == "softmax" else (lesson.y == 1).astype(np.float64)[:, None]


def _unlinked(mean: Array, link: Link) -> Array:
    """The raw values (C,) whose scores are `mean`."""
    if link == "value":
        return mean
    p = np.clip(mean, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p) if link == "softmax" else np.log(p) - np.log1p(-p))


def _steeper(link: Link, outputs: int) -> float:
    """What makes the bend of one output bound the loss of all: k / (k - 1) for k classes (Friedman 2001, sec. 4.6)."""
    return outputs / (outputs - 1) if link == "softmax" else 1.0
