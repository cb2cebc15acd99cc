"""Seeds that are trained on and tested on: an agent, or a sampler, that meets again what it has practised."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.contract import Finding

CHECK = "data.seeds"


def check(seen: Exhibits) -> Iterator[Finding]:
    """For cases with a column `seed`: test seeds that are among the training seeds, and training seeds of two cases,
    which may stand in two folds."""
    if "seed" not in seen.cases.columns:
        return
    if "seed" not in seen.test_told.columns:
        yield lacked(CHECK, "the seeds of the test part, in a column `seed`")
        return
    train, test = seen.cases["seed"], seen.test_told["seed"]
    met = seen.test_told.filter(test.is_in(train.drop_nulls().unique().implode()))
    twice = seen.cases.filter(train.is_duplicated() & train.is_not_null())
    if met.is_empty() and twice.is_empty():
        yield Finding(CHECK, "ok", f"None of {len(test):,} test seeds is among the {len(train):,} training seeds.")
        return
    together = _alike(seen, {*met["seed"].to_list(), *twice["seed"].to_list()})
    if len(met):
        said = (f"{len(met):,} of {len(test):,} test seeds are trained on too, so the test asks what was practised. "
                "Draw the test seeds anew.")
        yield Finding(CHECK, "fail", said, {"met": len(met), "test": len(test)}, met.select("case_id", "seed").head(20),
                      together=together)
        return
    said = f"{len(twice):,} training cases share their seed with another: in two folds they give each other away."
    yield Finding(CHECK, "warn", said, {"shared": len(twice)}, twice.select("case_id", "seed").head(20),
                  together=together)


def _alike(seen: Exhibits, seeds: set[object]) -> pl.DataFrame:
    """case_id, unit: cases of one seed."""
    both = pl.concat([t.select("case_id", "seed") for t in (seen.cases, seen.test_told)])
    return both.filter(pl.col("seed").is_in(list(seeds))).select("case_id", unit=pl.format("seed {}", "seed"))
