"""Where cases come in time, intervals know; and laws that hold for every interval."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from assay.contract import Metric
from assay.metrics import FAMILIES, lookup
from assay.stats.expand import spread
from assay.stats.intervals import estimate
from assay.stats.paired import compare
from assay.stats.resample import Sample
from assay.stats.serial import block_length, block_sums, long_run

MAE, RMSE = lookup("regression", "mae"), lookup("regression", "rmse")
MEAN = Metric("mean", lambda t: float(t["x"].mean()), frozenset({"x"}))


def with_memory(rng, n, memory):
    fresh = rng.normal(size=n + 100) * math.sqrt(1 - memory**2)
    return lfilter([1.0], [1.0, -memory], fresh)[100:]


def valued(errors, **columns):
    n = len(errors)
    return pl.DataFrame({"case_id": np.arange(n), "target": 10 + np.asarray(errors), "out.value": np.full(n, 10.0)}
                        | columns)


def width(e):
    return e.high - e.low


# --- the long-run variance -------------------------------------------------------------------------


def test_block_sums_are_the_circular_ones():
    x = np.arange(7.0) ** 2
    assert block_sums(x, 3).tolist() == [sum(x[(i + j) % 7] for j in range(3)) for i in range(7)]
    assert block_sums(x, 1).tolist() == x.tolist()


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_the_long_run_variance_is_that_of_the_process(memory):
    rng = np.random.default_rng(0)
    found = np.median([long_run(with_memory(rng, 1000, memory))[0] for _ in range(60)]) / 1000
    assert found == pytest.approx((1 + memory) / (1 - memory), rel=0.2)


def test_longer_memory_takes_longer_blocks():
    rng = np.random.default_rng(0)
    lengths = [np.median([block_length(with_memory(rng, 2000, m)) for _ in range(20)]) for m in (0.0, 0.7, 0.95)]
    assert lengths[0] < lengths[1] < lengths[2] <= 3 * math.sqrt(2000)


# --- intervals in time -----------------------------------------------------------------------------


def covers(metric, truth, draw, repeats=200):
    rng = np.random.default_rng(3)
    found = [estimate(metric, draw(rng)) for _ in range(repeats)]
    return np.mean([e.low <= truth <= e.high for e in found])


def test_errors_with_memory_are_covered_in_time_and_not_without():
    def draw(rng):
        return valued(with_memory(rng, 300, 0.7), moment=np.arange(300))

    assert covers(MAE, math.sqrt(2 / math.pi), draw) > 0.88
    assert covers(MAE, math.sqrt(2 / math.pi), lambda rng: draw(rng).drop("moment")) < 0.88


def test_tables_are_redrawn_in_blocks():
    found = covers(MEAN, 0, lambda rng: pl.DataFrame({"x": with_memory(rng, 200, 0.6), "moment": np.arange(200)}), 60)
    assert found > 0.8
    assert covers(MEAN, 0, lambda rng: pl.DataFrame({"x": with_memory(rng, 200, 0.6)}), 60) < 0.8


def test_without_memory_time_costs_little_width():
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        table = valued(rng.normal(size=500), moment=np.arange(500))
        ratios.append(width(estimate(RMSE, table)) / width(estimate(RMSE, table.drop("moment"))))
    assert 0.95 < np.mean(ratios) < 1.1


def test_pairs_in_time_are_compared_in_blocks():
    rng = np.random.default_rng(0)
    winners = {"in time": 0, "without": 0}
    for _ in range(100):
        a, b = (valued(with_memory(rng, 300, 0.8), moment=np.arange(300)) for _ in range(2))
        winners["in time"] += not compare(MAE, a, b).tied
        winners["without"] += not compare(MAE, a.drop("moment"), b.drop("moment")).tied
    assert winners["in time"] <= 14
    assert winners["without"] >= 15


def test_the_order_is_that_of_the_moments_not_of_the_rows():
    rng = np.random.default_rng(0)
    table = valued(with_memory(rng, 300, 0.8), moment=np.arange(300) * 7.5)
    shuffled = table[rng.permutation(300)]
    for metric in (RMSE, MAE, lookup("regression", "r2")):
        same = estimate(metric, table), estimate(metric, shuffled)
        assert (same[0].low, same[0].high) == pytest.approx((same[1].low, same[1].high), rel=1e-9)
    assert "moments in blocks of" in estimate(RMSE, table).method


def test_few_moments_say_nothing_of_memory():
    table = valued(np.random.default_rng(0).normal(size=300), moment=np.arange(300) // 100)
    assert estimate(RMSE, table) == estimate(RMSE, table.drop("moment"))


def test_units_with_several_moments_count_both():
    """A panel of 30 units over 40 moments, with a part that is a unit's own and a part that is a moment's own."""
    rng = np.random.default_rng(0)
    unit, moment = np.repeat(np.arange(30), 40), np.tile(np.arange(40), 30)
    x = rng.normal(size=30)[unit] + rng.normal(size=40)[moment] + rng.normal(size=1200)
    table = valued(x, unit=unit, moment=moment)
    x = x - x.mean()
    both = spread(x, Sample.of(table, 0.95, 0)).error
    of_units = spread(x, Sample.of(table.drop("moment"), 0.95, 0)).error
    of_moments = spread(x, Sample.of(table.drop("unit"), 0.95, 0)).error
    assert both > max(of_units, of_moments)
    assert both < math.hypot(of_units, of_moments) * 1.01
    assert "summed by unit, moments in blocks" in estimate(RMSE, table).method


def test_an_uneven_unit_costs_degrees_of_freedom():
    rng = np.random.default_rng(0)
    even, uneven = np.repeat(np.arange(20), 10), np.repeat(np.arange(20), [105] + [5] * 19)
    x = rng.normal(size=200)
    x -= x.mean()
    freedoms = [spread(x, Sample.of(valued(x, unit=u), 0.95, 0)).freedom for u in (even, uneven)]
    assert freedoms[1] < freedoms[0] <= 19


# --- laws -------------------------------------------------------------------------------------------

TABLES = st.tuples(st.integers(3, 40), st.integers(0, 2**32 - 1), st.sampled_from(["none", "units", "time"]))


def table_of(n, seed, order):
    rng = np.random.default_rng(seed)
    y, z = rng.random(n) < rng.uniform(0.05, 0.95), rng.normal(size=n).round(1)
    p = 1 / (1 + np.exp(-z - y))
    units, moments = rng.integers(0, max(2, n // 3), n), rng.random(n)
    extra = {"none": {}, "units": {"unit": units}, "time": {"moment": moments}}[order]
    return pl.DataFrame({"case_id": np.arange(n), "target.positive": y, "out.p": p, "out.positive": p > 0.5,
                         "target": z, "out.value": z + rng.exponential(size=n)} | extra)


def smooth_metrics():
    return [m for goal in ("binary", "regression") for m in FAMILIES[goal] if m.terms is not None]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(TABLES)
def test_an_interval_holds_its_value_and_grows_with_the_level(asked):
    table = table_of(*asked)
    for metric in smooth_metrics():
        narrow, wide = estimate(metric, table, level=0.9), estimate(metric, table, level=0.975)
        if math.isnan(narrow.value):
            continue
        assert narrow.low <= narrow.value <= narrow.high, metric.name
        slack = 1e-9 * max(1.0, abs(narrow.value))
        assert wide.low <= narrow.low + slack, metric.name
        assert wide.high >= narrow.high - slack, metric.name
        assert narrow.n >= 30 or "only" in narrow.method or "no interval" in narrow.method or narrow.n == 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(TABLES)
def test_the_order_of_rows_and_the_names_of_units_do_not_matter(asked):
    table = table_of(*asked)
    turned = table[np.random.default_rng(asked[1]).permutation(table.height)]
    if "unit" in turned.columns:
        turned = turned.with_columns(("name " + (99 - pl.col("unit")).cast(pl.String)).alias("unit"))
    for metric in smooth_metrics():
        one, other = estimate(metric, table), estimate(metric, turned)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), nan_ok=True,
                                                               rel=1e-3, abs=1e-4), metric.name


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1", "mcc"])
def test_a_hundred_right_answers_of_several_classes_prove_no_perfection(name: str) -> None:
    truth = pl.Series(["a", "b", "c", "a"] * 25)
    found = estimate(lookup("multiclass", name), pl.DataFrame({"target": truth, "out.label": truth}))
    assert found.value == 1 and 0.8 < found.low < 0.97
