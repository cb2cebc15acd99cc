"""A million rows by 30 columns: does training keep its budget and 8 GB?

    python benchmarks/million.py [--rows 1000000] [--budget 240]

The table is that of first_model.py, written as CSV. Told are the wall clock, the most memory that all processes of the
command held at once (proportional set size), and what came out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tabular"))

from first_model import table
from measure import watch


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--budget", type=float, default=240)
    said = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        desk = Path(scratch)
        table(said.rows).write_csv(desk / "table.csv")
        command = [sys.executable, "-m", "assay", "train", "table.csv", "--target", "y", "--budget", str(said.budget),
                   "--store", "store", "--json"]
        ran = watch(command, desk, desk / "log.txt", limit_s=3 * said.budget, env=dict(os.environ))
        lines = (desk / "log.txt").read_text(encoding="utf-8").splitlines()
        told = next((json.loads(line) for line in lines if line.startswith("{")), None)
        size = (desk / "table.csv").stat().st_size / 2**20
    print(f"{said.rows:,} rows, {size:.0f} MB of CSV, budget {said.budget:g} s: exit {ran.code}, {ran.seconds:.1f} s "
          f"of wall, {ran.peak_mb / 1024:.2f} GB at most")
    if told is None:
        print("\n".join(lines[-5:]))
        return
    print(f"chosen: {told['chosen']}; stages: " + ", ".join(f"{k} {v:.1f} s" for k, v in told["spent"].items()))
    for entry in told["leaderboard"]:
        score = f"{entry['score']['value']:.4f}" if entry["score"] else "-"
        print(f"  {entry['recipe']}: {entry['status']}, {score}, {entry['folds']} folds, {entry['fit_s']:.0f} s, "
              f"{entry['note']}")


if __name__ == "__main__":
    main()
