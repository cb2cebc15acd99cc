"""Models inside models: each in a folder of its own, with the name of the loader that reads it back.

Low enough for paradigms and search alike. The outermost assay.json vouches for every file below it, so what
is read here was checked before (store/package.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from assay import files, registry
from assay.contract import Model
from assay.errors import StoreError, TamperedError, UnknownName, UserError

PARTS = "parts"
LOADER = "loader.json"


def save_parts(model: Model, folder: Path) -> None:
    """Write a model that is part of another into a folder of its own; the outermost assay.json vouches for it."""
    (folder / PARTS).mkdir(parents=True)
    model.save(folder / PARTS)
    files.write_json(folder / LOADER, {"loader": model.loader})


def load_parts(folder: Path) -> Model:
    """What `save_parts` wrote, below a folder that `load_model` has checked.

    Raises StoreError where nothing was saved there, TamperedError where it is not what was written."""
    try:
        said = files.read_json(folder / LOADER)
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"{folder} holds no part of a model: it has no {LOADER}.") from None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise TamperedError(f"will not load {folder}: {LOADER} is not the JSON that was written. "
                            "Restore it from a copy, or train again.")
    return load_with(said.get("loader"), folder / PARTS)


def load_with(loader: Any, parts: Path) -> Model:
    """The parts read by the loader that is registered under this name. Raises UserError where nobody registered it."""
    try:
        load = registry.load("assay.loaders", str(loader))
    except UnknownName as unknown:
        raise UserError(f"cannot load {parts}: {unknown} Install the package that made this model.") from unknown
    return cast(Model, load(parts))
