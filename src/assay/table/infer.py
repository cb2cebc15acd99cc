"""Kinds of columns: what each column of a Table holds, found from its values, and said with the reason.

`typed` brings every column to one of five dtypes and calls it one of seven kinds. It looks at samples first and
at whole columns where the answer rests on them. What the user says overrules what is found.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from assay.contract import Kind, Table
from assay.errors import DataError, nearest
from assay.table import cells
from assay.table.convert import described, to_table
from assay.table.normal import Normal, normalised, preview

Dtype = Literal["float", "int", "bool", "string", "datetime"]
LEVELS = 100

_KEY_NAME = re.compile(
    r"(?:^|[_\-. ])(?:id|ids|uuid|guid|key|identifier|rownames?|row_?id|row_?(?:number|num)|index)$|[a-z](?:Id|ID)$"
    r"|^Unnamed: ?\d+$|^column_1$"
)
_TIME_NAME = re.compile(r"(?i)year|month|week|day|hour|minute|time|date|step|period|age|rank|^t$")
_DTYPE: dict[Any, Dtype] = {pl.Int64: "int", pl.Float64: "float", pl.Boolean: "bool", pl.String: "string"}


@dataclass(frozen=True)
class Column:
    """One column and why it is of its kind.

    missing, distinct: counts; distinct leaves missing out, and is an estimate above 50,000 values that are no key.
    levels: for categories, by frequency, at most 100; for booleans, the word for no and the word for yes.
    low, high: the range of finite numbers; moments as seconds since 1970, UTC.
    example: a value; of moments the text of the last one as it was written, which shows the format."""

    name: str
    kind: Kind
    dtype: Dtype
    why: str
    missing: int
    distinct: int
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    example: Any = None


@dataclass(frozen=True)
class Typed:
    """A Table of Int64, Float64, Boolean, String and Datetime("us") columns, with what is known of each.

    source: what it was, in words. notes: what was said or mended on the way, a short sentence each."""

    table: Table
    columns: tuple[Column, ...]
    source: str
    notes: tuple[str, ...] = ()


def typed(frame: Any, *, types: Mapping[str, Kind] | None = None) -> Typed:
    """The kinds of a frame's columns, inferred but for those that `types` names.

    Raises DataError: no rows, a column of lists or records, a name in `types` that is no column, a column that
    cannot be read as the kind that `types` gives it."""
    table = to_table(frame)
    return typed_table(table, types or {}, described(frame, table), ())


def typed_table(table: Table, types: Mapping[str, Kind], source: str, notes: tuple[str, ...]) -> Typed:
    """`typed` of a Table whose source and notes are known already."""
    if not table.width or not table.height:
        raise DataError(f"{source} holds no {'rows' if table.width else 'columns'}. "
                        "Wanted at least one column and one row.")
    for name in types:
        if name not in table.columns:
            raise DataError(f"{source} has no column {name!r}, whose type was given. {nearest(name, table.columns)}")
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        try:
            normal = list(pool.map(lambda column: normalised(column, types.get(column.name)), table.get_columns()))
        except DataError as wrong:
            raise DataError(f"{source}: {wrong}") from None
        pairs = list(pool.map(lambda found: _column(found, types.get(found.values.name)), normal))
    said = [note for found in normal for note in found.notes]
    values, columns = zip(*pairs, strict=True)
    return Typed(pl.DataFrame(list(values)), columns, source, (*notes, *_missing_words(normal), *said))


def _missing_words(normal: list[Normal]) -> list[str]:
    where: dict[str, list[str]] = defaultdict(list)
    for found in normal:
        for word in found.missing_words:
            where[word].append(found.values.name)
    return [f"{word!r} was read as missing in {_columns(names)}" for word, names in where.items()]


def _columns(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown if len(names) <= 3 else f"{len(names):,} columns ({shown} ...)"


# --- one column -----------------------------------------------------------------------------------


def _column(found: Normal, wanted: Kind | None) -> tuple[pl.Series, Column]:
    values = found.values
    missing = values.null_count()
    distinct = _distinct(values, missing)
    kind, why = _kind(found, missing, distinct)
    if wanted is not None and wanted != kind:
        kind, why = wanted, f"you said so; {_count(distinct, values.len())}"
    if kind == "id":
        values = cells.as_text(values)
    low, high = _range(values)
    return values, Column(values.name, kind, _DTYPE.get(values.dtype, "datetime"), why, missing, distinct,
                          levels=_levels(values, kind, found.words), low=low, high=high,
                          example=found.example if found.example is not None else _example(values))


def _distinct(values: pl.Series, missing: int) -> int:
    if values.len() > 200_000:
        about: Any = values.approx_n_unique()
        key_like = values.dtype in (pl.Int64, pl.String) and about > 0.9 * (values.len() - missing)
        if about > 50_000 and not key_like:
            return int(about) - (missing > 0)
    return values.n_unique() - (missing > 0)


def _kind(found: Normal, missing: int, distinct: int) -> tuple[Kind, str]:
    values = found.values
    rows = values.len()
    if distinct == 0:
        return "constant", "nothing but missing values"
    if distinct == 1 and not missing:
        return "constant", f"one value, {preview(values[0])}, in all {rows:,} rows"
    return _varying_kind(found, distinct, rows - missing)


def _varying_kind(found: Normal, distinct: int, said: int) -> tuple[Kind, str]:
    values, count = found.values, _count(distinct, found.values.len())
    if values.dtype == pl.Boolean:
        return "boolean", f"two values, {' and '.join(found.words)}"
    if values.dtype.is_temporal():
        return "datetime", found.why or f"moments, {count}"
    if values.dtype == pl.Float64:
        return "numeric", f"numbers, {count}"
    if values.dtype == pl.Int64:
        key = _whole_key(values, distinct, said)
        return ("id", key) if key else ("numeric", f"whole numbers, {count}")
    return _words(values, distinct, said)


def _count(distinct: int, rows: int) -> str:
    return f"{distinct:,} distinct value{'s' * (distinct != 1)} in {rows:,} rows"


def _named_like_a_key(name: str) -> bool:
    return bool(_KEY_NAME.search(name) or _KEY_NAME.search(name.lower()))


def _whole_key(values: pl.Series, distinct: int, said: int) -> str:
    """Why a column of whole numbers is a key; "" where it is not: a salary may well be unique."""
    if _named_like_a_key(values.name) and distinct >= max(0.5 * said, 2):
        return f"named like a key, {_count(distinct, values.len())}"
    if distinct < said or said < 20 or _TIME_NAME.search(values.name):
        return ""
    low: Any = values.min()
    high: Any = values.max()
    if high - low + 1 == said and not 1500 <= low <= 2200:                              # years count on, too
        return f"counts from {low:,} to {high:,} without a gap"
    return ""


def _words(values: pl.Series, distinct: int, said: int) -> tuple[Kind, str]:
    """A key, a text or a category: by name, by how many are distinct, and by how many words they are."""
    count = _count(distinct, values.len())
    if _named_like_a_key(values.name) and distinct >= max(0.5 * said, 2):
        return "id", f"named like a key, {count}"
    share = distinct / said
    if share < 0.05 and distinct < 1000:
        return "categorical", count
    sample = values.drop_nulls()
    counted: Any = sample.gather_every(max(1, said // 1000)).str.count_matches(r"\S+").mean()
    length = counted or 0.0
    long, short = length >= 4 and (share >= 0.2 or distinct >= 1000), length >= 1.8 and share >= 0.5 and said >= 20
    if long or short:
        return "text", f"{length:.0f} words each, {count}"
    if length < 1.8 and share >= 0.95 and said >= 20:
        return "id", f"{'nearly ' * (distinct < said)}all distinct and one word each, {count}"
    return "categorical", count


def _levels(values: pl.Series, kind: Kind, words: tuple[str, ...]) -> tuple[str, ...]:
    if kind != "categorical":
        return words if kind == "boolean" else ()
    if values.len() <= cells.SMALL:
        often = Counter(value for value in values.to_list() if value is not None)
        return tuple(sorted(often, key=lambda value: (-often[value], value))[:LEVELS])
    counts = values.alias("level").drop_nulls().value_counts(name="n")
    if counts.height > LEVELS:
        counts = counts.filter(pl.col("n") >= counts["n"].top_k(LEVELS).min())
    return tuple(counts.sort("n", "level", descending=[True, False])["level"].head(LEVELS))


def _range(values: pl.Series) -> tuple[float | None, float | None]:
    moment = values.dtype.is_temporal()
    if not moment and not values.dtype.is_numeric():
        return None, None
    values = values.to_physical()
    low: Any = values.min()
    high: Any = values.max()
    if low in (float("-inf"), float("inf")) or high in (float("-inf"), float("inf")):
        finite = values.filter(values.is_finite())
        low, high = finite.min(), finite.max()
    scale = 1e6 if moment else 1
    return (None, None) if low is None else (low / scale, high / scale)


def _example(values: pl.Series) -> Any:
    first: Any = values.first(ignore_nulls=True)
    return first.isoformat() if hasattr(first, "isoformat") else first
