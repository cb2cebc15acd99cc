"""What a worker saves by preparing once: CPU seconds of a small race with and without what is kept between recipes.

    python benchmarks/prepared_once.py [--rows 5000]

Six settings of LightGBM and two of XGBoost on five folds of a synthetic table of 25 numbers and 5 categories, in the
order of a race: every setting on the first fold, then on the next.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import polars as pl

from assay.contract import Context, Split
from assay.paradigms.supervised import task as tasks
from assay.paradigms.supervised.recipes import boosting
from assay.paradigms.supervised.recipes.lightgbm import LightGBM
from assay.paradigms.supervised.recipes.xgboost import XGBoost
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem

SETTINGS = [*(LightGBM(num_leaves=leaves, extra_trees=extra, crossed=crossed)
              for leaves, extra, crossed in ((16, False, False), (31, True, False), (16, False, True),
                                             (31, True, True), (64, False, False), (8, False, True))),
            XGBoost(), XGBoost(max_depth=4)]


def table(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    numbers = {f"n{i}": rng.normal(size=n) for i in range(25)}
    codes = {f"c{levels}": rng.integers(0, levels, n) for levels in (3, 8, 20, 60, 400)}
    score = numbers["n0"] + numbers["n1"] / (1 + numbers["n2"] ** 2) + (codes["c20"] > 12) + rng.logistic(size=n)
    named = {name: [f"v{v}" for v in of] for name, of in codes.items()}
    return pl.DataFrame({**numbers, **named, "y": np.where(score > 0, "yes", "no")})


def race(task: SupervisedTask) -> float:
    began = time.process_time()
    for fold in range(min(task.plan.folds, 5)):
        for recipe in SETTINGS:
            recipe.fit(task, Context(split=Split("fit", fold), budget_s=600))
    return time.process_time() - began


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=5_000)
    task = PARADIGM.bind(problem(table(asked.parse_args().rows), target="y", folds=5), lambda _: None)
    LightGBM(rounds=5, crossed=True).fit(task, Context())          # imports
    XGBoost(rounds=5).fit(task, Context())
    limits = tasks.REMEMBERED, boosting.MOST_BINNED
    for words, remembered, binned in (("nothing kept", 0, 0), ("encodings kept", limits[0], 0),
                                      ("encodings and binned rows kept", *limits)):
        tasks.REMEMBERED, boosting.MOST_BINNED = remembered, binned
        boosting._binned.clear()
        print(f"{words}: {race(replace(task, _remembered={})):.2f} CPU s")


if __name__ == "__main__":
    main()
