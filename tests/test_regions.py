"""The worst-off regions: the search against brute force, false alarms, a planted region found, words and time."""

from __future__ import annotations

import time
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest

import stories
from assay.checks import regions
from assay.checks.losses import losses
from assay.contract import Metric, Table
from assay.metrics import lookup
from assay.stats import regions as search
from assay.stats.rank import roc_auc, wrongly_ranked
from stories import AMES, CHURN, PENGUINS, tried

ACCURACY, AUC, F1 = (lookup("binary", n) for n in ("accuracy", "roc_auc", "f1"))


def conditions(n: int, features: int, levels: int, draw: np.random.Generator) -> tuple[Any, Any, Any]:
    """Levels (features, n), whether each of them holds (features * levels, n), and of which feature it is."""
    codes = draw.integers(0, levels, (features, n))
    return codes, np.array([c == v for c in codes for v in range(levels)]), np.repeat(np.arange(features), levels)


def outcomes(wrong: Any, **slices: Any) -> Table:
    truth = np.arange(len(wrong)) % 2 == 0
    return pl.DataFrame({"case_id": np.arange(len(wrong)), "target.positive": truth, "out.positive": truth ^ wrong}
                        | {f"slice.{name}": values for name, values in slices.items()})


# --- the search ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_what_trying_all_regions_finds(seed: int) -> None:
    draw = np.random.default_rng(seed)
    codes, holds, feature = conditions(3_000, 6, 3, draw)
    bad = (codes[0] == 1) & (codes[3] == 2) & (codes[4] == 0)
    loss = (draw.random(3_000) < np.where(bad, 0.9, 0.2)).astype(float)
    found = search.worst_regions(holds, feature, loss, fewest=20)
    every = []
    for size in (1, 2, 3):
        for chosen in combinations(range(18), size):
            members = np.logical_and.reduce(holds[list(chosen)])
            if len(set(feature[list(chosen)])) == size and members.sum() >= 20:
                every.append((float(search.score(members.sum(), loss[members].sum(), 3_000, loss.mean())), chosen))
    best = sorted((e for e in every if e[0] > 0), reverse=True)[: search.KEPT]
    assert found.whole and 100 < found.looked <= len(every)
    assert [r.score for r in found.regions] == pytest.approx([s for s, _ in best], abs=1e-4)
    assert found.regions[0].conditions == (1, 11, 12) == best[0][1]


def test_no_part_of_a_region_scores_above_its_bound() -> None:
    draw = np.random.default_rng(0)
    loss = draw.exponential(size=2_000)
    for _ in range(200):
        region = np.flatnonzero(draw.random(2_000) < draw.uniform(0.05, 0.5))
        part = draw.choice(region, draw.integers(20, len(region)), replace=False)
        top = search.bound(np.array([len(region)]), np.array([loss[region].sum()]), np.array([loss[region].max()]),
                           n=2_000, mean=float(loss.mean()), fewest=20)
        assert search.score(np.array(len(part)), np.array(loss[part].sum()), 2_000, float(loss.mean())) <= top[0] + 1e-9


def test_nothing_is_searched_where_nothing_is_lost() -> None:
    _, holds, feature = conditions(500, 3, 3, np.random.default_rng(0))
    assert search.worst_regions(holds, feature, np.zeros(500), fewest=20).regions == ()
    assert search.worst_regions(holds[:, :10], feature, np.ones(10), fewest=20).looked == 0


# --- judging ----------------------------------------------------------------------------------------------


def test_cases_of_a_unit_count_as_one_when_a_region_is_judged() -> None:
    draw = np.random.default_rng(0)
    loss, inside = draw.exponential(size=120), np.arange(120) < 30
    once = search.gap(loss, inside, ~inside, np.arange(120))
    codes = np.repeat(np.arange(120), 6)
    often = search.gap(np.repeat(loss, 6), np.repeat(inside, 6), np.repeat(~inside, 6), codes)
    apart = search.gap(np.repeat(loss, 6), np.repeat(inside, 6), np.repeat(~inside, 6), np.arange(720))
    assert often.units == once.units == 30
    assert often.p == pytest.approx(once.p) and apart.error_inside < 0.5 * often.error_inside


def test_a_few_cases_that_are_alike_prove_nothing() -> None:
    loss = np.array([1.0] * 16 + [1.0] * 270 + [0.0] * 30)
    inside = np.arange(len(loss)) < 16
    assert search.gap(loss, inside, ~inside, np.arange(len(loss))).p > 0.05


def test_regions_alike_are_rarely_accused() -> None:
    accused = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        groups = {f"g{i}": draw.choice(list("pqrs"), 1_200) for i in range(7)}
        accused += bool(regions.check(outcomes(draw.random(1_200) < 0.2, **groups), (ACCURACY,)).numbers["worse"])
    assert accused <= 8


def test_a_planted_region_is_found_and_told() -> None:
    draw = np.random.default_rng(3)
    contract, tenure = draw.choice(["month-to-month", "year"], 4_000), draw.choice(["up to 9", "9 to 40"], 4_000)
    other = {f"g{i}": draw.choice(list("pqrs"), 4_000) for i in range(6)}
    bad = (contract == "month-to-month") & (tenure == "up to 9") & (other["g2"] == "r")
    wrong = draw.random(4_000) < np.where(bad, 0.5, 0.1)
    found = regions.check(outcomes(wrong, contract=contract, tenure=tenure, **other), (ACCURACY,))
    assert found.level == "warn"
    assert "contract = month-to-month" in found.sentence and "tenure up to 9" in found.sentence
    assert "g2 = r" in found.sentence and "judged on the other" in found.sentence
    assert found.table is not None and found.numbers["looked"] > 100
    first = found.table.row(0, named=True)
    assert first["low"] < 0.5 < first["high"] and first["elsewhere"] == pytest.approx(0.1, abs=0.02)


def test_a_region_that_is_the_same_cases_twice_is_named_once() -> None:
    draw = np.random.default_rng(5)
    line = draw.choice(["none", "dsl", "fiber"], 3_000)
    wrong = draw.random(3_000) < np.where(line == "fiber", 0.5, 0.1)
    found = regions.check(outcomes(wrong, internet=line, backup=np.where(line == "fiber", "fiber backup", "no")),
                          (ACCURACY,))
    assert found.numbers["worse"] == ["internet = fiber"]


def test_too_few_units_are_not_searched() -> None:
    few = outcomes(np.arange(600) % 5 == 0, g=["a", "b"] * 300).with_columns(unit=pl.int_range(600) // 6)
    found = regions.check(few, (ACCURACY,))
    assert found.level == "skipped" and "200 independent units; there are 100" in found.sentence


def test_fifty_thousand_cases_by_twenty_slices_take_a_second() -> None:
    draw = np.random.default_rng(0)
    many = outcomes(draw.random(50_000) < 0.2, **{f"g{i}": draw.choice(list("abcdefghij"), 50_000) for i in range(20)})
    began = time.process_time()
    found = regions.check(many, (ACCURACY,))
    assert time.process_time() - began < 2.5 and found.numbers["looked"] > 5_000      # a second; more on a busy machine


def test_of_very_many_cases_whole_units_are_taken_at_random() -> None:
    draw = np.random.default_rng(0)
    n = 150_000
    many = outcomes(draw.random(n) < 0.2, g=draw.choice(list("ab"), n)).with_columns(unit=pl.int_range(n) // 3)
    few = regions._at_most(many)
    assert 90_000 < len(few) < 110_000 and (few["unit"].value_counts()["count"] == 3).all()
    assert regions.check(many, (ACCURACY,)).numbers["worse"] == []


# --- the loss ---------------------------------------------------------------------------------------------------


def test_a_wrong_order_averages_to_what_roc_auc_lacks_in_either_class() -> None:
    told = tried(CHURN).outcomes["lightgbm"]
    y, p = told["target.positive"].to_numpy(), told["out.p"].to_numpy()
    lost = wrongly_ranked(y, p)
    for side in (y, ~y, np.ones(len(y), dtype=bool)):
        assert lost[side].mean() == pytest.approx(1 - roc_auc(y, p))


@pytest.mark.parametrize(("deciding", "goal", "asked", "stands"), [
    ("roc_auc", "binary", CHURN, "misordered pairs"), ("log_loss", "binary", CHURN, "log loss"),
    ("r2", "regression", AMES, "RMSE"), ("rmse", "regression", AMES, "RMSE"), ("mae", "regression", AMES, "MAE"),
    ("macro_f1", "multiclass", PENGUINS, "answered wrongly"), ("macro_roc_auc", "multiclass", PENGUINS, "log loss"),
])
def test_each_metric_has_an_honest_loss_a_case(deciding: str, goal: str, asked: Any, stands: str) -> None:
    from assay.metrics import FAMILIES

    family: tuple[Metric, ...] = FAMILIES[goal]
    metric = lookup(goal, deciding)
    told = tried(asked).outcomes["lightgbm"]
    cost = losses(told, (metric, *family))
    assert cost is not None and stands in cost.name and (cost.values >= 0).all() and len(cost.values) == len(told)
    if deciding in ("log_loss", "rmse", "mae"):
        assert cost.note == "" and float(cost.shown(np.array(cost.values.mean()))) == pytest.approx(metric.fn(told))


def test_f1_is_stood_for_by_plain_errors() -> None:
    wrong = np.arange(300) % 5 == 0
    cost = losses(outcomes(wrong), (F1, AUC, lookup("binary", "log_loss"), ACCURACY))
    assert cost is not None and cost.share and (cost.values == wrong).all() and "stands for it" in cost.note


def test_without_slices_or_losses_it_says_what_it_lacks() -> None:
    told = tried(CHURN).outcomes["lightgbm"]
    bare = told.drop(c for c in told.columns if c.startswith("slice."))
    assert "slice.<name>" in regions.check(bare, (AUC,)).sentence
    assert regions.check(told, (lookup("regression", "rmse"),)).level == "skipped"
    assert regions.check(told, (stories.AUC,)).level == "warn"
