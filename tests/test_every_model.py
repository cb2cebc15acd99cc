"""Every model that a registered recipe makes keeps what models promise, and so do a blend of two and a finished one."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import polars as pl
import pytest

from assay.contract import Context
from assay.search.blend import Blend
from assay.testing import Check
from assay.testing.subject import FIT0, HELD0, Subject
from everything import checks, recipes_and_problems, subject_of

CHECKS = checks("model.")
BUT_MEMORY = [check for check in CHECKS if check.id != "model.memory_is_bounded"]


def everything() -> list[Any]:
    """Each check of each model; memory, which takes the longest, once a recipe."""
    found: list[Any] = []
    weighed: set[str] = set()
    for pair in recipes_and_problems():
        due = BUT_MEMORY if pair.values[0] in weighed else CHECKS
        found += [pytest.param(*pair.values, *c.values, id=f"{pair.id}-{c.id}", marks=pair.marks) for c in due]
        weighed.add(pair.values[0])
    return found


@pytest.mark.parametrize(("recipe", "problem", "check"), everything())
def test_keeps(recipe: str, problem: str, check: Check) -> None:
    check(subject_of(recipe, problem))


@pytest.mark.parametrize("check", BUT_MEMORY)
@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression", "multilabel"])
def test_a_blend_keeps(problem: str, check: Check) -> None:
    one, other = subject_of("supervised.lightgbm", problem), subject_of("supervised.prior", problem)
    blend = Blend((one.model, other.model), (0.75, 0.25), "supervised")
    check(dataclasses.replace(one, model=blend))


@cache
def finished_by_held_out(problem: str) -> Subject:
    """Naive Bayes, whose probabilities want mending, or LightGBM for numbers; finished, as part of a blend."""
    recipe = "supervised.lightgbm" if problem == "regression" else "supervised.naive_bayes"
    subject = subject_of(recipe, problem)
    model = subject.recipe.fit(subject.task, Context(split=FIT0))
    outcomes = subject.task.attempt(model, subject.task.cases(HELD0))
    many = pl.concat([outcomes] * 4).with_columns(pl.int_range(pl.len()).alias("case_id"))      # enough to calibrate
    made, _ = subject.paradigm.finished(  # type: ignore[attr-defined]
        Blend((model, subject.model), (0.5, 0.5), "supervised"), many.with_columns(unit=pl.col("case_id")),
        subject.task.metrics[0], 0)
    return dataclasses.replace(subject, model=made)


@pytest.mark.parametrize("check", BUT_MEMORY)
@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression", "multilabel"])
def test_a_finished_model_keeps(problem: str, check: Check) -> None:
    check(finished_by_held_out(problem))
