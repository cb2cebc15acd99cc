"""Classes with few cases: nothing sure can be said of them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Finding, Table

CHECK = "data.rare"
FEW = 20


def check(seen: Exhibits) -> Iterator[Finding]:
    """Classes, and labels of a multilabel target, with fewer than 20 training cases."""
    counts = _counts(seen.cases)
    if counts.is_empty():
        return
    rare = counts.filter(pl.col("n") < FEW)
    if rare.is_empty():
        least, n = counts.row(-1)
        sentence = f"Every class has {FEW} training cases or more; the rarest, {least!r}, has {n:,}."
        yield Finding(CHECK, "ok", sentence, {"rarest": n}, counts)
        return
    named = ", ".join(f"{c!r} ({n})" for c, n in rare.head(5).iter_rows())
    more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
    sentence = f"Too few training cases to learn from or to judge by (fewer than {FEW}): {named}{more}."
    yield Finding(CHECK, "warn", sentence, {"rare": len(rare), "classes": len(counts)}, counts)


def _counts(cases: Table) -> Table:
    """class, n, the commonest first; empty where the target is a number or is not there."""
    labels = [c for c in cases.columns if c.startswith("target.") and c != "target.positive"]
    if labels:
        n = [int(cases[c].cast(pl.Int64).sum() or 0) for c in labels]
        counts = pl.DataFrame({"class": [c.removeprefix("target.") for c in labels], "n": n})
    elif "target" in cases.columns and not cases["target"].dtype.is_numeric():
        counts = cases["target"].cast(pl.String).drop_nulls().alias("class").value_counts(name="n")
    else:
        counts = pl.DataFrame(schema={"class": pl.String, "n": pl.Int64})
    return counts.sort("n", "class", descending=[True, False])
