"""Where things stand on paper: scales, round ticks, labels cut to fit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

LETTER = 7.6                                    # mean width of a letter at the size of the labels


@dataclass(frozen=True)
class Scale:
    """From data to pixels: `low` stands at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        low, high, v = self.low, self.high, value
        if self.log:
            low, high, v = math.log10(low), math.log10(high), math.log10(max(value, self.low / 10))
        return round(self.start + (v - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else round_ticks(self.low, self.high)


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` + 1 multiples of 1, 2 or 5 times a power of ten inside [low, high].

    >>> round_ticks(0, 1), round_ticks(3, 97)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [20.0, 40.0, 60.0, 80.0])
    """
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    places = max(0, -math.floor(math.log10(step)))
    return [round(i * step, places) + 0.0 for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with twos and fives where there are few.

    >>> log_ticks(90, 5000)
    [100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    return [t for p in powers for d in digits if low * 0.999 <= (t := d * 10.0**p) <= high * 1.001]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Labels of ticks, all with the same decimals; thousands as k, M, bn where they are round.

    >>> tick_labels([0.0, 0.25, 0.5]), tick_labels([0.0, 200000.0])
    (['0.00', '0.25', '0.50'], ['0', '200k'])
    """
    largest = max((abs(t) for t in ticks), default=0.0)
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        begins = size * (10 if letter == "k" else 1)
        if begins <= largest < size * 1e4 and all(round(t / size, 1) * size == t for t in ticks):
            return [f"{t / size:g}{letter}".replace("-", "−") if t else "0" for t in ticks]
    if largest and (largest < 1e-4 or largest >= 1e12):
        sizes = ([f"{t:.{digits}g}".replace("-", "−") for t in ticks] for digits in range(1, 17))
        return next(texts for texts in sizes if len(set(texts)) == len(set(ticks)))
    places = max((_places(t) for t in ticks), default=0)
    return [f"{t:,.{places}f}".replace("-", "−") for t in ticks]


def _places(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def numbers(values: Iterable[Any]) -> list[float]:
    """The finite ones as floats; moments become seconds since 1970."""
    found = (as_number(v) for v in values)
    return [v for v in found if v is not None]


def as_number(value: Any) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


Range = tuple[float, float]


def spanning(values: Sequence[float], asked: Range | None, *, log: bool, zero: bool) -> Range:
    """The range of an axis: what was asked for, else the values with some air, else 0 to 1. Bars stand on `zero`."""
    if asked is not None and asked[0] < asked[1]:
        return asked
    kept = [v for v in values if v > 0] if log else [*values, 0.0] if zero else list(values)
    if not kept:
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = min(kept), max(kept)
    if log:
        return low / 1.1, high * 1.1
    air = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return (low if zero and low == 0 else low - air, high if zero and low < high == 0 else high + air)


def cut(text: str, room: float) -> str:
    """The text, shortened to fit into so many pixels.

    >>> cut("a rather long label", 60)
    'a rath…'
    """
    most = max(3, int(room / LETTER))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def width(texts: Iterable[str]) -> float:
    return max((len(t) for t in texts), default=0) * LETTER
