"""The parts of the race: the clock, the field, the processes, the mixture."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.errors import AssayError
from assay.metrics import lookup
from assay.search.clock import Clock
from assay.search.ensemble import even, mix
from assay.search.entrants import Entrant
from assay.search.left import Left
from assay.search.runner import Runner
from assay.search.tuning import draw
from assay.search.verdict import Line, Verdict


def test_the_clock_counts_what_an_interrupted_run_had_spent() -> None:
    clock = Clock(60.0, before=25.0)
    assert 34.0 < clock.left <= 35.0
    assert clock.tail_s == pytest.approx(7.5)


def test_the_clock_adds_up_stages() -> None:
    clock = Clock()
    for _ in range(2):
        with clock.stage("read"):
            time.sleep(0.01)
    assert clock.spent["read"] >= 0.02
    assert clock.left == float("inf")


@pytest.mark.parametrize(
    ("span", "allowed"),
    [
        (("uniform", 0.5, 1.0), lambda v: 0.5 <= v <= 1.0),
        (("log", 1e-4, 1e3), lambda v: 1e-4 <= v <= 1e3),
        (("int", 2, 9), lambda v: isinstance(v, int) and 2 <= v <= 9),
        (("int_log", 4, 256), lambda v: isinstance(v, int) and 4 <= v <= 256),
        (("choice", "gini", "entropy"), lambda v: v in ("gini", "entropy")),
    ],
)
def test_draws_stay_in_their_span(span, allowed) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(rng, span) for _ in range(200)]
    assert all(allowed(v) for v in drawn)
    assert len(set(drawn)) > 1


def test_an_unknown_span_is_refused_in_words() -> None:
    with pytest.raises(AssayError, match="Did you mean 'log'"):
        draw(np.random.default_rng(0), ("lgo", 1, 2))


class Mean:
    """A paradigm that can do nothing but average values."""

    def blend(self, answers, weights):
        value = sum(w * a["out.value"] for a, w in zip(answers, weights, strict=True))
        return answers[0].with_columns(value.alias("out.value"))


def outcomes(truth: np.ndarray, noise: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({
        "case_id": np.arange(len(truth)), "unit": np.arange(len(truth)), "target": truth, "out.value": truth + noise,
    })


def test_two_equally_good_and_independent_recipes_make_a_better_mixture() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=2_000)
    tables = {name: outcomes(truth, rng.normal(size=2_000)) for name in ("a", "b")}
    made = mix(tables, "a", np.arange(2_000) % 5, metric=lookup("regression", "rmse"), blends=Mean(), seed=0)
    assert made is not None
    assert made.weights["a"] == pytest.approx(0.5, abs=0.1)
    assert made.gain.estimate.low > 0.2 and not made.gain.tied
    assert made.outcomes["case_id"].to_list() == list(range(2_000))


def test_few_cases_choose_the_weights_and_all_judge_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.search.ensemble.MOST_CASES", 400)
    rng = np.random.default_rng(1)
    truth = rng.normal(size=2_000)
    tables = {name: outcomes(truth, rng.normal(size=2_000)) for name in ("a", "b")}
    for folds in (np.arange(2_000) % 5, np.zeros(2_000, dtype=int)):
        made = mix(tables, "a", folds, metric=lookup("regression", "rmse"), blends=Mean(), seed=0)
        assert made is not None and not made.gain.tied
        assert made.outcomes["case_id"].to_list() == list(range(2_000))


def test_where_the_metric_is_undefined_nothing_is_mixed_and_nothing_breaks() -> None:
    tables = {name: outcomes(np.full(40, np.nan), np.zeros(40)) for name in ("a", "b")}
    rmse = lookup("regression", "rmse")
    assert mix(tables, "b", np.arange(40) % 2, metric=rmse, blends=Mean(), seed=0) is None
    assert rmse.goodness(float("nan")) < rmse.goodness(1e9) < rmse.goodness(1.0)


def test_a_mixture_of_noise_is_not_told_from_the_best() -> None:
    """Twenty copies of one recipe with a little noise each: choosing among them must not look like a gain."""
    rng = np.random.default_rng(2)
    truth, base = rng.normal(size=300), rng.normal(size=300)
    tables = {f"r{i}": outcomes(truth, base + 0.01 * rng.normal(size=300)) for i in range(20)}
    rmse = lookup("regression", "rmse")
    best = min(tables, key=lambda n: rmse.fn(tables[n]))
    made = mix(tables, best, np.arange(300) % 5, metric=rmse, blends=Mean(), seed=0)
    assert made is None or made.gain.tied or made.gain.estimate.value < 0.01


def test_a_plain_mean_is_taken_where_it_is_ahead_of_chosen_weights() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    tables = {n: outcomes(truth, rng.normal(size=60)) for n in "abcdef"}
    rmse = lookup("regression", "rmse")
    best = min(tables, key=lambda n: rmse.fn(tables[n]))
    tables = {best: tables[best], **tables}
    made = mix(tables, best, np.arange(60) % 5, metric=rmse, blends=Mean(), seed=0)
    assert made is not None and rmse.fn(made.outcomes) < rmse.fn(tables[best])
    evenly = even(tables, rmse, Mean())
    assert best in evenly and len(set(evenly.values())) == 1 and sum(evenly.values()) == pytest.approx(1)
    assert set(even(tables, rmse, Mean(), dict.fromkeys(tables, 1.0), purse=1.0)) == {best}


def test_the_best_is_a_rival_where_a_cheaper_one_was_chosen() -> None:
    best, cheap, late = (Runner(Entrant(name, f"supervised.{name}")) for name in ("lightgbm", "logistic", "mlp"))
    lines = tuple(Line(r, r.entrant.name, "", status, None, None)
                  for r, status in ((best, "best"), (cheap, "tied"), (late, "cut")))
    verdict = Verdict(lines, {"logistic": 1.0}, "logistic", "cheaper", "lightgbm", (0, 1))
    assert verdict.ranked == [best, cheap]


def test_workers_that_overrun_are_killed_and_replaced(tmp_path: Path) -> None:
    from assay.search.workers import Workers

    workers = Workers(1, "supervised")
    try:
        workers.submit({"id": "x", "open": str(tmp_path / "nowhere"), "paradigm": "nobody"}, time.monotonic() + 0.05)
        job, answer = workers.wait(20)
        assert (job["id"], answer["state"]) == ("x", "cut")
        assert workers.idle == 1
    finally:
        workers.close()


def test_a_worker_that_dies_between_jobs_is_replaced(tmp_path: Path) -> None:
    from assay.problem import problem
    from assay.registry import load
    from assay.search.workers import Workers

    table = pl.DataFrame({"x": np.arange(120.0), "y": ["no", "yes"] * 60})
    load("assay.paradigms", "supervised").bind(problem(table, target="y"), lambda _: None).save(tmp_path / "task")
    workers = Workers(1, "supervised")
    try:
        workers.open(tmp_path / "task", tmp_path / "log")
        workers.opened()
        workers._all[0]._process.kill()
        assert workers.wait(1.0) is None
        while not workers.idle:
            workers.wait(0.2)
        job = {"id": "prior", "recipe": "supervised.prior", "settings": {}, "fold": 0, "seed": 0, "budget_s": 20.0,
               "folder": str(tmp_path / "job")}
        workers.submit(job, time.monotonic() + 20)
        found = workers.wait(20)
        assert found is not None and found[1]["state"] == "done"
    finally:
        workers.close()


def test_an_error_of_the_system_that_is_no_full_disk_fails_one_recipe_alone(tmp_path: Path) -> None:
    from assay.search.worker import perform

    (tmp_path / "file").write_text("")
    answer = perform({"folder": str(tmp_path / "file" / "job")}, None)  # type: ignore[arg-type]  # it gets not so far
    assert answer["state"] == "failed" and "Error: " in answer["note"]


def test_a_task_that_cannot_be_opened_ends_the_race_in_words(tmp_path: Path) -> None:
    from assay.search.workers import Workers

    workers = Workers(1, "nobody")
    try:
        workers.open(tmp_path / "nowhere", tmp_path / "log")
        with pytest.raises(AssayError, match="could not start or open"):
            workers.wait(30)
        assert "there is no paradigm called" in (tmp_path / "log").read_text()
    finally:
        workers.close()


def test_time_is_kept_to_load_the_models_of_a_mixture_and_to_read_the_test_part() -> None:
    left = Left(Clock(60.0), folds=5, workers=2, test_cases=1_000, curve=False, refits=False)
    nothing = left.whole([])
    small, large = (Runner(Entrant("xgboost", "supervised.xgboost")) for _ in range(2))
    small.done[0] = {"load_s": 0.2, "answer_s": 0.0002}
    large.done[0] = {"load_s": 3.0, "answer_s": 0.0}
    assert left.whole([small]) == pytest.approx(nothing - 5 * 0.2 - 1.5 * 5 * 1_000 * 0.0002, abs=0.1)
    assert left.whole([large, large]) == pytest.approx(nothing - 60 / 4, abs=0.1)     # never more than a quarter
    large.state = "dropped"                                                            # no mixture will load it
    assert left.whole([large, small]) == pytest.approx(left.whole([small]), abs=0.1)
