"""What answers cost, where the problem says so. Columns: target, out.label (text)."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from assay.contract import Array, Metric, Table
from assay.metrics.build import mean_of

Costs = tuple[tuple[float, ...], ...]
"""Costs[i][j]: of answering class j where i is true."""


def cost_metric(classes: tuple[str, ...], costs: Costs) -> Metric:
    """The mean cost a case. An answer that is none of the classes costs as much as the worst.

    >>> seen = pl.DataFrame({"target": ["no", "yes", "yes"], "out.label": ["no", "no", "yes"]})
    >>> cost_metric(("no", "yes"), ((0.0, 1.0), (5.0, 0.0))).fn(seen)
    1.6666666666666667
    """
    return mean_of("cost", "target out.label", partial(_cost, classes, costs), higher_is_better=False,
                   says="What the answers cost a case, by the costs that the problem declares.")


def _cost(classes: tuple[str, ...], costs: Costs, t: Table) -> Array:
    table = np.asarray(costs, dtype=np.float64)
    table = np.column_stack([table, table.max(axis=1)])
    return np.asarray(table[_codes(t["target"], classes), _codes(t["out.label"], classes)])


def _codes(values: pl.Series, classes: tuple[str, ...]) -> Array:
    at = pl.Series(classes)
    found = values.cast(pl.String).replace_strict(at, pl.Series(range(len(classes))), default=len(classes))
    return np.asarray(found.fill_null(len(classes)).to_numpy())
