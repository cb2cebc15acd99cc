"""How fast an ensemble of 5 folds by 4 boosters answers: one row, and many.

    python benchmarks/prediction.py [--rows 30000] [--batch 100000] [--rounds 300] [--keep folder]

A census-like table of 6 numbers and 8 categories, of which a tenth of some is missing; two LightGBMs, XGBoost and
CatBoost, each fitted on the five folds. Milliseconds are the median of repeated calls, and the seconds of many rows
the least of three, both by the clock on the wall: run it alone on the machine. `answers` is a hash of all answers to
the large batch: equal before and after a change.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from pathlib import Path

import numpy as np
import polars as pl

from assay.contract import Context, Split
from assay.paradigms.supervised.recipes.catboost import CatBoost
from assay.paradigms.supervised.recipes.lightgbm import LightGBM
from assay.paradigms.supervised.recipes.xgboost import XGBoost
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem
from assay.search.blend import Blend, load_blend

LEVELS = (2, 5, 6, 7, 9, 14, 16, 41)


def table(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {f"n{i}": np.exp(rng.normal(size=n)).round(2) for i in range(6)}
    codes = {f"c{i}": (rng.random(n) ** 2 * levels).astype(int) for i, levels in enumerate(LEVELS)}
    score = np.log(numbers["n0"]) + (numbers["n1"] > numbers["n2"]) + np.sin(codes["c7"]) + (codes["c3"] == codes["c4"])
    made = pl.DataFrame({**numbers, **{name: pl.Series([f"level {v}" for v in of]) for name, of in codes.items()}})
    gap = pl.Series(rng.random(n) < 0.1)
    gaps = (pl.when(gap).then(None).otherwise(pl.col(c)).alias(c) for c in ("n3", "c5", "c6"))
    return made.with_columns(*gaps, y=pl.Series(np.where(score + rng.logistic(size=n) > 1, "yes", "no")))


def ensemble(n: int, rounds: int) -> Blend:
    task = PARADIGM.bind(problem(table(n, 0), target="y", folds=5), lambda _: None)
    recipes = (LightGBM(rounds=rounds), LightGBM(rounds=rounds, num_leaves=64), XGBoost(rounds=rounds),
               CatBoost(rounds=rounds))
    models = tuple(r.fit(task, Context(split=Split("fit", k), budget_s=600)) for r in recipes for k in range(5))
    weights = tuple(w / 5 for w in (0.4, 0.2, 0.1, 0.3) for _ in range(5))
    return Blend(models, weights, "supervised")


def kept(folder: Path, n: int, rounds: int) -> Blend:
    """The ensemble in `folder`, made first where there is none: the same one before and after a change."""
    if not (folder / "blend.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        ensemble(n, rounds).save(folder)
    return load_blend(folder)


def milliseconds(model: Blend, row: pl.DataFrame, calls: int = 60) -> float:
    spent = []
    for _ in range(calls + 5):
        began = time.perf_counter()
        model.predict(row)
        spent.append((time.perf_counter() - began) * 1e3)
    return statistics.median(spent[5:])


def seconds(model: Blend, batch: pl.DataFrame) -> float:
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        model.predict(batch)
        spent.append(time.perf_counter() - began)
    return min(spent)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=30_000)
    asked.add_argument("--batch", type=int, default=100_000)
    asked.add_argument("--rounds", type=int, default=300)
    asked.add_argument("--keep", type=Path, default=Path("prediction_ensemble"))
    said = asked.parse_args()
    model = kept(said.keep, said.rows, said.rounds)
    batch = table(said.batch, 1).drop("y")
    for name, few in (("whole ensemble", model), *((m.learner.kind, m) for m in model.models[::5])):
        s = seconds(few, batch)
        print(f"{name}: one row {milliseconds(few, batch[:1]):.2f} ms, {len(batch):,} rows {s:.2f} s "
              f"({len(batch) / s:,.0f} rows/s)", flush=True)
    answers = model.predict(batch)
    print("answers", hashlib.sha256(answers["p.yes"].to_numpy().tobytes()).hexdigest()[:16])


if __name__ == "__main__":
    main()
