"""Metrics said shortly: what each case adds, and how the means of that make the value.

Everything here is a module-level function or a partial of one, so metrics travel between processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from assay.contract import Array, Metric, MetricKind, Table

Terms = Callable[[Table], Array]
Link = Callable[[Array], Array]


def first(means: Array) -> Array:
    """The link of a metric that is itself a mean."""
    return np.asarray(means[..., 0])


def of_means(name: str, needs: str, terms: Terms, link: Link = first, *, says: str, kind: MetricKind = "statistic",
             higher_is_better: bool = True, unit: str = "") -> Metric:
    """A metric that is `link` of the means of `terms`; NaN on a table without cases. `needs`: columns, by spaces."""
    fn = partial(_value, terms, link)
    return Metric(name, fn, frozenset(needs.split()), higher_is_better, kind, unit, terms, link, says)


def mean_of(name: str, needs: str, term: Terms, *, says: str, kind: MetricKind = "mean",
            higher_is_better: bool = True, unit: str = "") -> Metric:
    """The mean over cases of `term`, a function table -> (n,)."""
    return of_means(name, needs, partial(_column, term), says=says, kind=kind,
                    higher_is_better=higher_is_better, unit=unit)


def share_of(name: str, needs: str, counts: Terms, *, says: str) -> Metric:
    """The share of hits among the cases that count: `counts` gives both as booleans (n, 2). 0 where none counts."""
    return of_means(name, needs, counts, _share, says=says, kind="proportion")


def rank_of(name: str, needs: str, pseudo: Terms, *, says: str) -> Metric:
    """A rank statistic whose terms are pseudo-values (n,): their mean is its value, exactly (stats/rank.py)."""
    return mean_of(name, needs, pseudo, says=says, kind="rank")


def ratio(over: Array, under: Array, *, empty: float = 0.0) -> Array:
    """over / under, `empty` where under is 0. Any shapes that broadcast."""
    over, under = np.broadcast_arrays(np.asarray(over, dtype=float), np.asarray(under, dtype=float))
    return np.asarray(np.divide(over, under, out=np.full(over.shape, empty), where=under != 0))


def mean_where(values: Array, counts: Array) -> Array:
    """The mean over the last axis of the values that count; NaN where none does."""
    return ratio((values * counts).sum(axis=-1), counts.sum(axis=-1), empty=math.nan)


def one_hot(outcomes: Table, column: str, classes: list[str]) -> Array:
    """Booleans (n, K): whether the column, read as text, is each of the classes. False where it is null."""
    text = outcomes[column].cast(str)
    return np.column_stack([(text == c).fill_null(False).to_numpy() for c in classes])


def _value(terms: Terms, link: Link, outcomes: Table) -> float:
    return float(link(terms(outcomes).mean(axis=0))) if outcomes.height else math.nan


def _column(term: Terms, outcomes: Table) -> Array:
    return term(outcomes)[:, None]


def _share(means: Array) -> Array:
    return ratio(means[..., 0], means[..., 1])
