"""Every model that a registered recipe makes keeps what models promise."""

from __future__ import annotations

import pytest

from assay.testing import Check
from everything import checks, recipes_and_problems, subject_of


@pytest.mark.parametrize("check", checks("model."))
@pytest.mark.parametrize(("recipe", "problem"), recipes_and_problems())
def test_keeps(recipe: str, problem: str, check: Check) -> None:
    check(subject_of(recipe, problem))
