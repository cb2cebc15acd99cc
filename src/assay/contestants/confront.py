"""One contestant from its word to its answers: environment, desk, run, check. What was finished is kept."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import polars as pl

from assay.contestants.answers import read_answers
from assay.contestants.desk import ANSWERS, Papers, surroundings
from assay.contestants.environments import environment, versions
from assay.contestants.known import Contestant
from assay.contestants.running import Ran, run
from assay.contract import Field, Table
from assay.errors import AssayError, DataError
from assay.files import read_json, replacing, sha256, write_json

_LOG_BYTES = 1 << 20
RESULT, LOG = "result.json", "log.txt"


@dataclass(frozen=True)
class Result:
    """How a contestant did. status: answered, failed, over budget. key: of all that its answers depend on."""

    name: str
    status: str
    note: str = ""
    key: str = ""
    command: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    log: str = ""
    again: bool = False


def confront(
    who: Contestant, given: Papers, outputs: Sequence[Field], *, store: Path, keep: Path, limit_s: float, fresh: bool,
    tell: Callable[[str], None],
) -> tuple[Result, Table | None]:
    """Let the contestant answer, or take over what it answered before to the very same question.

    keep: the folder where its log, its answers and what is said of it stay. Whatever breaks is in the result; only an
    interrupt goes through, and then nothing of it is left running."""
    key = _key(who, given)
    if not fresh and (kept := _kept(keep, key, given, outputs)):
        tell(f"{who.name} answered this before; its answers are taken over")
        return kept
    shutil.rmtree(keep, ignore_errors=True)
    keep.mkdir(parents=True)
    result, answers = _answered(who, given, outputs, store=store, keep=keep, limit_s=limit_s, tell=tell)
    result = replace(result, key=key, log=str(keep / LOG) if (keep / LOG).exists() else "")
    if answers is not None:
        with replacing(keep / ANSWERS) as beside:
            answers.write_parquet(beside)
    write_json(keep / RESULT, asdict(result))
    tell(f"{who.name}: {result.status} after {result.seconds:.1f} s{f'. {result.note}' if result.note else ''}")
    return result, answers


def _answered(
    who: Contestant, given: Papers, outputs: Sequence[Field], *, store: Path, keep: Path, limit_s: float,
    tell: Callable[[str], None],
) -> tuple[Result, Table | None]:
    python = None
    try:
        if who.requirements:
            python = environment(store / "environments", who.name, who.requirements, tell)
    except AssayError as wrong:
        return Result(who.name, "failed", str(wrong)), None
    found = Result(who.name, "answered", command=shlex.join(who.words(python)),
                   versions=versions(python) if python else {})
    with tempfile.TemporaryDirectory(prefix="assay-contestant-", ignore_cleanup_errors=True) as place:
        desk = Path(place).resolve()
        given.lay(desk)
        tell(f"{who.name} has {given.question['budget_s']:g} s")
        began = time.monotonic()
        try:
            ran = run(who.words(python), desk, desk / LOG, limit_s=limit_s,
                      env=surroundings(desk, store, own=python is not None))
        except OSError as wrong:
            return replace(found, status="failed", note=f"it could not be started: {wrong}"), None
        finally:
            _keep_log(desk / LOG, keep / LOG)
        found = replace(found, seconds=ran.seconds, cpu_s=ran.cpu_s, memory_mb=ran.memory_mb)
        if (broke := _broke(ran, keep / LOG)) is not None:
            return replace(found, status=broke[0], note=broke[1], seconds=time.monotonic() - began), None
        try:
            return found, read_answers(desk / ANSWERS, len(given.test), outputs)
        except DataError as wrong:
            return replace(found, status="failed", note=str(wrong)), None


def _broke(ran: Ran, log: Path) -> tuple[str, str] | None:
    """(status, note) of a process that did not end well."""
    if ran.code is None:
        return "over budget", f"it was still at work after {ran.seconds:.0f} s and was killed"
    if ran.code == 0:
        return None
    how = f"exit code {ran.code}" if ran.code > 0 else f"signal {-ran.code}"
    return "failed", f"{how}; its last line: {last_line(log) or 'none'}"


def last_line(log: Path) -> str:
    """The last line that says something, cut to 300 characters."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _keep_log(log: Path, kept: Path) -> None:
    """The last megabyte of it; a link that was put in its place is not followed."""
    if not log.is_symlink() and log.is_file():
        with log.open("rb") as f:
            f.seek(max(0, log.stat().st_size - _LOG_BYTES))
            kept.write_bytes(f.read())


# --- what was finished before -------------------------------------------------------------------


def _key(who: Contestant, given: Papers) -> str:
    """A hash of the command, the files that it names, the requirements and the question."""
    files = {word: sha256(Path(word)) for word in who.command if Path(word).is_file()}
    said = json.dumps([who.command, who.requirements, files, given.question], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def _kept(keep: Path, key: str, given: Papers, outputs: Sequence[Field]) -> tuple[Result, Table] | None:
    try:
        said = Result(**read_json(keep / RESULT))
        if said.status != "answered" or said.key != key:
            return None
        return replace(said, again=True), read_answers(keep / ANSWERS, len(given.test), outputs)
    except (OSError, ValueError, TypeError, DataError, pl.exceptions.PolarsError):
        return None
