"""RealMLP and TabM beside boosted trees and the small perceptron on open tables, one thread each: loss, seconds, blend.

    python benchmarks/deep.py [--only churn,ames] [--recipes lightgbm,catboost,mlp,realmlp,tabm] [--rows 8000]
        [--folds 1] [--budget 60] [--keep deep.jsonl]

Each table is cut to so many rows and bound as `assay train` binds it. A recipe learns from a fold's fitting part
and answers for the part held out; the deciding metric is taken on it, turned so that less is better: for a metric
to be raised, one minus it. A blend is the plain mean of two recipes' answers. Finished rows are kept in the file.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
from open_tables import TABLES

from assay import registry
from assay.contract import Context, Split, Table
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem

ASKED = ("churn", "credit", "attrition", "ames", "concrete", "diamonds_cut", "diamonds_price", "hotel_rates",
         "deliveries", "cps_wages", "mortgages", "health_insurance")
RECIPES = ("lightgbm", "catboost", "mlp", "realmlp", "tabm")
PARTNER = "catboost"


def task_of(name: str, rows: int, folder: Path) -> Any:
    target, load = TABLES[name]
    frame = load()
    path = folder / f"{name}.csv"
    frame.sample(n=min(rows, len(frame)), random_state=0).to_csv(path, index=False)
    return PARADIGM.bind(problem(str(path), target=target), lambda _: None)


def outcomes_of(task: Any, recipe: str, fold: int, budget: float) -> tuple[Table, float, float]:
    """What it answered for the part held out, and the seconds and CPU seconds that it took to learn."""
    made = registry.load("assay.recipes", f"supervised.{recipe}")()
    began, cpu = time.monotonic(), time.process_time()
    model = made.fit(task, Context(seed=fold, budget_s=budget, split=Split("fit", fold)))
    wall, used = time.monotonic() - began, time.process_time() - cpu
    return task.attempt(model, task.cases(Split("held", fold))), wall, used


def blended(one: Table, other: Table) -> Table:
    """The mean of two answers, column by column; the label that is then the likeliest."""
    numbers = [c for c in one.columns if c.startswith("out.") and one[c].dtype.is_float()]
    mean = one.with_columns(((pl.col(c) + other[c]) / 2).alias(c) for c in numbers)
    chances = [c for c in numbers if c.startswith("out.p.")]
    if "out.label" in one.columns and chances:
        best = mean.select(chances).to_numpy().argmax(axis=1)
        mean = mean.with_columns(pl.Series("out.label", [chances[i].removeprefix("out.p.") for i in best]))
    return mean


def loss_of(task: Any, outcomes: Table) -> float:
    metric = task.metrics[0]
    value = metric.fn(outcomes)
    return 1 - value if metric.higher_is_better else value


def one(name: str, said: argparse.Namespace, recipes: list[str]) -> list[dict[str, Any]]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        task = task_of(name, said.rows, Path(folder))
        for fold in range(said.folds):
            partner = None
            for recipe in sorted(recipes, key=lambda r: r != PARTNER):
                outcomes, wall, cpu = outcomes_of(task, recipe, fold, said.budget)
                partner = outcomes if recipe == PARTNER else partner
                row = {"table": name, "recipe": recipe, "fold": fold, "budget": said.budget, "task": task.name,
                       "rows": len(task.cases(Split("fit", fold))), "metric": task.metrics[0].name,
                       "loss": loss_of(task, outcomes), "wall_s": wall, "cpu_s": cpu}
                if partner is not None and recipe != PARTNER:
                    row["blend"] = loss_of(task, blended(partner, outcomes))
                print(json.dumps(row), flush=True)
                found.append(row)
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", default=",".join(ASKED))
    asked.add_argument("--recipes", default=",".join(RECIPES))
    asked.add_argument("--rows", type=int, default=8_000)
    asked.add_argument("--folds", type=int, default=1)
    asked.add_argument("--budget", type=float, default=60.0)
    asked.add_argument("--keep", type=Path, default=Path("deep.jsonl"))
    said = asked.parse_args()
    kept = [json.loads(line) for line in said.keep.read_text().splitlines()] if said.keep.exists() else []
    for name in said.only.split(","):
        have = {r["recipe"] for r in kept if r["table"] == name}
        wanted = [r for r in said.recipes.split(",") if r not in have]
        if wanted:
            with_partner = wanted if PARTNER in wanted else [PARTNER, *wanted]
            fresh = [r for r in one(name, said, with_partner) if r["recipe"] in wanted]
            kept += fresh
            with said.keep.open("a") as f:
                f.writelines(json.dumps(row) + "\n" for row in fresh)
    tell(kept)


def tell(rows: list[dict[str, Any]]) -> None:
    """A Markdown line a table: loss (seconds), and the blend with CatBoost; then the mean gap to CatBoost."""
    recipes = list(dict.fromkeys(r["recipe"] for r in rows))
    print("| table | rows | metric | " + " | ".join(f"{r} | blend" if r != PARTNER else r for r in recipes) + " |")
    print("| --- " * (2 + 2 * len(recipes)) + "|")
    gaps: dict[str, list[float]] = {}
    for name in dict.fromkeys(r["table"] for r in rows):
        mine = [r for r in rows if r["table"] == name]
        mean = {(r, k): _mean([x[k] for x in mine if x["recipe"] == r and k in x])
                for r in recipes for k in ("loss", "blend", "wall_s")}
        cells = [name, f"{mine[0]['rows']:,}", mine[0]["metric"]]
        for r in recipes:
            cells.append(f"{mean[r, 'loss']:.4g} ({mean[r, 'wall_s']:.0f} s)")
            cells += [f"{mean[r, 'blend']:.4g}"] if r != PARTNER else []
            for k in ("loss", "blend") if (PARTNER, "loss") in mean else ():
                gaps.setdefault(f"{r} {k}", []).append(100 * (mean[r, k] / mean[PARTNER, "loss"] - 1))
        print("| " + " | ".join(cells) + " |")
    for what, found in gaps.items():
        known = [g for g in found if math.isfinite(g)]
        if known:
            won = sum(g < 0 for g in known)
            print(f"{what}: {_mean(known):+.2f} % against {PARTNER}, mean of {len(known)} tables; better on {won}")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


if __name__ == "__main__":
    main()
