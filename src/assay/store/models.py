"""Models under a name: versions, and aliases that point at them.

Functions over one folder, `.assay/models/<name>/`. A version is never changed once it is written;
an alias is moved by appending to its log, so who moved it, when and why stays known.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import StoreError, UnknownName, UserError
from assay.store import disk

LAST = "last"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION_FILE = re.compile(r"([1-9][0-9]{0,8})\.json")


def valid_name(name: str, what: str = "model") -> str:
    """The name itself. Raises UserError unless it is plain enough to be a folder on any system."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UserError(f"{name!r} cannot name a {what}: wanted at most 64 letters, digits, '-', '_' or '.', beginning "
                        f"with a letter or digit, such as {name_from(name)!r}.")
    if name == LAST:
        raise UserError(f"{LAST!r} always means the newest run, so it cannot name a {what}.")
    return name


def name_from(text: str) -> str:
    """A valid name that reminds of any text.

    >>> name_from("Kündigungen 2026 (neu).v2"), name_from("../..")
    ('K-ndigungen-2026-neu-.v2', 'model')
    """
    name = re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-._")[:64].rstrip("-._")
    return "model" if name in ("", LAST) else name


# --- versions ------------------------------------------------------------------------------------


def versions(model: Path) -> list[dict[str, Any]]:
    """The records of all versions, oldest first. One that a killed process left unfinished is left out."""
    found = ((n, disk.read_record(_version_file(model, n))) for n in _numbers(model))
    return [record for n, record in found if record and record.get("version") == n]


def add_version(model: Path, record: Mapping[str, Any]) -> int:
    """Claim the next number and write its record; many processes may do so at once."""
    number = max(_numbers(model), default=0)
    with disk.telling(model):
        (model / "versions").mkdir(parents=True, exist_ok=True)
        while True:
            number += 1
            try:
                descriptor = os.open(_version_file(model, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                continue
            _fill(descriptor, _version_file(model, number), {"version": number, **record})
            return number


def _numbers(model: Path) -> list[int]:
    """The numbers taken, ascending, whether their record is whole or not."""
    with disk.telling(model, "reading"):
        try:
            entries = os.listdir(model / "versions")  # noqa: PTH208  names, not paths
        except FileNotFoundError:
            return []
    return sorted(int(match[1]) for entry in entries if (match := _VERSION_FILE.fullmatch(entry)))


def _version_file(model: Path, number: int) -> Path:
    return model / "versions" / f"{number}.json"


def _fill(descriptor: int, path: Path, record: Mapping[str, Any]) -> None:
    """Write the record whole, or give its number back."""
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(disk.finite(record), indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


# --- aliases --------------------------------------------------------------------------------------


def promotions(model: Path) -> list[dict[str, Any]]:
    """Every move of every alias, oldest first: {when, who, alias, version, from, why}."""
    return disk.lines(model / "aliases.jsonl")


def aliases(model: Path) -> dict[str, int]:
    """alias -> the version it points at now."""
    return {move["alias"]: move["version"] for move in promotions(model)}


def promote(model: Path, version: int, alias: str, *, who: str, why: str) -> None:
    """Point an alias at a version. Raises UnknownName where there is no such version."""
    valid_name(alias, "alias")
    version_of(model, version)
    with disk.alone(model / "lock"):            # so that each line's `from` is what the line before it says
        before = aliases(model).get(alias)
        disk.append(model / "aliases.jsonl", {
            "when": disk.now(), "who": who, "alias": alias, "version": version, "from": before, "why": why,
        })


def version_of(model: Path, version: int) -> dict[str, Any]:
    known = versions(model)
    for record in known:
        if record["version"] == version:
            return record
    there = f"1 to {known[-1]['version']}" if known else "no version yet"
    raise UnknownName(f"{model.name!r} has no version {version}; there is {there}.")


def wanted(model: Path, suffix: str) -> dict[str, Any]:
    """The version record that "", ":3" or "@champion" means: the champion where there is one, else the newest."""
    pointed = aliases(model)
    if suffix.startswith(":"):
        return version_of(model, _as_number(model, suffix[1:]))
    if suffix or "champion" in pointed:
        alias = suffix[1:] or "champion"
        if alias not in pointed:
            raise UnknownName(f"{model.name!r} has no alias {alias!r}. {_there(pointed)}")
        return version_of(model, pointed[alias])
    known = versions(model)
    if not known:
        raise StoreError(f"{model.name!r} has no version that can be read in {model}.")
    return known[-1]


def _as_number(model: Path, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UnknownName(f"{model.name}:{text} names no version; wanted a number, such as {model.name}:1.")
    return int(text)


def _there(pointed: Mapping[str, int]) -> str:
    if not pointed:
        return "It has none yet: assay promote NAME VERSION champion."
    return f"There are: {', '.join(f'{alias} (version {version})' for alias, version in pointed.items())}."
