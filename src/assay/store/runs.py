"""A run: one folder, written as it goes, that anyone can read while it is still being written."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from assay.errors import StoreError
from assay.store import disk
from assay.store.models import valid_name
from assay.store.package import versions

Listener = Callable[[dict[str, Any]], None]
Ending = Literal["done", "interrupted", "failed"]

_UNMISTAKABLE = "bcdfghjkmnpqrstvwxz23456789"   # no vowels, so no words; nothing that looks like something else


class Run:
    """One run and its folder. What others put there (task/, race/, model/, evidence/ ...) is their affair."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listeners: list[Listener] = []
        self._mine = False

    @property
    def id(self) -> str:
        return self.folder.name

    def __repr__(self) -> str:
        return f"Run({self.id})"

    # --- what happened -----------------------------------------------------------------------

    def emit(self, kind: str, **payload: Any) -> None:
        """Append {t, kind, ...} to events.jsonl and tell the listeners. NaN and infinities become null.

        t is in seconds since 1970. A listener that raises is dropped with one warning."""
        event = {"t": round(time.time(), 3), "kind": kind, **payload}
        disk.append(self.folder / "events.jsonl", event)
        for listener in tuple(self._listeners):
            self._tell(listener, event)

    def _tell(self, listener: Listener, event: dict[str, Any]) -> None:
        try:
            listener(dict(event))
        except Exception as wrong:  # noqa: BLE001  whatever a listener does, the run goes on
            self._listeners.remove(listener)
            name = getattr(listener, "__qualname__", type(listener).__qualname__)
            why = f"{type(wrong).__name__}: {wrong}"
            said = f"{name} failed on {event['kind']!r} and will hear no more of {self.id}: {why}"
            logging.getLogger("assay").warning(said)
            self.emit("listener_dropped", message=said)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with each event from now on."""
        self._listeners.append(listener)

    def events(self) -> list[dict[str, Any]]:
        return disk.lines(self.folder / "events.jsonl")

    # --- what it is --------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """run.json; a run whose process died is told as interrupted, whatever it last wrote."""
        info = disk.read_record(self.folder / "run.json")
        if info is None:
            raise StoreError(f"{self.folder} has no readable run.json: no run, or killed as it began. Delete it.")
        return told(info, self.folder)

    def update(self, **fields: Any) -> None:
        """Set fields of run.json. For the process that claimed the run: nobody guards against two at once."""
        disk.write(self.folder / "run.json", {**self.info(), **fields})

    def finish(
        self, status: Ending, summary: Mapping[str, Any], vouch: Callable[[dict[str, Any]], str] | None = None
    ) -> None:
        """Say how it ended and let go of the claim.

        vouch: is given the whole last record before it is written, and answers with what stands for the run's folder
        (`receipt.py`); that is kept in the record, which so changes together with the receipt."""
        try:
            info = disk.finite({**self.info(), "status": status, "ended": disk.now(), "summary": summary,
                                "versions": versions()})
            vouched = {} if vouch is None else {"receipt": vouch(info)}
            disk.write(self.folder / "run.json", {**info, **vouched})
        finally:
            self._let_go()

    def claim(self) -> None:
        """Make this process the one that works on the run, until it finishes or dies.

        Raises StoreError if another one does already, or the run is done."""
        if self._mine:
            return
        if not disk.hold(self.folder / "lock"):
            raise StoreError(f"run {self.id} is being worked on by process {self.info().get('pid')}, and two at once "
                             "would spoil it. Wait for that one, or stop it first.")
        self._mine = True
        if self.info()["status"] == "done":
            self._let_go()
            raise StoreError(f"run {self.id} is done: there is nothing left to work on. Start a new run.")
        self.update(status="running", pid=os.getpid(), ended=None)

    def _let_go(self) -> None:
        if self._mine:
            self._mine = False
            disk.release(self.folder / "lock")


def told(info: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The record with its status put right: running only while a process holds the run."""
    dead = info.get("status") == "running" and not disk.is_held(folder / "lock")
    return {**info, "status": "interrupted"} if dead else info


def begin(runs: Path, name: str, declared: Mapping[str, Any]) -> Run:
    """A new folder with its first run.json, claimed by this process."""
    run = Run(_new_folder(runs, valid_name(name, "run")))
    with disk.telling(run.folder):
        run._mine = disk.hold(run.folder / "lock")
    disk.write(run.folder / "run.json", {
        "id": run.id, "name": name, "status": "running", "declared": declared, "started": disk.now(), "ended": None,
        "pid": os.getpid(), "versions": versions(), "summary": {},
    })
    return run


def _new_folder(runs: Path, name: str) -> Path:
    with disk.telling(runs):
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
            folder = runs / f"{stamp}-{name}-{''.join(secrets.choice(_UNMISTAKABLE) for _ in range(4))}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
