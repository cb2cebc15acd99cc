"""Checks: pure functions over columns, registered by name; none knows a paradigm.

    outcomes.<name>   check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding
                      reads target, target.positive, out.label, out.p, out.p.<class>, out.value, slice.<name>
    data.<name>       check(cases: Table, inputs: Table) -> Iterable[Finding]
                      reads the training cases and their inputs, rows aligned

A check whose columns are absent returns a skipped finding that says what it lacked. One that breaks
becomes a skipped finding that names the error: a check never stops a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from assay import registry
from assay.contract import TRAIN, Finding, Inspects, Report, Task


def run_outcomes(report: Report, task: Task) -> tuple[Finding, ...]:
    """What every check of outcomes says of this report, in order of registration."""
    found: list[Finding] = []
    for name in registry.names("assay.checks", "outcomes."):
        found += _asked(name, report.outcomes, task.metrics)
    return tuple(found)


def run_data(task: Task) -> tuple[Finding, ...]:
    """What every check of data says of the training cases; nothing where the task cannot show its inputs."""
    if not isinstance(task, Inspects):
        return ()
    cases = task.cases(TRAIN)
    inputs = task.inputs(cases)
    found: list[Finding] = []
    for name in registry.names("assay.checks", "data."):
        found += _asked(name, cases, inputs)
    return tuple(found)


def lacked(check: str, what: str) -> Finding:
    """A skipped finding: `what` completes 'It needs ...'."""
    return Finding(check, "skipped", f"Not looked at: it needs {what}.")


def _asked(name: str, first: Any, second: Any) -> tuple[Finding, ...]:
    try:
        answer: Finding | Iterable[Finding] = registry.load("assay.checks", name)(first, second)
        return (answer,) if isinstance(answer, Finding) else tuple(answer)
    except Exception as error:  # noqa: BLE001 - a check, an outsider's too, never stops a run
        return (Finding(name, "skipped", f"The check broke: {type(error).__name__}: {error}"),)
