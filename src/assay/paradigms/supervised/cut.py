"""Where to cut between the two classes, for a metric that reads labels and not probabilities.

A metric such as F1 says nothing of a model until its probabilities are cut, and 0.5 is seldom the cut it wants
(Lipton, Elkan & Naryanaswamy 2014, ECML). So recipes race by the metric at cuts that other cases chose, and the model
that was chosen gets a cut of its own, once its probabilities are calibrated, where that helps cases that did not
choose it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import polars as pl

from assay.contract import Array, Finding, Metric, Table
from assay.paradigms.supervised.conformal import PARTS, parts
from assay.paradigms.supervised.target import Target
from assay.stats.intervals import estimate
from assay.stats.paired import compare
from assay.stats.resample import unit_codes, value_of

CHECK = "cut"
ONE_SIDED = frozenset(("precision", "recall", "specificity"))
"""Highest where every case, or hardly any, is called positive: a cut chosen for one of them alone would be no use."""

TRIED = 39                                      # cuts, where a metric can only be computed whole
Relabel = Callable[[Table], Table]
ONE_ERROR = 0.6827                              # the level of an interval one standard error wide on each side


def tunable(metric: Metric, target: Target) -> bool:
    """Whether a cut can serve the metric: two classes, and labels are what it reads."""
    reads = any(need.startswith(("out.positive", "out.label")) for need in metric.needs)
    return target.goal == "binary" and reads and metric.name not in ONE_SIDED


def raced(metric: Metric, target: Target) -> Metric:
    """The metric as recipes are compared by: of labels cut where it is best, by cases of the other half.

    A metric without terms is computed at the cut that answers the class looked for as often as it occurs: what it
    would choose would have to be found anew for each of hundreds of resamples. Where costs are declared for more than
    two classes, labels are those of least expected cost. Other metrics are as they were."""
    if tunable(metric, target):
        others = partial(_cut_by_others, metric, metric.terms, target) if metric.terms else None
        relabel: Relabel = others or _cut_by_rate
    elif target.costs and target.goal != "binary" and any(n.startswith("out.label") for n in metric.needs):
        relabel = partial(_least_cost, target)
    else:
        return metric
    terms = partial(_terms, metric.terms, relabel) if metric.terms else None
    return replace(metric, fn=partial(_value, metric.fn, relabel), terms=terms)


def _value(fn: Callable[[Table], float], relabel: Relabel, t: Table) -> float:
    return fn(relabel(t)) if t.height else fn(t)


def _terms(terms: Callable[[Table], Array], relabel: Relabel, t: Table) -> Array:
    return terms(relabel(t))


def _cut_by_others(metric: Metric, terms: Callable[[Table], Array], target: Target, t: Table) -> Table:
    """Halves of whole units, each cut where the metric is best on the other."""
    unit = t["unit"] if "unit" in t.columns else t["case_id"]
    half = (unit.hash(seed=0) & 1).to_numpy().astype(bool)
    if half.all() or not half.any():
        return t
    p, yes = t["out.p"].to_numpy(), np.empty(len(t), dtype=bool)
    sides = _sides(terms, target, t)
    for held in (half, ~half):
        yes[held] = p[held] >= _best(metric, p[~held], sides[:, ~held], smooth=True)
    return answered(t, target, yes)


def _cut_by_rate(t: Table) -> Table:
    """Called hundreds of times, so only the column is made that a metric without terms reads of two classes."""
    p, truth = t["out.p"].to_numpy(), t["target.positive"].to_numpy()
    at = len(p) - min(max(int(truth.sum()), 1), len(p))
    return t.with_columns(pl.Series("out.positive", p >= np.partition(p, at)[at]))


def _least_cost(target: Target, t: Table) -> Table:
    p_NK = t.select(f"out.p.{c}" for c in target.classes).to_numpy()
    return t.with_columns(pl.Series("out.label", list(target.classes)).gather(target.answer(p_NK)).alias("out.label"))


def answered(t: Table, target: Target, yes: Array) -> Table:
    """The outcomes as if these answers (n,) of bool had been given: True is the class looked for."""
    label = pl.Series(list(target.classes)).gather(yes.astype(np.int64)).alias("out.label")
    return t.with_columns(label, pl.Series("out.positive", yes))


# --- the cut that is best -----------------------------------------------------------------------------


Way = Literal["expected", "found"]
"""expected: where the metric would be best if every probability were right; no label is looked at, so chance moves it
little. found: where it is best on these cases, smoothed over neighbouring cuts."""


def best_cut(metric: Metric, target: Target, t: Table, way: Way = "found") -> float:
    """The cut, half way between two probabilities that occur, at which the metric is best on these outcomes.

    With terms every cut is tried: each case adds its term as a yes above the cut and as a no below it, so all values
    are running sums. Without them 39 quantiles of the probabilities and 0.5 are tried, and only what is found."""
    p = t["out.p"].to_numpy()
    if metric.terms is None:
        cuts = np.unique(np.append(np.quantile(p, np.linspace(0, 1, TRIED + 2)[1:-1]), 0.5))
        return float(cuts[int(np.argmax([metric.goodness(metric.fn(answered(t, target, p >= cut))) for cut in cuts]))])
    if way == "found":
        return _best(metric, p, _sides(metric.terms, target, t), smooth=True)
    yes, no = (_sides(metric.terms, target, _as_if(t, target, truth)) for truth in (1, 0))
    return _best(metric, p, p[:, None] * yes + (1 - p)[:, None] * no)


def _as_if(t: Table, target: Target, truth: int) -> Table:
    return t.with_columns(pl.lit(target.classes[truth]).alias("target"), pl.lit(bool(truth)).alias("target.positive"))


def _sides(terms: Callable[[Table], Array], target: Target, t: Table) -> Array:
    """What each case adds if it is answered yes, and if no: (2, n, k)."""
    every = np.ones(len(t), dtype=bool)
    return np.stack([terms(answered(t, target, every)), terms(answered(t, target, ~every))]).astype(np.float64)


def _best(metric: Metric, p: Array, sides: Array, *, smooth: bool = False) -> float:
    """smooth: values are averaged over about n^(2/3) neighbouring cuts before the best is taken."""
    order = np.argsort(-p, kind="stable")
    ranked, (yes, no) = p[order], sides[:, order]
    sums = no.sum(axis=0) + np.concatenate([np.zeros((1, no.shape[1])), np.cumsum(yes - no, axis=0)])
    ends = np.concatenate([[1.0], ranked, [0.0]])                   # a cut after k cases lies between ends[k] and [k+1]
    where = np.flatnonzero(np.concatenate([[True], ranked[1:] < ranked[:-1], [True]]))
    value = value_of(metric, sums[where] / len(p)) * (1 if metric.higher_is_better else -1)
    value = np.where(np.isnan(value), np.nanmin(value), value)
    beside = int(len(value) ** (2 / 3)) // 2 if smooth else 0
    if beside:
        sums_of = np.concatenate([[0.0], np.cumsum(np.pad(value, beside, mode="edge"))])
        value = (sums_of[2 * beside + 1 :] - sums_of[: -2 * beside - 1]) / (2 * beside + 1)
    best = where[np.flatnonzero(value >= value.max() - 1e-12)]
    at = best[len(best) // 2]
    return float((ends[at] + ends[at + 1]) / 2)


# --- the cut of a model -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """How a model comes to answer: its cut, None for the class of least expected cost or the likeliest, and why."""

    cut: float | None
    told: tuple[Finding, ...] = ()


def answer(metric: Metric, target: Target, outcomes: Table, *, enough: bool, seed: int) -> Answered:
    """Choose the cut on cases held out, their probabilities calibrated by others.

    Five parts of whole units are each cut by the other four; the model's cut is the median of the five. The expected
    cut is taken, unless the one that is found serves better by more than a standard error. 0.5 is left for any gain on
    cases that did not choose, for neither is the safer: asking for a gain beyond noise threw away a half of it and more
    for MCC (benchmarks/cuts.py). Declared costs need no cut: least expected cost is one already (Elkan 2001)."""
    if target.costs:
        return Answered(None, (_told_costs(target, outcomes, seed),))
    if not tunable(metric, target):
        return Answered(None, _told_one_sided(metric, target))
    if not enough:
        return Answered(None, (_left(f"there are too few cases held out ({len(outcomes):,}) to choose another", {}),))
    cuts, honest = _chosen(metric, target, outcomes, seed)
    gain = compare(metric, honest, outcomes, seed=seed).estimate
    at_half, at_cut = (estimate(metric, t, seed=seed) for t in (outcomes, honest))
    cut = float(np.median(cuts))
    numbers = {"cut": cut, "value": at_cut.value, "at_half": at_half.value, "gain": gain.value, "low": gain.low,
               "high": gain.high}
    span = f"{gain.value:.4f} ({gain.low:.4f} to {gain.high:.4f})"
    if not gain.value > 0:
        return Answered(None, (_left(f"with a cut near {cut:.2f}, cases that did not choose it gain {span} "
                                     f"{metric.name}", {**numbers, "cut": 0.5}),))
    said = (f"{target.positive!r} is answered from a probability of {cut:.3f} on. On cases held out that did not "
            f"choose the cut, {metric.name} is {at_cut.value:.4f}, and cut at 0.5 it is {at_half.value:.4f}: a gain of "
            f"{span}.")
    return Answered(cut, (Finding(CHECK, "note", said, numbers),))


def _chosen(metric: Metric, target: Target, t: Table, seed: int) -> tuple[list[float], Table]:
    """As `_crossed`, by the way that is to be taken."""
    found = _crossed(metric, target, t, "found", seed)
    if metric.terms is None:
        return found
    expected = _crossed(metric, target, t, "expected", seed)
    gain = compare(metric, found[1], expected[1], level=ONE_ERROR, seed=seed)
    return found if not gain.tied and gain.estimate.value > 0 else expected


def _crossed(metric: Metric, target: Target, t: Table, way: Way, seed: int) -> tuple[list[float], Table]:
    """A cut by all but each part, and the outcomes with each part cut by the others."""
    part_N = parts(unit_codes(t)[0], seed)
    p, yes, cuts = t["out.p"].to_numpy(), np.zeros(len(t), dtype=bool), []
    for part in range(PARTS):
        held = part_N == part
        cuts.append(best_cut(metric, target, t.filter(~held), way))
        yes[held] = p[held] >= cuts[-1]
    return cuts, answered(t, target, yes)


def _left(why: str, numbers: dict[str, float]) -> Finding:
    return Finding(CHECK, "ok", f"The likelier of the two classes is answered: {why}.", numbers)


def _told_one_sided(metric: Metric, target: Target) -> tuple[Finding, ...]:
    if target.goal != "binary" or metric.name not in ONE_SIDED:
        return ()
    return (_left(f"{metric.name} alone is highest where nearly every case gets the same answer, so no cut is chosen "
                  "for it; --costs and --metric f1 choose one", {}),)


def _told_costs(target: Target, outcomes: Table, seed: int) -> Finding:
    """What least expected cost brings over answering the likeliest class, on cases held out."""
    from assay.metrics.costs import cost_metric

    cost = cost_metric(target.classes, target.costs)
    p_NK = outcomes.select(f"out.p.{c}" for c in target.classes).to_numpy()
    likeliest = pl.Series(list(target.classes)).gather(p_NK.argmax(axis=1)).alias("out.label")
    d = compare(cost, outcomes, outcomes.with_columns(likeliest), seed=seed).estimate
    value = estimate(cost, outcomes, seed=seed)
    numbers = {"cost": value.value, "saved": d.value, "low": d.low, "high": d.high}
    where = ""
    if target.goal == "binary":
        (c00, c01), (c10, c11) = target.costs
        numbers["cut"] = (c01 - c00) / (c01 - c00 + c10 - c11)
        where = f": {target.positive!r} from a probability of {numbers['cut']:.3f} on"
    said = (f"The class of least expected cost is answered{where}. On cases held out that costs {value.value:.4f} a "
            f"case; the likeliest class would cost {d.value:.4f} more ({d.low:.4f} to {d.high:.4f}).")
    return Finding(CHECK, "note", said, numbers)
