"""Writing so that a reader never meets half a file: write beside, flush, rename."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; on leaving without an error it takes the place of `path`, at once and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield beside
        with beside.open("r+b") as f:               # Windows flushes only what may be written
            os.fsync(f.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Plain JSON, sorted by nothing, NaN refused, non-ASCII kept."""
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=plain) + "\n"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[Any]:
    """The whole lines of a JSON-lines file; one cut short by a kill is left out."""
    if not path.exists():
        return []
    kept = []
    for line in path.read_bytes().split(b"\n"):
        try:
            kept.append(json.loads(line))
        except ValueError:
            continue
    return kept


def sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def plain(value: Any) -> Any:
    """NumPy scalars and arrays, paths, dates and sets as JSON knows them; for what `json` cannot write itself."""
    for name in ("item", "tolist", "isoformat"):
        method = getattr(value, name, None)
        if callable(method) and (name != "item" or getattr(value, "size", 1) == 1):
            return method()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON: {value!r}")
