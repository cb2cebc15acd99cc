"""One column brought to one of five dtypes: Int64, Float64, Boolean, String, Datetime("us").

A column of text is tried as numbers, as yes and no, as moments, first on a sample. Where all but one in a hundred
cells are numbers or moments, the few others become missing and a note names the first of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import polars as pl

from assay.contract import Kind
from assay.errors import DataError
from assay.table import cells

STRAY = 0.01
"""The share of cells that may be something else before a column of numbers is called a column of words."""


@dataclass(frozen=True)
class Normal:
    """values: the column. words: of a boolean, the words for no and yes. why: how a moment is written."""

    values: pl.Series
    notes: tuple[str, ...] = ()
    missing_words: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    why: str = ""
    example: Any = None


def normalised(column: pl.Series, wanted: Kind | None) -> Normal:
    """The column at its dtype; of the wanted kind if one is wanted. Raises DataError where that cannot be."""
    dtype = column.dtype
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        plural = {"List": "lists", "Array": "lists", "Struct": "records", "Binary": "bytes"}
        what = plural.get(str(dtype.base_type()), "objects")
        raise DataError(f"column {column.name!r} holds {what}, wanted one plain value in each row. "
                        "Spread it into columns of its own, or take it out.")
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return _from_text(column.cast(pl.String), wanted, categories=dtype in (pl.Categorical, pl.Enum))
    if wanted in ("categorical", "text", "id"):
        return Normal(cells.as_text(column))
    if dtype.is_temporal():
        return _from_temporal(column, wanted)
    if dtype == pl.Boolean:
        return _from_boolean(column, wanted)
    return _from_numbers(column, wanted)


def preview(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _from_boolean(column: pl.Series, wanted: Kind | None) -> Normal:
    if wanted == "datetime":
        raise DataError(f"column {column.name!r} cannot be read as datetime: it holds true and false.")
    return Normal(column.cast(pl.Int64)) if wanted == "numeric" else Normal(column, words=("false", "true"))


def _from_temporal(column: pl.Series, wanted: Kind | None) -> Normal:
    if column.dtype in (pl.Duration, pl.Time):
        nanoseconds = (column.cast(pl.Duration("ns")) if column.dtype == pl.Duration else column).to_physical()
        note = f"column {column.name!r} of spans or times of day was read as seconds"
        return Normal(nanoseconds / 1e9, notes=(note,))
    if wanted in ("numeric", "boolean"):
        raise DataError(f"column {column.name!r} cannot be read as {wanted}: "
                        f"it holds moments such as {column.max()!s}.")
    return Normal(cells.naive(column))


def _from_numbers(column: pl.Series, wanted: Kind | None) -> Normal:
    if wanted == "datetime":
        return _said_moments(cells.as_text(column))
    if wanted == "boolean":
        bits = column.cast(pl.Float64).fill_nan(None)
        return Normal(_all_read(column, (bits == 1).set((bits != 0) & (bits != 1), None), "boolean"), words=("0", "1"))
    if column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return Normal(whole if whole.null_count() == column.null_count() else column.cast(pl.Float64))
    floats = column.cast(pl.Float64)
    if math.isfinite(floats.sum() or 0.0):
        return Normal(floats)
    floats = floats.fill_nan(None)
    infinite = int(floats.is_infinite().sum())
    return Normal(floats, notes=(_infinite(column.name, infinite),) if infinite else ())


def _infinite(name: str, how_many: int) -> str:
    return f"column {name!r} holds {how_many:,} infinite value{'s' * (how_many > 1)}"


# --- text ------------------------------------------------------------------------------------------


def _from_text(column: pl.Series, wanted: Kind | None, *, categories: bool) -> Normal:
    """`categories`: the column's type says so already, and numbers among them are names of levels."""
    text, missing = cells.tidy(column)
    if wanted is not None and wanted != "constant":
        found = _said(text, wanted)
    else:
        found = _tried_booleans(text, text.head(1000)) or Normal(text) if categories else _tried(text)
    return Normal(found.values, found.notes, missing, found.words, found.why, found.example)


def _said(text: pl.Series, wanted: Kind) -> Normal:
    if wanted == "numeric":
        return Normal(_all_read(text, cells.numbers(text), wanted))
    if wanted == "boolean":
        distinct = text.drop_nulls().unique(maintain_order=True).head(3).to_list()
        return Normal(_all_read(text, cells.booleans(text), wanted), words=cells.says_yes_or_no(distinct) or ("0", "1"))
    if wanted == "datetime":
        return _said_moments(text)
    return Normal(text)


def _said_moments(text: pl.Series) -> Normal:
    said = text.drop_nulls()
    forms = cells.formats(said[0]) if len(said) else ("%Y-%m-%d",)
    if not forms:
        _all_read(text, pl.Series(text.name, [None] * text.len(), dtype=pl.Datetime("us")), "datetime")
    best = max(forms, key=lambda form: cells.moments(text, form).is_not_null().sum())
    _all_read(text, cells.moments(text, best), "datetime")
    return _moments(text, forms, allowed=0)[0]


def _all_read(text: pl.Series, read: pl.Series, kind: str) -> pl.Series:
    """`read`, unless a cell that says something was not understood."""
    row = first_lost(text, read)
    if row is not None:
        raise DataError(f"column {text.name!r} cannot be read as {kind}: row {row + 1} is {preview(text[row])}. "
                        f"Mend that value, or leave the type of {text.name!r} to be inferred.")
    return read.alias(text.name)


def first_lost(text: pl.Series, read: pl.Series) -> int | None:
    """The first position with a value in `text` and none in `read`."""
    if read.null_count() == text.null_count():
        return None
    return (read.is_null() & text.is_not_null()).arg_max()


def _tried(text: pl.Series) -> Normal:
    said = text.len() - text.null_count()
    if not said:
        return Normal(text)
    sample = text.drop_nulls().gather_every(max(1, said // 1000))
    return (_tried_numbers(text, sample, said) or _tried_booleans(text, sample) or _tried_moments(text, sample, said)
            or Normal(text, _mixture(text.name, sample)))


def _mixture(name: str, sample: pl.Series) -> tuple[str, ...]:
    """The note on a column of words that is numbers for the most part."""
    read = cells.numbers(sample)
    words = sample.filter(read.is_null())
    if not 0 < len(words) < 0.5 * len(sample):
        return ()
    return (f"column {name!r} mixes numbers with words such as {preview(words[0])}; all were read as words",)


def _tried_numbers(text: pl.Series, sample: pl.Series, said: int) -> Normal | None:
    if not cells.seem(cells.NUMBER_LIKE, sample):
        return None
    if cells.numbers(sample).null_count() > 5 * STRAY * len(sample) or text.str.contains(cells.CODE).any():
        return None
    read = cells.numbers(text)
    notes = _strays(text, read, said, "a number")
    if notes is None:
        return None
    plain = sample.filter(sample.str.contains(r"[$€£%,]"))
    if len(plain):
        notes = (*notes, f"column {text.name!r}: values such as {preview(plain[0])} were read as numbers")
    if read.dtype == pl.Float64 and (infinite := int(read.is_infinite().sum())):
        notes = (*notes, _infinite(text.name, infinite))
    return Normal(read, notes)


def _strays(text: pl.Series, read: pl.Series, said: int, what: str) -> tuple[str, ...] | None:
    """The note on the few cells that could not be read; None where they are too many."""
    lost = read.null_count() - text.null_count()
    if lost > STRAY * said:
        return None
    if not lost:
        return ()
    row = first_lost(text, read) or 0
    also = f", nor are {lost - 1:,} others" if lost > 1 else ""
    return (f"column {text.name!r}: row {row + 1} is {preview(text[row])}, not {what}{also}; read as missing "
            f"(say the column is categorical to keep such values)",)


def _tried_booleans(text: pl.Series, sample: pl.Series) -> Normal | None:
    if sample.n_unique() > 2:
        return None
    pair = cells.says_yes_or_no(text.unique().drop_nulls().head(3).to_list())
    return Normal(text == pair[1], words=pair) if pair else None


def _tried_moments(text: pl.Series, sample: pl.Series, said: int) -> Normal | None:
    forms = [form for form in cells.formats(sample[0]) if form != "%Y%m%d"]       # eight digits may be anything
    forms = [form for form in forms if cells.moments(sample, form).null_count() <= 5 * STRAY * len(sample)]
    if not forms:
        return None
    found, notes = _moments(text, tuple(forms), allowed=STRAY * said)
    return found if notes is not None else None


def _moments(text: pl.Series, forms: tuple[str, ...], *, allowed: float) -> tuple[Normal, tuple[str, ...] | None]:
    """The column read in the one of the formats that fits it best."""
    read = {form: cells.moments(text, form) for form in forms}
    fewest = min(values.null_count() for values in read.values())
    fitting = [form for form in forms if read[form].null_count() == fewest]
    form, doubt = (fitting[0], ()) if len(fitting) == 1 else _day_or_month(text.name, fitting, read)
    values = read[form]
    notes = _strays(text, values, int(allowed / STRAY), "a moment") if allowed else ()
    latest = values.arg_max()
    example = text[latest] if latest is not None else None
    normal = Normal(values, (*(notes or ()), *doubt), why=f"moments written {form}", example=example)
    return normal, notes


def _day_or_month(name: str, forms: list[str], read: dict[str, pl.Series]) -> tuple[str, tuple[str, ...]]:
    """Where no value is above 12: the part that never changes is the day (monthly data), then the order of rows."""
    if forms[0][:2] != "%d":                                                       # two spellings of one month
        return forms[0], ()
    for form in forms:
        if read[form].dt.day().drop_nulls().n_unique() == 1 and read[form].n_unique() > 1:
            return form, (f"column {name!r}: read as {form}, since one part never changes and is taken for the day",)
    rising = [form for form in forms if read[form].is_sorted()]
    form = rising[0] if len(rising) == 1 else forms[0] if "." in forms[0][:4] else forms[-1]
    return form, (f"column {name!r}: day and month could be either way round; read as {form}",)
