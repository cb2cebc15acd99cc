"""One column in two units: metres among feet, cents among euros."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding

CHECK = "data.units"
MOST_ROWS = 20_000
FEWEST, FEWEST_VALUES = 15, 10
VALLEY = 0.1
ALIKE = 1.6
"""Of sqrt(n m / (n + m)) D: what two samples of one distribution exceed once in 80 times."""

CLOSE, DEGREES = 0.12, 1.5

FACTORS = {
    10.0: "a shift of the decimal point", 100.0: "hundredths, such as cents or percent",
    1000.0: "thousandths, such as g and kg", 1e6: "millionths", 2.54: "inches and centimetres",
    25.4: "inches and millimetres", 3.2808: "metres and feet", 30.48: "feet and centimetres",
    1.6093: "miles and kilometres", 2.2046: "kilograms and pounds", 28.35: "ounces and grams",
    453.6: "pounds and grams", 12.0: "feet and inches, or years and months",
    60.0: "minutes and seconds, or hours and minutes", 3600.0: "hours and seconds", 24.0: "days and hours",
    365.25: "years and days", 4.184: "calories and joules", 3.7854: "gallons and litres",
    18.016: "mmol/l and mg/dl of glucose", 88.42: "mmol/l and mg/dl of creatinine",
}


@dataclass(frozen=True)
class Pair:
    """Two heaps of one column: how many values each has, the factor between them and what it would mean."""

    low: int
    high: int
    factor: float
    meaning: str


def check(seen: Exhibits) -> Iterator[Finding]:
    """Columns of two heaps, with next to nothing between them, that become one where one heap is converted.

    The valley between the heaps is empty, the ratio of their medians a known factor as near as can be told, and the one
    heap so converted has the distribution of the other (Kolmogorov-Smirnov). Fahrenheit among Celsius likewise, by
    1.8 x + 32. Heaps that overlap are not told apart. Of at most 20,000 cases."""
    inputs = seen.inputs if len(seen.inputs) <= MOST_ROWS else seen.inputs.sample(MOST_ROWS, seed=0)
    found = False
    for column in inputs.get_columns():
        pair = mixed(_numbers(column)) if column.dtype.is_numeric() else None
        if pair is not None:
            found = True
            yield _told(column.name, pair)
    if not found and inputs.width:
        yield Finding(CHECK, "ok", "No column looks as if it mixed two units.")


def _numbers(column: pl.Series) -> Array:
    value = column.drop_nulls().cast(pl.Float64).to_numpy()
    return np.sort(value[np.isfinite(value)])


def mixed(value_N: Array) -> Pair | None:
    """The two units of a sorted column, or None."""
    if len(value_N) < 4 * FEWEST or len(np.unique(value_N)) < 2 * FEWEST_VALUES:
        return None
    if value_N[0] > 0:
        scaled = np.log(value_N)
        cut = _valley(scaled)
        if cut is not None:
            for factor, meaning in FACTORS.items():
                shift = np.log(factor)
                if _same(scaled[:cut], scaled[cut:] - shift, CLOSE * shift):
                    return Pair(cut, len(value_N) - cut, factor, meaning)
    cut = _valley(value_N)
    if cut is not None and _same(value_N[:cut], (value_N[cut:] - 32) / 1.8, DEGREES) and -60 < value_N[0] < 60:
        return Pair(cut, len(value_N) - cut, 1.8, "degrees Celsius and Fahrenheit")
    return None


def _valley(sorted_N: Array) -> int | None:
    """Where a sorted column falls into two heaps: the widest gap, if it is wide beside the heaps themselves."""
    inner = sorted_N[FEWEST - 1: len(sorted_N) - FEWEST + 1]
    gaps = np.diff(inner)
    cut = int(gaps.argmax()) + FEWEST
    low, high = sorted_N[:cut], sorted_N[cut:]
    if min(len(np.unique(low)), len(np.unique(high))) < FEWEST_VALUES:
        return None
    spread = max(_iqr(low), _iqr(high))
    between = np.median(high) - np.median(low)
    return cut if gaps.max() > max(VALLEY * between, 0.5 * spread) else None


def _iqr(values_N: Array) -> float:
    low, high = np.quantile(values_N, [0.25, 0.75])
    return float(high - low)


def _same(low: Array, high: Array, most: float) -> bool:
    """Whether two sorted heaps have one distribution, their medians being known to `most`.

    The standard error of the median of a bell-shaped heap is 1.25 sd / sqrt(n), its sd 0.74 of its quartiles' distance;
    heaps too wide and too few to tell a factor from its neighbours prove nothing."""
    spread = [_iqr(low), _iqr(high)]
    error = 0.93 * np.hypot(spread[0] / np.sqrt(len(low)), spread[1] / np.sqrt(len(high)))
    if min(spread) <= 0 or 2.5 * error > most or abs(np.median(low) - np.median(high)) > max(2.5 * error, 0.2 * most):
        return False
    both = np.concatenate([low, high])
    below = [np.searchsorted(heap, both, "right") / len(heap) for heap in (low, high)]
    gap = np.abs(below[0] - below[1]).max()
    return bool(gap * np.sqrt(len(low) * len(high) / len(both)) < ALIKE)


def _told(name: str, pair: Pair) -> Finding:
    few, many = sorted((pair.low, pair.high))
    said = (f"{name!r} falls into two heaps, of {many:,} and {few:,} cases, that become one where the larger values "
            f"are divided by {pair.factor:g}: two units ({pair.meaning})? Bring them to one, or the model learns the "
            "unit.")
    if pair.meaning.endswith("Fahrenheit"):
        said = said.replace("divided by 1.8", "taken as 1.8 x + 32")
    return Finding(CHECK, "warn", said, {"column": name, "factor": pair.factor, "cases of the fewer": few})
