"""Fit many configurations on many open tables and keep what they reached and cost, one row each, in results.csv.

    python benchmarks/portfolio/run.py [--only lightgbm,catboost] [--part 0/2]

Each configuration learns on two of five folds of the training part, the second with what the first one settled (the
number of rounds), and is scored on the cases held out: 1 - ROC AUC for two classes, log loss for several, RMSE for
numbers. Seconds are of CPU, on one thread. Finished rows are kept, so it can be stopped and go on.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from configs import CONFIGS, Config
from tables import TABLES, Table

from assay import registry
from assay.contract import Context, Split
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import Problem

RESULTS = Path(__file__).with_name("results.csv")
COLUMNS = ("table", "goal", "rows", "inputs", "columns", "outputs", "config", "loss", "first_s", "next_s", "answer_us",
           "peak_mb")
MOST_S = 20.0                                   # a fit stops by itself before
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def bound(table: Table) -> SupervisedTask:
    frame = pl.from_pandas(table.load())
    goal = PARADIGM.bind(Problem(data=frame, target=[table.target]), lambda _: None).goal
    return PARADIGM.bind(Problem(data=frame, target=[table.target], metric=METRICS[goal], folds=5, test=0.02),
                         lambda _: None)


def tried(task: SupervisedTask, config: Config) -> dict[str, float] | None:
    """Loss and cost on two folds; None where the recipe refuses the task."""
    name, settings = config
    recipe = registry.load("assay.recipes", f"supervised.{name}")(**settings)
    if recipe.refuses(task):
        return None
    metric, losses, spent, answered, held_rows = task.metrics[0], [], [], 0.0, 0
    reset_peak()
    before = peak_mb()
    for fold in (0, 1):
        began = time.process_time()
        model = recipe.fit(task, Context(seed=fold, budget_s=MOST_S, split=Split("fit", fold)))
        spent.append(time.process_time() - began)
        recipe = dataclasses.replace(recipe, **recipe.settled(model))
        held = task.cases(Split("held", fold))
        began = time.process_time()
        value = metric.fn(task.attempt(model, held))
        answered, held_rows = answered + time.process_time() - began, held_rows + len(held)
        losses.append(1 - value if metric.higher_is_better else value)
    return {"loss": sum(losses) / 2, "first_s": spent[0], "next_s": spent[1], "answer_us": 1e6 * answered / held_rows,
            "peak_mb": max(peak_mb() - before, 0.0)}


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def rows(part: int, parts: int, only: list[str]) -> Iterator[dict[str, object]]:
    have = set()
    if RESULTS.exists():
        with RESULTS.open(encoding="utf-8") as f:
            have = {(r["table"], r["config"]) for r in csv.DictReader(f)}
    for table in TABLES[part::parts][::-1]:
        wanted = [c for c in CONFIGS if (table.name, c) not in have and (not only or CONFIGS[c][0] in only)
                  and f"supervised.{CONFIGS[c][0]}" in registry.names("assay.recipes", "supervised.")]
        if not wanted:
            continue
        task = bound(table)
        _, X = task.encoded(task.cases(Split("fit", 0)), "numbers")
        about = {"table": table.name, "goal": task.goal, "rows": len(task.cases(Split("fit", 0))),
                 "inputs": len(task.signature.inputs), "columns": X.shape[1],
                 "outputs": max(len(task.target.classes), 1)}
        for config in wanted:
            try:
                found = tried(task, CONFIGS[config])
            except Exception as refused:  # noqa: BLE001 - one configuration that fails ends no evidence
                print(table.name, config, refused, flush=True)
                continue
            if found is not None:
                yield {**about, "config": config, **{k: float(f"{v:.5g}") for k, v in found.items()}}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", default="")
    asked.add_argument("--part", default="0/1")
    said = asked.parse_args()
    part, parts = map(int, said.part.split("/"))
    for row in rows(part, parts, [w for w in said.only.split(",") if w]):
        fresh = not RESULTS.exists()
        with RESULTS.open("a", encoding="utf-8", newline="") as f:
            out = csv.DictWriter(f, COLUMNS)
            if fresh:
                out.writeheader()
            out.writerow(row)
        print(row["table"], row["config"], row["loss"], row["first_s"], row["next_s"], flush=True)


if __name__ == "__main__":
    main()
