"""Every registered paradigm, and every task that it binds, keeps what they promise."""

from __future__ import annotations

import pytest

from assay import registry
from assay.testing import Check
from everything import PROBLEMS, a_recipe_for, checks, install_plugin, subject_of


def test_every_paradigm_has_a_problem_here() -> None:
    install_plugin()
    assert set(registry.names("assay.paradigms")) == set(PROBLEMS)


@pytest.mark.parametrize("check", checks("paradigm.", "task."))
@pytest.mark.parametrize(("paradigm", "problem"), [(p, name) for p, names in PROBLEMS.items() for name in names])
def test_keeps(paradigm: str, problem: str, check: Check) -> None:
    check(subject_of(a_recipe_for(paradigm, problem), problem))
