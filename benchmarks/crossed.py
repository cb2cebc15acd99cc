"""LightGBM on codes and on crossed columns, on the folds of open tables: loss, columns added, CPU time.

    python benchmarks/crossed.py [--only ames,taxi] [--rows 12000] [--recipe lightgbm] [--keep crossed.jsonl]

Both learn from the same cases of each fold and answer for the same cases held out. Loss: RMSE for numbers, log loss
for classes. `cost` is what encoding takes more, once a fold, and what fitting takes more, in CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from open_tables import TABLES, rd

from assay import registry
from assay.contract import Context, Split
from assay.metrics import lookup
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem

MORE: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    "mlc_churn": ("churn", lambda: rd("modeldata", "mlc_churn")),
    "stackoverflow": ("Salary", lambda: rd("modeldata", "stackoverflow")),
    "car_prices": ("Price", lambda: rd("modeldata", "car_prices")),
    "cells": ("class", lambda: rd("modeldata", "cells").drop(columns="case")),
    "sacramento": ("price", lambda: rd("modeldata", "Sacramento")),
    "taxi": ("tip", lambda: rd("modeldata", "taxi")),
    "loans": ("interest_rate", lambda: rd("openintro", "loans_full_schema").drop(columns=["grade", "sub_grade"])),
    "movies": ("rating", lambda: rd("ggplot2movies", "movies").drop(
        columns=["title", *(f"r{i}" for i in range(1, 11))])),
    "storms": ("status", lambda: rd("dplyr", "storms").drop(columns=["category", "name"])),
    "crashes": ("injSeverity", lambda: rd("DAAG", "nassCDS").drop(columns=["dead", "caseid"])),
    "computers": ("price", lambda: rd("Ecdat", "Computers")),
}
KINDS = {False: "codes", True: "crossed"}


def one(name: str, rows: int, recipe: str) -> dict[str, object]:
    target, load = (TABLES | MORE)[name]
    frame = load().dropna(subset=[target])
    frame = frame.sample(min(rows, len(frame)), random_state=0).reset_index(drop=True)
    task = PARADIGM.bind(problem(frame, target=target), lambda _: None)
    row: dict[str, object] = {"table": name, "goal": task.goal, "rows": len(frame)}
    folds = [[fold(task, k, recipe, crossed) for crossed in KINDS] for k in range(min(3, task.plan.folds))]
    loss, encode_s, fit_s, columns = np.array(folds).transpose(2, 0, 1)
    row |= {"ratios": (loss[:, 1] / loss[:, 0]).round(4).tolist(), "ratio": loss[:, 1].mean() / loss[:, 0].mean()}
    row |= {f"{word} loss": loss[:, i].mean() for i, word in enumerate(KINDS.values())}
    row |= {f"{word} fit s": fit_s[:, i].mean() for i, word in enumerate(KINDS.values())}
    return row | {"encode s": (encode_s[:, 1] - encode_s[:, 0]).mean(), "added": (columns[:, 1] - columns[:, 0]).mean()}


def fold(task: SupervisedTask, k: int, recipe: str, crossed: bool) -> tuple[float, float, float, int]:
    """Loss, CPU seconds of encoding and of fitting, and columns."""
    fit, held = task.cases(Split("fit", k)), task.cases(Split("held", k))
    began = time.process_time()
    _, X = task.encoded(fit, KINDS[crossed])
    encoded = time.process_time()
    made = registry.load("assay.recipes", f"supervised.{recipe}")(crossed=crossed)
    model = made.fit(task, Context(split=Split("fit", k), budget_s=600))
    ended = time.process_time()
    metric = lookup(task.goal, "rmse" if task.goal == "regression" else "log_loss")
    return metric.fn(task.attempt(model, held)), encoded - began, ended - encoded, X.shape[1]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", default=",".join(TABLES | MORE))
    asked.add_argument("--rows", type=int, default=12_000)
    asked.add_argument("--recipe", default="lightgbm")
    asked.add_argument("--keep", type=Path)
    said = asked.parse_args()
    made = []
    print("| table | rows | codes | crossed / codes | folds | added | encode s more | fit s codes | fit s crossed |")
    print("| --- " * 9 + "|")
    for name in said.only.split(","):
        row = one(name, said.rows, said.recipe)
        made.append(row)
        print(f"| {name} ({row['goal']}) | {row['rows']:,} | {row['codes loss']:.5g} | {row['ratio']:.4f} "
              f"| {row['ratios']} | {row['added']:.0f} | {row['encode s']:.2f} | {row['codes fit s']:.2f} "
              f"| {row['crossed fit s']:.2f} |", flush=True)
        if said.keep:
            with said.keep.open("a") as f:
                f.write(json.dumps(row) + "\n")
    ratios = np.array([row["ratio"] for row in made], dtype=float)
    print(f"geometric mean {np.exp(np.log(ratios).mean()):.4f}; better on {(ratios < 0.9995).sum()}, "
          f"worse on {(ratios > 1.0005).sum()}, of {len(ratios)}")


if __name__ == "__main__":
    main()
