"""Two tables that are one question: training rows and, below them, test rows that were given apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from assay.contract import Kind
from assay.errors import DataError, nearest
from assay.table.formats import first_line
from assay.table.infer import Typed, typed_table
from assay.table.read import raw


def read_together(
    source: Any, more: Any, *, types: Mapping[str, Kind] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Typed, int]:
    """The rows of `source`, then those of `more`, each column typed by both; and how many rows are of `source`.

    Text files stay text until both are joined, so that they agree on each column's kind. Columns that only `more` has
    are left out, with a note. Raises DataError where it lacks one, or where they do not fit below one another."""
    first, what, notes = raw(source, types=None, progress=progress)
    second, called, said = raw(more, types=None, progress=progress)
    if lacks := [c for c in first.columns if c not in second.columns]:
        others = [c for c in second.columns if c not in first.columns]
        guess = nearest(lacks[0], others) if others else ""
        raise DataError(f"{called}, given as the test data, has no column {lacks[0]!r}, which {what} has. It wants the "
                        f"same columns, the target among them. {guess}".rstrip())
    if extra := [c for c in second.columns if c not in first.columns]:
        said = [*said, f"{called} has {len(extra):,} columns that {what} has not, such as {extra[0]!r}; left out"]
    try:
        joined = pl.concat([first, second.select(first.columns)], how="vertical_relaxed")
    except pl.exceptions.PolarsError as wrong:
        raise DataError(f"{called} does not fit below {what}: {first_line(wrong)}. Write each column with one type in "
                        "both.") from None
    return typed_table(joined, types or {}, what, (*notes, *said)), len(first)
