"""The best of many, with the optimism of choosing removed: against the definition, and where nothing is to remove."""

import doctest

import numpy as np
import polars as pl
import pytest

from assay.contract import Metric
from assay.errors import DataError
from assay.metrics import lookup
from assay.stats import resample, selection
from assay.stats.selection import corrected

ACCURACY, RMSE = lookup("binary", "accuracy"), lookup("regression", "rmse")


def answered(n=120, recipes=6, seed=0, share=0.7, unit=None):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.5
    columns = {"case_id": np.arange(n), "target.positive": y} | ({} if unit is None else {"unit": unit})
    return {f"r{i}": pl.DataFrame(columns | {"out.positive": np.where(rng.random(n) < share, y, ~y)})
            for i in range(recipes)}


def slowly(metric, tables, codes, units, seed=0):
    """Tsamardinos, Greasidou & Borboudakis (2018), Algorithm 5, one draw at a time."""
    out = []
    for drawn in resample.weights(units, seed=seed):
        counts = drawn[codes]
        bag, left = np.repeat(np.arange(len(codes)), counts), np.flatnonzero(counts == 0)
        best = max(tables.values(), key=lambda t: metric.goodness(metric.fn(t[bag])))
        out.append(metric.fn(best[left]))
    return float(np.mean(out))


def test_doctests():
    assert doctest.testmod(selection).failed == 0


@pytest.mark.parametrize("unit", [None, np.arange(120) // 4], ids=["cases", "units"])
def test_it_is_the_mean_over_cases_that_were_not_drawn(unit):
    tables = answered(unit=unit)
    codes, units = resample.unit_codes(tables["r0"])
    raw, mended = corrected(ACCURACY, tables)
    assert mended.value == pytest.approx(min(raw.value, slowly(ACCURACY, tables, codes, units)), abs=1e-12)
    assert mended.value < raw.value == max(ACCURACY.fn(t) for t in tables.values())
    assert (mended.low - raw.low, mended.high - raw.high) == pytest.approx([mended.value - raw.value] * 2)


def test_where_less_is_better_it_is_corrected_upwards():
    rng = np.random.default_rng(0)
    y = rng.normal(size=150)
    tables = {f"r{i}": pl.DataFrame({"case_id": np.arange(150), "target": y, "out.value": y + rng.normal(size=150)})
              for i in range(8)}
    raw, mended = corrected(RMSE, tables)
    assert raw.value == min(RMSE.fn(t) for t in tables.values())
    assert raw.value < mended.value < raw.value + 0.2


def test_more_equal_recipes_are_more_optimism_and_one_is_none():
    found = [corrected(ACCURACY, dict(list(answered(recipes=30).items())[:m])) for m in (1, 3, 30)]
    taken = [raw.value - mended.value for raw, mended in found]
    assert taken[0] == 0
    assert "nothing was chosen" in found[0][1].method
    assert 0 <= taken[1] < taken[2] < 0.2


def test_a_clear_winner_keeps_its_score():
    rng = np.random.default_rng(0)
    tables = answered(recipes=4, share=0.5)
    y = tables["r0"]["target.positive"].to_numpy()
    tables["good"] = tables["r0"].with_columns(pl.Series("out.positive", np.where(rng.random(120) < 0.95, y, ~y)))
    raw, mended = corrected(ACCURACY, tables)
    assert raw.value - mended.value < 0.01


def test_a_metric_without_terms_is_redrawn():
    plain = Metric("accuracy", ACCURACY.fn, ACCURACY.needs)
    tables = answered(n=80, recipes=4)
    _, by_matrix = corrected(ACCURACY, tables)
    _, by_tables = corrected(plain, tables)
    assert by_tables.value == pytest.approx(by_matrix.value, abs=0.02)


def test_the_corrected_score_is_right_on_average():
    """All 10 recipes are right 70 % of the time: the best of them looks better, and is put back."""
    found = [corrected(ACCURACY, answered(n=100, recipes=10, seed=s)) for s in range(60)]
    raw, mended = (np.mean([pair[i].value for pair in found]) - 0.7 for i in (0, 1))
    assert 0.04 < raw < 0.1
    assert abs(mended) < 0.025


def test_other_cases_or_no_recipe_are_refused():
    tables = answered(recipes=2)
    with pytest.raises(DataError, match="case_ids of 'r1'"):
        corrected(ACCURACY, {"r0": tables["r0"], "r1": tables["r1"].reverse()})
    with pytest.raises(DataError, match="no recipe"):
        corrected(ACCURACY, {})
