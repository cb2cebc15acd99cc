"""A promise of how long one row may take: mixtures are chosen within it, and what was chosen is measured against it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np

from assay.capabilities import Inspects
from assay.contract import Model, Table, Task
from assay.errors import ProblemError
from assay.search.ensemble import without
from assay.search.runner import Runner
from assay.table.rows import Reader, answered

WARM, TIMED = 2, 9
FEW, MANY, MOST_S = 20, 2_000, 0.3              # rows of two batches, and about how long the larger may take


def one_row_s(task: Task, model: Model, cases: Table) -> float:
    """Seconds to read and answer one row: the median of nine, after two that warm up.

    cases: some of the task, at least one. A task that cannot show its inputs as rows is confronted with one case."""
    case = cases[:1]
    row = task.inputs(case) if isinstance(task, Inspects) else None
    read = Reader(model.signature)
    took = []
    for _ in range(WARM + TIMED):
        began = time.perf_counter()
        if row is None:
            task.attempt(model, case)
        elif (plain := read(row)) is None:
            model.predict(row)
        else:
            answered(model, plain)
        took.append(time.perf_counter() - began)
    return float(np.median(took[WARM:]))


def a_row_of_many_s(task: Task, model: Model, cases: Table, took_s: float) -> float:
    """Seconds that each row of a large batch takes: what MANY rows take beyond a few, so that what every batch costs
    is not counted. took_s: what confronting the model with `cases` took, which is returned where there are no rows."""
    a_case = took_s / len(cases)
    many = max(int(min(MANY, MOST_S / max(a_case, 1e-9))), 2 * FEW)
    rows = task.inputs(cases) if isinstance(task, Inspects) else None
    if rows is None or len(rows) == 0:
        return a_case
    few, all_ = rows[np.arange(FEW) % len(rows)], rows[np.arange(many) % len(rows)]
    spent = []
    for batch in (few, all_):
        began = time.perf_counter()
        model.predict(batch)
        spent.append(time.perf_counter() - began)
    return max(spent[1] - spent[0], 0.0) / (many - FEW)


def prices(runners: Sequence[Runner]) -> dict[str, float]:
    """Seconds that one model of each takes for one row, by the entrant's name."""
    return {r.entrant.name: float(r.done.get(0, {}).get("one_row_s", 0.0)) for r in runners}


def affordable(runners: Sequence[Runner], most_s: float) -> list[Runner]:
    """Those of which one model answers in time, and the baselines. Raises ProblemError where there is no other."""
    if math.isinf(most_s):
        return list(runners)
    price = prices(runners)
    able = [r for r in runners if r.entrant.baseline or price[r.entrant.name] <= most_s]
    if all(r.entrant.baseline for r in able):
        quick = min((r.entrant.name for r in runners if not r.entrant.baseline), key=lambda n: price[n], default=None)
        told = f"the quickest, {quick}, takes {1e3 * price[quick]:.2g} ms" if quick else "none was fitted"
        raise ProblemError(f"no recipe answers one row within --max-latency {1e3 * most_s:.3g}ms; {told}. "
                           "Allow more, or name quicker recipes with --recipes.")
    return able


def without_dearest(weights: Mapping[str, float], price: Mapping[str, float]) -> dict[str, float]:
    """The mixture without the member that costs most for its weight; empty where it has but one."""
    if len(weights) == 1:
        return {}
    return without(weights, max(weights, key=lambda n: price[n] / weights[n]))
