"""The proof: the chosen model, the best baseline and the runner-up on the locked test part, looked at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay import checks
from assay.contract import Chart, Finding, Metric, Model, Report, Series, Split, Table, Task
from assay.report import figures
from assay.report.story import Comparison
from assay.search.race import Race
from assay.stages.finish import within
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


def learning_curve(race: Race) -> Finding:
    """The first fold's leader after learning from an eighth, a quarter, a half and all of that fold's cases."""
    metric, points = race.metric, race.curve_outcomes()
    if race.curve_of is None or not points:
        return Finding("learning_curve", "skipped", "There was no time to learn from smaller shares of the cases.")
    name = race.curve_of.entrant.name
    estimates = [estimate(metric, t, seed=race.task.seed) for t in points.values()]
    whole = len(race.task.plan.rows(Split("fit", 0)))
    cases = tuple(round(share * whole) for share in points)
    before = list(points)[-2]
    gain = compare(metric, points[1.0], points[before], seed=race.task.seed)
    more = gain.estimate.value > 0 and not gain.tied
    sentence = (
        f"From {before:.0%} of the training cases to all of them {name} gained "
        f"{figures.value(gain.estimate)} ({figures.interval(gain.estimate)}) {metric.name}: "
        + ("more data would probably help." if more else "no gain that stands out from noise.")
    )
    series = Series(name, cases, tuple(e.value for e in estimates),
                    tuple(e.low for e in estimates), tuple(e.high for e in estimates))
    chart = Chart("Learning curve", "training cases", metric.name, (series,), log_x=True)
    return Finding("learning_curve", "note" if more else "ok", sentence, {"gain": gain.estimate.value}, charts=(chart,))
