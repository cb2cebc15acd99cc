"""Tables: the one place that knows pandas, polars' files and Arrow.

    read(source)             a file, several files or a frame -> Typed: a Table and what each column holds
    read_raw(source)         the same without inference, for a batch whose kinds a signature knows
    read_together(a, b)      test rows that were given, below the training rows
    typed(frame)             the inference alone
    conform(batch, sig)      a batch made to fit a model's signature
    to_table, like, write    other frames to a Table, and back

A Table is a polars DataFrame. The order of work: dialect.py and delimited.py (text files), formats.py (typed
files), convert.py (frames), read.py (all of these), together.py (two of these), cells.py (what a cell says),
normal.py (a column's dtype), infer.py (a column's kind), conform.py (a batch at prediction).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assay.contract import Kind, Table
from assay.table.conform import conform
from assay.table.convert import like, to_table, write
from assay.table.infer import Column, Typed, typed, typed_table
from assay.table.read import raw
from assay.table.together import read_together

__all__ = ["Column", "Typed", "conform", "like", "read", "read_raw", "read_together", "to_table", "typed", "write"]


def read(
    source: Any, *, types: Mapping[str, Kind] | None = None, progress: Callable[[str], None] = lambda _: None
) -> Typed:
    """A path, a pattern of paths ("data/*.csv") or a frame, read and its columns' kinds inferred.

    Files: delimited text in any of the usual delimiters and encodings, Parquet, Feather and Arrow, JSON (an array
    of records, or one a line) and Excel; text and JSON also as .gz, .zst and .zip. `types` overrules what is inferred.
    Raises DataError with one sentence for whatever cannot be used as it is."""
    table, words, notes = raw(source, types=types or {}, progress=progress)
    return typed_table(table, types or {}, words, tuple(notes))


def read_raw(source: Any, progress: Callable[[str], None] = lambda _: None) -> Table:
    """What `read` reads, not typed: delimited text stays text, so that `conform` reads each cell as training did."""
    return raw(source, types=None, progress=progress)[0]
