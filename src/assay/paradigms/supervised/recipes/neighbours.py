"""The nearest neighbours of a row answer for it, the near ones louder (Fix & Hodges 1951; Dudani 1976)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Goal, Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.fitted import (
    counted,
    load_fitted,
    one_of,
    require,
    require_shapes,
    save_fitted,
)
from assay.paradigms.supervised.recipes.inner import Clock, climb, inner_folds, loss, part, rows_for, sample

CHUNK = 4_000_000                               # distances at a time: 16 MB
MOST_NUMBERS = 10_000_000                       # in the kept rows: 40 MB
HELD_ROWS = 1_000                               # judge a number of neighbours


@dataclass(frozen=True, eq=False)
class NeighboursLearner:
    """The kept rows: points (m, d) float32, answers (m, C) float64 (one-hot classes, labels, or y), weight (m,).

    A row's neighbours are all points no further than its k-th nearest, ties included. Each has the say
    weight / (distance / distance of the k-th + 0.1), so at most eleven times that of the k-th. For classes
    and labels one more voice, as far as the k-th, answers with the mean of all: no share is quite 0 or 1.
    Distances are Euclidean. A float32 matrix product finds who may be a neighbour, a bound on its error
    included; of those the distances are computed by differences in float64, so that a row's answer does
    not depend on the rows beside it.
    """

    points: Array
    answers: Array
    weight: Array
    k: int
    goal: Goal
    kind: ClassVar[str] = "neighbours"

    def scores(self, X: Array, /) -> Array:
        X = np.ascontiguousarray(X, dtype=np.float32)
        if not len(X):
            return np.zeros((0, self.answers.shape[1])[: 1 if self.goal == "regression" else 2])
        step = max(CHUNK // len(self.points), 1)
        found = np.concatenate([self._answers(X[i : i + step]) for i in range(0, len(X), step)])
        return np.ascontiguousarray(found[:, 0]) if self.goal == "regression" else found

    def _answers(self, X: Array) -> Array:
        row, point, distance, furthest = self._neighbours(X)
        first = np.searchsorted(row, np.arange(len(X)))
        say = self.weight[point] / (distance / np.where(furthest > 0, furthest, 1.0)[row] + 0.1)
        total, said = np.add.reduceat(say, first), np.add.reduceat(say[:, None] * self.answers[point], first)
        if self.goal != "regression":
            total, said = total + 1 / 1.1, said + self._mean / 1.1
        return np.asarray(said / total[:, None])

    def _neighbours(self, X: Array) -> tuple[Array, Array, Array, Array]:
        """Pairs (row, point) by row and then by point, their distances, and how far each row's k-th is (N,)."""
        row, point = np.nonzero(self._may_be_near(X))
        apart = X[row].astype(np.float64) - self.points[point]
        distance = np.sqrt((apart**2).sum(axis=1))
        first = np.searchsorted(row, np.arange(len(X)))
        furthest = distance[np.lexsort((distance, row))][first + self.k - 1]
        near = distance <= furthest[row]
        return row[near], point[near], distance[near], furthest

    def _may_be_near(self, X: Array) -> Array:
        """(N, m) of bool: true for at least every neighbour. Works on lower bounds of the squared distances."""
        doubt = 1e-7 * (4 + 2 * math.sqrt(X.shape[1]))                      # relative, of a float32 product
        own = (X.astype(np.float64) ** 2).sum(axis=1)
        least = (-2 * X) @ self.points.T
        least += ((1 - doubt) * own).astype(np.float32)[:, None]
        least += ((1 - doubt) * self._squares).astype(np.float32)
        kth = np.maximum(np.partition(least, self.k - 1, axis=1)[:, self.k - 1].astype(np.float64), 0.0)
        reach = own + (np.sqrt(own) + np.sqrt(kth)) ** 2                    # bounds |x|² + |p|² of a neighbour p
        return np.asarray(least <= (kth + 4 * doubt * reach)[:, None])

    @cached_property
    def _squares(self) -> Array:
        return np.asarray((self.points.astype(np.float64) ** 2).sum(axis=1))

    @cached_property
    def _mean(self) -> Array:
        return np.average(self.answers, axis=0, weights=self.weight)

    def save(self, folder: Path, /) -> None:
        arrays = {name: getattr(self, name) for name in ("points", "answers", "weight")}
        save_fitted(folder, {"goal": self.goal, "k": self.k}, arrays)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        facts, arrays = load_fitted(folder, {"points": "float32", "answers": "float64", "weight": "float64"})
        goal = one_of(folder, facts, "goal", ("regression", "binary", "multiclass", "multilabel"))
        k, m = counted(folder, facts, "k"), arrays["weight"].size
        require_shapes(folder, arrays, {name: (m, *arrays[name].shape[1:2]) for name in ("points", "answers")})
        require(folder, arrays["points"].ndim == arrays["answers"].ndim == 2, "points or answers are no matrix")
        require(folder, arrays["weight"].shape == (m,) and bool((arrays["weight"] > 0).all()), "weights do not fit")
        require(folder, k <= m, f"k is {k}, of {m} rows")
        return cls(**arrays, k=k, goal=goal)


def _remembered(lesson: Lesson, k: int) -> NeighboursLearner:
    n = len(lesson.y)
    answers = np.eye(lesson.k)[lesson.y] if lesson.goal in ("binary", "multiclass") else lesson.y.reshape(n, -1)
    weight = np.ones(n) if lesson.weight is None else np.maximum(lesson.weight, 1e-12)
    return NeighboursLearner(lesson.X.astype(np.float32), answers.astype(np.float64), weight, min(k, n), lesson.goal)


@dataclass(frozen=True)
class KNN(SupervisedRecipe):
    """The mean of the `k` nearest rows, by distance. None: chosen on held-out rows."""

    k: int | None = None
    title: ClassVar[str] = "k-nearest neighbours"
    order: ClassVar[float] = 70.0
    max_rows: ClassVar[int | None] = 30_000       # a row takes some 0.4 ms to answer at this many

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        kept = sample(lesson, MOST_NUMBERS / lesson.X.shape[1], ctx.seed)
        return _remembered(kept, self.k or _best_k(kept, ctx))

    def space(self) -> Mapping[str, Any]:
        return {"k": ("int_log", 1, 200)}


def _best_k(lesson: Lesson, ctx: Context) -> int:
    """The k of least held-out loss, searched from near the root of half the rows."""
    clock, n = Clock.start(ctx), len(lesson.X)
    path = [k for k in (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 140, 200) if k <= max(n // 3, 1)]
    start = int(np.argmin([abs(k - min(np.sqrt(n / 2), 40.0)) for k in path]))
    folds = list(_trials(lesson, ctx))
    if not folds:
        return path[start]

    def held_loss(k: int) -> float:
        trials = [(replace(near, k=min(k, len(near.points))), held) for near, held in folds]
        return sum(loss(held.goal, model.scores(held.X), held.y, held.weight) for model, held in trials)

    return climb(path, start, held_loss, clock)


def _trials(lesson: Lesson, ctx: Context) -> Iterator[tuple[NeighboursLearner, Lesson]]:
    """For each inner fold what the others remember, and as many of its rows as a tenth of the time can judge."""
    a_row = len(lesson.X) * (lesson.X.shape[1] + 10) / 1e9
    most = min(rows_for(ctx.budget_s / 10, a_row, least=50), HELD_ROWS)
    for fit, held in inner_folds(lesson, ctx.seed):
        yield _remembered(part(lesson, fit), 1), sample(part(lesson, held), most, ctx.seed)
