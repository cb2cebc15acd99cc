"""The score of the best of m recipes: how optimistic it is raw, and with the optimism of choosing removed.

    python benchmarks/selection.py [--repeats 300]

Scores are simulated as out-of-fold answers whose true ROC AUC is known, all equal or spread; answers of two recipes
agree in part, as those of real recipes do. The truth is the true value of the recipe that came out best.
"""

from __future__ import annotations

import argparse
import time
from statistics import NormalDist

import numpy as np
import polars as pl

from assay.contract import Array, Table
from assay.metrics import lookup
from assay.stats.selection import corrected

METRIC = lookup("binary", "roc_auc")


def answers(n: int, truth: Array, shared: float, rng: np.random.Generator) -> dict[str, Table]:
    """m tables of n cases, 30 % of them positive. truth (m,): each one's AUC; shared: correlation of their errors."""
    y = rng.random(n) < 0.3
    common, own = rng.normal(size=n), rng.normal(size=(len(truth), n))
    noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    apart = np.array([np.sqrt(2) * NormalDist().inv_cdf(a) for a in truth])
    p = noise + apart[:, None] * y
    return {f"{i}": pl.DataFrame({"case_id": np.arange(n), "target.positive": y, "out.p": p[i]})
            for i in range(len(truth))}


def study(n: int, truth: Array, shared: float, repeats: int, rng: np.random.Generator) -> str:
    raws, mended, held_raw, held = [], [], 0, 0
    for _ in range(repeats):
        tables = answers(n, truth, shared, rng)
        best = truth[int(np.argmax([METRIC.fn(t) for t in tables.values()]))]
        raw, right = corrected(METRIC, tables, 0)
        raws.append(raw.value - best)
        mended.append(right.value - best)
        held_raw += raw.low <= best <= raw.high
        held += right.low <= best <= right.high
    error = np.std(mended) / np.sqrt(repeats)
    return (f"raw {np.mean(raws):+.4f}, corrected {np.mean(mended):+.4f} (s.e. {error:.4f}); "
            f"95 % intervals hold it: raw {held_raw / repeats:.0%}, corrected {held / repeats:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300)
    repeats, rng = parser.parse_args().repeats, np.random.default_rng(0)
    began = time.monotonic()
    for m in (2, 5, 15):
        for n in (200, 1000):
            for shared in (0.0, 0.8):
                found = study(n, np.full(m, 0.7), shared, repeats, rng)
                print(f"{m:2} equal of AUC 0.7, {n:5} cases, errors shared {shared:.0%}: {found}", flush=True)
    for n in (200, 1000):
        found = study(n, np.linspace(0.6, 0.7, 15), 0.5, repeats, rng)
        print(f"15 from AUC 0.6 to 0.7, {n:5} cases, errors shared 50%: {found}", flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
