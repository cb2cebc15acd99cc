"""A few rows as plain Python values: for so few, a frame costs more to make than the answers to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from assay.capabilities import AnswersRows
from assay.contract import Field, Model, Signature, Table
from assay.table import cells
from assay.table.conform import DTYPES, StrangeError, word_reader
from assay.table.convert import library_of

FEW_ROWS = 8                                    # up to so many are read value by value


class Reader:
    """Reads a few rows as `conform` does, for one signature; what is not plainly right is left to `conform`."""

    def __init__(self, signature: Signature) -> None:
        self._known = {field.name for field in signature.inputs} | set(signature.ignored)
        self._inputs = [(field.name, _reads(field)) for field in signature.inputs]

    def __call__(self, data: Any) -> list[list[Any]] | None:
        """The inputs of each row in the signature's order, each its own type or None; of a frame, a dict of lists or
        a list of dicts. None where there are many rows, or anything for `conform` to look at."""
        columns = _columns(data)
        if columns is None or not columns.keys() <= self._known:
            return None
        try:
            return [list(row) for row in zip(
                *([read(value) for value in columns[name]] for name, read in self._inputs), strict=True)]
        except (StrangeError, KeyError, ValueError, TypeError, OverflowError):
            return None


def table_of(rows: Sequence[Sequence[Any]], signature: Signature) -> Table:
    """Rows of plain values as the Table that `conform` gives."""
    return pl.DataFrame(rows, schema=[(f.name, DTYPES[f.dtype]) for f in signature.inputs], orient="row")


def answered(model: Model, rows: Sequence[Sequence[Any]]) -> Mapping[str, list[Any]]:
    """A model's answers to rows of plain values, as a list a column; see `capabilities.AnswersRows`."""
    if isinstance(model, AnswersRows):
        return model.answer_rows(rows)
    return model.predict(table_of(rows, model.signature)).to_dict(as_series=False)


def answers_like(answers: Mapping[str, Sequence[Any]], signature: Signature, original: Any) -> Any:
    """Columns of answers as the kind of frame that was asked with."""
    if library_of(original) == "pandas":
        import pandas as pd

        return pd.DataFrame(dict(answers), index=original.index)
    if isinstance(original, Mapping):
        return {name: list(values) for name, values in answers.items()}
    if isinstance(original, list | tuple):
        return [dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)]
    return pl.DataFrame(answers, schema={field.name: DTYPES[field.dtype] for field in signature.outputs})


def _columns(data: Any) -> dict[str, list[Any]] | None:
    """The cells of a few rows by column."""
    if isinstance(data, pl.DataFrame):
        return data.to_dict(as_series=False) if 0 < len(data) <= FEW_ROWS else None
    if isinstance(data, list | tuple) and 0 < len(data) <= FEW_ROWS and all(isinstance(r, dict) for r in data):
        names = data[0].keys()
        return {n: [r[n] for r in data] for n in names} if all(r.keys() == names for r in data) else None
    if isinstance(data, dict) and all(
            isinstance(values, list) and 0 < len(values) <= FEW_ROWS for values in data.values()):
        return data
    if library_of(data) == "pandas" and type(data).__name__ == "DataFrame" and 0 < len(data) <= FEW_ROWS:
        names = list(data.columns)
        if len(set(names)) < len(names):
            return None
        return {name: [data.iat[row, at] for row in range(len(data))] for at, name in enumerate(names)}
    return None


def _reads(field: Field) -> Callable[[Any], Any]:
    """What reads one value of this input. It raises StrangeError for what is not plainly of its type."""
    if field.dtype == "string":
        return word_reader(field.levels)
    return {"float": _float, "int": _int, "bool": _bool, "datetime": _moment}[field.dtype]


def _float(value: Any) -> float | None:
    if value is None or isinstance(value, float):
        return None if value is None or math.isnan(value) else float(value)
    if _plain(value) is int:
        return float(value)
    raise StrangeError


def _int(value: Any) -> int | float | None:
    if _plain(value) is int and -(2**63) <= value < 2**63:
        return int(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    raise StrangeError


def _bool(value: Any) -> bool | None:
    if value is None:
        return None
    if _plain(value) is bool:
        return bool(value)
    if isinstance(value, str) and (meant := cells.meant(value)) is not None:
        return meant
    raise StrangeError


def _moment(value: Any) -> datetime | None:
    if value is None or (type(value) is datetime and value.tzinfo is None):
        return value
    raise StrangeError


def _plain(value: Any) -> type:
    """The type of a value, numpy's counted as Python's."""
    kind = type(value)
    if kind.__module__ == "numpy":
        return {"i": int, "u": int, "b": bool, "f": float}.get(value.dtype.kind, kind) if value.ndim == 0 else kind
    return kind
