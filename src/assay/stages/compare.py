"""Two runs on the test cases they share."""

from __future__ import annotations

import polars as pl

from assay.contract import Metric, Table
from assay.errors import ProblemError, StoreError
from assay.problem import Problem
from assay.report.story import Comparison
from assay.stages.prove import put_side_by_side
from assay.stages.recognise import recognise
from assay.store.runs import Run
from assay.store.store import Store


def compare(ref_a: str, ref_b: str, *, store: Store | None = None) -> list[Comparison]:
    """Run a against run b on each metric of a's task: paired, case by case.

    Raises ProblemError where the runs were not tested on the same cases with the same truth."""
    store = store or Store.find()
    a, b = store.run(ref_a), store.run(ref_b)
    outcomes_a, outcomes_b = _same_cases(a, b)
    return [
        put_side_by_side(metric, a.id, outcomes_a, [(b.id, outcomes_b)], seed=0)[0]
        for metric in _metrics(a)
        if not metric.missing(outcomes_a.columns) and not metric.missing(outcomes_b.columns)
    ]


def _same_cases(a: Run, b: Run) -> tuple[Table, Table]:
    tables = [_outcomes(a), _outcomes(b)]
    truth = [[c for c in t.columns if c in ("case_id", "unit") or c.startswith("target")] for t in tables]
    shared = tables[0].select("case_id").join(tables[1].select("case_id"), on="case_id").height
    if truth[0] != truth[1] or shared < max(len(t) for t in tables) or not _equal(tables, truth[0]):
        raise ProblemError(
            f"runs {a.id} and {b.id} were not tested on the same cases ({shared:,} of {len(tables[0]):,} and "
            f"{len(tables[1]):,} are shared). Compare runs on the same data, target and --seed."
        )
    return tables[0].sort("case_id"), tables[1].sort("case_id")


def _equal(tables: list[Table], columns: list[str]) -> bool:
    a, b = (t.select(columns).sort("case_id") for t in tables)
    return a.equals(b)


def _outcomes(run: Run) -> Table:
    path = run.folder / "evidence" / "test.parquet"
    if not path.exists():
        raise StoreError(f"run {run.id} was not finished, so it has no test outcomes: assay train --resume {run.id}")
    return pl.read_parquet(path)


def _metrics(run: Run) -> tuple[Metric, ...]:
    _, paradigm = recognise(Problem(data="", task=run.info()["paradigm"]))
    return paradigm.open(run.folder / "task", test=False).metrics
