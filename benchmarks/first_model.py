"""How soon there is a first usable model: better than the best single column, on 100,000 rows by 30 columns.

    python benchmarks/first_model.py [--rows 100000] [--budget 60] [--repeats 3]

The clock starts with the command. "Usable" is the moment a fitted model lies in the run's folder whose score on the
first fold's held-out cases is better than that of `one_column`, the baseline. What counts in the end is told too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from assay.files import read_json


def table(rows: int, columns: int = 30) -> pl.DataFrame:
    """Numbers, some of them codes and texts, and a yes or no that needs several of them together."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns - 6))
    levels = [rng.integers(0, k, rows) for k in (2, 3, 5, 8, 20, 100)]
    effect = [rng.normal(size=k) for k in (2, 3, 5, 8, 20, 100)]
    z = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.7 * X[:, 3:9].sum(axis=1)
    z += sum(e[c] for e, c in zip(effect, levels, strict=True))
    told = {f"x{i}": np.round(X[:, i], 4) for i in range(X.shape[1])}
    told |= {f"c{i}": np.char.add("level ", c.astype(str)) for i, c in enumerate(levels)}
    return pl.DataFrame({**told, "y": np.where(z + rng.logistic(size=rows) > 0, "yes", "no")})


def once(path: Path, budget: float, folder: Path) -> dict[str, float]:
    began = time.time()
    done = subprocess.run([sys.executable, "-m", "assay", "train", str(path), "--target", "y", "--budget", str(budget),
                           "--store", str(folder / "store"), "--quiet"], capture_output=True, text=True, check=False)
    wall = time.time() - began
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    run = max((folder / "store" / "runs").iterdir())
    events = [e for e in map(_event, (run / "events.jsonl").read_text().splitlines()) if e]
    firsts = [e for e in events if e["kind"] == "recipe" and e["state"] == "done" and e["fold"] == 0]
    column = next(e["score"] for e in firsts if e["recipe"] == "one_column")
    usable = next(e for e in firsts if e["recipe"] not in ("prior", "one_column") and e["score"] > column)
    story = read_json(run / "run.json")
    return {"first usable, s": usable["t"] - began, "by": usable["recipe"], "its score": usable["score"],
            "best column": column, "in the end": story["value"] if "value" in story else float("nan"), "wall, s": wall}


def _event(line: str) -> dict[str, object]:
    import json

    found: dict[str, object] = json.loads(line)
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=100_000)
    asked.add_argument("--budget", type=float, default=60)
    asked.add_argument("--repeats", type=int, default=3)
    said = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "table.csv"
        table(said.rows).write_csv(path)
        for _ in range(said.repeats):
            with tempfile.TemporaryDirectory() as folder:
                print(once(path, said.budget, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
