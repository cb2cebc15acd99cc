"""What a model looks at: each input replaced by draws from other cases, and the deciding metric watched.

Permutation importance (Breiman 2001, section 10; Fisher, Rudin & Dominici 2019), for any model of any
paradigm whose task can replace one part of its input.
"""

from __future__ import annotations

import time

import numpy as np
import polars as pl

from assay.capabilities import Perturbs
from assay.contract import Chart, Finding, Model, Series, Table, Task
from assay.stats.paired import Difference, compare

MOST_CASES = 2_000
SHOWN = 20


def importance(task: Task, model: Model, cases: Table, seconds: float) -> Finding:
    """How much worse the deciding metric gets without each input, with its interval; as many as the time allows."""
    if not isinstance(task, Perturbs):
        return Finding("importance", "skipped", "This kind of task cannot replace one part of its input.")
    if len(cases) > MOST_CASES:
        cases = cases[np.sort(np.random.default_rng(task.seed).permutation(len(cases))[:MOST_CASES])]
    metric, until = task.metrics[0], time.monotonic() + seconds
    began = time.monotonic()
    whole = task.attempt(model, cases)
    once = time.monotonic() - began
    drops: dict[str, Difference] = {}
    names = task.inputs_that_vary()
    for name in names:
        if time.monotonic() + 2 * once > until:
            break
        drops[name] = compare(metric, whole, task.attempt_without(model, cases, name, task.seed), seed=task.seed)
    if not drops:
        return Finding("importance", "skipped", "There was no time to try the model without its inputs.")
    return _finding(drops, metric.name, len(cases), len(names))


def _finding(drops: dict[str, Difference], metric: str, cases: int, inputs: int) -> Finding:
    ranked = sorted(drops, key=lambda n: -drops[n].estimate.value)
    estimates = {n: drops[n].estimate for n in ranked}
    table = pl.DataFrame(
        [{"input": n, f"{metric} lost": e.value, "low": e.low, "high": e.high} for n, e in estimates.items()]
    )
    shown = ranked[:SHOWN]
    series = Series(
        f"{metric} lost", tuple(estimates[n].value for n in shown), tuple(shown),
        tuple(estimates[n].low for n in shown), tuple(estimates[n].high for n in shown), mark="bar",
    )
    matter = [n for n in ranked if estimates[n].low > 0]
    sentence = (
        f"The model leans most on {', '.join(matter[:3])}." if matter
        else "No single input is missed by more than noise when it is shuffled."
    )
    if len(drops) < inputs:
        sentence += f" Only {len(drops)} of {inputs} inputs were tried in the time."
    note = f"Each input shuffled among {cases:,} test cases; inputs that say the same as others look less important."
    chart = Chart("What the model looks at", f"{metric} lost without it", "", (series,), note=note)
    return Finding("importance", "ok", sentence, {n: e.value for n, e in estimates.items()}, table, (chart,))
