"""Every model that a registered recipe makes keeps what models promise."""

from __future__ import annotations

from typing import Any

import pytest

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
