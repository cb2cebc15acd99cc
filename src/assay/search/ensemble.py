"""How the weights of several models that answer as one are chosen without fooling oneself.

Greedy selection with replacement on out-of-fold outcomes (Caruana et al. 2004, "Ensemble selection from
libraries of models"), judged on cases that did not choose the weights, kept only if it is better than
the best single recipe by more than noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.capabilities import Blends
from assay.contract import Array, Metric, Table
from assay.stats.paired import Difference, compare

MOST_CASES = 20_000
"""How many cases choose the weights: more would cost time and change little."""

STEPS = 25
"""Greedy steps: published experience finds no gain beyond (AutoGluon-Tabular, arXiv 2003.06505)."""


@dataclass(frozen=True)
class Mixture:
    """Weights chosen on out-of-fold cases. In `outcomes` each case is answered by weights it did not choose."""

    weights: Mapping[str, float]
    outcomes: Table
    gain: Difference                            # the mixture against the best single recipe, on the same cases


def mix(
    outcomes: Mapping[str, Table], best: str, folds: Array, *, metric: Metric, blends: Blends, seed: int
) -> Mixture | None:
    """The greedy mixture of several recipes' out-of-fold outcomes, or None where nothing but `best` was chosen.

    outcomes: recipe -> table of the same n cases in the same order. folds (n,): the fold of each case; with a
    single fold they are halved at random, each unit kept whole. At most MOST_CASES of them choose; all are judged on.
    Cost: about STEPS x recipes x (folds + 1) evaluations of the metric."""
    rng = np.random.default_rng(seed)
    choosing = np.zeros(len(folds), dtype=bool)
    choosing[rng.permutation(len(folds))[:MOST_CASES]] = True
    if len(np.unique(folds)) > 1:
        parts = folds
    else:
        _, unit = np.unique(outcomes[best]["unit"].to_numpy(), return_inverse=True)
        parts = rng.integers(0, 2, len(folds))[unit]
    weights = _greedy({n: t.filter(choosing) for n, t in outcomes.items()}, best, metric, blends)
    if set(weights) == {best}:
        return None
    honest, order = [], []
    for part in np.unique(parts):
        held, others = np.flatnonzero(parts == part), np.flatnonzero((parts != part) & choosing)
        chosen = _greedy({n: t[others] for n, t in outcomes.items()}, best, metric, blends)
        honest.append(blends.blend([outcomes[n][held] for n in chosen], list(chosen.values())))
        order.append(held)
    blended = pl.concat(honest)[np.argsort(np.concatenate(order))]
    return Mixture(weights, blended, compare(metric, blended, outcomes[best], seed=seed))


def _greedy(outcomes: Mapping[str, Table], best: str, metric: Metric, blends: Blends) -> dict[str, float]:
    """Weights that sum to one; starts from `best`, adds what helps most, stops at the prefix that scored highest."""
    names = list(outcomes)
    def goodness(table: Table) -> float:
        return metric.goodness(metric.fn(table))

    chosen, trail = [best], [goodness(outcomes[best])]
    for _ in range(STEPS - 1):
        scores = [goodness(_mean(outcomes, [*chosen, name], blends)) for name in names]
        top = int(np.argmax(scores))
        chosen.append(names[top])
        trail.append(scores[top])
        if len(trail) > 6 and max(trail[-5:]) <= max(trail[:-5]):
            break
    kept = chosen[: int(np.argmax(trail)) + 1]
    return {name: kept.count(name) / len(kept) for name in dict.fromkeys(kept)}


def _mean(outcomes: Mapping[str, Table], chosen: Sequence[str], blends: Blends) -> Table:
    distinct = list(dict.fromkeys(chosen))
    return blends.blend([outcomes[n] for n in distinct], [chosen.count(n) / len(chosen) for n in distinct])
