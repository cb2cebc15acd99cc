"""Columns that say nothing, and a target that hardly varies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Finding

CHECK = "data.constant"
NEARLY = 0.995
FEW = 10
SAMPLE = 2_000


def check(seen: Exhibits) -> Iterator[Finding]:
    """Columns with one value or none, inputs of which one value takes all cases but fewer than ten, and a target of
    which one value takes 99.5 % of the cases or more. Columns that the task left out for that are named too."""
    still = [c.name for c in seen.inputs.get_columns() if c.n_unique() <= 1 and c.null_count() < len(c)]
    empty = [c.name for c in seen.inputs.get_columns() if len(c) and c.null_count() == len(c)]
    for column in seen.task.facts().get("columns", ()) if seen.task is not None else ():
        if column["kind"] == "constant" and column["name"] not in (*still, *empty):
            (still if column["distinct"] else empty).append(column["name"])
    nearly = _nearly(seen)
    if still:
        yield Finding(CHECK, "note", _said(still, "one value only and cannot help a model."), {"columns": still})
    if empty:
        yield Finding(CHECK, "note", _said(empty, "no value at all."), {"columns": empty})
    if nearly:
        said = _said(nearly, f"one value in all training cases but fewer than {FEW}, too few to learn from.")
        yield Finding(CHECK, "note", said, {"columns": nearly})
    if seen.inputs.width and not (still or empty or nearly):
        yield Finding(CHECK, "ok", "Every input varies.")
    for column in seen.cases.columns:
        if column == "target" or (column.startswith("target.") and column != "target.positive"):
            yield from _target(seen.cases[column])


def _nearly(seen: Exhibits) -> list[str]:
    """Inputs that differ from their commonest value, which may be none, in fewer than ten cases and at most 0.5 %."""
    most = min(FEW - 1, (1 - NEARLY) * len(seen.inputs))
    first = seen.inputs.head(SAMPLE)
    kept = (c for c in first.columns if len(first) - _commonest(first[c]) <= most)
    return [c for c in kept if 0 < len(seen.inputs) - _commonest(seen.inputs[c]) <= most]


def _commonest(column: pl.Series) -> int:
    most: Any = column.value_counts(name=" n")[" n"].max()
    return most or 0


def _said(columns: list[str], what: str) -> str:
    named = ", ".join(repr(c) for c in columns[:5]) + (f" and {len(columns) - 5} more" if len(columns) > 5 else "")
    return f"{named} {'has' if len(columns) == 1 else 'have'} {what}"


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
