"""The model folder: parts in safe formats, and `assay.json`, which says what they are and vouches for them.

    assay.json   {format, loader, signature, versions, lineage, made, files: {path: sha256}, digest, seal}
    parts/       what `model.save` wrote
    card.md      the same in words, short
    ...          what belongs beside a model, such as reference.parquet

The digest stands for every byte of the folder but when and with what versions it was made, so the same
model saved twice has the same one; the registry keeps a copy. The seal is the hash of all else in
assay.json. Loading checks both and every file's hash first, follows no link, and calls one function:
the loader that is registered here under the name that the folder gives.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args, get_type_hints

from assay import __version__, files
from assay.contract import Field, Kind, Model, Signature
from assay.errors import StoreError, TamperedError
from assay.nested import PARTS, load_with
from assay.store import disk

FORMAT = 1
MANIFEST = "assay.json"
_MOST_BYTES = 8_000_000                         # of assay.json: thousands of columns with all their levels
_LIBRARIES = (
    "catboost", "lightgbm", "numpy", "polars", "pyarrow", "safetensors", "scipy", "sklearn", "torch", "xgboost",
)


def versions() -> dict[str, str]:
    """assay, Python, and those libraries that this process has loaded by now."""
    loaded = {name: sys.modules[name] for name in _LIBRARIES if name in sys.modules}
    return {"assay": __version__, "python": platform.python_version(),
            **{name: str(getattr(module, "__version__", "?")) for name, module in loaded.items()}}


# --- saving ----------------------------------------------------------------------------------------


def save_model(
    model: Model, folder: Path, *, lineage: Mapping[str, Any], beside: Callable[[Path], None] | None = None,
) -> str:
    """Write the model folder, at once and whole; its digest.

    lineage: where the model comes from, as JSON can hold it: run, task, data hash.
    beside: is called with the unfinished folder to add files that belong beside the parts.
    An earlier model at `folder` is replaced. Raises StoreError where something else is there, or the disk is full."""
    _refuse_to_replace(folder)
    made = _sibling(folder)
    try:
        with disk.telling(folder):
            (made / PARTS).mkdir(parents=True)
            model.save(made / PARTS)
            if beside is not None:
                beside(made)
            said = _write_manifest(model, made, lineage)
            _put_in_place(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return str(said["digest"])


def _sibling(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}")


def _refuse_to_replace(folder: Path) -> None:
    if folder.is_dir() and ((folder / MANIFEST).exists() or not any(folder.iterdir())):
        return
    if folder.exists():
        raise StoreError(f"will not write a model over {folder}, which is something else. Name a new folder.")


def _write_manifest(model: Model, made: Path, lineage: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "format": FORMAT, "loader": model.loader, "signature": signature_to_json(model.signature),
        "versions": versions(), "lineage": disk.finite(lineage), "made": disk.now(),
    }
    (made / "card.md").write_text(_card(model.signature, said), encoding="utf-8")
    said["files"] = {name: files.sha256(path) for name, path in sorted(plain_files(made).items())}
    said["digest"] = _digest(said)
    said["seal"] = _seal(said)
    files.write_json(made / MANIFEST, said)
    if (made / MANIFEST).stat().st_size > _MOST_BYTES:
        raise StoreError(f"the {MANIFEST} of this model takes over {_MOST_BYTES:,} bytes: too many columns or levels.")
    return said


def _put_in_place(made: Path, folder: Path) -> None:
    if not folder.exists():
        made.rename(folder)
        return
    old = _sibling(folder)
    folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old)


def _card(signature: Signature, said: Mapping[str, Any]) -> str:
    def listed(pairs: Iterable[tuple[str, Any]]) -> str:
        return "\n".join(f"- {name}: {value}" for name, value in pairs) or "- nothing recorded"

    parts = {
        "Takes": listed((field.name, field.kind) for field in signature.inputs),
        "Gives": listed((field.name, field.kind) for field in signature.outputs),
        "Comes from": listed(said["lineage"].items()),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in parts.items())
    return f"# A model saved by assay\n\nLoad it with `assay.load(\"<this folder>\")`.\n\n{body}\n"


# --- loading ---------------------------------------------------------------------------------------


def load_model(folder: Path) -> Model:
    """The model in a folder that `save_model` wrote.

    Raises StoreError where it is no such folder or its format is newer, TamperedError where any file was changed,
    added, removed or made a link, UserError where the package that can load it is missing."""
    return load_with(check_model(folder)["loader"], folder / PARTS)


def check_model(folder: Path) -> dict[str, Any]:
    """What assay.json says, every file compared with it. Raises as `load_model` does, and loads nothing."""
    said = manifest(folder)
    _check_files(folder, said["files"])
    return said


def manifest(folder: Path) -> dict[str, Any]:
    """What assay.json says, its own digest checked; the other files are not looked at."""
    said = _read_small(folder / MANIFEST)
    if said is None:
        raise StoreError(f"{folder} is not a saved model: it has no {MANIFEST}.")
    if isinstance(said.get("format"), int) and said["format"] > FORMAT:
        raise StoreError(f"{folder} was saved by a newer assay (format {said['format']}; this one reads {FORMAT}). "
                         "Upgrade: pip install --upgrade assay.")
    sound = said.get("format") == FORMAT and said.get("seal") == _seal(said) and said.get("digest") == _digest(said)
    if not sound or not isinstance(said.get("files"), dict):
        raise _tampered(folder, [f"{MANIFEST} has changed"])
    return said


def _digest(said: Mapping[str, Any]) -> str:
    return _hash(said, without=("made", "versions", "digest", "seal"))


def _seal(said: Mapping[str, Any]) -> str:
    return _hash(said, without=("seal",))


def _hash(said: Mapping[str, Any], without: tuple[str, ...]) -> str:
    rest = {key: value for key, value in said.items() if key not in without}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_files(folder: Path, recorded: Mapping[str, Any]) -> None:
    """Names are compared with what is there and never opened as given, so none can lead elsewhere."""
    found = plain_files(folder)
    found.pop(MANIFEST, None)
    wrong = [f"{name} is missing" for name in recorded if name not in found]
    wrong += [f"{name} was added" for name in found if name not in recorded]
    if not wrong:
        wrong = [f"{name} has changed" for name, path in found.items() if files.sha256(path) != recorded[name]]
    if wrong:
        raise _tampered(folder, wrong)


def plain_files(folder: Path) -> dict[str, Path]:
    """Relative name -> path of all files below. Raises TamperedError at a link or anything that is no plain file."""
    found = {}
    for here, inner, names in os.walk(folder, followlinks=False):
        for path in (Path(here, name) for name in (*inner, *names)):
            mode, name = path.lstat().st_mode, path.relative_to(folder).as_posix()
            if stat.S_ISREG(mode):
                found[name] = path
            elif not stat.S_ISDIR(mode):
                raise _tampered(folder, [f"{name} is a link or no plain file"])
    return found


def _tampered(folder: Path, wrong: list[str]) -> TamperedError:
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return TamperedError(f"will not load {folder}, which is not as it was saved: {'; '.join(wrong[:3])}{more}. "
                         "Restore it from a copy, or train again.")


def _read_small(path: Path) -> dict[str, Any] | None:
    """A JSON object from a plain file of bounded size; None where there is no file."""
    with disk.telling(path, "reading"):
        try:
            seen = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > _MOST_BYTES:
            raise _tampered(path.parent, [f"{path.name} is a link, no plain file, or too large"])
        try:
            said = files.read_json(path)
        except (ValueError, RecursionError):
            said = None
    if not isinstance(said, dict):
        raise _tampered(path.parent, [f"{path.name} is not the JSON that was written"])
    return said


# --- signatures ---------------------------------------------------------------------------------------


def signature_to_json(signature: Signature) -> dict[str, Any]:
    """The signature as strict JSON: an example that JSON cannot hold, such as a date, becomes text."""
    said: dict[str, Any] = disk.finite(asdict(signature))
    return said


def signature_from_json(said: Mapping[str, Any]) -> Signature:
    """The signature that `signature_to_json` wrote. Raises StoreError at anything else."""
    try:
        return Signature(
            inputs=tuple(_field(field) for field in said["inputs"]),
            outputs=tuple(_field(field) for field in said["outputs"]),
            ignored=tuple(str(name) for name in said["ignored"]),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise StoreError(f"this is not a signature that assay wrote: {type(wrong).__name__}: {wrong}") from None


def _field(said: Mapping[str, Any]) -> Field:
    field = Field(**{**said, "levels": tuple(str(level) for level in said["levels"])})
    dtypes = get_args(get_type_hints(Field)["dtype"])
    if not isinstance(field.name, str) or field.kind not in get_args(Kind) or field.dtype not in dtypes:
        raise ValueError(f"a field with name {field.name!r}, kind {field.kind!r} and dtype {field.dtype!r}")
    return field
