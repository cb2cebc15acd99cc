"""`assay doctor`: whether this machine, these libraries and the store are in order, and the mend where they are not."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from assay.cli.common import Common, columns
from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.store import Store

LOW_DISK_GB = 1.0

_IMPORTED_AS = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn", "xgboost-cpu": "xgboost"}
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)([^;]*);?(.*)")


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing looked at. `mend` says what to do where it is broken."""

    what: str
    state: Literal["ok", "absent", "broken"]
    found: str
    mend: str = ""


def doctor(*, common: Common = Common()) -> int:
    """Look at Python, the libraries, the extras, the store, the disk and the cores; exit code 1 if one is broken."""
    seen = [_python(), *_libraries(), *_store(common), _disk(common), _cores()]
    sound = all(s.state != "broken" for s in seen)
    common.say({"sound": sound, "seen": seen}, _lines(seen, sound))
    return 0 if sound else 1


def _lines(seen: list[Seen], sound: bool) -> Iterator[str]:
    yield from columns(("what", "state", "found"), [(s.what, s.state, s.found) for s in seen])
    yield from (f"{s.what}: {s.mend}" for s in seen if s.mend)
    yield "everything is in order" if sound else "something is broken: see above"


def _python() -> Seen:
    return Seen("python", "ok", f"{platform.python_version()} in {sys.prefix}")


# --- libraries -------------------------------------------------------------------------------------


def _libraries() -> Iterator[Seen]:
    """Each library that assay asks for on this machine, really imported: a missing system library shows only then."""
    yield Seen("assay", "ok", version("assay"))
    for requirement in requires("assay") or []:
        name, wanted, condition = (part.strip() for part in _REQUIREMENT.fullmatch(requirement).groups())  # type: ignore[union-attr]  # the pattern fits every requirement there is
        extra = re.search(r"extra == ['\"](\w+)['\"]", condition)
        if name != "assay" and _is_for_here(condition) and (extra is None or extra[1] != "all"):
            yield _library(name, wanted, extra[1] if extra else "")


def _is_for_here(condition: str) -> bool:
    """Of the markers, assay's own requirements use sys_platform alone."""
    said = re.search(r"sys_platform (==|!=) ['\"](\w+)['\"]", condition)
    return said is None or (sys.platform == said[2]) == (said[1] == "==")


def _library(name: str, wanted: str, extra: str) -> Seen:
    what = f"{name} ({extra})" if extra else name
    mend = f"pip install 'assay[{extra}]'" if extra else f"pip install '{name}{wanted}'"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Seen(what, "absent" if extra else "broken", "not installed", mend)
    if not _fits(found, wanted):
        return Seen(what, "broken", f"{found}; wanted {wanted}", mend)
    try:
        importlib.import_module(_IMPORTED_AS.get(name, name))
    except Exception as wrong:  # noqa: BLE001  whatever a broken library raises is what we want to tell
        why = " ".join(str(wrong).split())
        return Seen(what, "broken", f"{found}; {why}", _mend_import(why, mend))
    return Seen(what, "ok", found)


def _mend_import(why: str, mend: str) -> str:
    if "libgomp" in why:
        return "install the OpenMP runtime: apt-get install libgomp1, or dnf install libgomp"
    if "libomp" in why:
        return "install the OpenMP runtime: brew install libomp"
    return f"install it anew: {mend} --force-reinstall"


def _fits(found: str, wanted: str) -> bool:
    """Whether a version lies between the floors and caps of a requirement such as '<26,>=22'.

    >>> _fits("1.9.1", "<1.10,>=1.9"), _fits("1.8", ">=1.9"), _fits("26.0", "<26,>=22")
    (True, False, False)
    """
    have = _numbers(found)
    floors = re.findall(r">=\s*([\d.]+)", wanted)
    caps = re.findall(r"<\s*([\d.]+)", wanted)
    return all(have >= _numbers(f) for f in floors) and all(have < _numbers(c) for c in caps)


def _numbers(text: str) -> tuple[int, ...]:
    numbers = [int(n) for n in re.findall(r"\d+", text)[:3]]
    return (*numbers, *[0] * (3 - len(numbers)))


# --- store, disk, cores ------------------------------------------------------------------------------


def _store(common: Common) -> Iterator[Seen]:
    """Where the store is, whether it can be written, and whether every registered model is still what it was."""
    from assay.store import Store

    try:
        there = common.named_store() or Store.find()
    except AssayError as none:
        named = common.store or os.environ.get("ASSAY_STORE")
        yield Seen("store", "broken" if named else "absent", str(none))
        return
    if os.access(there.folder, os.W_OK):
        yield Seen("store", "ok", f"{there.folder}, {len(there.runs())} runs, {len(there.names())} models")
    else:
        yield Seen("store", "broken", f"{there.folder} cannot be written",
                   "give yourself the right to write there, or name a store elsewhere with --store")
    for name in there.names():
        yield from _models(there, name)


def _models(store: Store, name: str) -> Iterator[Seen]:
    """The versions of a name that cannot be used."""
    from assay.store.package import check_model

    for record in store.versions(name):
        ref = f"{name}:{record['version']}"
        try:
            check_model(store.resolve(ref))
        except AssayError as wrong:
            yield Seen(ref, "broken", str(wrong), f"train it again: assay train DATA --name {name}")


def _disk(common: Common) -> Seen:
    where = next(p for p in (Path(common.store or ".").absolute(), Path.cwd()) if p.exists())
    free = shutil.disk_usage(where).free / 1e9
    low = free < LOW_DISK_GB
    return Seen("disk", "broken" if low else "ok", f"{free:.1f} GB free", f"free some space in {where}" if low else "")


def _cores() -> Seen:
    from assay.search.workers import cores

    return Seen("cores", "ok", f"{cores()} usable")
