"""Seconds to read and type a CSV of 1,000,000 rows and 30 columns, against pandas.read_csv, in one run.

    python benchmarks/read_csv.py [rows]

Columns: 12 floats, 6 whole numbers, 6 categories, 2 yes/no, 1 date, 1 code with leading zeros, 1 key, 1 text of a few
words; one cell in fifty is missing. Each reader runs in a process of its own, the file warm in the cache; the best of
three, and the peak of resident memory. assay also finds each column's kind, which pandas.read_csv does not do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

_TIMED = """
import json, resource, sys, time
{importing}
began = time.perf_counter()
{reading}
spent = time.perf_counter() - began
print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))
"""
_READERS = {
    "assay.table.read": ("import assay.table", "assay.table.read(sys.argv[1])"),
    "pandas.read_csv": ("import pandas", "pandas.read_csv(sys.argv[1])"),
}


def _table(rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    words = np.array(["river", "stone", "paper", "light", "garden", "winter", "harbour", "letter"])
    columns: dict[str, pl.Series] = {f"float_{i}": pl.Series(rng.normal(size=rows).round(6)) for i in range(12)}
    columns |= {f"whole_{i}": pl.Series(rng.integers(0, 10 ** (i + 1), rows)) for i in range(6)}
    columns |= {f"category_{i}": pl.Series(words[rng.integers(0, 8, rows)]) for i in range(6)}
    columns |= {f"answer_{i}": pl.Series(np.array(["No", "Yes"])[rng.integers(0, 2, rows)]) for i in range(2)}
    days = pl.Series(rng.integers(15_000, 20_000, rows)).cast(pl.Int32).cast(pl.Date)
    codes = pl.Series(rng.integers(0, 99_999, rows)).cast(pl.String).str.zfill(5)
    columns |= {"day": days, "postcode": codes}
    table = pl.DataFrame([_with_gaps(values.alias(name), rng) for name, values in columns.items()])
    text = pl.Series([" ".join(words[row]) for row in rng.integers(0, 8, (rows, 5))])
    return table.with_columns(key=pl.int_range(rows) + 100_000, text=text)


def _with_gaps(values: pl.Series, rng: np.random.Generator) -> pl.Series:
    return values.set(pl.Series(rng.random(len(values)) < 0.02), None)


def _measured(path: Path, importing: str, reading: str) -> tuple[float, float]:
    """(best seconds of three, gigabytes at the peak)."""
    program = _TIMED.format(importing=importing, reading=reading)
    runs = [json.loads(subprocess.check_output([sys.executable, "-c", program, str(path)])) for _ in range(3)]
    return min(run[0] for run in runs), max(run[1] for run in runs)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.csv"
        _table(rows).write_csv(path)
        print(f"{rows:,} rows x 30 columns, {path.stat().st_size / 1e6:,.0f} MB")
        measured = {name: _measured(path, *words) for name, words in _READERS.items()}
    for name, (seconds, gigabytes) in measured.items():
        print(f"{name:18} {seconds:6.2f} s   peak {gigabytes:.2f} GB")
    print(f"pandas / assay: {measured['pandas.read_csv'][0] / measured['assay.table.read'][0]:.1f} times the seconds")


if __name__ == "__main__":
    main()
