"""Files that carry their own column types: Parquet, Arrow, JSON, Excel. Each reader takes the file or its content."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from assay.contract import Table
from assay.errors import DataError
from assay.table.convert import to_table
from assay.table.dialect import refuse_duplicates

Content = Path | bytes


def first_line(wrong: Exception) -> str:
    return str(wrong).strip().partition("\n")[0].rstrip(".") or type(wrong).__name__


def _stream(content: Content) -> Path | io.BytesIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content


def _bytes(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def _damaged(where: str, what: str, wrong: Exception) -> DataError:
    return DataError(f"{where} cannot be read as {what}: {first_line(wrong)}. "
                     "It is damaged, cut short or another format: write it again, or name it by what it is.")


def _parquet(content: Content, where: str) -> Table:
    try:
        table = pl.read_parquet(_stream(content), glob=False)
    except (pl.exceptions.PolarsError, OSError) as wrong:
        raise _damaged(where, "Parquet", wrong) from None
    return table.drop([name for name in table.columns if name.startswith("__index_level_")])     # pandas' row names


def _arrow(content: Content, where: str) -> Table:
    """Feather version 2, which is Arrow's file format, or Arrow's stream format."""
    try:
        return pl.read_ipc(_bytes(content))
    except (pl.exceptions.PolarsError, OSError):
        pass
    try:
        return pl.read_ipc_stream(_bytes(content))
    except (pl.exceptions.PolarsError, OSError) as wrong:
        raise _damaged(where, "Arrow or Feather", wrong) from None


def _json(content: Content, where: str) -> Table:
    """An array of records, a mapping of columns, or one record a line."""
    text = _text(content, where)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as wrong:
        if wrong.msg == "Extra data":
            return _json_lines(content, where)
        raise _damaged(where, "JSON", wrong) from None
    records = isinstance(value, list) and all(isinstance(record, dict) for record in value)
    columns = isinstance(value, dict) and all(isinstance(column, list) for column in value.values())
    if not value or not (records or columns):
        raise DataError(f"{where} is JSON but not a table. Wanted an array of records, [{{\"age\": 31, ...}}, ...], "
                        "or one record a line in a .jsonl file.")
    return to_table(value)


def _json_lines(content: Content, where: str) -> Table:
    text = _text(content, where)
    try:
        table = pl.read_ndjson(io.BytesIO(text.encode()), infer_schema_length=None)
        first = json.loads(text.lstrip().partition("\n")[0])
        return table.select(dict.fromkeys([*first, *table.columns]))         # polars may shuffle many columns
    except (pl.exceptions.PolarsError, OSError, ValueError, TypeError):
        return to_table(_records(text, where))


def _records(text: str, where: str) -> list[dict[str, Any]]:
    """Line by line: slower, but it knows the line that is wrong, and lets a column mix its types."""
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as wrong:
            raise DataError(f"{where}: line {number} is not JSON ({wrong.msg}). Wanted one record a line.") from None
        if not isinstance(record, dict):
            raise DataError(f"{where}: line {number} is JSON but not a record: {line.strip()[:60]}. "
                            'Wanted {"column": value, ...} on each line.')
        records.append(record)
    return records


def _text(content: Content, where: str) -> str:
    try:
        return _bytes(content).decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise DataError(f"{where} is not UTF-8 (byte {wrong.start} is 0x{wrong.object[wrong.start]:02x}); "
                        "JSON has to be. Save it as UTF-8.") from None


def _excel(content: Content, where: str) -> Table:
    """The first sheet. All its rows decide on a column's type, and a column of several types becomes text."""
    import fastexcel

    try:
        sheets = fastexcel.read_excel(_bytes(content))
        header = sheets.load_sheet(0, header_row=None, n_rows=1, dtypes="string").to_polars()
        table = sheets.load_sheet(0, schema_sample_rows=None).to_polars()
    except fastexcel.FastExcelError as wrong:
        raise _damaged(where, "an Excel workbook", wrong) from None
    refuse_duplicates(tuple(str(name).strip() for name in header.row(0) if name) if header.height else (), where)
    if not table.width:
        return table
    table = table.filter(~pl.all_horizontal(pl.all().is_null()))
    return pl.DataFrame([_whole(column) for column in table.get_columns()])


def _whole(column: pl.Series) -> pl.Series:
    """Excel knows floats only: a column of whole ones was meant as whole numbers."""
    if column.dtype != pl.Float64 or column.null_count() == column.len():
        return column
    whole = column.cast(pl.Int64, strict=False)
    return whole if (whole == column).all() and whole.null_count() == column.null_count() else column


READERS: dict[str, Callable[[Content, str], Table]] = {
    ".parquet": _parquet, ".pq": _parquet,
    ".feather": _arrow, ".arrow": _arrow, ".ipc": _arrow,
    ".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines,
    ".xlsx": _excel, ".xlsm": _excel,
}
"""Suffix -> reader; all other readable suffixes are delimited text."""
