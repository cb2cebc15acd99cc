"""Where the model is worse: the deciding metric in each group against the cases outside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from assay.checks import lacked
from assay.contract import Chart, Estimate, Finding, Metric, Series, Table
from assay.report.figures import interval, value
from assay.stats.intervals import estimate
from assay.stats.paired import holm

CHECK = "outcomes.slices"
FEWEST = 30
MOST = 40
SHOWN = 20
DOUBT = 0.05


@dataclass(frozen=True)
class Group:
    """One level of one slice: the metric inside and outside, and the p-value of their being the same."""

    name: str
    cases: int
    inside: Estimate
    outside: Estimate
    p: float


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:
    """The deciding metric in every slice level of at least 30 cases, the largest 40 at most.

    Inside and outside are different cases, so z = difference / sqrt(se_in² + se_out²), with each standard
    error read off its 95 % interval; p-values corrected for the number of looks (Holm 1979)."""
    columns = [c for c in outcomes.columns if c.startswith("slice.")]
    metric = next((m for m in metrics if not m.missing(outcomes.columns)), None)
    if not columns or metric is None:
        return lacked(CHECK, "slice.<name> columns and a metric that the outcomes allow")
    groups = list(_groups(outcomes, columns, metric))
    if not groups:
        return lacked(CHECK, f"a group of {FEWEST} cases, with as many outside it, where {metric.name} has a value")
    return _finding(groups, holm([g.p for g in groups]), metric, estimate(metric, outcomes, seed=0))


def _groups(outcomes: Table, columns: list[str], metric: Metric) -> Iterator[Group]:
    for column, level in _levels(outcomes, columns):
        within = outcomes[column].cast(pl.String) == level
        inside = estimate(metric, outcomes.filter(within), seed=0)
        outside = estimate(metric, outcomes.filter(~within.fill_null(False)), seed=0)
        p = _p_of_difference(inside, outside)
        if math.isfinite(p):                    # it is not where a group holds one class only, say
            yield Group(f"{column.removeprefix('slice.')} = {level}", int(within.sum()), inside, outside, p)


def _levels(outcomes: Table, columns: list[str]) -> list[tuple[str, str]]:
    """(column, level) with enough cases on both sides, the largest first."""
    found = []
    for column in columns:
        counts = outcomes[column].cast(pl.String).drop_nulls().value_counts(name="n")
        kept = counts.filter(pl.col("n").is_between(FEWEST, len(outcomes) - FEWEST))
        found += [(n, column, level) for level, n in kept.iter_rows()]
    found.sort(key=lambda f: (-f[0], f[1], f[2]))
    return [(column, level) for _, column, level in found[:MOST]]


def _p_of_difference(a: Estimate, b: Estimate) -> float:
    se = math.hypot((a.high - a.low) / 3.92, (b.high - b.low) / 3.92)
    if not se > 0 or not math.isfinite(a.value - b.value):
        return math.nan
    return math.erfc(abs(a.value - b.value) / se / math.sqrt(2))


def _finding(groups: list[Group], corrected: Sequence[float], metric: Metric, whole: Estimate) -> Finding:
    sign = 1 if metric.higher_is_better else -1
    pairs = zip(groups, corrected, strict=True)
    ranked = sorted(pairs, key=lambda gp: sign * (gp[0].inside.value - gp[0].outside.value))
    worse = [g for g, p in ranked if p < DOUBT and sign * (g.inside.value - g.outside.value) < 0]
    table = pl.DataFrame([
        {"group": g.name, "cases": g.cases, metric.name: g.inside.value, "low": g.inside.low, "high": g.inside.high,
         "outside it": g.outside.value, "p, corrected": p} for g, p in ranked
    ])
    numbers = {"groups": len(groups), "worse": [g.name for g in worse]}
    sentence = _sentence(ranked[0][0], worse, len(groups), metric)
    chart = _chart([g for g, _ in ranked], metric, whole)
    return Finding(CHECK, "warn" if worse else "ok", sentence, numbers, table, (chart,))


def _sentence(weakest: Group, worse: list[Group], looked: int, metric: Metric) -> str:
    first = worse[0] if worse else weakest
    seen = first.inside
    gap = f"{metric.name} {value(seen)} ({interval(seen)}) where {first.name}, {value(first.outside)} elsewhere"
    if not worse:
        return f"No group of {looked} is worse by more than chance allows; the weakest: {gap}."
    more = f" {len(worse) - 1} more of {looked} groups are worse too." if len(worse) > 1 else ""
    return f"The model is worse in some groups, corrected for having looked at {looked}: {gap}.{more}"


def _chart(ranked: list[Group], metric: Metric, whole: Estimate) -> Chart:
    shown = ranked[:SHOWN]
    dots = Series(
        metric.name, tuple(g.inside.value for g in shown), tuple(g.name for g in shown),
        tuple(g.inside.low for g in shown), tuple(g.inside.high for g in shown), mark="point",
    )
    overall = Series("all cases", (whole.value, whole.value), (shown[0].name, shown[-1].name), quiet=True)
    note = f"The weakest {SHOWN} of {len(ranked)} groups." if len(ranked) > SHOWN else ""
    return Chart("The weakest first", metric.name, "", (overall, dots), note=note)
