"""One command within a budget of wall clock. When that is spent it is killed, with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_S, _WEIGH_S = 0.05, 0.5


@dataclass(frozen=True)
class Ran:
    """How it went. code: None where it was killed for its time. cpu_s, memory_mb: 0 where the system does not say."""

    code: int | None
    seconds: float
    cpu_s: float = 0.0
    memory_mb: float = 0.0                      # resident, of all its processes together, the most that was seen


def run(command: Sequence[str], desk: Path, log: Path, *, limit_s: float, env: Mapping[str, str]) -> Ran:
    """Run `command` in `desk`, what it prints going to `log`, for at most `limit_s` seconds.

    Nothing that it started in its own process group outlives it, however this ends. Raises OSError where it cannot be
    started."""
    with log.open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=desk, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   env=dict(env), start_new_session=True)
    try:
        return _waited(process, began, limit_s)
    finally:
        _kill(process)


def _waited(process: subprocess.Popen[bytes], began: float, limit_s: float) -> Ran:
    if sys.platform == "win32":
        try:
            return Ran(process.wait(limit_s), time.monotonic() - began)
        except subprocess.TimeoutExpired:
            return Ran(None, time.monotonic() - began)
    memory_mb, weighed = 0.0, 0.0
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        over = time.monotonic() - began > limit_s
        if pid or over:
            break
        if time.monotonic() - weighed > _WEIGH_S:
            memory_mb, weighed = max(memory_mb, _resident_mb(process.pid)), time.monotonic()
        time.sleep(_LOOK_S)
    seconds = time.monotonic() - began
    if not pid:
        _kill_group(process.pid)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ran(process.returncode if pid else None, seconds, used.ru_utime + used.ru_stime, memory_mb)


def _resident_mb(group: int) -> float:
    """Resident memory of the processes of a group, in MB; 0 where the system has no /proc.

    Not `ru_maxrss` of wait4: Linux counts what the parent held when it forked, so a small contestant of a large parent
    looks as large as the parent. Pages that its processes share are counted for each."""
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):                 # it has just ended
            told = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            pages += int(told[21]) if int(told[2]) == group else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _kill(process: subprocess.Popen[bytes]) -> None:
    _kill_group(process.pid)
    if process.returncode is None:
        process.kill()
        process.wait()


def _kill_group(leader: int) -> None:
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):     # nobody is left in it
            os.killpg(leader, signal.SIGKILL)
