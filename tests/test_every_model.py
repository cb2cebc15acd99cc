"""Every model that a registered recipe makes keeps what models promise, and so does a blend of two."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from assay.search.ensemble import Blend
from assay.testing import Check
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
