"""What the three boosters share: when to stop, one booster for each label, and rows that are binned once."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Lesson

MOST_BYTES = 1 << 30                           # of a booster that is read back
MOST_BINNED = 128 << 20                         # bytes, about, of binned rows that are kept for the next settings
REFIT_ROWS = 50_000
MOST_NATIVE = 255                               # levels of a category that are split by sets; with more, by their order
BLIND_ROUNDS = 100                              # where no row could be spared to stop by
SHARE = 0.9                                     # of the budget that rounds may use; the rest is for saving and scoring

TIMED_ROUNDS = 5                                # before a pace is found
COMMON_STEPS = 15.0                             # rounds times rate that is commonly enough
MOST_RATE = 0.2

T = TypeVar("T")
_binned: dict[tuple[Any, ...], tuple[Any, int]] = {}


def binned(make: Callable[[], T], how: tuple[Any, ...], *arrays: Array | None) -> T:
    """What `make` gives, made once for the same `how` and arrays of the same content, however often it is asked for.

    how: the library, and every setting that its binning depends on. At most about `MOST_BINNED` bytes are kept in this
    process, of two bytes a cell; what was asked for least lately goes first."""
    size = 2 * sum(a.size for a in arrays if a is not None)
    key = (*how, *(None if a is None else _digest(a) for a in arrays))
    made = _binned.pop(key, None) or (make(), size)
    _binned[key] = made
    while sum(kept for _, kept in _binned.values()) > MOST_BINNED:
        _binned.pop(next(iter(_binned)))
    found: T = made[0]
    return found


def _digest(array: Array) -> tuple[str, tuple[int, ...], bytes]:
    whole = np.ascontiguousarray(array)
    return str(array.dtype), array.shape, hashlib.blake2b(whole.data, digest_size=16).digest()


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


def native(lesson: Lesson) -> tuple[int, ...]:
    """The categories of few levels. Sets of thousands of levels overfit (flights: ROC AUC 0.810 against 0.818)."""
    return tuple(j for j in lesson.categorical if not np.nanmax(lesson.X[:, j], initial=0.0) >= MOST_NATIVE)


@dataclass
class Pace:
    """Finds a learning rate with which the rounds that are commonly needed fit into the time, once some were timed.

    rate: the one that is wanted; it is only ever raised, to MOST_RATE at most. seconds: what all rounds may take."""

    rate: float
    seconds: float
    began: float = 0.0

    def after(self, rounds: int) -> float | None:
        """The rate to go on with after so many rounds, where it is to change. The first is not timed: it bins."""
        if rounds == 1:
            self.began = time.monotonic()
        if rounds != 1 + TIMED_ROUNDS:
            return None
        affordable = max(self.seconds * TIMED_ROUNDS / (time.monotonic() - self.began), 1.0)
        rate = min(COMMON_STEPS / affordable, MOST_RATE)
        return rate if rate > self.rate else None


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


def rows_of(lesson: Lesson) -> tuple[Array | None, ...]:
    """All that rows binned for this lesson hold."""
    held = (None, None, None) if lesson.X_val is None else (lesson.X_val, lesson.y_val, lesson.weight_val)
    return lesson.X, lesson.y, lesson.weight, *held


def one_a_label(lesson: Lesson, ctx: Context) -> Iterator[tuple[Lesson, Context]]:
    """A binary lesson for each label, with its share of the time that is left."""
    began = time.monotonic()
    for j in range(lesson.k):
        left = max(ctx.budget_s - (time.monotonic() - began), 0.0) / (lesson.k - j)
        y_val = None if lesson.y_val is None else lesson.y_val[:, j]
        yield replace(lesson, goal="binary", k=2, y=lesson.y[:, j], y_val=y_val), replace(ctx, budget_s=left)
