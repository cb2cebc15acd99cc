"""Order the configurations by the evidence in results.csv, and write the order with what each costs to portfolio.json.

    python benchmarks/portfolio/choose.py [--show]

The next configuration is always the one that lowers the mean regret over the tables most for the seconds it costs,
given those before it (greedy min-sum cover: within 4 of the best order, Feige et al. 2004, Algorithmica 40).
Regret on a table: how far the best loss so far lies between the best loss of any configuration (0) and the median of
all (1). A goal's own tables count in full, those of the other goals a quarter. It stops where nothing is gained any
more: recipes that are not in the list run after it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from configs import CONFIGS

HERE = Path(__file__).parent
PORTFOLIO = HERE.parents[1] / "src/assay/paradigms/supervised/portfolio.json"
OTHER_GOALS = 0.25
FIRST = ("lightgbm", "lightgbm crossed", "catboost", "xgboost")
"""These begin. Our tables end at 5,000 rows, and not all of them have been tried with crosses: LightGBM as it comes is
sized by the rows; crosses lowered its loss by 4 % on average over 17 tables (benchmarks/crossed.py); CatBoost as it
comes is the best value among boosters in TabArena (arXiv 2506.16791); XGBoost was FLAML's choice on larger tables."""

LEAST_GAIN = 2e-4                               # of mean regret
OVERHEAD_S = 0.2                                # of a fold besides the fit


def regrets(results: pl.DataFrame) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """Tables, configurations, regret (T, C) and seconds of five folds (T, C); a missing pair has regret 1."""
    tables, configs = results["table"].unique().sort().to_list(), [c for c in CONFIGS if c in results["config"]]
    regret, cost = np.ones((len(tables), len(configs))), np.full((len(tables), len(configs)), np.nan)
    for t, table in enumerate(tables):
        rows = results.filter(pl.col("table") == table)
        losses = dict(zip(rows["config"], rows["loss"], strict=True))
        best, middle = min(losses.values()), float(np.median(list(losses.values())))
        for c, config in enumerate(configs):
            if config in losses:
                regret[t, c] = np.clip((losses[config] - best) / max(middle - best, 1e-12), 0, 1)
        spent = dict(zip(rows["config"], rows["first_s"] + 4 * rows["next_s"] + 5 * OVERHEAD_S, strict=True))
        for c, config in enumerate(configs):
            cost[t, c] = spent.get(config, np.nan)
    return tables, configs, regret, cost


def order(
    regret: np.ndarray, cost: np.ndarray, weight: np.ndarray, able: np.ndarray, first: list[int]
) -> list[int]:
    """Columns of `regret` in the greedy order, after those of `first`. able (C,): which may take part."""
    chosen = list(first)
    so_far = regret[:, chosen].min(axis=1)
    seconds = np.nanmean(np.where(weight[:, None] == weight.max(), np.where(able, cost, 1.0), np.nan), axis=0)
    while True:
        gain = (weight[:, None] * np.maximum(so_far[:, None] - regret, 0)).sum(axis=0) / weight.sum()
        gain[~able] = gain[chosen] = 0
        if gain.max() < LEAST_GAIN:
            return chosen
        rate = np.where(gain >= LEAST_GAIN, gain / seconds, 0)
        best = int(np.argmax(rate))
        chosen.append(best)
        so_far = np.minimum(so_far, regret[:, best])


def seconds_law(rows: pl.DataFrame, column: str) -> list[float]:
    """(a, b, c, d) of seconds = exp(a) rows^b columns^c (outputs / 2)^d: least squares drawn towards (1, 0.7, 0.7)."""
    prior = np.array([1.0, 0.7, 0.7])
    X = np.log(np.stack([rows["rows"], rows["columns"], rows["outputs"].clip(2) / 2], axis=1).astype(float))
    y = np.log(rows[column].to_numpy() + 0.02)
    middle, level = X.mean(axis=0), y.mean()
    Z = X - middle
    slope = prior + np.linalg.solve(Z.T @ Z + 5 * np.eye(3), Z.T @ (y - level - Z @ prior))
    slope = np.clip(slope, 0.3, [1.3, 1.3, 1.2])
    return [round(float(v), 3) for v in (level - middle @ slope, *slope)]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--show", action="store_true")
    said = asked.parse_args()
    results = pl.read_csv(HERE / "results.csv")
    tables, configs, regret, cost = regrets(results)
    goal_of = dict(zip(results["table"], results["goal"], strict=True))
    orders: dict[str, list[str]] = {}
    for goal in ("binary", "multiclass", "regression"):
        weight = np.array([1.0 if goal_of[t] == goal else OTHER_GOALS for t in tables])
        able = np.array([results.filter(goal=goal, config=c).height > 0 for c in configs])
        orders[goal] = [configs[c] for c in order(regret, cost, weight, able, [configs.index(n) for n in FIRST])]
        mine = [t for t, table in enumerate(tables) if goal_of[table] == goal]
        left, so_far, spent = [], np.ones(len(tables)), 0.0
        for name in orders[goal]:
            so_far = np.minimum(so_far, regret[:, configs.index(name)])
            here = cost[mine, configs.index(name)]
            spent += float(np.nanmean(here if np.isfinite(here).any() else cost[:, configs.index(name)]))
            left.append(f"{name} {spent:.0f} s {so_far[mine].mean():.3f}")
        print(f"{goal}, {len(mine)} tables: " + ", ".join(left if said.show else left[:6]))
    used = list(dict.fromkeys(name for names in orders.values() for name in names))
    entries = {}
    for name in used:
        recipe, settings = CONFIGS[name]
        rows = results.filter(pl.col("config") == name)
        entries[name] = {"recipe": recipe, "settings": settings, "first_s": seconds_law(rows, "first_s"),
                         "next_s": seconds_law(rows, "next_s")}
    made = {"tables": len(tables), "orders": orders, "entries": entries}
    PORTFOLIO.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
