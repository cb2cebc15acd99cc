"""The worst regions: how often one is called worse where none is, and how often a planted one is found.

    python benchmarks/regions.py [--repeats 300] [--cases 400,2000,10000] [--seed 0]

Three ways to judge what was searched: on the other half (outcomes.regions, Holm over all judged), where it was
searched with Holm over the regions shown, and where it was searched with Bonferroni over all regions looked at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from assay.checks.regions import DOUBT, Candidate, candidates_of, conditions_of, searched_on
from assay.contract import Array
from assay.stats.paired import holm
from assay.stats.rank import wrongly_ranked
from assay.stats.regions import Search, gap

Draw = Callable[[int, Array, np.random.Generator], Array]
WAYS = ("halves", "same cases, Holm", "same cases, Bonferroni")


def slices(n: int, rng: np.random.Generator) -> pl.DataFrame:
    """Ten slices of 2 to 10 levels, uneven; neighbours agree in part."""
    columns, last = {}, rng.normal(size=n)
    for i, levels in enumerate((2, 2, 3, 3, 3, 4, 5, 6, 8, 10)):
        last = 0.5 * last + 0.87 * rng.normal(size=n)
        edges = np.sort(rng.normal(size=levels - 1))
        columns[f"slice.s{i}"] = [f"l{v}" for v in np.searchsorted(edges, last)]
    return pl.DataFrame(columns)


def bad_table(n: int, rng: np.random.Generator) -> tuple[pl.DataFrame, Array]:
    """Slices and a region of two conditions that holds for 5 % to 15 % of the cases."""
    while True:
        table = slices(n, rng)
        region = ((table["slice.s2"] == "l1") & (table["slice.s5"] == table["slice.s5"].mode()[0])).to_numpy()
        if 0.05 <= region.mean() <= 0.15:
            return table, region


def share(p: float) -> Draw:
    return lambda n, worse, rng: (rng.random(n) < np.where(worse, min(1.0, 2 * p), p)).astype(float)


def exponential(n: int, worse: Array, rng: np.random.Generator) -> Array:
    return rng.exponential(np.where(worse, 2.0, 1.0), n)


def heavy(n: int, worse: Array, rng: np.random.Generator) -> Array:
    return np.exp(1.2 * rng.normal(size=n)) * np.where(worse, 2.0, 1.0)


def ranked(n: int, worse: Array, rng: np.random.Generator) -> Array:
    """Ranks of a model of ROC AUC 0.80; in the region of one that knows less."""
    y = rng.random(n) < 0.25
    return wrongly_ranked(y, rng.normal(size=n) + np.where(worse, 0.3, 1.19) * y)


def judged(candidates: list[Candidate], loss: Array, codes: Array) -> Array:
    return np.array([gap(loss, c.members & c.judging, ~c.members & c.judging, codes).p for c in candidates])


def confirmed(way: str, table: pl.DataFrame, loss: Array, codes: Array) -> list[Candidate]:
    conditions, units = conditions_of(table, table.columns), int(codes.max()) + 1
    everywhere = np.ones(len(loss), dtype=bool)
    half = np.random.default_rng(0).permutation(units)[codes] % 2 == 0
    found: list[Candidate] = []
    looked = 0
    for part in (half, ~half) if way == "halves" else (everywhere,):
        search: Search = searched_on(conditions, loss, part)
        looked += search.looked
        found += candidates_of(conditions, search, part, codes, judging_N=None if way == "halves" else everywhere)
    p = judged(found, loss, codes)
    adjusted = p * looked if "Bonferroni" in way else np.array(holm(p)) if len(p) else p
    return [c for c, q in zip(found, adjusted, strict=True) if q < DOUBT]


def overlap(a: Array, b: Array) -> float:
    return float((a & b).sum() / (a | b).sum())


def study(n: int, draw: Draw, size: int, planted: bool, repeats: int, rng: np.random.Generator) -> list[float]:
    """Share of repeats, by way, in which some region is confirmed; if one is planted, one that is half of it."""
    hits = np.zeros(len(WAYS))
    for _ in range(repeats):
        units = n // size
        codes = np.repeat(np.arange(units), size)
        table, worse = bad_table(units, rng) if planted else (slices(units, rng), np.zeros(units, dtype=bool))
        table, worse = table[codes], worse[codes]
        loss = draw(len(codes), worse, rng) * (np.exp(0.5 * rng.normal(size=units))[codes] if size > 1 else 1)
        for w, way in enumerate(WAYS):
            found = confirmed(way, table, loss, codes)
            hits[w] += any(overlap(c.members, worse) >= 0.5 for c in found) if planted else bool(found)
    return [float(h) for h in hits / repeats]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--cases", default="400,2000,10000")
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args()
    repeats, rng, began = said.repeats, np.random.default_rng(said.seed), time.monotonic()
    designs: tuple[tuple[str, Draw, int], ...] = (
        ("10% wrong", share(0.1), 1), ("40% wrong", share(0.4), 1), ("exponential", exponential, 1),
        ("log-normal", heavy, 1), ("wrongly ranked", ranked, 1), ("exponential, units of 5", exponential, 5),
    )
    for planted in (False, True):
        print("a region of twice the loss, found" if planted else "no region is worse, false alarms", flush=True)
        for n in map(int, said.cases.split(",")):
            for name, draw, size in designs:
                told = study(n, draw, size, planted, repeats, rng)
                shares = "; ".join(f"{way} {share_:6.1%}" for way, share_ in zip(WAYS, told, strict=True))
                print(f"  {n:6,} cases, {name:24} {shares}", flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
