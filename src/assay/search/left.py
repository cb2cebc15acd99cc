"""The time that a race still has, once what comes after it has kept its share."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from assay.search.clock import Clock
from assay.search.runner import Runner

REFIT = 1.5
"""How many times a fold's seconds are kept for a fit on all training cases, of which there are up to a quarter more."""

LEAST_REFIT = 1.25
"""With how many times a fold's seconds a fit on all training cases still begins; what lies between goes to deciding."""

MIXED = 3
"""How many of the best a mixture is taken to be made of, when time is kept for the test part."""

CURVE_PART = 0.1
"""Of the race's time, what is kept at most for the learning curve."""


@dataclass
class Left:
    """folds: of the race. curve: whether a learning curve is to be drawn. refits: whether winners learn once more."""

    clock: Clock
    folds: int
    workers: int
    test_cases: int
    curve: bool
    refits: bool
    began: float = field(default_factory=time.monotonic)

    def whole(self, scored: Sequence[Runner]) -> float:
        """Seconds until the race must end, so that proof and report keep their share, models can be loaded and the test
        part be read.

        scored: the recipes that have a score, best first. A mixture of those that are still in the race reads it, its
        rivals in half the time."""
        mixed = [r for r in scored if not r.state][:MIXED]
        loading = self.folds * sum(r.load_s for r in mixed)
        reading = 1.5 * self.folds * self.test_cases * sum(r.answer_s for r in mixed)
        return self.clock.left - self.clock.tail_s - min(loading + reading, self.clock.budget_s / 4)

    def for_fits(self, scored: Sequence[Runner]) -> float:
        """Seconds that fits still have: a single fold's leader keeps time to learn from all cases, all a curve."""
        left = self.whole(scored)
        if math.isinf(left):
            return left
        whole = left + time.monotonic() - self.began
        leader = max((r.fold_s for r in scored[:1]), default=0.0)
        refit = leader * REFIT if self.refits else 0.0
        curve = min(1.5 * leader / self.workers, CURVE_PART * whole) if self.curve else 0.0
        return left - (refit if refit < 0.6 * whole else 0.0) - curve
