"""From and to other libraries' frames, without importing a library that the object does not come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from assay.contract import Table
from assay.errors import DataError
from assay.files import replacing
from assay.table import cells

_WANTED = ("Wanted a pandas, polars or pyarrow table, a dict of lists, a list of dicts, or the path of a file.")


def to_table(frame: Any) -> Table:
    """A frame of pandas, polars (lazy too) or pyarrow, a dict of lists or a list of dicts, as a Table.

    A pandas index is left behind. Raises DataError for anything else, for columns of unequal length and
    for two columns of one name."""
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if library_of(frame) == "pandas" and type(frame).__name__ == "DataFrame":
        return _from_pandas(frame)
    if isinstance(frame, Mapping):
        return _from_columns(frame)
    if isinstance(frame, list | tuple) and frame and all(isinstance(record, Mapping) for record in frame):
        return _from_records(frame)
    if hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "schema"):
        return _from_arrow(frame)
    what = "an empty list" if isinstance(frame, list | tuple) and not frame else f"a {type(frame).__name__}"
    raise DataError(f"got {what}, which is not a table. {_WANTED}")


def library_of(frame: Any) -> str:
    """The package that an object's class comes from, as "pandas"."""
    return type(frame).__module__.partition(".")[0]


def _from_pandas(frame: Any) -> Table:
    names = [str(name) for name in frame.columns]
    _refuse_twice(names)
    try:
        columns = [_from_series(name, series) for name, (_, series) in zip(names, frame.items(), strict=True)]
    except (pl.exceptions.PolarsError, TypeError, ValueError) as wrong:
        raise DataError(f"the pandas frame cannot be read: {wrong}. Give its columns plain types.") from None
    return pl.DataFrame(columns) if columns else pl.DataFrame()


def _from_series(name: str, series: Any) -> pl.Series:
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    elif str(series.dtype).startswith("period"):
        series = series.dt.to_timestamp()
    try:
        column: pl.Series = pl.from_pandas(series)
        if str(series.dtype) == "category":
            return cells.as_text(column).cast(pl.Categorical).alias(name)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError, NotImplementedError) as wrong:
        if series.dtype != object:
            said = f"column {name!r} of type {series.dtype} cannot be read: {wrong}. Convert it first."
            raise DataError(said) from None
        return _mixed(name, series.where(series.notna(), None).tolist())
    return column.alias(name)


def _mixed(name: str, values: list[Any]) -> pl.Series:
    """Values of several types as text; lists and records are kept, so that they are refused by name later."""
    if any(isinstance(value, list | dict | tuple | set) for value in values):
        return pl.Series(name, values, dtype=pl.Object)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _column(name: str, values: Any) -> pl.Series:
    try:
        return pl.Series(name, values)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        return _mixed(name, list(values))


def _from_columns(columns: Mapping[Any, Any]) -> Table:
    named = {str(name): values for name, values in columns.items()}
    lone = [name for name, values in named.items() if isinstance(values, str | bytes) or not hasattr(values, "__len__")]
    if lone:
        raise DataError(f"column {lone[0]!r} of the dict is a single value, wanted a list of values for each column.")
    lengths = {name: len(values) for name, values in named.items()}
    if len(set(lengths.values())) > 1:
        (a, n), (b, m) = min(lengths.items(), key=lambda p: p[1]), max(lengths.items(), key=lambda p: p[1])
        raise DataError(f"the columns of the dict differ in length: {a!r} has {n} values, {b!r} has {m}. "
                        "Make them equal.")
    return pl.DataFrame([_column(name, values) for name, values in named.items()])


def _from_records(records: list[Mapping[Any, Any]] | tuple[Mapping[Any, Any], ...]) -> Table:
    names = list(dict.fromkeys(name for record in records for name in record))
    return pl.DataFrame([_column(str(name), [record.get(name) for record in records]) for name in names])


def _from_arrow(frame: Any) -> Table:
    _refuse_twice([str(name) for name in frame.schema.names] if hasattr(frame.schema, "names") else [])
    try:
        return pl.DataFrame(frame)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as wrong:
        raise DataError(f"the {library_of(frame)} table cannot be read: {wrong}. "
                        "Give its columns plain types.") from None


def _refuse_twice(names: list[str]) -> None:
    from assay.table.dialect import refuse_duplicates

    refuse_duplicates(tuple(names), "the frame")


def described(frame: Any, table: Table) -> str:
    """What a frame in memory is, in words: "a pandas frame of 7,043 rows"."""
    kind = "Python" if isinstance(frame, dict | list | tuple) else library_of(frame)
    noun = "table" if kind in ("Python", "pyarrow") else "frame"
    return f"a {kind} {noun} of {table.height:,} row{'s' * (table.height != 1)}"


def like(result: Table, original: Any) -> Any:
    """The result as the kind of frame that the original was; a pandas index is kept where the rows agree.

    Paths, and what has no kind of frame, give a Table."""
    library = library_of(original)
    if library == "pandas" and type(original).__name__ == "DataFrame":
        frame = result.to_pandas()
        return frame.set_axis(original.index, axis=0) if len(original.index) == len(frame) else frame
    if library == "pyarrow":
        return result.to_arrow()
    if isinstance(original, Mapping):
        return result.to_dict(as_series=False)
    if isinstance(original, list | tuple):
        return result.to_dicts()
    return result


# --- writing --------------------------------------------------------------------------------------

_WRITERS: dict[str, Callable[[Table, Path], object]] = {
    ".csv": lambda table, path: table.write_csv(path),
    ".tsv": lambda table, path: table.write_csv(path, separator="\t"),
    ".parquet": lambda table, path: table.write_parquet(path),
    ".feather": lambda table, path: table.write_ipc(path),
    ".arrow": lambda table, path: table.write_ipc(path),
    ".jsonl": lambda table, path: table.write_ndjson(path),
    ".json": lambda table, path: table.write_json(path),
}


def write(table: Table, path: str | Path) -> Path:
    """Write by suffix (.csv .tsv .parquet .feather .arrow .jsonl .json), whole or not at all; gives the path.

    Raises DataError for another suffix, or where the file cannot be written."""
    path = Path(path).expanduser()
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise DataError(f"cannot write {path}: the suffix {path.suffix!r} is not known. Name it {', '.join(_WRITERS)}.")
    try:
        with replacing(path) as beside:
            writer(table, beside)
    except (OSError, pl.exceptions.PolarsError) as wrong:
        raise DataError(f"cannot write {path}: {str(wrong).partition(chr(10))[0]}. "
                        "Look at the folder's permissions and space, and at nested columns.") from None
    return path
