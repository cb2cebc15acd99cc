"""Inputs that are there in the data and will not be there when a forecast is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding, Level, Table

CHECK = "data.covariates"
LATEST, FEWEST_LATEST = 0.02, 10
FILLED, EMPTY = 0.8, 0.05
FEWEST = 60
LAGS = 7
EVEN = 0.9
ODD, SURE = 0.5, 0.98


def check(seen: Exhibits) -> Iterator[Finding]:
    """For cases with a moment (--time): inputs that are empty in the latest cases and filled before, and inputs whose
    news comes together with the target's.

    The latest: at least 2 % of the cases and ten. News: where the training cases are one series in even steps, what
    seven past values of target and input do not foretell of either. An input whose news explain half of the target's
    (R²), and whose past explains less than half of that, is known no sooner than the target; from 0.98 that is sure. A
    holiday or a price that is planned ahead may look so too: the doubt asks."""
    if "moment" not in seen.cases.columns or not seen.inputs.width:
        return
    found = [*_late(seen), *_together(seen)]
    yield from found or [Finding(CHECK, "ok", "No input looks known only after the moment of its case.")]


def _late(seen: Exhibits) -> Iterator[Finding]:
    """Columns that end before the others do."""
    rows, moment = seen.inputs, seen.cases["moment"]
    if "moment" in seen.test_told.columns and len(seen.test_inputs):
        rows = pl.concat([rows, seen.test_inputs.select(rows.columns)])
        moment = pl.concat([moment, seen.test_told["moment"]])
    order = moment.arg_sort(nulls_last=False)
    latest = max(int(LATEST * len(order)), FEWEST_LATEST)
    if len(order) < 5 * latest:
        return
    for column in rows.get_columns():
        there = _present(column).gather(order).to_numpy()
        last = int(there.nonzero()[0][-1]) + 1 if there.any() else 0
        if there[-latest:].mean() > EMPTY or not last or there[:last].mean() < FILLED:
            continue
        ends = there[-latest:].sum() == 0
        since = f"after the first {last:,} of {len(there):,} cases in time" if ends else "in the latest cases"
        said = (f"{column.name!r} is empty {since} and mostly filled before: it is filled in later, or no longer. A "
                "forecast will not have it either. Is it known at the time of the prediction? If not, drop it.")
        yield Finding(CHECK, "warn", said, {"column": column.name, "filled before": float(there[:last].mean()),
                                            "empty at the end": len(there) - last}, columns=(column.name,))


def _present(column: pl.Series) -> pl.Series:
    return column.is_not_null() & column.is_not_nan() if column.dtype.is_float() else column.is_not_null()


# --- news ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class News:
    """Shares of the target's news (the variance that its own past leaves): `now` by the news of the input, `past` by
    the past of the input; `fresh`: the share of the input that its past does not foretell."""

    now: float
    past: float
    fresh: float


def _together(seen: Exhibits) -> Iterator[Finding]:
    if "target" not in seen.cases.columns or not seen.cases["target"].dtype.is_numeric():
        return
    for column in (c for c in seen.inputs.get_columns() if c.dtype.is_numeric()):
        rows = pl.DataFrame({"at": seen.cases["moment"], "unit": seen.cases["unit"],
                             "y": seen.cases["target"].cast(pl.Float64), "x": column.cast(pl.Float64)})
        series = _series(rows)
        news = None if series is None else told(*series)
        if news is not None and news.now >= ODD and news.past < ODD * news.now and news.fresh > 0.01:
            yield _news(column.name, news, len(rows))


def _series(rows: Table) -> tuple[Array, Array] | None:
    """(y (T,), x (T,)) in the order of time where the rows are one series in even steps, else None."""
    rows = rows.sort("at")
    if len(rows) < FEWEST or rows["at"].n_unique() < len(rows):
        return None
    step = rows["at"].cast(pl.Float64).diff().drop_nulls().to_numpy()
    middle = np.median(step)
    if (np.abs(step - middle) <= 0.15 * middle).mean() < EVEN:      # months are even, give or take
        return None
    x = rows["x"].fill_nan(None).fill_null(strategy="forward").fill_null(strategy="backward").to_numpy()
    y = rows["y"].fill_nan(None).fill_null(strategy="forward").fill_null(strategy="backward").to_numpy()
    return (y, x) if np.isfinite(x).all() and x.std() > 0 and y.std() > 0 else None


def told(y_T: Array, x_T: Array) -> News | None:
    """How much of what is new in the target is new in the input at the same moment. None for a target without memory:
    its rows are no series then.

    Least squares on seven lags; the share of the input's past is net of what as many columns of noise would explain."""
    n = len(y_T) - LAGS
    own, other = _lagged(y_T), _lagged(x_T)
    y, x = y_T[LAGS:], x_T[LAGS:]
    left_own = _left(y, own)
    if left_own.var() > 0.75 * y.var():
        return None
    both = np.hstack([own, other])
    left, news = _left(y, both), _left(x, both)
    noise = LAGS / max(n - 2 * LAGS, 1)
    past = max(0.0, 1 - left.var() / left_own.var() - noise)
    r = np.corrcoef(left, news)[0, 1] if left.std() > 0 and news.std() > 1e-9 * x.std() else 0.0
    return News(float(r**2 * left.var() / left_own.var()), float(past), float(news.var() / x.var()))


def _lagged(v_T: Array) -> Array:
    """(T - LAGS, LAGS): the values one to seven steps before."""
    return np.column_stack([v_T[LAGS - k: len(v_T) - k] for k in range(1, LAGS + 1)])


def _left(y: Array, X: Array) -> Array:
    """What least squares with a constant leaves of y."""
    A = np.column_stack([np.ones(len(X)), (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12)])
    return np.asarray(y - A @ np.linalg.lstsq(A, y, rcond=None)[0])


def _news(name: str, news: News, n: int) -> Finding:
    level: Level = "fail" if news.now >= SURE and n >= 100 else "warn"
    said = (f"What is new in {name!r} explains {news.now:.0%} of what is new in the target at the same moment; its own "
            f"past explains {news.past:.0%}. ")
    said += ("It is part of the target, or measured with it. Drop it, give its past values, or allow it knowingly."
             if level == "fail" else
             "Is it known when the forecast is made? If not, drop it or give its past values.")
    return Finding(CHECK, level, said, {"column": name, "now": news.now, "past": news.past}, columns=(name,))
