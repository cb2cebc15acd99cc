"""The order of the rows, and numbers that only count them: do they carry the target?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.checks.telling import ABSENT, Truth, ranks, score, truth_of
from assay.contract import Array, Finding

CHECK = "data.order"
GOES_WITH = 0.98
"""Rank correlation with the row number from which an input is taken to say the same as it."""
SAYS = 0.2
"""Of the way from chance to certainty: what a row number has to say of the target before it counts."""
DENSE = 4.0
"""Whole numbers all distinct, within this many times as many values as there are cases: no measure is like that."""


def check(seen: Exhibits) -> Iterator[Finding]:
    """Whether the row number in the source (case_id) or an input that only counts rows predicts the target.

    A sorted file is a note: no model sees the order. A whole number that hardly repeats and runs with the order (rank
    correlation of 0.98 or more), or never repeats in a dense range, is a doubt where it predicts the target."""
    truth = truth_of(seen)
    if truth is None or not truth.cases["case_id"].dtype.is_numeric():
        yield lacked(CHECK, f"row numbers, and {ABSENT}")
        return
    row = truth.cases["case_id"].cast(pl.Float64)
    said = _above_chance(score(row, truth), truth)
    place = ranks(row.to_numpy())
    counts = [(c, why) for c in truth.inputs.columns if (why := _counts(truth.inputs[c], place))]
    telling = [(c, why, s) for c, why in counts
               if (s := _above_chance(score(truth.inputs[c], truth), truth)) > max(SAYS, _by_luck(truth))]
    for column, why, s in telling:
        yield Finding(CHECK, "warn", f"{column!r} {why}, and predicts the target ({s:.0%} of the way from chance to "
                      "certainty): how the file was put together gives the target away. New cases will not be numbered "
                      "like that: drop it.", {"column": column, "score": s}, columns=(column,))
    if telling:
        return
    if said > max(SAYS, _by_luck(truth)):
        yield Finding(CHECK, "note", f"The file is sorted in a way that tells the target ({said:.0%} of the way from "
                      "chance to certainty by the row number alone). No input carries the order, so no model sees it; "
                      "a split by position would.", {"score": said})
    else:
        yield Finding(CHECK, "ok", "Neither the order of the rows nor a number that counts them tells the target.",
                      {"score": said})


def _above_chance(s: float, truth: Truth) -> float:
    return max(0.0, 2 * s - 1) if truth.measure == "ROC AUC" else s


def _by_luck(truth: Truth) -> float:
    """What a number that says nothing may seem to say: four standard errors."""
    return 4.0 / np.sqrt(max(truth.support, 1)) if truth.measure != "R²" else 16.0 / len(truth.half)


def _counts(column: pl.Series, place_N: Array) -> str:
    """Why this input is taken for a row number; "" if it is not."""
    if not column.dtype.is_numeric() or column.dtype == pl.Boolean or column.n_unique() < 0.5 * len(column):
        return ""
    value = column.cast(pl.Float64).to_numpy()
    known = np.isfinite(value)
    whole = value[known]
    if known.sum() < 0.9 * len(value) or not (whole == np.round(whole)).all():
        return ""                               # a measured number by which a file is sorted counts nothing
    with_order = abs(float(np.corrcoef(ranks(whole), place_N[known])[0, 1]))
    if with_order >= GOES_WITH and len(np.unique(whole)) >= 0.9 * len(whole):
        return "runs with the order of the rows"
    if len(np.unique(whole)) < len(whole):
        return ""
    sparse = (whole.max() - whole.min() + 1) / len(whole)
    return "is a whole number that never repeats" if sparse <= DENSE and len(whole) >= 100 else ""
