"""One command, watched: wall clock, processor time and memory of all its processes, and who else was busy.

Its processes are found by a mark in their environment, so daemons that leave the process tree, as Ray's do, are
counted, and killed at the end. Memory is the proportional set size: a page that n processes share counts 1/n for each.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MARK = "ASSAY_BENCHMARK_RUN"
LOOK_S, WEIGH_S, AT_MOST = 0.02, 0.2, 0.05      # weighing may take a twentieth of one core
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ran:
    """code: None where it was killed for its time. cpu_s: of the processes that were seen. others: cores kept busy by
    the rest of the machine while it ran."""

    code: int | None
    seconds: float
    cpu_s: float
    peak_mb: float
    others: float


@dataclass
class Family:
    """The processes that carry the mark. Who is of it is asked once of each process."""

    mark: str
    known: dict[tuple[int, int], bool] = field(default_factory=dict)
    cpu_s: dict[tuple[int, int], float] = field(default_factory=dict)

    def members(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError, ValueError):     # it has just ended
                told = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                who = (int(entry.name), int(told[19]))
                if not self.known.get(who):
                    # a child carries its parent's environment until it starts its own program: asked again while not
                    self.known[who] = f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes()
                if self.known[who]:
                    self.cpu_s[who] = (int(told[11]) + int(told[12])) / TICK
                    if told[0] != "Z":
                        found.append(who[0])
        return found

    def weight_mb(self) -> float:
        return sum(_pss_kb(pid) for pid in self.members()) / 1024

    def kill(self) -> None:
        """Nothing with the mark outlives the command."""
        for _ in range(50):
            left = self.members()
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.02)


def watch(command: Sequence[str], desk: Path, log: Path, *, limit_s: float, env: Mapping[str, str]) -> Ran:
    """Run `command` in `desk`, what it prints going to `log`, for at most `limit_s` seconds."""
    family, peak_mb, weighed, pause = Family(uuid.uuid4().hex), 0.0, 0.0, WEIGH_S
    busy, own, waited = _busy_s(), time.process_time(), _children_s()
    with log.open("ab") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=desk, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   env={**env, MARK: family.mark}, start_new_session=True)
    try:
        while (code := process.poll()) is None and time.monotonic() - began <= limit_s:
            if time.monotonic() - weighed > pause:
                weighed = time.monotonic()
                peak_mb = max(peak_mb, family.weight_mb())
                pause = max(WEIGH_S, (time.monotonic() - weighed) / AT_MOST)
            time.sleep(LOOK_S)
        seconds = time.monotonic() - began
        family.members()
        used = max(sum(family.cpu_s.values()), _children_s() - waited)      # some may have lived between two looks
        others = _busy_s() - busy - used - (time.process_time() - own)
    finally:
        family.kill()
        process.wait()
    return Ran(code, seconds, used, peak_mb, max(0.0, others / seconds))


def busy_cores(over_s: float = 1.0) -> float:
    """How many cores are busy now, this process left out."""
    busy, own, began = _busy_s(), time.process_time(), time.monotonic()
    time.sleep(over_s)
    return max(0.0, (_busy_s() - busy - (time.process_time() - own)) / (time.monotonic() - began))


def _busy_s() -> float:
    """Seconds of all cores since the machine started that were not idle: user, nice, system, interrupts."""
    told = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    return sum(int(told[i]) for i in (0, 1, 2, 5, 6)) / TICK


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _pss_kb(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
