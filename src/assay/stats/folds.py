"""Recipes compared over folds: another training set would have made other models, and that is doubt too.

Pairing the held-out cases says how far two *fitted models* can be told apart. Two *recipes* differ by
more than chance only if they also differ more than two fits of one recipe would.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assay.contract import Array, Estimate, Metric, Table
from assay.stats.expand import quantile, tails
from assay.stats.intervals import NORMAL, normal_quantile
from assay.stats.paired import Difference, compare

_NO_SPREAD = 1e-12


def corrected_t(differences: Array, train_over_test: float, *, level: float = 0.95) -> Difference:
    """The corrected resampled t-test of differences (j,), one a fold or a repeated split, positive where a is better.

    t = mean / sqrt((1/j + test/train) s²) with j - 1 degrees of freedom and s² their sample variance: training sets
    that overlap make differences that agree, so s²/j alone is too small. train_over_test: 4 for five folds.
    With fewer than two finite differences, or none that varies, nothing is told apart.
    Nadeau & Bengio (2003), "Inference for the generalization error", Machine Learning 52(3), section 5.

    >>> found = corrected_t(np.array([0.02, 0.01, 0.03, 0.02, 0.02]), 4)
    >>> print(found.estimate, round(found.p, 3), found.tied)
    0.02 [0.00683, 0.03317] 0.014 False
    """
    normal_quantile(level)
    found = np.asarray(differences, dtype=float)
    found = found[np.isfinite(found)]
    j, name = len(found), "corrected resampled t"
    value = float(found.mean()) if j else math.nan
    if j < 2 or (spread := float(found.var(ddof=1))) <= _NO_SPREAD * value**2:
        flat = Estimate(value, value, value, j, f"{name}: no spread over {j} differences", level)
        return Difference(flat, 1.0, True)
    error = math.sqrt((1 / j + 1 / train_over_test) * spread)
    half = quantile(level, j - 1) * error
    p = tails(abs(value) / error, j - 1)
    return Difference(Estimate(value, value - half, value + half, j, name, level), p, abs(value) <= half)


def against(
    metric: Metric, one: str, outcomes: Mapping[str, Table], fold: Array, *, level: float = 0.95, seed: int = 0
) -> dict[str, Difference]:
    """Recipe `one` against each other, paired by case, with the doubt that comes from training.

    outcomes: recipe -> its out-of-fold outcomes of the same n cases in the same order. fold (n,): who held them out.
    To the variance V by cases (`paired.compare`) comes (1/k + test/train) max(0, S - kV), where S is the variance of
    the difference over the k folds and kV what cases alone would make of it: Nadeau and Bengio's factor, on what
    training adds. S of one pair has k - 1 degrees of freedom, which is little; so it is moderated by the mean of
    S / kV over all pairs (as in Smyth 2004, SAGMB 3(1), with (k-1)(m-2)/2 prior degrees of freedom for m recipes).
    Student's t takes Satterthwaite's degrees of freedom. With one fold training's part is unknown, and left out.
    Measured in benchmarks/false_winners.py."""
    gaps = {name: compare(metric, outcomes[one], theirs, level=level, seed=seed)
            for name, theirs in outcomes.items() if name != one}
    numbers = np.unique(fold)
    if len(numbers) < 2:
        return gaps
    scores = {name: _by_fold(metric, table, fold, numbers) for name, table in outcomes.items()}
    spreads = {name: _Spread.of(gap, scores[one] - scores[name]) for name, gap in gaps.items()}
    excess = np.array([s.ratio for s in spreads.values() if math.isfinite(s.ratio)])
    pool = _Pool(len(numbers), _test_over_train(fold, numbers), float(excess.mean()) if len(excess) else 1.0,
                 (len(numbers) - 1) * max(0, len(excess) - 1) / 2)
    return {name: _widened(gap, spreads[name], pool) for name, gap in gaps.items()}


@dataclass(frozen=True)
class _Spread:
    """cases: variance of the difference by cases, V. folds: its variance over folds, S. ratio: S / kV."""

    cases: float
    folds: float
    ratio: float

    @classmethod
    def of(cls, gap: Difference, over_folds: Array) -> _Spread:
        e = gap.estimate
        cases = ((e.high - e.low) / 2 / normal_quantile(e.level)) ** 2
        finite = over_folds[np.isfinite(over_folds)]
        folds = float(finite.var(ddof=1)) if len(finite) > 1 else math.nan
        return cls(cases, folds, folds / (len(over_folds) * cases) if cases > _NO_SPREAD * e.value**2 else math.nan)


@dataclass(frozen=True)
class _Pool:
    folds: int
    test_over_train: float
    ratio: float                                # mean of S / kV over the pairs
    freedom: float                              # what that mean is worth, in degrees of freedom


def _widened(gap: Difference, spread: _Spread, pool: _Pool) -> Difference:
    """The case-wise difference, its interval stretched about the value and its p made to fit."""
    if not math.isfinite(spread.ratio):
        return gap
    k, own = pool.folds, pool.folds - 1
    freedom = own + pool.freedom
    over_folds = (own * spread.folds + pool.freedom * pool.ratio * k * spread.cases) / freedom
    extra = max(0.0, over_folds - k * spread.cases)
    if extra == 0:
        return gap
    factor = 1 / k + pool.test_over_train
    variance = spread.cases + factor * extra
    freedom = max(freedom, freedom * (variance / (factor * over_folds)) ** 2)
    e, grown = gap.estimate, math.sqrt(variance / spread.cases)
    stretch = grown * quantile(e.level, freedom) / normal_quantile(e.level)
    low, high = e.value - stretch * (e.value - e.low), e.value + stretch * (e.high - e.value)
    p = tails(-NORMAL.inv_cdf(max(gap.p, 1e-300) / 2) / grown, freedom)
    tied = low <= 0 <= high
    p = max(p, 1 - e.level) if tied else min(p, 1 - e.level)
    return Difference(replace(e, low=low, high=high, method=f"{e.method}, widened for {k} training sets"), p, tied)


def _by_fold(metric: Metric, table: Table, fold: Array, numbers: Array) -> Array:
    sign = 1 if metric.higher_is_better else -1
    return np.array([sign * float(metric.fn(table[np.flatnonzero(fold == f)])) for f in numbers])


def _test_over_train(fold: Array, numbers: Array) -> float:
    held = len(fold) / len(numbers)
    return held / (len(fold) - held)

