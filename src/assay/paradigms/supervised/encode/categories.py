"""Categories as columns of an array: integer codes for trees, one column a level for everything that adds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from assay.contract import Array

MOST_CODES = 20_000                             # levels with a code of their own; the rest share one
MOST_COLUMNS = 50                               # levels with a column of their own
RARE = 3                                        # a level met fewer times shares the column of the others


def _by_frequency(values: pl.Series) -> tuple[list[str], list[int]]:
    """Levels from most to least frequent, ties by name, and how often each was met."""
    count = values.drop_nulls().cast(pl.String).alias("level").value_counts(name="n")
    count = count.sort(["n", "level"], descending=[True, False])
    return count["level"].to_list(), count["n"].to_list()


def _in_order(levels: Sequence[str]) -> list[str]:
    """By name, numbers inside by their value: what stands beside each other is often alike, as tail numbers are.

    >>> _in_order(["b", "a 10", "a 9"])
    ['a 9', 'a 10', 'b']
    """
    def key(level: str) -> tuple[tuple[bool, int, str], ...]:
        parts = (p for p in re.split(r"([0-9]{1,18})", level) if p)
        return tuple((not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts)

    return sorted(levels, key=lambda level: (key(level), level))


class _Lookup:
    """Levels to their positions: a dict for a few rows, polars' Enum for many."""

    def __init__(self, levels: tuple[str, ...]) -> None:
        self.levels = levels
        self.position = {level: float(i) for i, level in enumerate(levels)}

    @cached_property
    def enum(self) -> pl.Enum:
        return pl.Enum(list(self.levels))

    def codes(self, values: pl.Series) -> tuple[Array, Array]:
        """Codes (n,) float64 of the known levels, NaN elsewhere; and which were missing, apart from unknown."""
        text = values if values.dtype == pl.String else values.cast(pl.String)
        codes = text.cast(self.enum, strict=False).to_physical().cast(pl.Float64).to_numpy(writable=True)
        return codes, text.is_null().to_numpy()


@dataclass(frozen=True)
class Coded:
    """A category as its place among the levels in order. Missing is NaN; an unknown level has the shared code, or NaN
    without one."""

    kind: ClassVar[str] = "coded"
    levels: tuple[str, ...]
    others: bool                                # more levels were met than have a code

    @classmethod
    def fit(cls, values: pl.Series, known: Sequence[str] = ()) -> Self:
        """known: all levels, where they are known; then every fold's rows have the same codes, and a batch is encoded
        once for the models of all of them."""
        levels = list(known) or _by_frequency(values)[0]
        return cls(tuple(_in_order(levels[:MOST_CODES])), len(levels) > MOST_CODES)

    @property
    def names(self) -> tuple[str, ...]:
        return ("",)

    @cached_property
    def _lookup(self) -> _Lookup:
        return _Lookup(self.levels)

    def transform(self, values: pl.Series) -> Array:
        codes, missing = self._lookup.codes(values)
        if self.others:
            codes[np.isnan(codes) & ~missing] = len(self.levels)
        return codes[:, None]

    def cell(self, value: str | None) -> tuple[float, ...]:
        """What `transform` makes of one value. Raises TypeError where it is no text."""
        if value is None:
            return (math.nan,)
        if not isinstance(value, str):
            raise TypeError
        return (self._lookup.position.get(value, len(self.levels) if self.others else math.nan),)

    def state(self) -> dict[str, Any]:
        return {"levels": self.levels, "others": self.others}

    @classmethod
    def build(cls, said: Mapping[str, Any], _: Mapping[str, Array]) -> Self:
        return cls(_texts(said["levels"]), bool(said["others"]))


@dataclass(frozen=True)
class OneHot:
    """A column a level, by frequency; rare and unknown levels share one, missing has its own where it was met.

    Where many levels share the column of the others, how frequent a level is makes one more column:
    log(1 + times met), from -1 (never) to 1 (the most frequent)."""

    kind: ClassVar[str] = "one_hot"
    levels: tuple[str, ...]
    wide: int                                   # the first so many levels have columns
    others: bool
    gaps: bool
    count: tuple[int, ...]                      # how often each level was met; empty where frequency is not used

    @classmethod
    def fit(cls, values: pl.Series, *, most: int = MOST_COLUMNS) -> Self:
        levels, count = _by_frequency(values)
        common = sum(c >= RARE for c in count) or len(count)
        wide = min(common, most)
        crowded = len(levels) > max(2 * wide, 20)
        kept = MOST_CODES if crowded else wide
        return cls(tuple(levels[:kept]), wide, len(levels) > wide, values.null_count() > 0,
                   tuple(count[:kept]) if crowded else ())

    @property
    def names(self) -> tuple[str, ...]:
        shown = tuple(f" = {level}" for level in self.levels[:self.wide])
        more = ((self.others, " = another"), (self.gaps, " is missing"), (bool(self.count), " frequency"))
        return (*shown, *(name for there, name in more if there))

    @cached_property
    def _lookup(self) -> _Lookup:
        return _Lookup(self.levels)

    def transform(self, values: pl.Series) -> Array:
        codes, missing = self._lookup.codes(values)
        known = codes < self.wide
        X = np.zeros((len(codes), len(self.names)))
        rows = np.flatnonzero(known)
        X[rows, codes[rows].astype(np.int64)] = 1.0
        if self.others:
            X[:, self.wide] = ~known & ~missing
        if self.gaps:
            X[:, self.wide + self.others] = missing
        if self.count:
            X[:, -1] = self._frequency(codes)
        return X

    def cell(self, value: str | None) -> tuple[float, ...]:
        """What `transform` makes of one value. Raises TypeError where it is no text."""
        if value is not None and not isinstance(value, str):
            raise TypeError
        code = math.nan if value is None else self._lookup.position.get(value, math.nan)
        known = code < self.wide
        row = [0.0] * self.wide
        if known:
            row[int(code)] = 1.0
        if self.others:
            row.append(float(not known and value is not None))
        if self.gaps:
            row.append(float(value is None))
        if self.count:
            row.append(float(self._frequency(np.array([code]))[0]))
        return tuple(row)

    def _frequency(self, codes: Array) -> Array:
        logs: Array = np.log1p(np.asarray([*self.count, 0.0]))
        met: Array = logs[np.where(np.isnan(codes), len(self.count), codes).astype(np.int64)] / logs.max()
        return met * 2 - 1

    def state(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in ("levels", "wide", "others", "gaps", "count")}

    @classmethod
    def build(cls, said: Mapping[str, Any], _: Mapping[str, Array]) -> Self:
        levels, count = _texts(said["levels"]), tuple(int(c) for c in said["count"])
        wide = int(said["wide"])
        if not 0 <= wide <= len(levels) or len(count) not in (0, len(levels)) or min(count, default=0) < 0:
            raise ValueError("levels and their counts do not fit together")
        return cls(levels, wide, bool(said["others"]), bool(said["gaps"]), count)


def _texts(levels: Any) -> tuple[str, ...]:
    if not all(isinstance(level, str) for level in levels) or len(set(levels)) != len(levels):
        raise ValueError("levels are not distinct texts")
    return tuple(levels)
