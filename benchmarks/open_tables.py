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
from tabular import tables

from assay.contract import TEST, TRAIN
from assay.paradigms.supervised.task import PARADIGM
from assay.report.story import story_from_json
from assay.stats.intervals import estimate
from assay.stats.paired import compare, holm

rd = tables.rd
PEERS = ("LightGBM", "HistGradientBoosting")

TABLES: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    name: (tables.TABLES[name].target, tables.TABLES[name].read) for name in (
        "churn", "lending_club", "credit", "attrition", "health_insurance", "penguins", "diamonds_cut",
        "diamonds_price", "ames", "hotel_rates", "deliveries", "concrete", "cps_wages", "mortgages", "flights")
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
