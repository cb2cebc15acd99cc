"""Where the store meets the disk: a full disk told in one sentence, whole lines, locks that die with their process."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay import files
from assay.errors import StoreError
from assay.files import plain

_SPACE = "Free some space, or name a store elsewhere with ASSAY_STORE."
_OWNER = "See who owns the folder, or name a store elsewhere with ASSAY_STORE."
_WHY = {
    errno.ENOSPC: ("no space left", _SPACE),
    getattr(errno, "EDQUOT", errno.ENOSPC): ("no space left", _SPACE),
    errno.EFBIG: ("no space left (a limit on the size of files)", _SPACE),
    errno.EROFS: ("the file system is read-only", _OWNER),
    errno.EACCES: ("permission denied", _OWNER),
    errno.EPERM: ("permission denied", _OWNER),
    errno.EIO: ("the disk reported an error", "Check the disk."),
    errno.ENOLCK: ("the file system cannot lock files", "Name a store elsewhere with ASSAY_STORE."),
}


@contextmanager
def telling(path: Path, doing: str = "writing") -> Iterator[None]:
    """Raise StoreError, in one sentence, where the disk is full, read-only, forbidden or broken."""
    try:
        yield
    except OSError as wrong:
        if wrong.errno not in _WHY:
            raise
        why, mend = _WHY[wrong.errno]
        raise StoreError(f"{why} while {doing} {path}. {mend}") from wrong


def now() -> str:
    """UTC, ISO 8601, to the microsecond: sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def finite(value: Any) -> Any:
    """The value as strict JSON gives it back: NaN and infinities become None, NumPy numbers become plain ones."""
    return json.loads(json.dumps(value, default=plain), parse_constant=lambda _: None)


def write(path: Path, value: Any) -> None:
    """A whole JSON file or none."""
    with telling(path):
        files.write_json(path, finite(value))


def append(path: Path, value: Any) -> None:
    """One JSON line in one write: whole lines only, from many processes at once.

    A line that a full disk cut short is never continued by the next one."""
    line = (json.dumps(finite(value), ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
    with telling(path):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            line = _newline_owed(descriptor) + line
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)


def _newline_owed(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if not size:
        return b""
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return b"" if os.read(descriptor, 1) == b"\n" else b"\n"


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole records of a JSON-lines file; what was cut short by a kill or a full disk is left out."""
    with telling(path, "reading"):
        return [line for line in files.read_lines(path) if isinstance(line, dict)]


def read_record(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where the file is missing, cut short or something else."""
    with telling(path, "reading"):
        try:
            value = files.read_json(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
    return value if isinstance(value, dict) else None


# --- locks: the kernel drops them when their process ends, however it ends ----------------------

_HELD: dict[Path, int] = {}

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30                              # a byte nobody reads: locks are mandatory there

    def _try_lock(descriptor: int, *, shared: bool) -> bool:  # noqa: ARG001  this system has one kind of lock
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go_in_child() -> None:
        """A forked child shares its parent's locks, and would keep them alive after it."""
        while _HELD:
            os.close(_HELD.popitem()[1])

    os.register_at_fork(after_in_child=_let_go_in_child)


def hold(path: Path, *, wait_s: float = 0.5) -> bool:
    """Lock a file until `release` or the end of this process; False if somebody else has it.

    It waits a moment, since `is_held` takes the lock for an instant to look."""
    with telling(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + wait_s
        try:
            while not _try_lock(descriptor, shared=False):
                if time.monotonic() > until:
                    os.close(descriptor)
                    return False
                time.sleep(0.01)
        except OSError:
            os.close(descriptor)
            raise
    _HELD[path] = descriptor
    return True


def release(path: Path) -> None:
    if path in _HELD:
        os.close(_HELD.pop(path))


def is_held(path: Path) -> bool:
    """Whether a process that is alive, this one included, holds the lock."""
    if path in _HELD:
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Only one process at a time is inside, a minute at most."""
    if not hold(path, wait_s=60):
        raise StoreError(f"another process has kept {path} locked for a minute. See what it is doing, or stop it.")
    try:
        yield
    finally:
        release(path)
