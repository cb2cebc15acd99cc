"""The proof: the chosen model, the best baseline and the runner-up on the locked test part, looked at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay import checks
from assay.contract import Estimate, Metric, Model, Report, Table, Task
from assay.report import figures
from assay.report.story import Comparison
from assay.stages.finish import within
from assay.stats.intervals import estimate
from assay.stats.paired import Difference, together

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

    A model that bounds its answers is asked for the bounds too. What was not reached is left out at random, so the
    numbers stay honest; they get wider."""
    model = within(model, cases[:1], task)
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


def estimates(task: Task, outcomes: Table, *, level: float) -> dict[str, Estimate]:
    """Every metric that the outcomes allow, each with its interval at `level`."""
    fitting = [m for m in task.metrics if not m.missing(outcomes.columns)]
    return {m.name: estimate(m, outcomes, level=level, seed=task.seed) for m in fitting}


def report_on(task: Task, outcomes: Table, split: str, *, level: float = 0.95) -> Report:
    """Every metric with its interval at `level`, and what the checks of outcomes see."""
    metrics = estimates(task, outcomes, level=level)
    bare = Report(task.title, split, metrics, outcomes)
    return Report(task.title, split, metrics, outcomes, checks.run_outcomes(bare, task))


def put_side_by_side(
    metric: Metric, winner: str, outcomes: Table, others: Sequence[tuple[str, Table]], seed: int, *, level: float = 0.95
) -> tuple[Comparison, ...]:
    """The winner against each other one, on the cases that both were confronted with; all hold at once at `level`."""
    ours, theirs = [], []
    for _, table in others:
        both = outcomes.select("case_id").join(table, on="case_id", how="inner", maintain_order="left")
        ours.append(both.select("case_id").join(outcomes, on="case_id", how="left", maintain_order="left"))
        theirs.append(both.select(table.columns))
    found = together(metric, ours, theirs, level=level, seed=seed)
    return tuple(Comparison(winner, name, metric.name, d.estimate, d.p, _verdict(winner, name, metric, d))
                 for (name, _), d in zip(others, found, strict=True))


def _verdict(winner: str, other: str, metric: Metric, difference: Difference) -> str:
    value = difference.estimate
    span = f"{figures.signed(value)} {metric.name}, {figures.interval(value)}"
    if difference.tied:
        return f"{winner} and {other} are not told apart on {value.n:,} test cases ({span})."
    return f"{winner} is {'better' if value.value > 0 else 'worse'} than {other} on {value.n:,} test cases ({span})."
