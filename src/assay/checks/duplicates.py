"""Rows that are there twice: in two folds they make a model look better than it is."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Finding, Table

CHECK = "data.duplicates"
MANY = 0.01
FINE = 0.2
"""A number with at least this share of distinct values: two rows alike in it are hardly alike by chance."""


def check(seen: Exhibits) -> Iterator[Finding]:
    """Rows of inputs equal to another row, exactly; a warning where chance cannot explain them.

    Rows are compared by a 64-bit hash: among a million rows, two that differ meet with a chance of 3 in 100 million."""
    cases, inputs = seen.cases, seen.inputs
    if len(inputs) < 2 or inputs.width == 0:
        return
    classes = "target" in cases.columns and not cases["target"].dtype.is_numeric()
    rows = pl.DataFrame({"hash": inputs.hash_rows(), "target": cases["target"] if classes else None})
    groups = rows.group_by("hash").agg(n=pl.len(), truths=pl.col("target").n_unique()).filter(pl.col("n") > 1)
    extra = int((groups["n"] - 1).sum())
    if not extra:
        yield Finding(CHECK, "ok", "No two training cases have the same inputs.", {"repeated": 0})
        return
    share, torn = extra / len(inputs), groups.filter(pl.col("truths") > 1)
    surprising = _fine(inputs) and share >= MANY
    numbers = {"repeated": extra, "share": share, "conflicting": int(torn["n"].sum()), "groups": len(groups)}
    yield Finding(CHECK, "warn" if surprising else "note", _sentence(numbers, surprising), numbers)


def _fine(inputs: Table) -> bool:
    numeric = [c for c in inputs.columns if inputs[c].dtype.is_float() or inputs[c].dtype.is_integer()]
    return any(inputs[c].n_unique() >= FINE * len(inputs) for c in numeric)


def _sentence(numbers: dict[str, float], surprising: bool) -> str:
    cases = "1 training case repeats" if numbers["repeated"] == 1 else f"{numbers['repeated']:,} training cases repeat"
    said = f"{cases} the inputs of another one ({numbers['share']:.1%})"
    if numbers["conflicting"]:
        said += f"; {numbers['conflicting']:,} cases have a twin with another target, and no model can be right on both"
    if surprising:
        return (f"{said}. With numbers this fine that is no chance: copies on both sides of a split make scores "
                "too good. Remove them.")
    return said + ". With columns this coarse that can be chance."
