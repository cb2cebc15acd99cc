"""What the court is shown: the training cases whole, of the test part the inputs alone, and a quick model to ask."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from assay.contract import TEST, TRAIN, Array, Inspects, Metric, Optimism, Probes, Split, Table, Task
from assay.stats.intervals import estimate
from assay.stats.paired import compare

PROBED = 6_000
"""Cases that a probe learns from and is judged on, at most: enough to see a leak, and seconds each."""

FOLDS = 4


@dataclass(frozen=True)
class Exhibits:
    """The data as the checks see it. The truth of the test part is not among it.

    cases        the training cases: case_id, unit, target columns, slices
    inputs       their inputs, rows aligned
    test_cases   case_id and unit of the test part
    test_inputs  their inputs, rows aligned
    kinds        input -> kind ("numeric", "categorical", "text", ...), as far as the task tells
    method       how the split was made: random, stratified, group, time
    until        the moment of time.monotonic() by which the court has to end; probes are refused after it
    test_told    the test cases with all that the task says of them but their truth: moment, seed, slices
    """

    cases: Table
    inputs: Table
    test_cases: Table
    test_inputs: Table
    kinds: Mapping[str, str]
    method: str
    metric: Metric | None
    task: Task | None = None
    until: float = float("inf")
    test_told: Table = field(default_factory=pl.DataFrame)
    _probed: dict[Any, Table] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, task: Task, until: float = float("inf")) -> Exhibits:
        """A task that cannot show its inputs has none (tables of no columns): its cases alone are looked at. The task
        has to be open with its test part."""
        train, test = task.cases(TRAIN), task.cases(TEST)
        inputs, test_inputs = (task.inputs(part) if isinstance(task, Inspects) else pl.DataFrame()
                               for part in (train, test))
        kinds = {str(c["name"]): str(c["kind"]) for c in task.facts().get("columns", ())}
        told = test.select(c for c in test.columns if not c.startswith("target"))
        return cls(train, inputs, test.select("case_id", "unit"), test_inputs, kinds, task.plan.method,
                   task.metrics[0], task, until, told)

    @classmethod
    def plain(cls, cases: Table, inputs: Table, test_inputs: Table | None = None) -> Exhibits:
        """Tables alone, without a task to ask: what a check can do with columns."""
        test = inputs.clear() if test_inputs is None else test_inputs
        ids = pl.Series("case_id", range(len(cases), len(cases) + len(test)), dtype=pl.Int64)
        return cls(cases, inputs, pl.DataFrame({"case_id": ids, "unit": ids}), test, {}, "random", None)

    @property
    def seconds_left(self) -> float:
        return max(self.until - time.monotonic(), 0.0)

    # --- asking a quick model ---------------------------------------------------------------------

    def probed(
        self, without: Sequence[str] = (), together: Table | None = None, *, late: bool = False
    ) -> Table | None:
        """Out-of-fold outcomes (at most 6,000 training cases, four folds) of a quick model on all inputs but
        `without`, the cases of each unit of `together` (case_id, unit) on one side. None where the task cannot be
        probed, or the time is over and it may not be `late`. Asked twice, answered once."""
        key = (tuple(sorted(without)), None if together is None else tuple(together["unit"].hash().to_list()))
        if key not in self._probed:
            prober: Any = self.task
            if not isinstance(prober, Probes) or (self.seconds_left <= 0 and not late):
                return None
            self._probed[key] = self._asked(prober, without, together)
        return self._probed[key]

    def _asked(self, task: Probes, without: Sequence[str], together: Table | None) -> Table:
        cases = self._drawn
        seen = []
        for fit, held in self._folds(together):
            seen.append(task.probe(cases[fit], cases[held], tuple(without)))
        return pl.concat(seen).sort("case_id")

    @cached_property
    def _drawn(self) -> Table:
        """Whole units at random, up to 6,000 cases."""
        if len(self.cases) <= PROBED:
            return self.cases
        _, unit = np.unique(self.cases["unit"].to_numpy(), return_inverse=True)
        order = np.random.default_rng(0).permutation(int(unit.max()) + 1)
        size = np.cumsum(np.bincount(unit)[order])
        return self.cases.filter(np.isin(unit, order[: max(np.searchsorted(size, PROBED), 1)]))

    def _folds(self, together: Table | None) -> list[tuple[Array, Array]]:
        """Positions in the drawn cases to fit on and to hold out; by time, the latest fold alone."""
        if self.method == "time" and self.task is not None and together is None:
            held = np.isin(self._drawn["case_id"].to_numpy(), self.task.cases(Split("held", 0))["case_id"].to_numpy())
            return [(np.flatnonzero(~held), np.flatnonzero(held))]
        unit = self._drawn["unit"].cast(pl.String)
        if together is not None:
            named = self._drawn.select("case_id").join(together.select("case_id", "unit"), on="case_id", how="left",
                                                       maintain_order="left")["unit"].cast(pl.String)
            unit = named.zip_with(named.is_not_null(), unit)
        _, code = np.unique(unit.to_numpy(), return_inverse=True)
        fold = np.random.default_rng(1).permutation(int(code.max()) + 1)[code] % FOLDS
        parts = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(FOLDS)]
        return [(fit, held) for fit, held in parts if len(fit) and len(held)]

    # --- what a leak is worth -----------------------------------------------------------------------

    def priced(
        self, columns: Sequence[str] = (), together: Table | None = None, *, gone: Sequence[str] = (),
        late: bool = False,
    ) -> Optimism | None:
        """What these inputs, and cases of one unit on two sides, add to the deciding metric where the inputs `gone`
        are out already: else one leak would hide behind another. None as for `probed`."""
        rest = [c for c in gone if c not in columns]
        leaky = self.probed(rest, late=late)
        honest = self.probed([*rest, *columns], together, late=late)
        if self.metric is None or leaky is None or honest is None or self.metric.missing(leaky.columns):
            return None
        if together is not None:                # cases of one unit rise and fall together
            units = leaky.select("case_id", own=pl.col("unit").cast(pl.String)).join(
                together.select("case_id", named=pl.col("unit").cast(pl.String)), on="case_id", how="left",
                maintain_order="left").select(unit=pl.coalesce("named", "own")).to_series()
            leaky, honest = leaky.with_columns(units), honest.with_columns(units)
        difference = compare(self.metric, leaky, honest)
        return Optimism(self.metric.name, estimate(self.metric, leaky), estimate(self.metric, honest),
                        difference.estimate)
