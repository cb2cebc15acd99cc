"""The index of runs: an SQLite cache of each run.json, trusted only while that file is unchanged.

Only readers write it: a run that begins or ends never waits for it. Anything wrong with it costs
time and nothing else: busy or read-only, it is passed by; corrupt, it is deleted and made anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from assay.errors import StoreError
from assay.store import disk

SCHEMA = 1
_BUSY_S = 2.0                                   # the folders can be read in less: no reason to wait longer
_PASS_BY = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_PROTOCOL,
}

Infos = dict[str, dict[str, Any]]
Stamps = Mapping[str, str]
_Rows = dict[str, tuple[str, str]]              # id -> (stamp, run.json)


def infos(index: Path, runs: Path) -> Infos:
    """run.json of every run, by id: from the index where it is fresh, else from the folder."""
    stamps = _stamps(runs)
    try:
        return _synced(index, runs, stamps)
    except sqlite3.Error as wrong:
        if getattr(wrong, "sqlite_errorcode", 0) & 0xFF in _PASS_BY:
            return _read(runs, stamps)
    except (ValueError, TypeError):
        pass                                    # a sound database, but not what we wrote into it
    try:
        remove(index)
        return _synced(index, runs, stamps)
    except (sqlite3.Error, StoreError):
        return _read(runs, stamps)


def remove(index: Path) -> None:
    for file in (index, index.with_name(index.name + "-journal")):
        with disk.telling(file, "deleting"):
            file.unlink(missing_ok=True)


def _stamps(runs: Path) -> dict[str, str]:
    """id -> what changes whenever run.json does. It is replaced, never edited, so its inode tells."""
    found = {}
    with disk.telling(runs, "reading"):
        entries = list(os.scandir(runs)) if runs.exists() else []
    for entry in entries:
        try:
            seen = os.stat(os.path.join(entry.path, "run.json"))  # noqa: PTH118, PTH116  once for each of thousands
        except OSError:
            continue                            # being made, or deleted meanwhile
        found[entry.name] = f"{seen.st_mtime_ns}-{seen.st_size}-{seen.st_ino}"
    return found


def _read(runs: Path, ids: Stamps | set[str]) -> Infos:
    found = {run: disk.read_record(runs / run / "run.json") for run in ids}
    return {run: info for run, info in found.items() if info is not None}


def _synced(index: Path, runs: Path, stamps: Stamps) -> Infos:
    with closing(sqlite3.connect(index, timeout=_BUSY_S, isolation_level=None)) as db:
        rows = _rows(db)
        fresh = {run for run, stamp in stamps.items() if run in rows and rows[run][0] == stamp}
        changed = _read(runs, stamps.keys() - fresh)
        gone = rows.keys() - stamps.keys()
        if changed or gone:
            _save(db, {run: (stamps[run], json.dumps(info)) for run, info in changed.items()}, gone)
        return {**{run: json.loads(rows[run][1]) for run in fresh}, **changed}


def _rows(db: sqlite3.Connection) -> _Rows:
    """What the index holds; nothing of a schema that is not ours."""
    if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
        return {}
    return {run: (stamp, info) for run, stamp, info in db.execute("SELECT id, stamp, info FROM run")}


def _save(db: sqlite3.Connection, changed: _Rows, gone: set[str]) -> None:
    """Busy, full or read-only: the next reader does it."""
    try:
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
            db.execute("DROP TABLE IF EXISTS run")
            db.execute("CREATE TABLE run (id TEXT PRIMARY KEY, stamp TEXT NOT NULL, info TEXT NOT NULL)")
            db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", [(run, *row) for run, row in changed.items()])
        db.executemany("DELETE FROM run WHERE id = ?", [(run,) for run in gone])
        db.execute("COMMIT")
    except sqlite3.Error as wrong:
        if getattr(wrong, "sqlite_errorcode", 0) & 0xFF not in _PASS_BY:
            raise
