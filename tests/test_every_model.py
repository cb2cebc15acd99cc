"""Every model that a registered recipe makes keeps what models promise."""

from __future__ import annotations

from typing import Any

import pytest

from assay.testing import Check
from everything import checks, recipes_and_problems, subject_of


def everything() -> list[Any]:
    """Each check of each model; memory, which takes the longest, once a recipe."""
    found, weighed = [], set()
    for pair in recipes_and_problems():
        recipe, problem = pair.values
        for check in checks("model."):
            if check.id != "model.memory_is_bounded" or recipe not in weighed:
                found.append(pytest.param(recipe, problem, *check.values, id=f"{pair.id}-{check.id}", marks=pair.marks))
        weighed.add(recipe)
    return found


@pytest.mark.parametrize(("recipe", "problem", "check"), everything())
def test_keeps(recipe: str, problem: str, check: Check) -> None:
    check(subject_of(recipe, problem))
