"""A process that has never seen the model: it loads saved ones where nothing may run code, and weighs predicting.

It is started once and serves many models, so that a check costs milliseconds. Standard input brings jobs
as JSON lines, standard output takes the answers.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import tracemalloc
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl

from assay.contract import Model, Table

FORBIDDEN = (
    "pickle.find_class", "marshal.loads", "exec", "compile",
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty",
)
"""Audit events that mean code out of a file, or another program. What imports of installed modules do is apart."""


def answers_of_a_fresh_process(model: Path, batch: Table) -> Table:
    """What the model saved in a folder predicts there. Raises AssertionError if loading or predicting ran code."""
    with tempfile.TemporaryDirectory() as scratch:
        answers = Path(scratch) / "answers.parquet"
        _ask(model, batch, answers=str(answers))
        return pl.read_parquet(answers)


def memory_of_a_fresh_process(model: Path, batch: Table, rows: int) -> tuple[int, int]:
    """Bytes: by how much memory peaked above what it was in predicting the batch repeated to so many rows;
    and what that batch and its answers weigh."""
    said = _ask(model, batch, rows=rows)
    return said["grew"], said["weight"]


def _ask(model: Path, batch: Table, **job: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "batch.parquet"
        batch.write_parquet(path)
        answer = _exchange({"model": str(model), "batch": str(path), **job})
    if "wrong" in answer:
        raise AssertionError(f"in a fresh process: {answer['wrong']}")
    return answer


def _exchange(job: dict[str, Any]) -> dict[str, Any]:
    process = _started(os.pathsep.join(path for path in sys.path if path))
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - pipes were asked for
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        _started.cache_clear()
        raise AssertionError(f"the process that was to load the model died with code {process.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer


@cache
def _started(path: str) -> subprocess.Popen[str]:
    """One process a search path: it finds the packages that this one finds. It ends when its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from assay.testing.process import main; main()"],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
    )
    atexit.register(process.communicate)
    return process


# --- in the process ---------------------------------------------------------------------------


class Guard:
    """An audit hook. While armed it refuses every forbidden event that no import caused, and remembers it."""

    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.armed and event in FORBIDDEN and not _importing():
            self.seen.append(f"{event} {str(arguments)[:200]}")
            raise RuntimeError(f"loading a model may not do this: {self.seen[-1]}")


def _importing() -> bool:
    """Is an import going on? Its frames carry the names of the frozen import machinery."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib._bootstrap"):
            return True
        frame = frame.f_back
    return False


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)                                # what a library prints goes to standard error
    guard = Guard()
    sys.addaudithook(guard)
    for line in sys.stdin:
        try:
            answer = _perform(json.loads(line), guard)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer
            answer = {"wrong": f"{type(error).__name__}: {error}"}
        if guard.seen:
            answer = {"wrong": f"code was run: {'; '.join(guard.seen)}"}
            guard.seen.clear()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _perform(job: dict[str, Any], guard: Guard) -> dict[str, Any]:
    from assay.store.package import load_model

    batch = pl.read_parquet(job["batch"])
    guard.armed = True
    try:
        model = load_model(Path(job["model"]))
        answers = model.predict(batch)
    finally:
        guard.armed = False
    if "rows" in job:
        return _weighed(model, batch, job["rows"])
    answers.write_parquet(job["answers"])
    return {}


def _weighed(model: Model, batch: Table, rows: int) -> dict[str, Any]:
    many = pl.concat([batch] * -(-rows // batch.height), rechunk=True).head(rows)
    begin, end = (_reset_peak, _peak) if Path("/proc/self/clear_refs").exists() else (_begin_traced, _end_traced)
    before = begin()
    answers = model.predict(many)
    return {"grew": end() - before, "weight": int(many.estimated_size() + answers.estimated_size())}


def _reset_peak() -> int:
    """Linux only: the peak of resident memory begins anew at what is held now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _begin_traced() -> int:
    """Elsewhere: what Python and NumPy allocate, without what a library takes by itself."""
    tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]


def _end_traced() -> int:
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
