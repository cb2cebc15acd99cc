"""A batch made to fit a model's signature: its inputs in order, at their dtypes, or a sentence that says why not.

Small batches take a path through plain Python values: on one row, polars' expressions cost more than the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal

import polars as pl

from assay.contract import Field, Signature, Table
from assay.errors import SchemaError, nearest
from assay.table import cells
from assay.table.normal import first_lost, preview

_SMALL = 64
DTYPES: dict[str, Any] = {
    "float": pl.Float64, "int": pl.Int64, "bool": pl.Boolean, "string": pl.String, "datetime": pl.Datetime("us"),
}
_WORDS = {"float": "a number", "int": "a number", "bool": "yes or no", "datetime": "a moment", "string": "a text"}


def conform(batch: Table, signature: Signature, *, what: str, extra: Literal["refuse", "drop"] = "refuse") -> Table:
    """The signature's inputs from a batch, in its order and dtypes; a batch that fits already is given back as it is.

    Text is read as in training (numbers, moments, yes and no, words for a missing value), and a category keeps its
    spelling: 1, 1.0 and "1" are one level. Nulls are allowed. An input of whole numbers that gets a fraction becomes
    Float64.
    `what` names the batch in errors; `extra` says what is done about columns that training never saw.

    Raises SchemaError: inputs that are missing, columns that are unknown, a value that is not of its input's type."""
    columns = {column.name: column for column in batch.get_columns()}
    _refuse_missing(columns, signature, what)
    if extra == "refuse":
        _refuse_unknown(columns, signature, what)
    fitted = [_fitted(columns[field.name], field, what) for field in signature.inputs]
    same = len(fitted) == batch.width and all(a is b for a, b in zip(fitted, columns.values(), strict=True))
    return batch if same else pl.DataFrame(fitted)


def _refuse_missing(columns: dict[str, pl.Series], signature: Signature, what: str) -> None:
    missing = [field.name for field in signature.inputs if field.name not in columns]
    if not missing:
        return
    known = {field.name for field in signature.inputs} | set(signature.ignored)
    spare = [name for name in columns if name not in known]
    guess = f" {nearest(missing[0], spare)} Rename it." if len(missing) == 1 and spare else ""
    raise SchemaError(f"{what} lacks {_listed(missing)}, which the model was trained on. Add "
                      f"{'it' if len(missing) == 1 else 'them'}, empty where unknown.{guess}")


def _refuse_unknown(columns: dict[str, pl.Series], signature: Signature, what: str) -> None:
    known = {field.name for field in signature.inputs} | set(signature.ignored)
    unknown = [name for name in columns if name not in known]
    if unknown:
        guess = nearest(unknown[0], known)
        guess = f"{guess} " if guess.startswith("Did") else ""
        raise SchemaError(f"{what} has {_listed(unknown)}, which the model was not trained on. {guess}"
                          f"Drop {'it' if len(unknown) == 1 else 'them'}, or say --ignore-extra.")


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
    return f"the column{'s' * (len(names) > 1)} {shown}"


# --- one column -----------------------------------------------------------------------------------


def _fitted(column: pl.Series, field: Field, what: str) -> pl.Series:
    dtype = column.dtype
    if dtype == pl.Null:
        return column.cast(DTYPES[field.dtype])
    if field.dtype == "string":
        return _as_words(column, field, what)
    if dtype == DTYPES[field.dtype]:
        return column if field.dtype != "float" else _without_nan(column)
    if dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        text, _ = cells.tidy(column)
        return _checked(text, _from_text(text, field), field, what)
    if dtype.is_float():
        column = _without_nan(column)
    return _checked(column, _from_values(column, field), field, what)


def _checked(column: pl.Series, read: pl.Series | None, field: Field, what: str) -> pl.Series:
    if read is None:
        row: int | None = column.is_not_null().arg_max() if column.null_count() < column.len() else None
        read = pl.Series(column.name, [None] * column.len(), dtype=DTYPES[field.dtype])
    else:
        row = first_lost(column, read)
    if row is not None:
        like = f" such as {preview(field.example)}" if field.example is not None else ""
        raise SchemaError(f"{what}: column {field.name!r} wants {_WORDS[field.dtype]}{like}; row {row + 1} is "
                          f"{preview(column[row])}. Mend the value, or leave it empty.")
    return read.alias(field.name)


def _without_nan(column: pl.Series) -> pl.Series:
    return column if math.isfinite(column.sum() or 0.0) else column.fill_nan(None)


def _from_text(text: pl.Series, field: Field) -> pl.Series | None:
    if field.dtype == "bool":
        return cells.booleans(text)
    if field.dtype == "datetime":
        return _moments(text, field)
    read = cells.numbers(text)
    return read.cast(pl.Float64) if field.dtype == "float" else read


def _from_values(column: pl.Series, field: Field) -> pl.Series | None:
    """Numbers and booleans become each other where nothing is lost; moments stay moments. None: it cannot be."""
    dtype = column.dtype
    if dtype in (pl.Date, pl.Datetime):
        return cells.naive(column) if field.dtype == "datetime" else None
    if dtype.is_nested() or dtype.is_temporal() or not (dtype.is_numeric() or dtype == pl.Boolean):
        return None
    if field.dtype == "datetime":
        return _moments(cells.as_text(column), field) if dtype.is_integer() else None
    floats = _without_nan(column.cast(pl.Float64))
    if field.dtype == "float":
        return floats
    if field.dtype == "bool":
        return (floats == 1).set((floats != 0) & (floats != 1), None)
    whole = floats.cast(pl.Int64, strict=False) if dtype.is_float() else column.cast(pl.Int64, strict=False)
    return whole if (whole == floats).all(ignore_nulls=True) and whole.null_count() == floats.null_count() else floats


def _moments(text: pl.Series, field: Field) -> pl.Series | None:
    """In the format of the batch; where day and month could be either, in the order that training had."""
    said = text.drop_nulls()
    forms = cells.formats(said[0]) if len(said) else ("%Y-%m-%d",)
    if not forms:
        return None
    if len(forms) > 1 and isinstance(field.example, str):
        forms = tuple(sorted(forms, key=lambda form: not _reads_example(form, field)))
        if _reads_example(forms[0], field):
            return cells.moments(text, forms[0])
    read = [cells.moments(text, form) for form in forms]
    return min(read, key=pl.Series.null_count)


def _reads_example(form: str, field: Field) -> bool:
    """Whether the example of training, its last moment, is read right by a format with this order of day and month."""
    for known in cells.formats(field.example):
        if known[:2] == form[:2]:
            moment = cells.moments(pl.Series([field.example]), known).to_physical()[0]
            return moment is not None and (field.high is None or abs(moment / 1e6 - field.high) < 1e-3)
    return False


# --- words ------------------------------------------------------------------------------------------


def _as_words(column: pl.Series, field: Field, what: str) -> pl.Series:
    dtype = column.dtype
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        return _checked(column, None, field, what)
    text = column if dtype == pl.String else cells.as_text(column)
    if text.len() <= _SMALL:
        read = word_reader(field.levels)
        with suppress(StrangeError):
            words = [read(value) for value in text.to_list()]
            return text if words == text.to_list() else pl.Series(column.name, words, dtype=pl.String)
    text, _ = cells.tidy(text, keep=field.levels)
    return _respelled(text, field.levels)


class StrangeError(Exception):
    """A value that is not plainly right: a column has to be read whole, or refused."""


@lru_cache(4096)
def word_reader(levels: tuple[str, ...]) -> Callable[[Any], str | None]:
    """What reads one value of an input with these levels as tidying its column would. It raises StrangeError where that
    depends on more than the value: words for a missing value, other spellings of a level."""
    known, respelled = frozenset(levels), _may_be_respelled(levels)

    def word(value: Any) -> str | None:
        if value is None or value in known:
            said: str | None = value
            return said
        if isinstance(value, float) and math.isnan(value):
            return None                                     # as pandas writes a missing text
        if not isinstance(value, str):
            raise StrangeError
        bare = value.strip()
        if bare not in known and (respelled or bare in cells.MISSING):
            raise StrangeError
        return bare

    return word


def _may_be_respelled(levels: tuple[str, ...]) -> bool:
    return any(level[:1].isdigit() or level[:1] in "+-" or level.lower() in ("true", "false") for level in levels)


def _respelled(text: pl.Series, levels: tuple[str, ...]) -> pl.Series:
    """Values that are no level but another spelling of one (1.0 for 1, TRUE for true) become that level."""
    if not _may_be_respelled(levels):
        return text
    spelling = {_canonical(level): level for level in reversed(levels)}
    strange = [value for value in text.unique().drop_nulls().to_list() if value not in levels]
    other = {value: spelling[_canonical(value)] for value in strange if _canonical(value) in spelling}
    return text.replace(other) if other else text


def _canonical(value: str) -> str:
    whole, point, fraction = value.partition(".")
    return (whole if point and not fraction.strip("0") else value).lower()
