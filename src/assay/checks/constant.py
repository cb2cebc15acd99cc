"""Columns that say nothing, and a target that hardly varies."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Finding

CHECK = "data.constant"
NEARLY = 0.995


def check(seen: Exhibits) -> Iterator[Finding]:
    """Inputs with one value or none, and a target of which one value takes 99.5 % of the cases or more."""
    still = [c for c in seen.inputs.columns if seen.inputs[c].n_unique() <= 1]
    if still:
        named = ", ".join(repr(c) for c in still[:5]) + (f" and {len(still) - 5} more" if len(still) > 5 else "")
        verb = "has" if len(still) == 1 else "have"
        yield Finding(CHECK, "note", f"{named} {verb} one value only and cannot help a model.", {"columns": still})
    else:
        yield Finding(CHECK, "ok", "Every input varies.")
    for column in seen.cases.columns:
        if column == "target" or (column.startswith("target.") and column != "target.positive"):
            yield from _target(seen.cases[column])


def _target(values: pl.Series) -> Iterator[Finding]:
    counts = values.drop_nulls().value_counts(name="n").sort("n", descending=True)
    if counts.is_empty():
        return
    most, n = counts.row(0)
    share = n / int(counts["n"].sum())
    if share >= NEARLY:
        sentence = (f"{values.name} is {most!r} in {share:.2%} of the training cases; only {len(values) - n:,} differ, "
                    "so every number below rests on those few.")
        yield Finding(CHECK, "warn", sentence, {"share": share, "others": len(values) - n})
