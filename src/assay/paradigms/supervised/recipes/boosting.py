"""What the three boosters share: when to stop, and one booster for each label."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from assay.contract import Context
from assay.paradigms.supervised.learner import Lesson

SHARE = 0.9                                     # of the budget that rounds may use; the rest is for saving and scoring


@dataclass
class Watch:
    """Sees the validation loss after each round and says when to stop: no better for `patience` rounds, or no time left."""

    patience: int
    budget_s: float
    best: float = math.inf
    at: int = 0                                 # the best round, from 0
    began: float = field(default_factory=time.monotonic)

    def done(self, round_: int, loss: float) -> bool:
        if loss < self.best:
            self.best, self.at = loss, round_
        return round_ - self.at >= self.patience or self.late()

    def late(self) -> bool:
        return time.monotonic() - self.began > self.budget_s * SHARE


def one_a_label(lesson: Lesson, ctx: Context) -> Iterator[tuple[Lesson, Context]]:
    """A binary lesson for each label, with its share of the time that is left."""
    began = time.monotonic()
    for j in range(lesson.k):
        left = max(ctx.budget_s - (time.monotonic() - began), 0.0) / (lesson.k - j)
        y_val = None if lesson.y_val is None else lesson.y_val[:, j]
        yield replace(lesson, goal="binary", k=2, y=lesson.y[:, j], y_val=y_val), replace(ctx, budget_s=left)
