"""What the columns of an outcome table are, told from their names alone."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.contract import Array, Table


def binary(outcomes: Table) -> tuple[Array, Array] | None:
    """(p_N, y_N): the probability of the class looked for, and 0.0 or 1.0 where it was there; rows with both."""
    if not {"out.p", "target.positive"} <= set(outcomes.columns):
        return None
    known = outcomes.select(
        p=pl.col("out.p").cast(pl.Float64), y=pl.col("target.positive").cast(pl.Float64)
    ).drop_nulls()
    return known["p"].to_numpy(), known["y"].to_numpy()


def classes(outcomes: Table) -> tuple[Array, list[str]]:
    """(p_NK, names): the columns out.p.<class>; (N, 0) where there are none."""
    names = [c.removeprefix("out.p.") for c in outcomes.columns if c.startswith("out.p.")]
    p_NK = outcomes.select(pl.col(f"out.p.{n}").cast(pl.Float64) for n in names).to_numpy()
    return p_NK if names else np.empty((len(outcomes), 0)), names


def labels(outcomes: Table) -> Table | None:
    """Columns `true` and `said` as text, rows with both; None without target and out.label."""
    if not {"target", "out.label"} <= set(outcomes.columns):
        return None
    return outcomes.select(
        true=pl.col("target").cast(pl.String), said=pl.col("out.label").cast(pl.String)
    ).drop_nulls()


def values(outcomes: Table) -> tuple[Array, Array] | None:
    """(said_N, true_N) for a numeric answer; None without out.value and a numeric target."""
    if "out.value" not in outcomes.columns or "target" not in outcomes.columns:
        return None
    if not outcomes["target"].dtype.is_numeric():
        return None
    known = outcomes.select(
        said=pl.col("out.value").cast(pl.Float64), true=pl.col("target").cast(pl.Float64)
    ).drop_nulls()
    return known["said"].to_numpy(), known["true"].to_numpy()


def quantile_bins(values_N: Array, most: int) -> Array:
    """Bin numbers (N,) from 0 up, with about equal counts; equal values share a bin.

    >>> quantile_bins(np.array([1.0, 1.0, 1.0, 2.0, 3.0, 4.0]), 3).tolist()
    [0, 0, 0, 1, 2, 2]
    """
    edges = np.unique(np.quantile(values_N, np.linspace(0, 1, most + 1)[1:-1]))
    bins = np.searchsorted(edges, values_N, side="left")
    return np.unique(bins, return_inverse=True)[1]
