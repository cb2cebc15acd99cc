"""What the three boosters share: when to stop, and one booster for each label."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Lesson

MOST_BYTES = 1 << 30                           # of a booster that is read back
REFIT_ROWS = 50_000
BLIND_ROUNDS = 100                              # where no row could be spared to stop by
SHARE = 0.9                                     # of the budget that rounds may use; the rest is for saving and scoring


@dataclass
class Watch:
    """Sees the validation loss after each round and says when to stop: too long no better, or no time left.

    Too long is `patience` rounds, or 20 and three tenths of the best round where that is more (AutoGluon's rule)."""

    patience: int
    budget_s: float
    best: float = math.inf
    at: int = 0                                 # the best round, from 0
    began: float = field(default_factory=time.monotonic)

    def done(self, round_: int, loss: float) -> bool:
        if loss < self.best:
            self.best, self.at = loss, round_
        return round_ - self.at >= max(self.patience, 20 + 0.3 * self.at) or self.late()

    def late(self) -> bool:
        return time.monotonic() - self.began > self.budget_s * SHARE

    def time_for_another(self, rows: int) -> bool:
        """Whether fitting once more, on all rows, pays and ends in time: on many rows those held out are not missed."""
        used = time.monotonic() - self.began
        return rows <= REFIT_ROWS and not self.late() and used * 2.5 < self.budget_s * SHARE


def patience(given: int | None, rows: int) -> int:
    """Rounds to wait for a better one: as given, else 300 up to 10,000 rows and fewer beyond, never below 20."""
    return given if given is not None else int(min(max(300 * 10_000 / rows, 20), 300))


def all_rows(lesson: Lesson) -> tuple[Array, Array, Array | None]:
    """X, y and weight of the rows to learn from and the rows held out, together."""
    if lesson.X_val is None or lesson.y_val is None:
        return lesson.X, lesson.y, lesson.weight
    weight = None
    if lesson.weight is not None and lesson.weight_val is not None:
        weight = np.concatenate([lesson.weight, lesson.weight_val])
    return np.concatenate([lesson.X, lesson.X_val]), np.concatenate([lesson.y, lesson.y_val]), weight


def one_a_label(lesson: Lesson, ctx: Context) -> Iterator[tuple[Lesson, Context]]:
    """A binary lesson for each label, with its share of the time that is left."""
    began = time.monotonic()
    for j in range(lesson.k):
        left = max(ctx.budget_s - (time.monotonic() - began), 0.0) / (lesson.k - j)
        y_val = None if lesson.y_val is None else lesson.y_val[:, j]
        yield replace(lesson, goal="binary", k=2, y=lesson.y[:, j], y_val=y_val), replace(ctx, budget_s=left)
