"""The court: every check of data before the first fit, each leak with its price, and the split mended where it can be.

A leak of columns is priced by a quick model with and without them, one of cases by that model with them apart and
together (`Exhibits.priced`). Whether twins and groups matter is decided by that price: where keeping them together
changes nothing that stands out from noise, the finding is a note and the split stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from assay import registry
from assay.capabilities import Regroups
from assay.checks import asked
from assay.checks.both_sides import joined
from assay.checks.exhibits import Exhibits
from assay.contract import Finding, Optimism, Table, Task
from assay.errors import ProblemError

PRICED = 12
"""Leaks that are priced one by one, the sure ones first; all of them together are priced in any case."""

THREADS = 2

_DOUBTS = ("fail", "warn")


@dataclass(frozen=True)
class Court:
    """What was found; `together` (case_id, unit) is what a mended split has to keep on one side;
    `all_leaks` prices the sure leaks and the cases to keep together all at once."""

    findings: tuple[Finding, ...] = ()
    together: Table | None = None
    all_leaks: Optimism | None = None

    @property
    def sure(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.level == "fail")

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs that the sure leaks name."""
        return tuple(dict.fromkeys(c for f in self.sure for c in f.columns))


def hold_court(task: Task, until: float = float("inf")) -> Court:
    """Every check of data in order of registration, priced. `until`: a moment of time.monotonic(), after which only
    sure leaks are priced."""
    with ThreadPoolExecutor(THREADS, "court") as pool:
        seen = Exhibits.of(task, until, pool)
        seen.ask()                              # what every price begins with is learned while the checks run
        found = [f for name in registry.names("assay.checks", "data.") for f in asked(name, seen)]
        return _judged(seen, _priced(seen, [_apart(seen, f) for f in found]))


def _judged(seen: Exhibits, priced: Sequence[Finding]) -> Court:
    split = [f.together for f in priced if f.level in _DOUBTS and f.together is not None]
    together = merged(split) if split else None
    columns = Court(tuple(priced)).columns
    alone = [f.optimism for f in priced if f.level == "fail" and f.optimism]
    if len(alone) == 1 and together is None:
        return Court(tuple(priced), together, alone[0])
    if not columns and together is None:
        return Court(tuple(priced))
    return Court(tuple(priced), together, seen.priced(columns, together, late=bool(columns)))


def _apart(seen: Exhibits, found: Finding) -> Finding:
    """A finding of cases that belong together is no doubt where the split keeps them together already."""
    if found.together is None or found.level not in _DOUBTS or found.columns:
        return found
    everyone = pl.concat([seen.cases.select("case_id", pl.col("unit").cast(pl.String)),
                          seen.test_cases.select("case_id", pl.col("unit").cast(pl.String))], how="vertical_relaxed")
    sides = found.together.select(pl.col("case_id").cast(everyone["case_id"].dtype), whole="unit").join(
        everyone, on="case_id").group_by("whole").agg(pl.col("unit").n_unique())
    if (sides["unit"] > 1).any():
        return found
    return replace(found, level="note", sentence=f"{found.sentence} The split keeps them on one side.", together=None)


def _priced(seen: Exhibits, found: Sequence[Finding]) -> list[Finding]:
    dear = sorted((f for f in found if f.level in _DOUBTS and _has_a_price(f)),
                  key=lambda f: _DOUBTS.index(f.level))[:PRICED]
    gone = Court(tuple(found)).columns
    return [_with_price(seen, f, gone) if any(f is d for d in dear) else f for f in found]


def _has_a_price(found: Finding) -> bool:
    return bool(found.columns) or found.together is not None or found.ordered is not None


def _with_price(seen: Exhibits, found: Finding, gone: Sequence[str]) -> Finding:
    """`gone`: the inputs that sure leaks name, each leak being priced as if the others were mended."""
    if found.ordered is not None and not found.columns:
        price = seen.priced_by_time(found.ordered, gone=gone)
    else:
        price = seen.priced(found.columns, found.together, gone=gone, late=found.level == "fail")
    if price is None:
        return found
    if not found.columns and price.points.low <= 0 and found.level == "warn":
        said = f"{found.sentence} A quick model gains nothing by it that stands out from noise."
        return replace(found, level="note", sentence=said, together=None, ordered=None, optimism=price)
    return replace(found, optimism=price)


def merged(tables: Sequence[Table]) -> Table:
    """One table (case_id, unit) in which all that any of `tables` puts together is together.

    >>> a = pl.DataFrame({"case_id": [1, 2], "unit": ["a", "a"]})
    >>> b = pl.DataFrame({"case_id": [2, 3, 4, 5], "unit": ["x", "x", "y", "y"]})
    >>> merged([a, b])["unit"].n_unique()
    2
    """
    pairs = pl.concat([t.select("case_id", unit=pl.format("{} {}", pl.lit(i), pl.col("unit").cast(pl.String)))
                       for i, t in enumerate(tables)])
    ids, case = np.unique(pairs["case_id"].to_numpy(), return_inverse=True)
    names, unit = np.unique(pairs["unit"].to_numpy(), return_inverse=True)
    part = joined(np.column_stack([case, unit + len(ids)]), len(ids) + len(names))
    return pl.DataFrame({"case_id": ids, "unit": [f"together {p}" for p in part[: len(ids)].tolist()]})


def mended(task: Task, court: Court) -> tuple[Task, Court]:
    """The task with a split that keeps together what belongs together, and the court's findings saying so."""
    if court.together is None:
        return task, court
    if not isinstance(task, Regroups):
        return task, _said(court, "The split was left as it is: this kind of task cannot be split anew.")
    what = " and ".join(dict.fromkeys(f.check.removeprefix("data.") for f in court.findings
                                      if f.level in _DOUBTS and f.together is not None))
    try:
        fresh = task.regrouped(court.together, f"cases that belong together ({what}) stay on one side")
    except ProblemError as why:
        return task, _said(court, f"The split was left as it is: {str(why).rstrip('.')}.")
    return fresh, _said(court, "The split was made anew so that they stay on one side.")


def _said(court: Court, sentence: str) -> Court:
    said = (replace(f, sentence=f"{f.sentence} {sentence}") if f.level in _DOUBTS and f.together is not None else f
            for f in court.findings)
    return replace(court, findings=tuple(said))
