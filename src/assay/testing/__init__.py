"""What every paradigm, task, recipe and model promises, as checks that run on anybody's.

    from assay.testing import Subject, contract_checks

    subject = Subject.of(problem("CartPole-v1"), PARADIGM, CrossEntropy())

    @pytest.mark.parametrize(("name", "check"), contract_checks())
    def test_keeps_the_contract(name, check):
        check(subject)

A broken promise raises AssertionError in words. What cannot keep one says so in its class,
`exempt: ClassVar[Mapping[str, str]] = {"model.rows_are_independent": "why"}`, and the check is then
skipped with that reason.
"""

from __future__ import annotations

import unittest
from collections.abc import Iterator

from assay.testing import of_finishes, of_models, of_recipes, of_tasks
from assay.testing.subject import CHECKS, Check, Subject

__all__ = ["Check", "Subject", "contract_checks", "of_finishes", "of_models", "of_recipes", "of_tasks"]


def contract_checks(prefix: str = "") -> Iterator[tuple[str, Check]]:
    """The checks, each with its name: "paradigm.", "task.", "recipe." or "model." and what is promised.

    prefix: only those whose names so begin."""
    for name, check in CHECKS.items():
        if name.startswith(prefix):
            yield name, _unless_exempt(name, check)


def _unless_exempt(name: str, check: Check) -> Check:
    def checked(subject: Subject) -> None:
        for thing in (subject.paradigm, subject.task, subject.recipe, subject.model):
            reason = getattr(type(thing), "exempt", {}).get(name)
            if reason:
                raise unittest.SkipTest(f"{type(thing).__name__}: {reason}")
        check(subject)

    return checked
