"""Checks: pure functions, registered by name; none knows a paradigm.

    data.<name>       check(seen: Exhibits) -> Iterable[Finding]
                      reads the training cases, their inputs and the test part's inputs; may ask a quick model.
                      `hold_court` runs them before any model counts (court.py)
    outcomes.<name>   check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding
                      reads target, target.positive, out.label, out.p, out.p.<class>, out.value, slice.<name>

A check whose columns are absent returns a skipped finding that says what it lacked. One that breaks
becomes a skipped finding that names the error: a check never stops a run.

A data check that is sure of a leak says fail and names the columns at fault, the cases that belong together, or
the order of time they should be taken in; one that doubts says warn. It prices nothing: the court does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from assay import registry
from assay.contract import Finding, Report, Task


def run_outcomes(report: Report, task: Task) -> tuple[Finding, ...]:
    """What every check of outcomes says of this report, in order of registration."""
    found: list[Finding] = []
    for name in registry.names("assay.checks", "outcomes."):
        found += asked(name, report.outcomes, task.metrics)
    return tuple(found)


def lacked(check: str, what: str) -> Finding:
    """A skipped finding: `what` completes 'It needs ...'."""
    return Finding(check, "skipped", f"Not looked at: it needs {what}.")


def asked(name: str, *shown: Any) -> tuple[Finding, ...]:
    """What the check of this name says, whatever happens to it."""
    try:
        answer: Finding | Iterable[Finding] = registry.load("assay.checks", name)(*shown)
        return (answer,) if isinstance(answer, Finding) else tuple(answer)
    except Exception as error:  # noqa: BLE001 - a check, an outsider's too, never stops a run
        return (Finding(name, "skipped", f"The check broke: {type(error).__name__}: {error}"),)
