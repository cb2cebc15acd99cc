"""What a fit will take, before it is started: seconds and memory, as evidence expects and this machine shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.search.runner import Runner

UNKNOWN_S = 2.0                                 # a fold of a recipe that nothing is known of
SPARE_MB = 500.0                                # left to everything else on the machine


class Costs:
    """Seconds, learned as fits end: the median ratio of what was taken to what was expected scales what is to come."""

    def __init__(self) -> None:
        self._ratios: list[float] = []

    def learn(self, expected_s: float | None, took_s: float) -> None:
        if expected_s:
            self._ratios.append(took_s / expected_s)

    @property
    def scale(self) -> float:
        """This machine and this table against what was expected; 1 as long as nothing has ended."""
        return float(np.median(self._ratios)) if self._ratios else 1.0

    def first_s(self, runner: Runner, share: float = 1.0) -> float:
        """Seconds of its first fold, or of a share of it."""
        return max((runner.entrant.first_s or UNKNOWN_S) * self.scale * share, 0.05)

    def next_s(self, runner: Runner) -> float:
        """Seconds of another fold: as its finished folds took, the first of them scaled to what settling saves."""
        later = [taken(d) for fold, d in runner.done.items() if fold != 0]
        if later:
            return max(later)
        saving = (runner.entrant.next_s / runner.entrant.first_s
                  if runner.settled and runner.entrant.first_s and runner.entrant.next_s else 1.0)
        if 0 in runner.done:
            return taken(runner.done[0]) * saving
        if runner.screened is not None:
            return taken(runner.screened) * saving / float(runner.screened["share"])
        return self.first_s(runner) * saving


def taken(done: Mapping[str, Any]) -> float:
    """Seconds of a finished job, fit and confrontation."""
    return float(done["fit_s"] + done["predict_s"])


def room_mb() -> float:
    """Memory that may still be taken, in megabytes: the machine's, or what its control group leaves. inf if unknown."""
    free = math.inf
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
        free = float(lines["MemAvailable"].split()[0]) / 1024
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.exists() and used.exists() and (said := limit.read_text(encoding="ascii").strip()) != "max":
        free = min(free, (float(said) - float(used.read_text(encoding="ascii"))) / 2**20)
    return free - SPARE_MB


def fits(runner: Runner, running: Sequence[Runner], room: float) -> bool:
    """Whether its memory is there beside what the running ones may still take."""
    return runner.entrant.memory_mb + sum(r.entrant.memory_mb for r in running) <= room
