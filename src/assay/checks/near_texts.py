"""Texts that are there twice but for order, case or a few words: on two sides of a split they tell the answer."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks.both_sides import Parts, together
from assay.checks.exhibits import Exhibits
from assay.checks.minhash import LIKE, alike
from assay.contract import Finding

CHECK = "data.near_texts"
MOST_TEXTS = 100_000
MANY, TEMPLATE = 0.01, 0.2


def check(seen: Exhibits) -> Iterator[Finding]:
    """For each column of texts, cases whose sets of words have a Jaccard index of 0.75 or more (see minhash.py).

    Texts of fewer than eight different words are left out: they are alike by chance. Beyond 100,000 texts, so many
    are drawn. Where more than a fifth of the cases is alike they were written from a template, and nothing is said
    of twins."""
    columns = [c for c in seen.inputs.columns if seen.kinds.get(c) == "text" and seen.inputs[c].dtype == pl.String]
    for column in columns:
        yield _found(seen, column)


def _found(seen: Exhibits, column: str) -> Finding:
    parts = Parts.of(seen, MOST_TEXTS)
    pairs, like = alike(parts.values(seen, column))
    kept = parts.apart(pairs)
    pairs, like = pairs[kept], like[kept]
    if not len(pairs):
        said = f"No two texts of {column!r} in different units are nearly the same, among {len(parts):,} looked at."
        return Finding(CHECK, "ok", said, {"pairs": 0, "looked at": len(parts)})
    groups = together(parts, pairs)
    across, share = parts.across(groups), len(groups) / len(parts)
    numbers = {"column": column, "cases": len(groups), "share": share, "across the split": across,
               "looked at": len(parts)}
    table = parts.shown(pairs, like)
    if share > TEMPLATE:
        said = (f"{share:.0%} of the texts of {column!r} are nearly the same as another: they look written from a "
                "template, so likeness says nothing of twins.")
        return Finding(CHECK, "note", said, numbers, table)
    said = (f"{len(groups):,} cases ({share:.1%}) have a text in {column!r} that is nearly the same as another's "
            f"({LIKE:.0%} of their words in common, in any order); {across:,} of them are test "
            "cases that meet a training case.")
    return Finding(CHECK, "warn" if share >= MANY else "note", said, numbers, table, together=groups)
