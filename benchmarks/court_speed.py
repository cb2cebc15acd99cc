"""How long the court takes: 100,000 rows by 50 columns, clean and with leaks.

    python benchmarks/court_speed.py [--rows 100000] [--columns 50]

Two fifths of the columns are numbers, a fifth coarse numbers, a fifth categories, the rest dates, keys and texts; the
target follows five of them. Printed: seconds of wall clock and of processor time for the whole court with the time
limit that a run gives it (20 s), and for each check alone.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import polars as pl

from assay import registry
from assay.checks import asked
from assay.checks.court import hold_court
from assay.checks.exhibits import Exhibits
from assay.problem import problem
from assay.stages.recognise import recognise

LIMIT = 20.0


def rows(n: int, d: int, seed: int, *, leaky: bool) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    table: dict[str, Any] = {f"x{i}": rng.normal(size=n) for i in range(d * 2 // 5)}
    table |= {f"n{i}": rng.poisson(4, n) for i in range(d // 5)}
    table |= {f"c{i}": rng.choice([f"level {j}" for j in range(4 + 6 * i)], n) for i in range(d // 5)}
    table |= {"day": np.datetime64("2024-01-01") + rng.integers(0, 500, n).astype("timedelta64[D]"),
              "customer_id": rng.integers(0, n // 4, n),
              "note": rng.choice(["late again", "all well", "no answer yet"], n)}
    table |= {f"z{i}": rng.normal(size=n) for i in range(d - len(table) - 1)}
    y = table["x0"] + 0.5 * table["x1"] * table["x2"] + (table["n0"] > 4) + rng.normal(size=n) > 0.5
    table["y"] = np.where(y, "yes", "no")
    made = pl.DataFrame(table)
    if not leaky:
        return made
    made = made.with_columns(code=pl.Series(y ^ (rng.random(n) < 0.004)).cast(pl.Int8),
                             k1=pl.Series(a := rng.integers(0, 2, n)), k2=pl.Series(a ^ y))
    return pl.concat([made[: n - n // 5], made[rng.integers(0, n - n // 5, n // 5)]])


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--rows", type=int, default=100_000)
    said.add_argument("--columns", type=int, default=50)
    size = said.parse_args()
    for leaky in (False, True):
        asked_ = problem(rows(size.rows, size.columns, 1, leaky=leaky), target="y")
        task = recognise(asked_)[1].bind(asked_, lambda _: None)
        began, worked = time.monotonic(), time.process_time()
        court = hold_court(task, began + LIMIT)
        print(f"{'with leaks' if leaky else 'clean'}: {size.rows:,} rows x {size.columns} columns: "
              f"{time.monotonic() - began:.1f} s, {time.process_time() - worked:.1f} s of processor time")
        for f in court.findings:
            if f.level in ("warn", "fail"):
                print(f"  {f.check} {f.level} {f.columns or ''} {f.optimism.points if f.optimism else 'not priced'}")
        seen = Exhibits.of(task)
        assert seen is not None
        for name in registry.names("assay.checks", "data."):
            began = time.process_time()
            asked(name, seen)
            print(f"    {name:18} {time.process_time() - began:5.2f} s of processor time")


if __name__ == "__main__":
    main()
