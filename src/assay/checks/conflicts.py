"""Equal inputs with different targets: error that no model can avoid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding, Level

CHECK = "data.conflicts"
ONE_SIDED = 1.645
FINE, MUCH, FEW = 0.2, 0.01, 0.005


def check(seen: Exhibits) -> Iterator[Finding]:
    """A lower bound of the error rate, or of the RMSE, of every model, from training cases with equal inputs.

    Two draws from one cell of equal inputs differ in class with probability 1 - sum of p_k², and the error of the best
    answer there, 1 - max p_k, is at least half of that (Cover & Hart 1967, IEEE Trans. Inf. Theory 13(1)). For a number
    the variance within the cells is what remains ("pure error"). Both are estimated without bias from cells of two
    cases or more; a case alone counts as free of error, so the bound is low. Its low end is one-sided at 95 %, the
    cells being what is independent."""
    if "target" not in seen.cases.columns or not seen.inputs.width or len(seen.inputs) < 2:
        return
    truth = seen.cases["target"]
    number = truth.dtype.is_numeric()
    cells = _cells(seen, truth.cast(pl.Float64) if number else truth.cast(pl.String), number)
    floor, low = _bound(cells["n"].to_numpy(), cells["spread"].to_numpy(), len(seen.inputs))
    torn = cells.filter(pl.col("spread") > 0)
    if torn.is_empty():
        said = "No two training cases with equal inputs have different targets."
        yield Finding(CHECK, "ok", said, {"conflicting": 0})
        return
    n = int(torn["n"].sum())
    scale = float(np.sqrt(floor)) if number else floor
    least = float(np.sqrt(low)) if number else low
    what = f"an RMSE of {scale:.3g}" if number else f"an error rate of {scale:.1%}"
    surely = f"{least:.3g}" if number else f"{least:.1%}"
    said = (f"{n:,} training cases ({n / len(truth):.1%}) have the same inputs as a case with another target. No model "
            f"of these inputs can do better than {what} on cases like these (at least {surely}, with 95 % confidence).")
    odd = not number and n / len(truth) >= MUCH and _fine(seen)
    if odd:
        said += " With numbers this fine such twins are no chance: look for rows entered twice with two labels."
    level: Level = "warn" if odd else "note" if n >= FEW * len(truth) else "ok"
    yield Finding(CHECK, level, said,
                  {"conflicting": n, "cells": len(torn), "floor": scale, "floor, low": least, "n": len(truth)})


def _cells(seen: Exhibits, truth: pl.Series, number: bool) -> pl.DataFrame:
    """n and spread, a row for each set of equal inputs that two cases or more have.

    spread: the unbiased variance of a number; half of the unbiased 1 - sum of p² of classes."""
    rows = pl.DataFrame({"hash": seen.inputs.hash_rows(), "y": truth}).drop_nulls()
    if number:
        cells = rows.group_by("hash").agg(n=pl.len(), spread=pl.col("y").var())
    else:
        counts = rows.group_by("hash", "y").agg(k=pl.len())
        cells = counts.group_by("hash").agg(n=pl.col("k").sum(), squares=(pl.col("k") ** 2).sum())
        n = pl.col("n").cast(pl.Float64)
        cells = cells.with_columns(spread=(n**2 - pl.col("squares")) / (2 * n * (n - 1)))
    return cells.filter(pl.col("n") > 1).select("n", pl.col("spread").fill_nan(0.0).fill_null(0.0))


def _bound(n_G: Array, spread_G: Array, cases: int) -> tuple[float, float]:
    """(sum of n_g s_g / cases, its one-sided 95 % low end), the cells drawn independently.

    >>> _bound(np.array([10, 10]), np.array([0.1, 0.3]), 40)
    (0.1, 0.0)
    """
    terms = n_G * spread_G
    value = float(terms.sum() / cases)
    error = float(np.sqrt(max((terms**2).sum() - terms.sum() ** 2 / cases, 0.0)) / cases)
    return value, max(value - ONE_SIDED * error, 0.0)


def _fine(seen: Exhibits) -> bool:
    """Whether some number is so fine that two rows hardly agree in it by chance."""
    fine = (c for c in seen.inputs.get_columns() if c.dtype.is_numeric())
    return any(c.n_unique() >= FINE * len(c) for c in fine)
