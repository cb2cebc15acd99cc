"""From a path, a glob or a frame to a Table as it stands there: no kinds are inferred here.

`raw` is what `read` and `read_raw` share. A file is recognised by its suffix, its compression by its first bytes.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from assay.contract import Kind, Table
from assay.errors import DataError, nearest
from assay.table.convert import described, to_table
from assay.table.delimited import read_delimited
from assay.table.dialect import refuse_duplicates
from assay.table.formats import READERS, first_line

Types = Mapping[str, Kind] | None
_TEXT = (".csv", ".tsv", ".tab", ".txt", ".data", ".psv", "")
_COMPRESSED = (".gz", ".gzip", ".zst", ".zstd", ".zip")
_PACKED = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "zip": b"PK\x03\x04"}
_FOREIGN = {
    b"PAR1": "a Parquet file; name it .parquet", b"ARROW1": "an Arrow file; name it .arrow",
    b"%PDF": "a PDF document", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture",
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file; save it as .xlsx",
}


def raw(source: Any, *, types: Types, progress: Callable[[str], None]) -> tuple[Table, str, list[str]]:
    """(table, what it is in words, what is to be said of how it was read).

    With `types` a delimited file's plain numbers are parsed as numbers; with None all its cells stay text."""
    if not isinstance(source, str | os.PathLike):
        table = to_table(source)
        return table, described(source, table), []
    paths = _paths(os.fspath(source))
    if len(paths) == 1:
        progress(f"reading {paths[0]}")
        table, notes = _read_file(paths[0], types)
        return table, str(paths[0]), notes
    return _several(str(source), paths, progress)


def _paths(name: str) -> list[Path]:
    path = Path(name).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise DataError(f"{name} is a folder, wanted a file. "
                        f"Name one file in it, or several with a pattern: {path}/*.csv")
    if name.startswith(("http://", "https://", "s3://", "gs://")):
        raise DataError(f"{name} is an address on a network, wanted a file on this machine. Download it first.")
    if glob.has_magic(name):
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
        found = sorted(Path(match) for match in matches if Path(match).is_file())
        if not found:
            raise DataError(f"no file matches {name}. Look at the folder and the pattern; * stands for any characters.")
        return found
    raise DataError(f"there is no file {name}. {_neighbours(path)}")


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either."
    names = [entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    return nearest(path.name, sorted(names)[:2000]) if names else f"The folder {folder} has no files."


def _several(pattern: str, paths: list[Path], progress: Callable[[str], None]) -> tuple[Table, str, list[str]]:
    """One below the other, by column name. Text files stay text, so that all agree on each column's kind."""
    tables: list[Table] = []
    notes: list[str] = []
    for path in paths:
        progress(f"reading {path}")
        table, said = _read_file(path, None)
        if tables and set(table.columns) != set(tables[0].columns):
            raise DataError(_columns_differ(paths[0], tables[0], path, table))
        tables.append(table.select(tables[0].columns) if tables else table)
        notes += [f"{path.name}: {note}" for note in said]
    try:
        joined = pl.concat(tables, how="vertical_relaxed", rechunk=False)
    except pl.exceptions.PolarsError as wrong:
        raise DataError(f"the {len(paths)} files of {pattern} do not fit below one another: {first_line(wrong)}. "
                        "Write each column with one type in all files.") from None
    return joined, f"{len(paths)} files of {pattern}", notes


def _columns_differ(first: Path, first_table: Table, path: Path, table: Table) -> str:
    lacks = sorted(set(first_table.columns) - set(table.columns))[:5]
    adds = sorted(set(table.columns) - set(first_table.columns))[:5]
    parts = (f"lacks {lacks}" if lacks else "", f"has in addition {adds}" if adds else "")
    said = " and ".join(part for part in parts if part)
    return f"{path} {said}, compared with {first}. Files read together want the same columns."


# --- one file ---------------------------------------------------------------------------------


def _read_file(path: Path, types: Types) -> tuple[Table, list[str]]:
    try:
        return _read_known(path, types)
    except OSError as wrong:
        raise DataError(f"{path} cannot be opened: {wrong.strerror or wrong}. Look at its permissions.") from None


def _read_known(path: Path, types: Types) -> tuple[Table, list[str]]:
    suffixes = [s.lower() for s in path.suffixes]
    inner = next((s for s in reversed(suffixes) if s not in _COMPRESSED), "")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it holds no bytes. Wanted a table with column names and rows.")
    content, inner, notes = _opened(path, inner)
    reader = READERS.get(inner)
    if reader is None and inner not in _TEXT:
        known = ", ".join([*(s for s in _TEXT if s), *READERS])
        raise DataError(f"{path}: files named {inner} cannot be read. "
                        f"Wanted one of {known}, perhaps with .gz, .zst or .zip.")
    if reader is None:
        _refuse_foreign(path, content)
        table, said = read_delimited(content, str(path), types=types, tab=inner in (".tsv", ".tab"))
        return table, notes + said
    table = reader(content, str(path))
    refuse_duplicates(tuple(name.strip() for name in table.columns), str(path))
    if not table.width or not table.height:
        raise DataError(f"{path} holds no rows. Wanted at least one column and one row.")
    return table, notes


def _opened(path: Path, inner: str) -> tuple[Path | bytes, str, list[str]]:
    """The file itself or, where it is compressed, what is in it."""
    with path.open("rb") as f:
        head = f.read(8)
    packed = next((name for name, magic in _PACKED.items() if head.startswith(magic)), None)
    if packed is None:
        suffix = path.suffix.lower()
        if suffix in _COMPRESSED:
            raise DataError(f"{path} is named {suffix} but is not compressed so. Name it by what it is.")
        return path, inner, []
    if packed == "zip" and inner in (".xlsx", ".xlsm"):
        return path, inner, []
    try:
        if packed == "zip":
            content, inner = _unzipped(path)
        else:
            content = gzip.decompress(path.read_bytes()) if packed == "gzip" else _unzstd(path.read_bytes())
    except (OSError, EOFError, zipfile.BadZipFile, ValueError) as wrong:
        raise DataError(f"{path} is a {packed} file that cannot be unpacked ({first_line(wrong)}). "
                        "It is damaged or cut short: write or copy it again.") from None
    if not content.strip():
        raise DataError(f"{path} is empty once it is unpacked. Wanted a table with column names and rows.")
    return content, inner, [f"unpacked from {packed}"]


def _unzstd(packed: bytes) -> bytes:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        content: bytes = stream.read()
    return content


def _unzipped(path: Path) -> tuple[bytes, str]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX")]
        if "xl/workbook.xml" in members:
            raise DataError(f"{path} is an Excel workbook. Name it .xlsx")
        if len(members) != 1:
            raise DataError(f"{path} holds {len(members)} files, wanted one. Unpack it and name the file you mean.")
        return archive.read(members[0]), Path(members[0]).suffix.lower()


def _refuse_foreign(path: Path, content: Path | bytes) -> None:
    with (path.open("rb") if isinstance(content, Path) else io.BytesIO(content)) as f:
        head = f.read(8)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise DataError(f"{path} is not delimited text: it is {what}.")
