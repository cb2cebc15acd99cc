"""The proof: the chosen model, the best baseline and the runner-up on the locked test part, looked at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay import checks
from assay.contract import Metric, Model, Report, Table, Task
from assay.report import figures
from assay.report.story import Comparison
from assay.stats.intervals import estimate
from assay.stats.paired import Difference, compare

CHUNK = 5_000


@dataclass(frozen=True)
class Attempted:
    """Outcomes of one model on the test cases, as many of them as the time allowed."""

    outcomes: Table
    of: int                                     # cases there are

    @property
    def whole(self) -> bool:
        return len(self.outcomes) == self.of


def attempt_within(task: Task, model: Model, cases: Table, seconds: float) -> Attempted:
    """Confront the model with the cases; where they are many, chunk by chunk in random order until the time is over.

    What was not reached is left out at random, so the numbers stay honest; they get wider."""
    if len(cases) <= CHUNK:
        return Attempted(task.attempt(model, cases), len(cases))
    order = np.random.default_rng(task.seed).permutation(len(cases))
    until, done = time.monotonic() + seconds, []
    for start in range(0, len(cases), CHUNK):
        began = time.monotonic()
        done.append(task.attempt(model, cases[np.sort(order[start : start + CHUNK])]))
        if 2 * time.monotonic() - began > until:
            break
    return Attempted(pl.concat(done).sort("case_id"), len(cases))


def report_on(task: Task, outcomes: Table, split: str) -> Report:
    """Every metric that the outcomes allow, each with its interval, and what the checks of outcomes see."""
    columns = outcomes.columns
    metrics = {m.name: estimate(m, outcomes, seed=task.seed) for m in task.metrics if not m.missing(columns)}
    bare = Report(task.title, split, metrics, outcomes)
    return Report(task.title, split, metrics, outcomes, checks.run_outcomes(bare, task))


def put_side_by_side(
    metric: Metric, winner: str, outcomes: Table, others: Sequence[tuple[str, Table]], seed: int
) -> tuple[Comparison, ...]:
    """The winner against each other one, on the cases that both were confronted with."""
    made = []
    for name, theirs in others:
        both = outcomes.select("case_id").join(theirs, on="case_id", how="inner", maintain_order="left")
        ours = both.select("case_id").join(outcomes, on="case_id", how="left", maintain_order="left")
        difference = compare(metric, ours, both.select(theirs.columns), seed=seed)
        made.append(Comparison(winner, name, metric.name, difference.estimate, difference.p,
                               _verdict(winner, name, metric, difference)))
    return tuple(made)


def _verdict(winner: str, other: str, metric: Metric, difference: Difference) -> str:
    value = difference.estimate
    span = f"{figures.signed(value)} {metric.name}, {figures.interval(value)}"
    if difference.tied:
        return f"{winner} and {other} are not told apart on {value.n:,} test cases ({span})."
    return f"{winner} is {'better' if value.value > 0 else 'worse'} than {other} on {value.n:,} test cases ({span})."
