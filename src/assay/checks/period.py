"""Training on the future: a split at random where cases near in time are alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding, Table

CHECK = "data.period"
FEWEST = 200
SURE_Z = 4.0
MOST = 3


def check(seen: Exhibits) -> Iterator[Finding]:
    """Whether the target of a case is like that of the case next in time, by four standard errors; at most the first
    three moments. A class: the agreement of neighbours above chance; a number: the correlation of their ranks (of
    neighbours whose moments differ, where there are many). Whether a model gains by it, the court prices: it learns
    from the past alone and from past and future, and answers for the same latest quarter."""
    moments = [c for c in seen.inputs.columns if seen.inputs[c].dtype.is_temporal()][:MOST]
    if not moments or seen.method == "time" or len(seen.cases) < FEWEST or "target" not in seen.cases.columns:
        yield lacked(CHECK, f"moments, {FEWEST} cases with one target, and a split that is not by time already")
        return
    found = [_finding(c, alike, z, seen) for c in moments for alike, z in [_neighbours(seen.cases, seen.inputs[c])]
             if z >= SURE_Z]
    yield from found
    if not found:
        yield Finding(CHECK, "ok", f"Cases next to each other in {', '.join(map(repr, moments))} are no more alike in "
                      "the target than others.")


def _neighbours(cases: Table, moments: pl.Series) -> tuple[float, float]:
    """(correlation or agreement above chance, standard errors) of each case and the next in time."""
    at = moments.to_physical().cast(pl.Float64).to_numpy()
    known = np.flatnonzero(np.isfinite(at))
    if len(known) < FEWEST:
        return 0.0, 0.0
    order = known[np.argsort(at[known], kind="stable")]
    y = _numbers(cases["target"])[order]
    if y.std(axis=0).max() == 0:
        return 0.0, 0.0
    y = (y - y.mean(axis=0)) / np.where(y.std(axis=0) > 0, y.std(axis=0), 1.0)
    alike = float((y[1:] * y[:-1]).mean(axis=0).max())
    return alike, alike * float(np.sqrt(len(y) - 1)) / (1 + 0.5 * np.log(y.shape[1]))


def _numbers(target: pl.Series) -> Array:
    """(N, K): ranks of a number, 0 and 1 of the commonest ten classes."""
    if target.dtype.is_numeric():
        return np.asarray(target.cast(pl.Float64).fill_null(strategy="mean").rank().to_numpy()[:, None])
    text = target.cast(pl.String).fill_null("")
    common = text.value_counts(sort=True)[text.name].head(10).to_list()
    return np.column_stack([(text == c).cast(pl.Float64).to_numpy() for c in common])


def _finding(column: str, alike: float, z: float, seen: Exhibits) -> Finding:
    sentence = (f"Cases near each other in {column!r} are alike in the target ({alike:.2f} above chance, {z:.0f} "
                "standard errors), and the split is at random: each test case has neighbours in time that were learned "
                f"from. If new cases come later than these, say --time {column!r}.")
    ordered = pl.DataFrame({"case_id": seen.cases["case_id"], "moment": seen.inputs[column].to_physical()})
    return Finding(CHECK, "warn", sentence, {"column": column, "alike": alike, "z": z}, ordered=ordered.drop_nulls())
