"""Delimited text: which encoding, delimiter and decimal mark a file has, and its parsing by polars.

The header is read here, with Python's csv module; polars parses the rest. Where polars stumbles, the file
is walked once more, slowly, for the number of the line that is wrong.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl

from assay.contract import Kind, Table
from assay.errors import DataError
from assay.table import cells
from assay.table.dialect import SAMPLE_BYTES, Dialect, codec, eight_bit, find_dialect, find_encoding, long_fields

SAMPLE_ROWS = 5_000
_NULLS = [word for word in cells.MISSING if word not in ("?", "-", ".")]     # these mean something in some columns
_CODE = re.compile(cells.CODE)
_COMMA_NUMBER = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$"


def read_delimited(
    source: Path | bytes, where: str, *, types: Mapping[str, Kind] | None, tab: bool = False
) -> tuple[Table, list[str]]:
    """A delimited file, and what is to be said of it. With `types`, columns that are plainly numbers
    are parsed as such and those overruled to be words are not; with None every column stays text.

    Raises DataError: empty file, header only, binary, duplicate names, a line with too many or too few
    fields, a quote that is not closed."""
    head = _beginning(source)
    encoding = find_encoding(head, where)
    dialect = find_dialect(head, encoding, where, tab=tab)
    if encoding not in ("UTF-8", "UTF-8 with BOM"):
        source = _as_utf8(source, encoding)
    try:
        table = _parse(source, dialect, types)
    except pl.exceptions.ComputeError as wrong:
        if "utf-8" not in str(wrong):
            return _mended(_parse_slowly(source, where, dialect), where, dialect)
        dialect = find_dialect(head, eight_bit(_whole(source)), where, tab=tab)
        source = _as_utf8(source, dialect.encoding)
        table = _parse(source, dialect, types)
    _refuse_short_lines(source, table, where, dialect)
    return _mended(table, where, dialect)


def _beginning(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:SAMPLE_BYTES]
    with source.open("rb") as f:
        return f.read(SAMPLE_BYTES)


def _whole(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _as_utf8(source: Path | bytes, encoding: str) -> bytes:
    return _whole(source).decode(codec(encoding), errors="replace").encode()


# --- parsing ------------------------------------------------------------------------------------


def _parse(source: Path | bytes, dialect: Dialect, types: Mapping[str, Kind] | None) -> Table:
    """By the dtypes that the beginning shows; where a later cell contradicts them, all as text."""
    def parse(dtypes: dict[str, type[pl.DataType]], nulls: list[str] | None = None, rows: int | None = None) -> Table:
        return pl.read_csv(
            io.BytesIO(source) if isinstance(source, bytes) else source,
            separator=dialect.delimiter, eol_char=dialect.line_end, infer_schema=False, n_rows=rows, glob=False,
            with_column_names=lambda _: list(dialect.names), schema_overrides=dtypes,
            null_values=nulls, empty_string_is_null=True, raise_if_empty=False,
        )

    if types is None or dialect.comma:
        return parse({})
    rows = min(SAMPLE_ROWS, max(100, 2_000_000 // len(dialect.names)))
    sample = parse({}, _NULLS, rows)
    plain = _plain_numbers(sample, types)
    if not plain:
        return parse({})
    words = not parse({}, None, rows).null_count().equals(sample.null_count())     # looking for them costs a third
    try:
        return parse(plain, _NULLS if words else None)
    except pl.exceptions.ComputeError as wrong:
        if "could not parse" not in str(wrong):
            raise
        return parse({})


def _parse_slowly(source: Path | bytes, where: str, dialect: Dialect) -> Table:
    """By Python's csv module, which allows a quote inside a field that does not begin with one: 5" pipe."""
    _refuse_ragged(source, where, dialect)
    records = (record for _, record in _lines(source, dialect) if record)
    next(records)
    columns = zip(*records, strict=True)
    named = [pl.Series(name, column) for name, column in zip(dialect.names, columns, strict=False)]
    return pl.DataFrame([column.set(column == "", None) for column in named])


def _plain_numbers(sample: Table, types: Mapping[str, Kind]) -> dict[str, type[pl.DataType]]:
    """The columns of a sample that polars may parse as numbers by itself."""
    found: dict[str, type[pl.DataType]] = {}
    empty = sample.null_count().row(0)
    for dtype in (pl.Float64, pl.Int64):                                  # what is whole overwrites what is a number
        lost = sample.cast(dtype, strict=False).null_count().row(0)
        said = zip(sample.columns, empty, lost, strict=True)
        found |= dict.fromkeys((name for name, before, after in said if before == after < sample.height), dtype)
    words = ("categorical", "text", "id", "boolean", "datetime")
    return {name: dtype for name, dtype in found.items()
            if types.get(name) not in words and not _looks_like_code(sample[name])}


def _looks_like_code(column: pl.Series) -> bool:
    """Leading zeros, or whole numbers all of one width of three or more, where a leading zero may still come."""
    said = [value for value in column.to_list() if value is not None][:1000]
    if any(map(_CODE.match, said)):
        return True
    return len(said) > 1 and len(said[0]) >= 3 and len(set(map(len, said))) == 1 and all(map(str.isdigit, said))


def _mended(table: Table, where: str, dialect: Dialect) -> tuple[Table, list[str]]:
    notes = list(dialect.notes())
    blank = pl.all_horizontal(pl.all().is_null())
    if table.width > 1 and table.height and bool((last := table.get_columns()[-1]).null_count()):
        kept = table.filter(~blank) if table.filter(last.is_null()).select(blank.any()).item() else table
        if kept.height < table.height:
            notes.append(f"left out {table.height - kept.height} blank lines")
            table = kept
    empty = [name for name in dialect.nameless if table[name].null_count() == table.height]
    if table.height and empty:
        table = table.drop(empty)
        notes.append(f"dropped {len(empty)} empty column{'s' * (len(empty) > 1)} without a name")
    notes.extend(f"a column without a name is called {name!r}" for name in dialect.nameless if name not in empty)
    if not table.height:
        raise DataError(f"{where} has a line of column names and no rows below it. Wanted at least one row.")
    return (_with_points(table) if dialect.comma else table), notes


def _with_points(table: Table) -> Table:
    """Columns of which every cell is written 1.234,56 become 1234.56, still as text."""
    def mend(column: pl.Series) -> pl.Series:
        text, _ = cells.tidy(column)
        if not text.str.contains(_COMMA_NUMBER).all(ignore_nulls=True):
            return column
        return text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)

    return pl.DataFrame([mend(column) for column in table.get_columns()])


# --- naming the line that is wrong --------------------------------------------------------------


def _lines(source: Path | bytes, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(number of the line it begins on, record), slowly."""
    text = _whole(source).decode("utf-8-sig", errors="replace")
    with long_fields():
        stream = io.StringIO(text, newline="" if dialect.line_end == "\n" else None)
        reader = csv.reader(stream, delimiter=dialect.delimiter)
        begins = 1
        for record in reader:
            yield begins, record
            begins = reader.line_num + 1


def _wrong_line(source: Path | bytes, dialect: Dialect, wrong: Callable[[int], bool]) -> tuple[int, int] | None:
    """(line, number of its fields) of the first record whose number of fields is wrong."""
    return next(((n, len(r)) for n, r in _lines(source, dialect) if r and wrong(len(r))), None)


def _refuse_ragged(source: Path | bytes, where: str, dialect: Dialect) -> None:
    width = len(dialect.names)
    ragged = _wrong_line(source, dialect, lambda fields: fields != width)
    if ragged is None:
        return
    line, fields = ragged
    if fields < width and _whole(source).count(b'"') % 2:
        raise DataError(f'{where}: a quote (") opens on line {line} and is never closed. '
                        "Close it, or double it inside a quoted field.")
    raise DataError(_ragged(where, line, fields, dialect))


def _ragged(where: str, line: int, fields: int, dialect: Dialect) -> str:
    shown = {"\t": "tab", " ": "space"}.get(dialect.delimiter, dialect.delimiter)
    return (f"{where}: line {line} has {fields} field{'s' * (fields > 1)}, the line of column names has "
            f"{len(dialect.names)}. Mend the line, or put quotes around a field that holds the delimiter ({shown}).")


def _refuse_short_lines(source: Path | bytes, table: Table, where: str, dialect: Dialect) -> None:
    """polars fills a line that is cut short with nulls; where that may have happened, it is looked into."""
    if table.width < 2 or not table.height or not table.get_columns()[-1].null_count():
        return
    width = table.width
    if _few_delimiters(source, dialect) and (short := _wrong_line(source, dialect, lambda fields: fields < width)):
        raise DataError(_ragged(where, *short, dialect))


def _few_delimiters(source: Path | bytes, dialect: Dialect) -> bool:
    """Whether some line that is not blank holds fewer delimiters than the header asks for."""
    lines = pl.scan_csv(
        io.BytesIO(source) if isinstance(source, bytes) else source, has_header=False, separator="\x01",
        quote_char=None, eol_char=dialect.line_end, schema={"line": pl.String}, truncate_ragged_lines=True,
        encoding="utf8-lossy", glob=False,
    )
    line = pl.col("line").str.strip_chars("\r")
    short = line.str.count_matches(dialect.delimiter, literal=True) < len(dialect.names) - 1
    return bool(lines.select((short & (line.str.len_bytes() > 0)).any()).collect(engine="streaming").item())
