"""Recipes over folds: the corrected t against its formula, the widening, and comparisons that are read together."""

import doctest
import math

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

from assay.metrics import lookup
from assay.stats import folds
from assay.stats.folds import against, corrected_t
from assay.stats.paired import compare, holm, holm_from_best, together

RMSE = lookup("regression", "rmse")


def valued(y, value):
    return pl.DataFrame({"case_id": np.arange(len(y)), "target": y, "out.value": value})


def recipes(seed, shifts=(), n=400, k=5):
    """Out-of-fold answers of three equal recipes, each fold's model off by what is given in `shifts` for its recipe."""
    rng = np.random.default_rng(seed)
    fold = np.sort(np.arange(n) % k)
    y = rng.normal(size=n)
    tables = {}
    for i, name in enumerate("abc"):
        off = np.asarray(shifts[i])[fold] if i < len(shifts) else 0
        tables[name] = valued(y, y + rng.normal(size=n) + off)
    return tables, fold


def test_doctests():
    result = doctest.testmod(folds)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("level", [0.9, 0.95, 0.975])
def test_corrected_t_is_nadeau_and_bengios_formula(level):
    d, ratio = np.array([0.011, 0.024, -0.003, 0.017, 0.009, 0.021, 0.002, 0.013, 0.019, 0.006]), 9.0
    error = math.sqrt((1 / 10 + 1 / 9) * d.var(ddof=1))
    half = scipy_stats.t.ppf((1 + level) / 2, 9) * error
    found = corrected_t(d, ratio, level=level)
    assert found.estimate.value == pytest.approx(d.mean())
    assert (found.estimate.low, found.estimate.high) == pytest.approx((d.mean() - half, d.mean() + half))
    assert found.p == pytest.approx(2 * scipy_stats.t.sf(d.mean() / error, 9))
    assert found.tied == (found.p > 1 - level)


@pytest.mark.parametrize("d", [[], [0.3], [0.2, 0.2, 0.2], [math.nan, 0.1]])
def test_without_spread_nothing_is_told_apart(d):
    found = corrected_t(np.array(d), 4)
    assert found.tied
    assert found.p == 1


def test_one_fold_leaves_the_comparison_by_cases():
    tables, fold = recipes(0)
    found = against(RMSE, "a", tables, np.zeros_like(fold))
    assert found == {name: compare(RMSE, tables["a"], tables[name]) for name in "bc"}


def test_training_sets_that_disagree_widen_the_interval_and_never_narrow_it():
    for seed in range(8):
        tables, fold = recipes(seed, shifts=([0.0] * 5, [1.5, 0, 0, -1.5, 0]))
        found = against(RMSE, "a", tables, fold)
        for name in "bc":
            cases, ours = compare(RMSE, tables["a"], tables[name]), found[name]
            assert ours.estimate.value == cases.estimate.value
            assert ours.estimate.low <= cases.estimate.low
            assert ours.estimate.high >= cases.estimate.high
            assert ours.p >= min(cases.p, 0.05)
            assert ours.tied == (ours.estimate.low <= 0 <= ours.estimate.high)
        cases = compare(RMSE, tables["a"], tables["b"])
        assert "5 training sets" in found["b"].estimate.method
        assert _width(found["b"]) > 1.3 * _width(cases)


def _width(difference):
    return difference.estimate.high - difference.estimate.low


def test_the_variance_by_cases_is_found_again_from_a_comparison():
    tables, fold = recipes(3)
    d = tables["a"]["target"].to_numpy() - tables["a"]["out.value"].to_numpy()
    e = tables["b"]["target"].to_numpy() - tables["b"]["out.value"].to_numpy()
    a, b = (np.sqrt((x**2).mean()) for x in (d, e))
    by_hand = np.var(d**2 / (2 * a) - e**2 / (2 * b), ddof=1) / len(d)
    spread = folds._Spread.of(compare(RMSE, tables["a"], tables["b"]), np.arange(5.0))
    assert spread.cases == pytest.approx(by_hand, rel=0.05)
    assert spread.folds == 2.5
    assert len(fold) == 400


def test_holm_from_best_counts_all_pairs_that_are_left():
    p = [0.001, 0.02, 0.004]
    assert holm_from_best(p) == pytest.approx([6 * 0.001, max(3 * 0.004, 0.02), 3 * 0.004])
    assert holm_from_best([]) == []
    assert holm_from_best([0.03]) == [0.03]
    assert all(far >= near for far, near in zip(holm_from_best(p), holm(p), strict=True))


def test_comparisons_read_together_hold_at_once():
    rng = np.random.default_rng(1)
    y = rng.normal(size=300)
    ours = valued(y, y + rng.normal(size=300))
    theirs = [valued(y, y + rng.normal(scale=s, size=300)) for s in (1.0, 1.02, 1.6)]
    found = together(RMSE, [ours] * 3, theirs)
    plain = [compare(RMSE, ours, t) for t in theirs]
    adjusted = holm([d.p for d in plain])
    for one, alone, p in zip(found, plain, adjusted, strict=True):
        assert one.estimate.low <= alone.estimate.low
        assert one.estimate.high >= alone.estimate.high
        assert one.tied == (p > 0.05)
        assert one.p == pytest.approx(p)
    assert [d.tied for d in found] == [True, True, False]
    assert found[2].estimate.level == pytest.approx(1 - 0.05 / 3)
