"""Which class is taken for which."""

from __future__ import annotations

import polars as pl

from assay.checks import lacked
from assay.checks.columns import labels
from assay.contract import Chart, Finding, Metric, Series, Table

CHECK = "outcomes.confusion"
MOST_CLASSES = 20
NAMED = 10


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:  # noqa: ARG001 - the signature of all checks
    """The confusion matrix with shares of each true class; beyond 20 classes only the largest confusions."""
    pairs = labels(outcomes)
    if pairs is None or pairs.is_empty():
        return lacked(CHECK, "a true and an answered class (target and out.label)")
    counts = _counts(pairs)
    names = sorted({*pairs["true"], *pairs["said"]})
    wrong = counts.filter(pl.col("true") != pl.col("said")).sort("n", "true", "said", descending=[True, False, False])
    sentence = _sentence(counts, wrong)
    numbers = {"classes": len(names), "wrong": int(wrong["n"].sum()), "n": len(pairs)}
    if len(names) > MOST_CLASSES:
        return Finding(CHECK, "ok", sentence, numbers, wrong.head(NAMED))
    return Finding(CHECK, "ok", sentence, numbers, _matrix(counts, names), (_chart(counts, names),))


def _counts(pairs: Table) -> Table:
    """true, said, n, share (of the true class)."""
    counts = pairs.group_by("true", "said").agg(n=pl.len())
    return counts.with_columns(share=pl.col("n") / pl.col("n").sum().over("true")).sort("true", "said")


def _sentence(counts: Table, wrong: Table) -> str:
    total, missed = int(counts["n"].sum()), int(wrong["n"].sum())
    if not missed:
        return f"All {total:,} cases were given their true class."
    worst = wrong.row(0, named=True)
    row = int(counts.filter(pl.col("true") == worst["true"])["n"].sum())
    return (f"{missed:,} of {total:,} cases were given a wrong class. The most frequent mistake: {worst['true']!r} "
            f"taken for {worst['said']!r}, {worst['n']:,} of {row:,} ({worst['share']:.0%}).")


def _matrix(counts: Table, names: list[str]) -> Table:
    """One row a true class: its count, then the share answered as each class."""
    share = _shares(counts)
    size = dict(counts.group_by("true").agg(pl.col("n").sum()).iter_rows())
    return pl.DataFrame([
        {"true": t, "cases": size[t], **{f"as {s}": share.get((t, s), 0.0) for s in names}} for t in names if t in size
    ])


def _shares(counts: Table) -> dict[tuple[str, str], float]:
    return {(true, said): share for true, said, share in counts.select("true", "said", "share").iter_rows()}


def _chart(counts: Table, names: list[str]) -> Chart:
    share = _shares(counts)
    cells = [(s, t) for t in names for s in names]
    series = Series(
        "share of the true class", tuple(s for s, _ in cells), tuple(t for _, t in cells),
        value=tuple(share.get((t, s), 0.0) for s, t in cells), mark="cell",
    )
    note = "Shares of each true class: a row adds up to one."
    return Chart("What was taken for what", "answered", "true", (series,), note=note)
