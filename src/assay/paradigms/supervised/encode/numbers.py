"""Numbers and moments as columns of an array. Each block holds what it learned; `transform` reads one row at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from assay.contract import Array

FLOAT32_EXACT = 2.0**24                         # whole numbers beyond this are not exact in float32
HUGE = 1e100                                    # numbers beyond are taken as this: their squares still fit
_DAY_US = 86_400e6
_PARTS = ("month", "day", "weekday", "hour")
_PERIOD = {"month": 12.0, "day": 31.0, "weekday": 7.0, "hour": 24.0}


def floats(values: pl.Series) -> Array:
    """A column of numbers or booleans as float64 (n,); missing and infinite values are NaN."""
    x = values.cast(pl.Float64).to_numpy(writable=True)
    x[~np.isfinite(x)] = np.nan
    return x


@dataclass(frozen=True)
class Plain:
    """A number as it is, NaN where missing. Large ones are counted from `origin`: float32 could not tell them apart."""

    kind: ClassVar[str] = "plain"
    origin: float

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        x = floats(values)
        x = x[~np.isnan(x)]
        return cls(float(x.min()) if len(x) and np.abs(x).max() > FLOAT32_EXACT else 0.0)

    @property
    def names(self) -> tuple[str, ...]:
        return ("",)

    def transform(self, values: pl.Series) -> Array:
        return np.clip(floats(values) - self.origin, -3e38, 3e38)[:, None]

    def cell(self, value: float | None) -> tuple[float, ...]:
        """What `transform` makes of one value. Raises TypeError where it is no number."""
        if value is None:
            return (math.nan,)
        if not isinstance(value, (float, int)):
            raise TypeError
        return (min(max(value - self.origin, -3e38), 3e38) if math.isfinite(value) else math.nan,)

    def state(self) -> dict[str, Any]:
        return {"origin": self.origin}

    @classmethod
    def build(cls, said: Mapping[str, Any], _: Mapping[str, Array]) -> Self:
        return cls(float(said["origin"]))


@dataclass(frozen=True)
class Scaled:
    """A number centred on its median, heavy tails drawn in, to about unit spread; missing is the median and says so.

    z = (x - median) / spread, spread the interquartile range / 1.349; asinh(z) where the 99th percentile of |z|
    is beyond 8; then standardised, and bent smoothly into (-4, 4): z / sqrt(1 + (z / 4)^2), after RealMLP
    (Holzmüller et al. 2024, arXiv 2407.04491), which bends at 3."""

    kind: ClassVar[str] = "scaled"
    median: float
    spread: float
    tails: bool
    mean: float
    sd: float
    gaps: bool                                  # some were missing: a column says which

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        x = np.clip(floats(values), -HUGE, HUGE)
        known = x[~np.isnan(x)]
        if not len(known):
            return cls(0.0, 1.0, False, 0.0, 1.0, True)
        low, median, high = np.quantile(known, (0.25, 0.5, 0.75))
        spread = float((high - low) / 1.349) or float(known.std()) or 1.0
        spread = max(spread, 1 / HUGE)
        z = np.clip((known - median) / spread, -HUGE, HUGE)
        tails = bool(np.quantile(np.abs(z), 0.99) > 8)
        z = np.arcsinh(z) if tails else z
        return cls(float(median), spread, tails, float(z.mean()), float(z.std()) or 1.0, len(known) < len(x))

    @property
    def names(self) -> tuple[str, ...]:
        return ("", " is missing") if self.gaps else ("",)

    def transform(self, values: pl.Series) -> Array:
        x = floats(values)
        missing = np.isnan(x)
        z = np.where(missing, 0.0, np.clip((np.clip(x, -HUGE, HUGE) - self.median) / self.spread, -HUGE, HUGE))
        z = ((np.arcsinh(z) if self.tails else z) - self.mean) / self.sd
        z /= np.hypot(1.0, z / 4.0)
        return np.column_stack([z, missing]) if self.gaps else z[:, None]

    def cell(self, value: float | None) -> tuple[float, ...]:
        """What `transform` makes of one value, to the bit. Raises TypeError where it is no number."""
        if value is not None and not isinstance(value, (float, int)):
            raise TypeError
        missing, z = value is None or not math.isfinite(value), 0.0
        if value is not None and not missing:
            z = _within((_within(value) - self.median) / self.spread)
        z = ((float(np.arcsinh(z)) if self.tails else z) - self.mean) / self.sd
        z /= float(np.hypot(1.0, z / 4.0))
        return (z, float(missing)) if self.gaps else (z,)

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def build(cls, said: Mapping[str, Any], _: Mapping[str, Array]) -> Self:
        number = {n: float(said[n]) for n in ("median", "spread", "mean", "sd")}
        return cls(**number, tails=bool(said["tails"]), gaps=bool(said["gaps"]))


def _within(x: float) -> float:
    return min(max(float(x), -HUGE), HUGE)


@dataclass(frozen=True)
class Moment:
    """A point in time: days since the earliest met, and the parts of the calendar that vary.

    For what measures or adds (`smooth`), parts go round a circle and a missing moment is a zero with a flag.
    The time a split is made by keeps its calendar only: days beyond the latest cannot be learned from."""

    kind: ClassVar[str] = "moment"
    origin_us: float
    span_days: float                            # 0 leaves the days out
    parts: tuple[str, ...]
    smooth: bool

    @classmethod
    def fit(cls, values: pl.Series, *, smooth: bool, calendar_only: bool) -> Self:
        us = _microseconds(values.drop_nulls())
        if not len(us):
            return cls(0.0, 0.0, (), smooth)
        parts = tuple(p for p in _PARTS if len(np.unique(_part(us, p))) > 1)
        span = float(np.ptp(us)) / _DAY_US
        return cls(float(us.min()), 0.0 if calendar_only else span, parts, smooth)

    @property
    def names(self) -> tuple[str, ...]:
        days = (" days",) if self.span_days else ()
        if self.smooth:
            return (*days, *(f" {p} {f}" for p in self.parts for f in ("sin", "cos")), " is missing")
        return (*days, *(f" {p}" for p in self.parts))

    def transform(self, values: pl.Series) -> Array:
        us = _microseconds(values)
        days = (us - self.origin_us) / _DAY_US
        columns = [days / self.span_days * 2 - 1 if self.smooth else days] if self.span_days else []
        for part in self.parts:
            x = _part(us, part)
            angle = x * (2 * np.pi / _PERIOD[part])
            columns += [np.sin(angle), np.cos(angle)] if self.smooth else [x]
        if not self.smooth:
            return np.column_stack(columns) if columns else np.empty((len(us), 0))
        missing = np.isnan(us)
        X: Array = np.nan_to_num(np.column_stack([*columns, missing]))
        return X

    def cell(self, value: datetime | None) -> tuple[float, ...]:
        """What `transform` makes of one value."""
        return tuple(self.transform(pl.Series([value], dtype=pl.Datetime("us")))[0])

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def build(cls, said: Mapping[str, Any], _: Mapping[str, Array]) -> Self:
        parts = tuple(p for p in _PARTS if p in said["parts"])
        return cls(float(said["origin_us"]), float(said["span_days"]), parts, bool(said["smooth"]))


def _microseconds(values: pl.Series) -> Array:
    """Moments as float64 microseconds since 1970, as the clock on the wall shows them; NaN where missing."""
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
        values = values.dt.replace_time_zone(None)
    us: Array = values.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64).to_numpy(writable=True)
    return us


def _part(us: Array, part: str) -> Array:
    """month 0..11, day 0..30, weekday 0..6 from Monday, hour 0..23 with its fraction; NaN stays."""
    days = np.floor(us / _DAY_US)
    if part == "hour":
        return np.floor((us - days * _DAY_US) / 3_600e6)
    if part == "weekday":
        return (days + 3) % 7
    date = np.where(np.isnan(days), 0, days).astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    x = month.astype(np.int64) % 12 if part == "month" else (date - month).astype(np.int64)
    return np.where(np.isnan(days), np.nan, x.astype(np.float64))
