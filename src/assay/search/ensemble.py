"""How the weights of several models that answer as one are chosen without fooling oneself.

Greedy selection with replacement on out-of-fold outcomes (Caruana et al. 2004, "Ensemble selection from
libraries of models"), judged on cases that did not choose the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.capabilities import Blends
from assay.contract import Array, Metric, Table
from assay.stats.paired import Difference, compare

MOST_CASES = 20_000
"""How many cases choose the weights: more would cost time and change little."""

CANDIDATES, CHOOSING_CELLS = 16, 200_000
"""How many recipes, the best of them, a mixture is chosen from: so many at least, and as many as make so many answers
together, up to twice as many."""

ENOUGH = 0.95
"""Of what a mixture adds to its best member, how much must be left with fewer members."""

MOST_EVEN = 8
"""Of how many, one of each recipe first, a plain mean is tried."""

STEPS = 25
"""Greedy steps: published experience finds no gain beyond (AutoGluon-Tabular, arXiv 2003.06505)."""


@dataclass(frozen=True)
class Mixture:
    """Weights chosen on out-of-fold cases. In `outcomes` each case is answered by weights it did not choose."""

    weights: Mapping[str, float]
    outcomes: Table
    gain: Difference                            # the mixture against the best single recipe, on the same cases


def mix(
    outcomes: Mapping[str, Table], best: str, folds: Array, *, metric: Metric, blends: Blends, seed: int,
    price: Mapping[str, float] | None = None, purse: float = math.inf,
) -> Mixture | None:
    """The plain mean of several recipes' out-of-fold outcomes, or the greedy mixture where it is surely ahead of that,
    on cases that did not choose it; None where nothing but `best` was chosen.

    outcomes: recipe -> table of the same n cases in the same order, those that come first preferred where there are
    more than so many (see CANDIDATES). folds (n,): the fold of each case; with a single fold they are halved at random,
    each unit kept whole. At most MOST_CASES of them choose; all are judged on. price: what each costs, such as seconds
    an answer; a mixture costs no more than `purse`. Cost: about STEPS x recipes x (folds + 1) evaluations of the
    metric."""
    most = min(max(CANDIDATES, CHOOSING_CELLS // max(len(folds), 1)), 2 * CANDIDATES)
    whole = {n: outcomes[n] for n in [best, *(n for n in outcomes if n != best)][:most]}
    outcomes = {n: slim(t, metric) for n, t in whole.items()}
    rng = np.random.default_rng(seed)
    choosing = np.zeros(len(folds), dtype=bool)
    choosing[rng.permutation(len(folds))[:MOST_CASES]] = True
    if len(np.unique(folds)) > 1:
        parts = folds
    else:
        _, unit = np.unique(outcomes[best]["unit"].to_numpy(), return_inverse=True)
        parts = rng.integers(0, 2, len(folds))[unit]

    def greedily(theirs: Mapping[str, Table]) -> dict[str, float]:
        return fewest(theirs, greedy(theirs, best, metric, blends, price, purse), best, metric, blends)

    def evenly(theirs: Mapping[str, Table]) -> dict[str, float]:
        return even(theirs, metric, blends, price, purse)

    found: tuple[dict[str, float], Table] | None = None
    for choose in (evenly, greedily):
        weights = choose({n: t.filter(choosing) for n, t in outcomes.items()})
        if set(weights) == {best}:
            continue
        honest = _honest(choose, outcomes, whole, parts, choosing, blends)
        if found is None or _surely_ahead(metric, honest, found[1], seed):     # weights have to show their worth
            found = weights, honest
    return None if found is None else Mixture(*found, compare(metric, found[1], outcomes[best], seed=seed))


def _honest(
    choose: Callable[[Mapping[str, Table]], dict[str, float]], outcomes: Mapping[str, Table],
    whole: Mapping[str, Table], parts: Array, choosing: Array, blends: Blends,
) -> Table:
    """What would be answered where each part of the cases is answered by a mixture that the others chose."""
    answered, order = [], []
    for part in np.unique(parts):
        held, others = np.flatnonzero(parts == part), np.flatnonzero((parts != part) & choosing)
        chosen = choose({n: t[others] for n, t in outcomes.items()})
        answered.append(blends.blend([whole[n][held] for n in chosen], list(chosen.values())))
        order.append(held)
    return pl.concat(answered)[np.argsort(np.concatenate(order))]


def _surely_ahead(metric: Metric, one: Table, other: Table, seed: int) -> bool:
    found = compare(metric, one, other, seed=seed)
    return not found.tied and found.estimate.value > 0


def even(
    outcomes: Mapping[str, Table], metric: Metric, blends: Blends, price: Mapping[str, float] | None = None,
    purse: float = math.inf,
) -> dict[str, float]:
    """The plain mean of the first few, as many as serve best; the first is always among them.

    There is one choice to make, so that few cases with large errors cannot mislead it as they do weights."""
    price = price or dict.fromkeys(outcomes, 0.0)
    members: list[str] = []
    tried: dict[int, float] = {}
    for name in list(outcomes)[:MOST_EVEN]:
        if members and sum(price[n] for n in [*members, name]) > purse:
            continue
        members.append(name)
        mean = blends.blend([outcomes[n] for n in members], [1 / len(members)] * len(members))
        tried[len(members)] = metric.goodness(metric.fn(mean))
    many = max(tried, key=lambda m: tried[m])
    return dict.fromkeys(members[:many], 1 / many)


def fewest(
    outcomes: Mapping[str, Table], weights: Mapping[str, float], best: str, metric: Metric, blends: Blends
) -> dict[str, float]:
    """The mixture of the fewest members, those with most weight, that still brings ENOUGH of what `weights` bring.

    Each member more makes every answer slower. The weights of fewer are chosen anew."""
    def goodness(mixed: Mapping[str, float]) -> float:
        return metric.goodness(metric.fn(blends.blend([outcomes[n] for n in mixed], list(mixed.values()))))

    by_weight = sorted(weights, key=lambda n: (n != best, -weights[n]))
    alone = goodness({best: 1.0})
    enough = alone + ENOUGH * (goodness(weights) - alone)
    for many in range(2, len(weights)):
        fewer = greedy({n: outcomes[n] for n in by_weight[:many]}, best, metric, blends)
        if goodness(fewer) >= enough:
            return fewer
    return dict(weights)


def without(weights: Mapping[str, float], gone: str) -> dict[str, float]:
    """The mixture of the others, in the same proportions."""
    left = {n: w for n, w in weights.items() if n != gone}
    return {n: w / sum(left.values()) for n, w in left.items()}


def slim(table: Table, metric: Metric) -> Table:
    """The outcomes without the columns that neither the metric nor the mean of answers needs: labels, groups, sets."""
    if any(n.startswith(("out.label", "out.positive")) for n in metric.needs):
        return table
    open_ended = tuple(n[:-1] for n in metric.needs if n.endswith("*"))
    kept = ("case_id", "unit", "target", "moment", *open_ended)
    return table.select(c for c in table.columns if c in metric.needs or c.startswith(kept))


def greedy(
    outcomes: Mapping[str, Table], best: str, metric: Metric, blends: Blends,
    price: Mapping[str, float] | None = None, purse: float = math.inf,
) -> dict[str, float]:
    """Weights that sum to one; starts from `best`, adds what helps most, stops at the prefix that scored highest.

    Of equals the one that is in it already is taken: an answer costs no more then."""
    price = price or dict.fromkeys(outcomes, 0.0)
    outcomes = {n: slim(t, metric) for n, t in outcomes.items()}

    def goodness(table: Table) -> float:
        return metric.goodness(metric.fn(table))

    chosen, mean, trail = [best], outcomes[best], [goodness(outcomes[best])]
    for step in range(1, STEPS):
        spent = sum(price[n] for n in set(chosen))
        able = [n for n in outcomes if n in chosen or spent + price[n] <= purse]
        tried = {n: blends.blend([mean, outcomes[n]], [step / (step + 1), 1 / (step + 1)]) for n in able}
        scores = {n: goodness(t) for n, t in tried.items()}
        top = max(able, key=lambda n: (scores[n], n in chosen))
        chosen.append(top)
        mean = tried[top]
        trail.append(scores[top])
        if len(trail) > 6 and max(trail[-5:]) <= max(trail[:-5]):
            break
    kept = chosen[: int(np.argmax(trail)) + 1]
    return {name: kept.count(name) / len(kept) for name in dict.fromkeys(kept)}
