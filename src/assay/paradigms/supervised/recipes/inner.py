"""Choosing a setting on the lesson alone: inner folds, samples, the loss that compares, the clock.

The lesson is the only data a recipe may look at, so what it chooses, it chooses by splitting the
lesson once more. Folds are stratified by class; a first row of each class, and of each value of a
label, is always fitted on, so that no part lacks one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Goal, Lesson
from assay.splits import TEST_ROLE, group_plan, random_plan

T = TypeVar("T")

PROBABILITY_FLOOR = 1e-15


@dataclass(frozen=True)
class Clock:
    """The time that a `learn` may take. It stops at nine tenths, for what comes after."""

    deadline: float

    @classmethod
    def start(cls, ctx: Context) -> Clock:
        return cls(time.monotonic() + 0.9 * ctx.budget_s)

    @property
    def left_s(self) -> float:
        return max(self.deadline - time.monotonic(), 0.0)

    @property
    def out(self) -> bool:
        return self.left_s <= 0.0


def part(lesson: Lesson, rows: Array) -> Lesson:
    """The lesson of these rows alone."""
    weight = None if lesson.weight is None else lesson.weight[rows]
    unit = None if lesson.unit is None else lesson.unit[rows]
    return replace(lesson, X=lesson.X[rows], y=lesson.y[rows], weight=weight, unit=unit)


def strata(lesson: Lesson) -> Array | None:
    """What to spread evenly, (n,) integers: the class, or how many labels a row has; None for regression."""
    if lesson.goal == "regression":
        return None
    return np.asarray(lesson.y.sum(axis=1) if lesson.goal == "multilabel" else lesson.y, dtype=np.int64)


def anchors(lesson: Lesson) -> Array:
    """Positions of a first row of each class, or of each value of each label; none for regression."""
    if lesson.goal == "regression":
        return np.zeros(0, dtype=np.int64)
    if lesson.goal == "multilabel":
        return np.unique(np.concatenate([lesson.y.argmax(axis=0), lesson.y.argmin(axis=0)]))
    return np.sort(np.unique(lesson.y, return_index=True)[1])


def sample(lesson: Lesson, most: float, seed: int) -> Lesson:
    """At most about `most` rows of the lesson, each stratum by its share, every class kept."""
    n = len(lesson.X)
    if n <= most:
        return lesson
    roles = random_plan(n, test=most / n, folds=1, seed=seed, strata=strata(lesson)).roles
    return part(lesson, np.union1d(np.flatnonzero(roles == TEST_ROLE), anchors(lesson)))


def inner_folds(lesson: Lesson, seed: int, *, most: int = 5) -> list[tuple[Array, Array]]:
    """Pairs of (rows to fit on, rows held out), disjoint: five folds below 1,000 rows, three below 10,000, else one.
    Rows of one unit stay together, but for those that are the first of their class.

    Empty where there are too few rows to hold any out."""
    n = len(lesson.X)
    if n < 10:
        return []
    folds = min(5 if n < 1_000 else 3 if n < 10_000 else 1, most)
    if lesson.unit is not None and len(np.unique(lesson.unit)) > folds + 1:
        roles = group_plan(lesson.unit, test=0.0, folds=folds, seed=seed, name="unit").roles
    else:
        roles = random_plan(n, test=0.0, folds=folds, seed=seed, strata=strata(lesson)).roles
    held = np.ones(n, dtype=bool)
    held[anchors(lesson)] = False
    pairs = [((roles != f) | ~held, (roles == f) & held) for f in range(folds)]
    return [(np.flatnonzero(fit), np.flatnonzero(out)) for fit, out in pairs if out.any()]


def with_held_out(lesson: Lesson, most: int, seed: int) -> Lesson:
    """The lesson with at most `most` rows for early stopping; some of its own where it brings none."""
    if lesson.X_val is not None and lesson.y_val is not None:
        fit, held = lesson, replace(lesson, X=lesson.X_val, y=lesson.y_val, weight=lesson.weight_val)
    else:
        folds = inner_folds(lesson, seed)
        if not folds:
            return lesson
        fit, held = (part(lesson, rows) for rows in folds[0])
    some = sample(held, most, seed)
    return replace(fit, X_val=some.X, y_val=some.y, weight_val=some.weight)


def loss(goal: Goal, scores: Array, y: Array, weight: Array | None = None) -> float:
    """What inner choices lower: mean squared error, or mean log loss over rows (and labels). Weighted by row."""
    if goal == "regression":
        a_row = (scores - y) ** 2
    elif goal == "multilabel":
        p = np.clip(scores, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
        a_row = -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(axis=1)
    else:
        a_row = -np.log(np.clip(scores[np.arange(len(y)), y], PROBABILITY_FLOOR, 1.0))
    return float(np.average(a_row, weights=weight))


def climb(path: Sequence[T], start: int, loss_at: Callable[[T], float], clock: Clock, *, patience: int = 2) -> T:
    """The setting of least loss along a path where the loss has one valley: from `start` up, or else down.

    The start is always tried. A direction ends after `patience` settings in a row that did not do better
    by a ten-thousandth, and all ends when the time is out."""
    best, least = path[start], loss_at(path[start])
    for direction in (path[start + 1 :], path[:start][::-1]):
        first, worse = best, 0
        for setting in direction:
            if clock.out or worse >= patience:
                break
            at = loss_at(setting)
            if at < least * (1 - 1e-4):
                best, least, worse = setting, at, 0
            else:
                worse += 1
        if best != first:
            break
    return best


def rows_for(budget_s: float, seconds_a_row: float, *, least: int = 500) -> float:
    """How many rows a cost that is linear in rows affords, never below `least`."""
    return max(float(least), budget_s / seconds_a_row)
