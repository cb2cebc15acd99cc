"""Processes that fit recipes: a few, each on one thread, each killed when its job outlives its deadline.

Folds run as processes because two OpenMP threads collapse as soon as anything else runs.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import AssayError

DESCRIBE = "describe"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def cores() -> int:
    """Processors that this process may use, as far as the system tells. A container's share of time is not seen."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class _Busy:
    job: dict[str, Any]
    deadline: float


class _Process:
    """One worker process and the thread that reads its answers into a queue shared by all."""

    def __init__(self, answers: _Answers, paradigm: str, opening: Sequence[str] = ()) -> None:
        self.busy: _Busy | None = None
        self.opening = opening                         # the only recipes it has imported ahead; none: all
        env = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONHASHSEED": "0", "ASSAY_PARENT": str(os.getpid())}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "assay.search.worker", paradigm, *opening],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, encoding="utf-8", env=env, start_new_session=os.name == "posix",
        )
        threading.Thread(target=self._listen, args=(answers,), daemon=True).start()

    def _listen(self, answers: _Answers) -> None:
        out = self._process.stdout
        assert out is not None  # noqa: S101 - it was asked for as a pipe
        with suppress(ValueError):                     # killed in the middle of a line, or closed meanwhile
            for line in out:
                answers.put((self, json.loads(line)))
        answers.put((self, None))

    def send(self, job: dict[str, Any], deadline: float) -> None:
        self.busy = _Busy(job, deadline)
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - it was asked for as a pipe
        with suppress(OSError):                        # it died: the listener says so
            pipe.write(json.dumps(job) + "\n")
            pipe.flush()

    def kill(self) -> None:
        """It, and on POSIX whatever a library started in its session."""
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):     # macOS refuses where all of them are dead
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close_quietly(pipe)


_Answers = queue.SimpleQueue[tuple[_Process, dict[str, Any] | None]]


class Workers:
    """`count` processes. They start at once, so that their imports run while the data is still being read.

    opening: recipes that the first process knows before the libraries of the others are there."""

    def __init__(self, count: int, paradigm: str, opening: Sequence[str] = ()) -> None:
        self.count, self.paradigm, self.opening = count, paradigm, tuple(opening)
        self.log: Path | None = None
        self._answers: _Answers = queue.SimpleQueue()
        self._opening: dict[str, Any] | None = None
        self.recipes: list[dict[str, Any]] | None = None        # once all are known
        self.first_recipes: list[dict[str, Any]] | None = None  # those of `opening`, or all
        self._all = [_Process(self._answers, paradigm, () if i else opening) for i in range(count)]

    def open(self, task: Path, log: Path) -> None:
        """Every worker, and every one that replaces it, opens this task without its test part.

        log: where what they print goes, from then on."""
        self.log, self.recipes, self.first_recipes = log, None, None
        self._opening = {"id": "open", "open": str(task), "paradigm": self.paradigm, "log": str(log)}
        for process in list(self._all):
            if process.busy:                           # with a job of the task that was open before
                self._renew(process)
            else:
                process.send(self._opening, float("inf"))

    @property
    def idle(self) -> int:
        return sum(p.busy is None for p in self._all)

    @property
    def working(self) -> bool:
        return any(p.busy and p.busy.job["id"] not in ("open", DESCRIBE) for p in self._all)

    def submit(self, job: dict[str, Any], deadline: float) -> None:
        """Hand a job to an idle worker; it is killed at `deadline`, a moment of time.monotonic()."""
        process = next(p for p in self._all if p.busy is None)
        process.send(job, deadline)

    def wait(self, timeout_s: float) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The next finished job and its answer, or None when there was none in time.

        States of an answer: done, failed, cut (killed at its deadline)."""
        until = time.monotonic() + timeout_s
        while (now := time.monotonic()) < until:
            overdue = next((p for p in self._all if p.busy and p.busy.deadline <= now), None)
            if overdue is not None:
                return self._replace(overdue, {"state": "cut", "note": "it was not done when its time was over"})
            soonest = min((p.busy.deadline for p in self._all if p.busy), default=until)
            try:
                process, answer = self._answers.get(timeout=max(0.0, min(until, soonest) - now))
            except queue.Empty:
                continue
            if process not in self._all:
                continue
            if answer is None and process.busy is None and self.first_recipes is not None:
                self._renew(process)                   # it died between jobs: nothing is lost
                continue
            if answer is None:
                return self._replace(process, {"state": "failed", "note": "its process died (see workers.log)"})
            busy, process.busy = process.busy, None
            if answer["id"] in ("open", DESCRIBE):
                self._learn(answer["recipes"], answer["id"] == "open" and bool(process.opening))
            elif busy is not None:
                return busy.job, answer
        return None

    def _learn(self, recipes: list[dict[str, Any]], opening: bool) -> None:
        if self.first_recipes is None:
            self.first_recipes = recipes
        if not opening:
            self.recipes = recipes

    def opened(self) -> list[dict[str, Any]]:
        """The recipes of the opened task that are known first, once a worker has opened it."""
        while self.first_recipes is None:
            self.wait(0.1)
        return self.first_recipes

    def described(self) -> list[dict[str, Any]] | None:
        """All recipes of the opened task; None as long as they are not known, which some worker then sees to."""
        if self.recipes is None and not any(p.busy and p.busy.job["id"] in ("open", DESCRIBE) for p in self._all):
            idle = next((p for p in self._all if p.busy is None), None)
            if idle is not None:
                idle.send({"id": DESCRIBE}, float("inf"))
        return self.recipes

    def _replace(self, process: _Process, answer: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """A fresh process in the place of one that overran or died; the answer stands for its job."""
        job = process.busy.job if process.busy else {"id": "open"}
        if job["id"] in ("open", DESCRIBE):
            raise AssayError(f"a worker process could not start or open the task; what it printed is in {self.log}")
        self._renew(process)
        return job, answer

    def _renew(self, process: _Process) -> None:
        process.kill()
        fresh = _Process(self._answers, self.paradigm)
        self._all[self._all.index(process)] = fresh
        if self._opening is not None:
            fresh.send(self._opening, float("inf"))

    def close(self) -> None:
        for process in self._all:
            process.kill()


def _close_quietly(pipe: Any) -> None:
    with suppress(OSError):                            # unsent words to a dead process
        pipe.close()
