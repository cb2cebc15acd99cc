"""What the best of many is worth: the optimism that choosing adds to its score, taken off again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from assay.contract import Array, Estimate, Metric, Table
from assay.errors import DataError
from assay.stats.intervals import estimate
from assay.stats.resample import Sample, pooled, unit_sums, value_of, weights

MOST_CASES = 20_000
"""How many cases the draws are made over; the optimism found there is scaled to all of them."""

_CHUNK = 250
_SECONDS, _FEWEST_REDRAWN, _MOST_REDRAWN = 2.0, 20, 400


def corrected(
    metric: Metric, outcomes: Mapping[str, Table], seed: int = 0, *, level: float = 0.95
) -> tuple[Estimate, Estimate]:
    """The score of the best of several recipes: as it is, and with the optimism of having chosen it removed.

    outcomes: recipe -> its out-of-fold outcomes of the same n cases in the same order. Bootstrap bias-corrected
    cross-validation: draw units with replacement, choose the best recipe on those drawn, score it on those not drawn;
    the mean over the draws is the corrected value, never better than the raw one. Its interval is the raw one, moved
    by the optimism; the paper's own, the spread of the draws, is that of a third of the cases.
    Nothing is fitted again, so it costs a matrix product; a metric without terms is computed on redrawn tables for
    two seconds at most. Rank metrics are resampled through their pseudo-values: to first order. Beyond 20,000 cases
    the optimism is that of 20,000, times sqrt(20,000 / n): so it falls for recipes that are equal, and faster for
    others, which errs on the side of caution.
    With one recipe, or where the value is undefined, nothing is taken off.
    Tsamardinos, Greasidou & Borboudakis (2018), "Bootstrapping the out-of-sample predictions for efficient and
    accurate cross-validation", Machine Learning 107, section 4.
    Raises DataError unless there is a recipe and all tables hold the same `case_id`s in the same order."""
    tables = _checked(outcomes)
    best = max(tables, key=lambda t: metric.goodness(float(metric.fn(t))))
    raw = estimate(metric, best, level=level, seed=seed)
    if len(tables) < 2 or not math.isfinite(raw.value):
        return raw, replace(raw, method=f"{raw.method}; nothing was chosen")
    taken, scale = _fewer(tables, seed)
    there, whole = _draws(metric, taken, seed)
    if len(there) < 2:
        return raw, replace(raw, method=f"{raw.method}; the optimism of choosing could not be found")
    sign = 1 if metric.higher_is_better else -1
    optimism = sign * max(0.0, sign * (whole - float(there.mean()))) * scale
    moved = [v - optimism for v in (raw.value, raw.low, raw.high)]
    return raw, Estimate(moved[0], moved[1], moved[2], raw.n, f"bias-corrected bootstrap of choosing among "
                         f"{len(tables)}; interval: {raw.method}", level)


def _checked(outcomes: Mapping[str, Table]) -> list[Table]:
    tables = list(outcomes.values())
    if not tables:
        raise DataError("correcting for the choice of the best: there is no recipe. Give the outcomes of at least one.")
    for name, table in outcomes.items():
        if not table["case_id"].equals(tables[0]["case_id"]):
            raise DataError(f"correcting for the choice of the best: the case_ids of {name!r} differ from those of "
                            f"{next(iter(outcomes))!r}. Score all recipes on the same cases and keep the order.")
    return tables


def _fewer(tables: Sequence[Table], seed: int) -> tuple[list[Table], float]:
    """At most about MOST_CASES cases, whole units, and by what the optimism found on them shrinks for all."""
    n = tables[0].height
    if n <= MOST_CASES:
        return list(tables), 1.0
    sample = Sample.of(tables[0], 0.95, seed)
    keep = np.random.default_rng(seed).random(sample.units) < MOST_CASES / n
    rows = np.flatnonzero(keep[sample.codes])
    return [t[rows] for t in tables], math.sqrt(len(rows) / n)


def _draws(metric: Metric, tables: Sequence[Table], seed: int) -> tuple[Array, float]:
    """Out-of-bag values (r,) of what the bag chose, signed as the metric is, and the best one's value on all."""
    if metric.terms is None:
        return _redrawn(metric, tables, seed)
    sample = Sample.of(tables[0], 0.95, seed)
    codes, units = pooled(sample.codes, sample.units, seed=seed)
    parts = [unit_sums(metric.terms(t), codes, units) for t in tables]
    sizes, width = parts[0][1][:, None], parts[0][0].shape[1]
    sums = np.column_stack([p[0] for p in parts])                       # (units, recipes * width)

    def values(counts: Array) -> Array:
        """counts (r, units): how often each unit counts -> the value of each recipe (r, recipes)."""
        with np.errstate(invalid="ignore", divide="ignore"):            # a draw that leaves no unit out is dropped
            means = (counts @ sums) / (counts @ sizes)
        return value_of(metric, means.reshape(len(counts), len(tables), width))

    found: list[Array] = []
    drawn = weights(units, seed=seed)
    for start in range(0, len(drawn), _CHUNK):
        counts = drawn[start:start + _CHUNK]
        chosen = _goodness(metric, values(counts.astype(float))).argmax(axis=1)
        found.append(values((counts == 0).astype(float))[np.arange(len(counts)), chosen])
    there = np.concatenate(found)
    whole = values(np.ones((1, units)))[0]
    return there[np.isfinite(there)], float(whole[_goodness(metric, whole).argmax()])


def _redrawn(metric: Metric, tables: Sequence[Table], seed: int) -> tuple[Array, float]:
    sample, rng = Sample.of(tables[0], 0.95, seed), np.random.default_rng(seed)
    until = time.monotonic() + _SECONDS
    found: list[float] = []
    while len(found) < _MOST_REDRAWN and (len(found) < _FEWEST_REDRAWN or time.monotonic() < until):
        counts = np.bincount(rng.integers(0, sample.units, sample.units), minlength=sample.units)[sample.codes]
        bag, out = np.repeat(np.arange(len(counts)), counts), np.flatnonzero(counts == 0)
        best = max(tables, key=lambda t: metric.goodness(float(metric.fn(t[bag]))))
        found.append(float(metric.fn(best[out])) if len(out) else math.nan)
    there = np.array(found)
    whole = max((float(metric.fn(t)) for t in tables), key=metric.goodness)
    return there[np.isfinite(there)], whole


def _goodness(metric: Metric, values: Array) -> Array:
    """As `Metric.goodness`, for arrays."""
    return np.where(np.isnan(values), -np.inf, values if metric.higher_is_better else -values)
