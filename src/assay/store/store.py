"""The store: where runs and registered models live. The verbs are in runs.py, models.py and index.py."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from assay.errors import StoreError, TamperedError, UnknownName, nearest
from assay.store import disk, models, package
from assay.store.models import LAST
from assay.store.runs import Run, begin, told

FORMAT = 1
FOLDER = ".assay"
VARIABLE = "ASSAY_STORE"
MARK = "assay-store.json"


@dataclass(frozen=True)
class Store:
    """An open store. Make one with `Store.find` or `Store.at`; it holds nothing but where it is."""

    folder: Path

    # --- where ---------------------------------------------------------------------------------

    @classmethod
    def at(cls, path: str | os.PathLike[str], *, create: bool = True) -> Store:
        """The store in this very folder, made if the folder is missing or empty.

        Raises StoreError where something else is there, or nothing is and `create` is false."""
        folder = Path(path).expanduser().absolute()
        with disk.telling(folder):
            if not (folder / MARK).exists():
                _refuse_foreign(folder)
                if not create:
                    raise StoreError(f"there is no assay store in {folder}: nothing was trained with it yet.")
                _make(folder)
            _check_mark(folder)
        return cls(folder)

    @classmethod
    def due(cls, path: str | os.PathLike[str]) -> Store:
        """The store in this very folder, made when its first run begins; nothing is written before.

        Raises StoreError where something else is there."""
        folder = Path(path).expanduser().absolute()
        with disk.telling(folder):
            _refuse_foreign(folder)
            if (folder / MARK).exists():
                _check_mark(folder)
        return cls(folder)

    @classmethod
    def find(cls, start: str | os.PathLike[str] | None = None, *, create: bool = False) -> Store:
        """The store that ASSAY_STORE names, else the nearest `.assay` from `start` (here) upwards, as git finds .git.

        With `create` it is made in `start` where there is none; without, that is a StoreError."""
        if os.environ.get(VARIABLE):
            return cls.at(os.environ[VARIABLE], create=create)
        here = Path(start or ".").expanduser().absolute()
        above = next((f / FOLDER for f in (here, *here.parents) if (f / FOLDER / MARK).is_file()), None)
        if above or create:
            return cls.at(above or here / FOLDER)
        raise StoreError(f"there is no assay store in {here} or above it. Train something first (assay train ...), or "
                         f"say where the store is with --store or {VARIABLE}.")

    @classmethod
    def found(cls) -> Store | None:
        """The store that `find` finds, or None where there is none."""
        try:
            return cls.find()
        except StoreError:
            return None

    # --- runs ----------------------------------------------------------------------------------

    def new_run(self, name: str, declared: Mapping[str, Any]) -> Run:
        """Begin a run, claimed by this process. Raises UserError where the name cannot name a folder."""
        Store.at(self.folder)
        return begin(self._runs, name, declared)

    def run(self, ref: str) -> Run:
        """A run by its id, by a beginning or an end of it that no other has, or the newest: "last"."""
        infos = self.runs()
        if ref == LAST and infos:
            return Run(self._runs / infos[0]["id"])
        ids = [info["id"] for info in infos]
        found = _matching(ref, ids)
        if len(found) == 1:
            return Run(self._runs / found[0])
        if found:
            raise UnknownName(f"{ref!r} could mean {len(found)} runs: {_some(found)}. Write more of the one meant.")
        raise UnknownName(f"there is no run {ref!r} in {self.folder}. {nearest(ref, ids)}")

    def runs(self, limit: int | None = None) -> list[dict[str, Any]]:
        """What `Run.info` says of each run, newest first."""
        from assay.store import index

        found = index.infos(self.folder / "index.sqlite", self._runs)
        known = [told({**info, "id": run}, self._runs / run) for run, info in found.items()]
        return sorted(known, key=lambda info: (str(info.get("started")), info["id"]), reverse=True)[:limit]

    def unfinished(self) -> list[Run]:
        """Runs that were interrupted, or whose process died; newest first."""
        return [Run(self._runs / info["id"]) for info in self.runs() if info.get("status") == "interrupted"]

    @property
    def _runs(self) -> Path:
        return self.folder / "runs"

    # --- models --------------------------------------------------------------------------------

    def register(self, name: str, run: Run, *, summary: Mapping[str, Any] | None = None) -> int:
        """Register the model of a run as the next version of a name; its number, from 1.

        A resumed run that has registered this very model gets the same number again.
        summary: a few numbers to show beside the version; what the run's own summary says.
        Raises StoreError where the run has no sound model in `model/`."""
        model = self._models / models.valid_name(name)
        folder = run.folder / "model"
        digest = package.manifest(folder)["digest"]
        for known in models.versions(model):
            if (known["run"], known["digest"]) == (run.id, digest):
                return int(known["version"])
        return models.add_version(model, {
            "run": run.id, "folder": folder.relative_to(self.folder).as_posix(), "made": disk.now(), "digest": digest,
            "summary": run.info()["summary"] if summary is None else summary,
        })

    def promote(self, name: str, version: int, alias: str, who: str, why: str) -> None:
        """Point an alias of a name at a version, and record who did it and why."""
        models.promote(self._model(name), version, alias, who=who, why=why)

    def promotions(self, name: str) -> list[dict[str, Any]]:
        """Every move of every alias, oldest first: {when, who, alias, version, from, why}."""
        return models.promotions(self._model(name))

    def aliases(self, name: str) -> dict[str, int]:
        """alias -> the version it points at."""
        return models.aliases(self._model(name))

    def versions(self, name: str) -> list[dict[str, Any]]:
        """The versions of a name, oldest first: {version, run, folder, made, digest, summary}."""
        return models.versions(self._model(name))

    def names(self) -> list[str]:
        """The registered names, sorted."""
        with disk.telling(self._models, "reading"):
            folders = list(self._models.iterdir()) if self._models.is_dir() else []
        return sorted(folder.name for folder in folders if models.versions(folder))

    def resolve(self, ref: str | os.PathLike[str]) -> Path:
        """The model folder that a reference means.

        "churn"           its champion if one is promoted, else its newest version
        "churn@champion"  where that alias points          "churn:3"  that version
        "last"            the model of the newest run that is done
        a run             by its id, or a beginning or an end of it
        a path            to a model folder or a run folder; with a slash, or where no name is meant

        Raises UnknownName with the nearest names; TamperedError where a version is not what was registered."""
        text = os.fspath(ref)
        if looks_like_path(text):
            return model_folder(Path(text))
        name, suffix = _parted(text)
        if name in self.names():
            return self._registered(models.wanted(self._model(name), suffix))
        if text == LAST:
            return self._newest_done()
        if text and not suffix and Path(text).is_dir():
            return model_folder(Path(text))
        return self._of_run(text)

    @property
    def _models(self) -> Path:
        return self.folder / "models"

    def _model(self, name: str) -> Path:
        """The folder of a registered name: taken from the list of names, so nothing typed becomes a path."""
        names = self.names()
        if name not in names:
            _unknown(name, names, self.folder)
        return self._models / name

    def _registered(self, version: Mapping[str, Any]) -> Path:
        folder = self.folder / str(version["folder"])
        if not folder.resolve().is_relative_to(self.folder.resolve()):
            raise TamperedError(f"version {version['version']} points out of the store, at {folder}.")
        if not folder.is_dir():
            raise StoreError(f"version {version['version']} was made by run {version['run']}, which is gone: {folder}.")
        if package.manifest(folder)["digest"] != version["digest"]:
            raise TamperedError(f"{folder} is not the model that was registered as version {version['version']}.")
        return folder

    def _newest_done(self) -> Path:
        for info in self.runs():
            if info.get("status") == "done":
                return model_folder(self._runs / info["id"])
        raise UnknownName(f"no run is done yet in {self.folder}, so there is no last model. Train one: assay train ...")

    def _of_run(self, text: str) -> Path:
        ids = [info["id"] for info in self.runs()]
        if not _matching(text, ids):
            _unknown(_parted(text)[0], self.names(), self.folder)
        return model_folder(self.run(text).folder)


def locate(ref: str | os.PathLike[str], store: Store | None = None) -> Path:
    """The model folder that a reference means. A path needs no store; for the rest it is found unless given."""
    text = os.fspath(ref)
    if store is None and looks_like_path(text):
        return model_folder(Path(text))
    return (store or Store.find()).resolve(text)


def looks_like_path(text: str) -> bool:
    return text in (".", "..") or text.startswith("~") or any(sep in text for sep in ("/", os.sep))


def model_folder(path: Path) -> Path:
    """The model folder that a path to a model or a run means. Raises UnknownName where it is neither."""
    path = path.expanduser()
    for folder in (path, path / "model"):
        if (folder / package.MANIFEST).is_file():
            return folder
    if (path / "run.json").is_file():
        raise StoreError(f"run {path.absolute().name} has no model: it did not get so far. Try assay train --resume.")
    raise UnknownName(f"{path} is neither a saved model nor a run: it has no {package.MANIFEST} and no run.json.")


def _refuse_foreign(folder: Path) -> None:
    """Raise StoreError if the folder holds anything that `_make` does not write."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is not an assay store but a file. Name a folder.")
    foreign = [f.name for f in folder.iterdir() if not _ours(f.name)] if folder.exists() else []
    if not foreign or (folder / MARK).exists():         # another process may just have made it
        return
    hint = f" Did you mean {folder / FOLDER}?" if (folder / FOLDER / MARK).is_file() else ""
    raise StoreError(f"{folder} is not an assay store: it holds {_some(foreign)} and no {MARK}.{hint} "
                     "Name an empty or a new folder, and one will be made there.")


def _ours(name: str) -> bool:
    return name == ".gitignore" or name.startswith((f".{MARK}.", "..gitignore."))


def _make(folder: Path) -> None:
    """Many may do this at once: all write the same, and the mark comes last."""
    from assay import files

    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / ".gitignore", "*\n")
    disk.write(folder / MARK, {"format": FORMAT, "made": disk.now()})


def _check_mark(folder: Path) -> None:
    said = disk.read_record(folder / MARK) or {}
    if said.get("format") != FORMAT:
        raise StoreError(f"{folder} is not an assay store that this version reads: {MARK} says format "
                         f"{said.get('format')!r}, wanted {FORMAT}. Upgrade assay, or name another store.")


def _parted(text: str) -> tuple[str, str]:
    """ "churn@champion" -> ("churn", "@champion"); "churn:3" -> ("churn", ":3"); "churn" -> ("churn", "")."""
    cut = min((text.index(mark) for mark in "@:" if mark in text), default=len(text))
    return text[:cut], text[cut:]


def _matching(ref: str, ids: Sequence[str]) -> list[str]:
    if ref in ids:
        return [ref]
    return [run for run in ids if ref and (run.startswith(ref) or run.endswith(ref))]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _unknown(name: str, names: Sequence[str], folder: Path) -> NoReturn:
    raise UnknownName(f"there is no model or run called {name!r} in {folder}. {nearest(name, names)}")
