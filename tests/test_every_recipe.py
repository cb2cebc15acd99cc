"""Every registered recipe keeps what recipes promise, on a small real problem of each kind that it serves."""

from __future__ import annotations

import pytest

from assay.testing import Check
from everything import checks, recipes_and_problems, subject_of


@pytest.mark.parametrize("check", checks("recipe."))
@pytest.mark.parametrize(("recipe", "problem"), recipes_and_problems())
def test_keeps(recipe: str, problem: str, check: Check) -> None:
    check(subject_of(recipe, problem))
