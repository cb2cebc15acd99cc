"""The budget, kept: one clock a run, told how much of the end belongs to proof and report."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Seconds of wall time. `before` is what an interrupted run had already spent."""

    budget_s: float = math.inf
    before: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        return self.before + time.monotonic() - self.started

    @property
    def left(self) -> float:
        return self.budget_s - self.elapsed

    @property
    def tail_s(self) -> float:
        """What the race leaves to proof, explanation and report: an eighth, 2 to 60 s; 15 s where nothing limits it."""
        if math.isinf(self.budget_s):
            return 15.0
        return min(60.0, max(2.0, self.budget_s / 8))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to `spent[name]`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.monotonic() - began
