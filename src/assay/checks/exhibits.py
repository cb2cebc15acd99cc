"""What the court is shown: the training cases whole, of the test part the inputs alone, and a quick model to ask."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from assay.capabilities import Inspects, Probes, SetsAside
from assay.contract import TEST, TRAIN, Array, Metric, Optimism, Split, Table, Task
from assay.stats.folds import against
from assay.stats.intervals import estimate
from assay.stats.paired import compare

PROBED = 6_000
"""Cases that a probe learns from and is judged on, at most: enough to see a leak, and seconds each."""

FOLDS, BLOCKS = 4, 40


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
    set_aside    columns of the source that are no inputs, of the training cases; test_set_aside: of the test part
    test_told    the test cases with all that the task says of them but their truth: moment, seed, slices
    pool         threads in which probes run beside the checks
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
    set_aside: Table = field(default_factory=pl.DataFrame, repr=False)
    test_set_aside: Table = field(default_factory=pl.DataFrame, repr=False)
    test_told: Table = field(default_factory=pl.DataFrame)
    pool: Executor | None = None
    _probed: dict[Any, list[Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, task: Task, until: float = float("inf"), pool: Executor | None = None) -> Exhibits:
        """A task that cannot show its inputs has none (tables of no columns): its cases alone are looked at. The task
        has to be open with its test part."""
        train, test = task.cases(TRAIN), task.cases(TEST)
        inputs, test_inputs = (task.inputs(part) if isinstance(task, Inspects) else pl.DataFrame()
                               for part in (train, test))
        kinds = {str(c["name"]): str(c["kind"]) for c in task.facts().get("columns", ())}
        aside = [task.set_aside(c) if isinstance(task, SetsAside) else c.select() for c in (train, test)]
        told = test.select(c for c in test.columns if not c.startswith("target"))
        return cls(train, inputs, test.select("case_id", "unit"), test_inputs, kinds, task.plan.method,
                   task.metrics[0], task, until, aside[0], aside[1], told, pool)

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
        answers = self.ask(without, together, late=late)
        return None if answers is None else pl.concat([_of(a) for a in answers]).sort("case_id")

    def ask(
        self, without: Sequence[str] = (), together: Table | None = None, *, late: bool = False
    ) -> list[Any] | None:
        """As `probed`, without waiting for the answers of the folds."""
        key = (tuple(sorted(without)), None if together is None else tuple(together["unit"].hash().to_list()))
        if key not in self._probed:
            prober = self._prober(late=late)
            if prober is None:
                return None
            cases = self._drawn
            self._probed[key] = [self._begun(prober, cases[fit], cases[held], tuple(without))
                                 for fit, held in self._folds(together)]
        return self._probed[key]

    def _prober(self, *, late: bool) -> Any:
        task: Any = self.task
        return task if isinstance(task, Probes) and (late or self.seconds_left > 0) else None

    def _begun(self, prober: Any, fit: Table, held: Table, without: tuple[str, ...]) -> Any:
        if self.pool is None:
            return prober.probe(fit, held, without)
        return self.pool.submit(prober.probe, fit, held, without)

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
        _, code = np.unique(named(self._drawn, together).to_numpy(), return_inverse=True)
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
        anywhere = together.clear() if together is not None and self.method == "time" else None
        self.ask(rest, anywhere, late=late)     # so that both run at once
        honest = self.probed([*rest, *columns], together, late=late)
        leaky = self.probed(rest, anywhere, late=late)
        held = self.ask([*rest, *columns], together, late=late)
        if leaky is None or honest is None or held is None:
            return None
        fold = pl.concat([_of(h).select("case_id", fold=pl.lit(i)) for i, h in enumerate(held)]).sort("case_id")["fold"]
        if together is not None:                # cases of one unit rise and fall together
            units = named(leaky, together)
            leaky, honest = leaky.with_columns(units), honest.with_columns(units)
        return self._optimism(leaky, honest, fold.to_numpy() if together is None else None)

    def priced_by_time(self, ordered: Table, *, gone: Sequence[str] = ()) -> Optimism | None:
        """What learning from cases of all times adds, for the later half of the drawn cases in the order of `ordered`
        (case_id, moment). Each of its quarters is answered for by the quick model of all cases before it and, half by
        half, by one of as many cases drawn from all the others. Cases of one fortieth in time are one unit."""
        prober = self._prober(late=False)
        if prober is None:
            return None
        moments = ordered.select(pl.col("case_id").cast(self.cases["case_id"].dtype), at="moment")
        cases = self._drawn.join(moments, on="case_id").sort("at", "case_id").drop("at")
        if len(cases) < 2 * BLOCKS:
            return None
        at = np.arange(len(cases)) * BLOCKS // len(cases)
        cases = cases.with_columns(unit=pl.Series(at))
        honest: list[Any] = []
        leaky: list[Any] = []
        for fit, held, before in _by_time(at):
            asked = honest if before else leaky
            asked.append(self._begun(prober, cases[fit], cases[held], tuple(gone)))
        told = [pl.concat([_of(a) for a in asked]).sort("case_id") for asked in (leaky, honest)]
        return self._optimism(told[0], told[1])

    def _optimism(self, leaky: Table, honest: Table, fold: Array | None = None) -> Optimism | None:
        """`fold`, who held out each case, brings in the doubt that comes from training (`stats.folds.against`)."""
        if self.metric is None or self.metric.missing(leaky.columns):
            return None
        if fold is None:
            difference = compare(self.metric, leaky, honest)
        else:
            difference = against(self.metric, "leaky", {"leaky": leaky, "honest": honest}, fold)["honest"]
        return Optimism(self.metric.name, estimate(self.metric, leaky), estimate(self.metric, honest),
                        difference.estimate)


def named(cases: Table, together: Table | None) -> pl.Series:
    """The unit of each case as text: that of `together` (case_id, unit) where it is named there, else its own."""
    own = cases.select("case_id", own=pl.col("unit").cast(pl.String))
    if together is None:
        return own["own"].alias("unit")
    said = together.select(pl.col("case_id").cast(own["case_id"].dtype), named=pl.col("unit").cast(pl.String))
    return own.join(said, on="case_id", how="left", maintain_order="left").select(
        unit=pl.coalesce("named", "own")).to_series()


def _by_time(block_N: Array) -> Iterator[tuple[Array, Array, bool]]:
    """(positions to fit on, positions to hold out, whether only what came before was fitted on), for the last two
    quarters of cases in the order of time. block_N: the fortieth of each."""
    rng = np.random.default_rng(2)
    for quarter in (2, 3):
        before, now = (np.flatnonzero(m) for m in (block_N < quarter * BLOCKS // 4, block_N * 4 // BLOCKS == quarter))
        yield before, now, True
        half = rng.permutation(len(now)) % 2
        for h in (0, 1):
            held = now[half == h]
            others = np.setdiff1d(np.arange(len(block_N)), held)
            yield np.sort(rng.permutation(others)[: len(before)]), held, False


def _of(answer: Any) -> Table:
    table: Table = answer.result() if isinstance(answer, Future) else answer
    return table
