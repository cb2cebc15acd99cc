"""The worst-off regions: up to three conditions at once, found on one half of the cases, judged on the other.

Whoever looks at thousands of regions finds bad ones among cases that are all alike. So what one half of the cases,
cut by unit, says is worst is judged on the other half, and the other way round, with Holm's correction for all that
was judged; benchmarks/regions.py holds this against judging where one has searched.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.losses import Losses, losses
from assay.contract import Array, Chart, Estimate, Finding, Level, Metric, Series, Table
from assay.report.figures import decimals, interval, number, value
from assay.stats.intervals import widened, wilson
from assay.stats.paired import holm
from assay.stats.regions import Search, gap, worst_regions
from assay.stats.resample import unit_codes

CHECK = "outcomes.regions"
FEWEST_UNITS = 200                              # of all the outcomes
FEWEST, SHARE = 25, 0.01                        # cases of a region on the half searched: so many, and such a part
FEWEST_JUDGED = 15                              # units of a region on the half that judges
MOST_CASES = 100_000                            # beyond them, units are left out at random: the memory is bounded
MOST_SEARCHED = 12_500                          # cases of a half that are searched: the time is bounded
EACH = 4                                        # regions of each half that are judged
APART = 0.5                                     # of two that share more than this part of their cases the first is kept
DOUBT = 0.05
MATTERS = 1.5
"""How many times the loss elsewhere makes a confirmed region a warning; below, it is a note."""


@dataclass(frozen=True)
class Conditions:
    """Every level of every slice as a condition: names (L,), whether it holds (L, N), and of which slice it is (L,)."""

    names: tuple[str, ...]
    holds: Array
    feature: Array


@dataclass(frozen=True)
class Candidate:
    """A region found on one half: which cases are in it (N,), and which are of the half that judges (N,)."""

    name: str
    members: Array
    judging: Array


@dataclass(frozen=True)
class Judged:
    """A region on the half that did not find it. p: one-sided, of its loss being no higher than elsewhere."""

    name: str
    cases: int
    inside: Estimate                            # as shown
    outside: float
    loss_inside: float
    loss_outside: float
    p: float

    @property
    def times(self) -> float:
        """How many times the mean loss elsewhere."""
        return self.loss_inside / self.loss_outside if self.loss_outside > 0 else math.inf


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:
    """Regions of up to three slice conditions in which the mean loss is highest (`losses` says which loss).

    Searched by SliceLine's score on each half (stats/regions.py), the five best that overlap by less than half
    judged on the other: t = (mean inside - mean outside) / se, the residuals summed by unit, one-sided, Holm (1979)
    over all judged. The intervals hold together at 95 %."""
    outcomes = _at_most(outcomes)
    columns = [c for c in outcomes.columns if c.startswith("slice.")]
    cost = losses(outcomes, metrics)
    if not columns or cost is None:
        return lacked(CHECK, "slice.<name> columns and a loss that each case has a part in")
    codes, units = unit_codes(outcomes)
    if units < FEWEST_UNITS:
        return lacked(CHECK, f"at least {FEWEST_UNITS} independent units; there are {units}")
    conditions = conditions_of(outcomes, columns)
    half = np.random.default_rng(0).permutation(units)[codes] % 2 == 0
    searches = [(searched_on(conditions, cost.values, part), part) for part in (half, ~half)]
    candidates = [c for search, part in searches for c in candidates_of(conditions, search, part, codes)]
    level = 1 - DOUBT / max(1, len(candidates))
    judged = [judged_on(c, cost, codes, level) for c in candidates]
    return _finding(judged, max(search.looked for search, _ in searches), cost)


def _at_most(outcomes: Table) -> Table:
    """Whole units, as many as make about MOST_CASES cases."""
    if len(outcomes) <= MOST_CASES:
        return outcomes
    codes, units = unit_codes(outcomes)
    return outcomes.filter((np.random.default_rng(2).random(units) < MOST_CASES / len(outcomes))[codes])


def conditions_of(outcomes: Table, columns: list[str]) -> Conditions:
    """The levels of the slices that hold for some cases, each set of cases once: the first that names it."""
    names, holds, feature, seen = [], [], [], set()
    for place, column in enumerate(columns):
        text = outcomes[column].cast(pl.String)
        for level in text.drop_nulls().unique().sort():
            held = (text == level).fill_null(value=False).to_numpy()
            key = np.packbits(held).tobytes()
            if FEWEST <= held.sum() <= len(held) - FEWEST and key not in seen:
                seen.add(key)
                names.append(_said(column.removeprefix("slice."), level))
                holds.append(held)
                feature.append(place)
    return Conditions(tuple(names), np.array(holds, dtype=bool).reshape(len(holds), len(outcomes)), np.array(feature))


def searched_on(conditions: Conditions, loss_N: Array, searched_N: Array) -> Search:
    rows = np.flatnonzero(searched_N)
    if len(rows) > MOST_SEARCHED:
        rows = np.sort(np.random.default_rng(1).choice(rows, MOST_SEARCHED, replace=False))
    fewest = max(FEWEST, math.ceil(SHARE * len(rows)))
    return worst_regions(conditions.holds[:, rows], conditions.feature, loss_N[rows], fewest=fewest)


def _said(column: str, level: str) -> str:
    """A condition in words: "contract = Two year", "tenure up to 9", "tenure 9 to 40"."""
    return f"{column} {level}" if re.fullmatch(r"(up to|above) -?[\d,.e+-]+|-?[\d,.e+-]+ to -?[\d,.e+-]+", level) \
        else f"{column} = {level}"


def candidates_of(
    conditions: Conditions, search: Search, searched_N: Array, codes_N: Array, *, judging_N: Array | None = None
) -> list[Candidate]:
    """The best regions of a search that are not the same cases under other names, and large enough to be judged.

    judging_N (N,): which cases judge; those that were not searched."""
    judges = ~searched_N if judging_N is None else judging_N
    chosen: list[Candidate] = []
    for region in search.regions:
        members: Array = np.logical_and.reduce(conditions.holds[list(region.conditions)])
        enough = len(np.unique(codes_N[members & judges])) >= FEWEST_JUDGED
        if enough and not any(_alike(members & searched_N, c.members & searched_N) for c in chosen):
            name = " and ".join(conditions.names[c] for c in region.conditions)
            chosen.append(Candidate(name, members, judges))
        if len(chosen) == EACH:
            break
    return chosen


def _alike(a_N: Array, b_N: Array) -> bool:
    return bool((a_N & b_N).sum() > APART * (a_N | b_N).sum())


def judged_on(candidate: Candidate, cost: Losses, codes_N: Array, level: float) -> Judged:
    """level: of the interval of the mean inside."""
    inside, outside = candidate.members & candidate.judging, ~candidate.members & candidate.judging
    here = gap(cost.values, inside, outside, codes_N)
    if cost.share and here.units == inside.sum():
        ends, method = wilson(float(cost.values[inside].sum()), here.units, level=level), "Wilson score"
    else:
        half = widened(level, here.units) * here.error_inside
        ends, method = (max(0.0, here.inside - half), here.inside + half), "Student's t, residuals summed by unit"
    low, middle, high = (float(cost.shown(np.array(v))) for v in (ends[0], here.inside, ends[1]))
    return Judged(candidate.name, int(inside.sum()), Estimate(middle, low, high, here.units, method, level),
                  float(cost.shown(np.array(here.outside))), here.inside, here.outside, here.p)


# --- in words --------------------------------------------------------------------------------------


def _finding(judged: list[Judged], looked: int, cost: Losses) -> Finding:
    adjusted = holm([j.p for j in judged])
    both = sorted(zip(judged, adjusted, strict=True), key=lambda jp: (jp[1] >= DOUBT, -jp[0].inside.low))
    ranked = list({j.name: (j, p) for j, p in reversed(both)}.values())[::-1]       # found by both halves: the surer
    worse = [j for j, p in ranked if p < DOUBT]
    numbers = {"looked": looked, "judged": len(judged), "worse": [j.name for j in worse], "loss": cost.name}
    if not ranked:
        return Finding(CHECK, "ok", f"No region of {looked:,} has a higher {cost.name} than the whole by more than its "
                       "size excuses.", numbers)
    table = pl.DataFrame([
        {"region": j.name, "cases": j.cases, cost.name: j.inside.value, "low": j.inside.low, "high": j.inside.high,
         "elsewhere": j.outside, "p, corrected": p} for j, p in ranked
    ])
    level: Level = "warn" if any(j.times >= MATTERS for j in worse) else "note" if worse else "ok"
    sentence = _sentence(worse or [j for j, _ in ranked], cost, looked, len(ranked), found=bool(worse))
    return Finding(CHECK, level, sentence, numbers, table, (_chart([j for j, _ in ranked], cost),))


def _sentence(regions: list[Judged], cost: Losses, looked: int, judged: int, *, found: bool) -> str:
    first = regions[0]
    seen = first.inside
    gap_ = (f"{first.name}: {cost.name} {value(seen)} ({interval(seen)}) in {first.cases:,} cases, "
            f"{number(first.outside, decimals(seen))} elsewhere")
    how = f"looking at {looked:,} regions on one half of the cases, judged on the other"
    if not found:
        return f"No region is worse by more than chance allows, {how}. The most suspect of {judged} is where {gap_}."
    more = f" {len(regions) - 1} more of {judged} judged are worse too." if len(regions) > 1 else ""
    return f"Worst where {gap_}; found by {how}.{more}"


def _chart(ranked: list[Judged], cost: Losses) -> Chart:
    names = tuple(j.name for j in ranked)
    dots = Series("in the region", tuple(j.inside.value for j in ranked), names, tuple(j.inside.low for j in ranked),
                  tuple(j.inside.high for j in ranked), mark="point")
    rest = Series("elsewhere", tuple(j.outside for j in ranked), names, mark="point")
    note = "Each region on the half of the cases that did not find it. The intervals hold together at 95%. " + cost.note
    return Chart("The worst-off regions", cost.name, "", (dots, rest), note=note.strip())
