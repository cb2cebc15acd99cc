"""Columns filled in after the event: that a value is there at all, or how long it took, follows the target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.checks.telling import ABSENT, JUMP, ODD, Truth, auc, level_of, score, truth_of
from assay.contract import Array, Finding

CHECK = "data.afterwards"
ODDS = 20.0
"""The odds of the target, where a value is there against where it is not, that are asked to be more than chance."""
FEW = 15
MOMENTS = 8


@dataclass(frozen=True)
class Follows:
    """there (N,): whether the column has a value. odds: the lower end of the 95 % interval of the odds ratio."""

    column: str
    what: str
    there: Array
    odds: float
    area: float


def check(seen: Exhibits) -> Iterator[Finding]:
    """Whether the presence of a value, or the time between two moments, tells the target.

    Presence: where values are missing, or are nought and else varied. For a class the odds ratio of that class with
    a value and without, (a + ½)(d + ½) / (b + ½)(c + ½), has to be above 20 or below 1/20 by its 95 % interval
    (Haldane 1956; Woolf 1955); for a number, its ranks with a value and without have to lie apart by an ROC AUC of
    0.95. Lags: the difference of any two of the first 8 moments, scored like a column of its own, if no moment
    alone does as well. Columns that give the target away as they stand are left to `copies`."""
    truth = truth_of(seen)
    if truth is None:
        yield lacked(CHECK, ABSENT)
        return
    followed = [f for c in truth.inputs.columns if (f := _follows(truth.inputs[c], truth)) is not None]
    found = [_presence(f, truth) for f in followed if score(truth.inputs[f.column], truth) < ODD]
    found += list(_lags(seen, truth))
    yield from found
    if not found:
        yield Finding(CHECK, "ok", "Neither the presence of a value nor the time between two moments tells the target.")


def _follows(column: pl.Series, truth: Truth) -> Follows | None:
    for there, what in _presences(column):
        n = int(there.sum())
        if min(n, len(there) - n) < FEW:
            continue
        odds, area = _apart(there, truth)
        if odds > ODDS or area > 0.95:
            return Follows(column.name, what, there, odds, area)
    return None


def _presences(column: pl.Series) -> Iterator[tuple[Array, str]]:
    """(N,) of whether there is a value: not missing, and not the nought that a number has where there is nothing."""
    missing = column.is_null().to_numpy()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(False).to_numpy()
    if missing.any():
        yield ~missing, "a value"
    if column.dtype.is_numeric():
        nought = (column == 0).fill_null(False).to_numpy()
        if nought.mean() >= 0.05 and column.n_unique() > 10:
            yield ~nought, "a value other than 0"


def _apart(there_N: Array, truth: Truth) -> tuple[float, float]:
    """(odds ratio's lower end, or 0; ROC AUC between the ranks of a number, or 0)."""
    if truth.measure == "R²":
        area = auc(truth.yes[:, 0], there_N.astype(float))
        return 0.0, max(area, 1 - area)
    return max(_odds(there_N, truth.yes[:, k] > 0.5) for k in range(min(truth.yes.shape[1], 20))), 0.0


def _odds(there_N: Array, yes_N: Array) -> float:
    """The lower 95 % end of the odds ratio, whichever way it points; below 1 where chance explains it.

    >>> round(_odds(np.array([True] * 90 + [False] * 100), np.array([True] * 95 + [False] * 95)), 1)
    104.9
    """
    a, b = float((there_N & yes_N).sum()), float((there_N & ~yes_N).sum())
    c, d = float((~there_N & yes_N).sum()), float((~there_N & ~yes_N).sum())
    log = math.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)))
    error = math.sqrt(sum(1 / (x + 0.5) for x in (a, b, c, d)))
    return math.exp(abs(log) - 1.96 * error)


def _presence(f: Follows, truth: Truth) -> Finding:
    share = float(f.there.mean())
    if truth.measure == "R²":
        y = truth.yes[:, 0]
        how = f"the target is {np.median(y[f.there]):.4g} there and {np.median(y[~f.there]):.4g} elsewhere (medians)"
    else:
        k = int(np.argmax(np.abs(truth.yes[f.there].mean(axis=0) - truth.yes[~f.there].mean(axis=0))))
        name = "it" if truth.measure == "ROC AUC" else "one class"
        how = (f"the share of {name} looked for is {truth.yes[f.there, k].mean():.1%} there and "
               f"{truth.yes[~f.there, k].mean():.1%} elsewhere").replace("it looked", "the class looked")
    numbers = {"column": f.column, "present": share, "odds": f.odds, "area": f.area}
    sentence = (f"{f.column!r} has {f.what} in {share:.1%} of the cases, and {how}: it may be filled in only after the "
                "event. Is it known at the time of the prediction? If not, drop it.")
    return Finding(CHECK, "warn", sentence, numbers, columns=(f.column,))


def _lags(seen: Exhibits, truth: Truth) -> Iterator[Finding]:
    moments = [c for c in truth.inputs.columns if truth.inputs[c].dtype.is_temporal()][:MOMENTS]
    alone = {c: score(truth.inputs[c], truth) for c in moments} if len(moments) > 1 else {}
    for a, b in combinations(moments, 2):
        lag = (truth.inputs[b].to_physical() - truth.inputs[a].to_physical()).alias(f"{b} - {a}")
        s = score(lag, truth)
        if s < JUMP or 1 - max(alone[a], alone[b]) < 2 * (1 - s):
            continue
        median = lag.median()
        later = b if isinstance(median, int | float) and median >= 0 else a
        level, rest = level_of(seen, (later,), s, truth)
        if s < ODD and level == "ok":
            continue
        numbers = {"columns": (a, b), "score": s, "measure": truth.measure, "rest": rest}
        sentence = (f"The time between {a!r} and {b!r} predicts the target with {truth.measure} {s:.4f}: {later!r}, "
                    "the later one, may lie after the event. Drop it if it is not known when the model is asked.")
        yield Finding(CHECK, level, sentence, numbers, columns=(later,))


