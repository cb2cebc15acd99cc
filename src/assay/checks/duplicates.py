"""Cases that are there twice, or nearly: in two parts of a split they make a model look better than it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks.both_sides import joined
from assay.checks.exhibits import Exhibits
from assay.checks.twins import near_pairs
from assay.contract import Array, Finding, Table

CHECK = "data.duplicates"
MANY = 0.01
FINE = 0.2
"""A number or text with at least this share of distinct values: two rows alike in it are hardly alike by chance."""
LOOKED = 300, 20_000
"""Rows, and rows among which a neighbour is looked for, to tell what chance makes of columns that are all coarse."""


@dataclass(frozen=True)
class Twins:
    """unit (n,): what each case, of the training and the test part, belongs to; alone it is its own. repeated: cases
    of the training part that repeat an earlier one. across: cases of the test part with a twin in training."""

    unit: Array
    repeated: int
    across: int
    near: int
    conflicting: int
    units: int


def check(seen: Exhibits) -> Iterator[Finding]:
    """Cases whose inputs equal another's, exactly, in other words order or letter case, or nearly.

    Rows are compared by a 64-bit hash of their values, texts in lower case, without marks and in the order of the
    alphabet: among a million rows, two that differ meet with a chance of 3 in 100 million. Near twins are found by
    their numbers (`near_pairs`). A doubt where at least 1 % of the cases repeat another and chance cannot explain it:
    the cases are to be kept on one side of each split."""
    n = len(seen.inputs)
    if n < 2 or seen.inputs.width == 0:
        return
    rows = _plain(pl.concat([seen.inputs, seen.test_inputs.select(seen.inputs.columns)], how="vertical_relaxed"))
    twins = _twins(rows, n, _classes(seen.cases))
    if not twins.repeated and not twins.across:
        yield Finding(CHECK, "ok", "No two cases have the same inputs, or nearly.", {"repeated": 0})
        return
    share = (twins.repeated + twins.across) / len(rows)
    surprising = share >= MANY and (twins.near > 0 or _fine(rows) or _more_than_chance(rows, share))
    numbers = {"repeated": twins.repeated, "share": share, "conflicting": twins.conflicting, "groups": twins.units,
               "across": twins.across, "near": twins.near}
    together = _together(seen, twins.unit) if surprising else None
    yield Finding(CHECK, "warn" if surprising else "note", _sentence(numbers, surprising), numbers, together=together)


def _classes(cases: Table) -> Array | None:
    """The target as codes (n,), where it has classes."""
    if "target" not in cases.columns or cases["target"].dtype.is_numeric():
        return None
    return cases["target"].cast(pl.String).fill_null("").rank("dense").to_numpy()


def _plain(rows: Table) -> Table:
    """Texts without what a copy may differ in: letter case, marks, the order of words."""
    texts = [c for c in rows.columns if rows[c].dtype == pl.String]
    words = {c: pl.col(c).str.to_lowercase().str.extract_all(r"[\w.]+").list.sort().list.join(" ") for c in texts}
    return rows.with_columns(pl.when(pl.col(c).is_not_null()).then(w).alias(c) for c, w in words.items())


def _twins(rows: Table, n: int, classes: Array | None) -> Twins:
    _, first, exact = np.unique(rows.hash_rows().to_numpy(), return_index=True, return_inverse=True)
    pairs = near_pairs(rows[first])
    unit = joined(pairs, len(first))[exact]
    size = np.bincount(unit)
    here = np.bincount(unit[:n], minlength=len(size))
    return Twins(unit, int((here[here > 0] - 1).sum()), int((here[unit[n:]] > 0).sum()), len(pairs),
                 _torn(unit[:n], classes), int((size > 1).sum()))


def _torn(unit: Array, classes: Array | None) -> int:
    """Training cases with a twin of another class."""
    if classes is None:
        return 0
    truths = pl.DataFrame({"unit": unit, "class": classes}).group_by("unit").agg(
        n=pl.len(), truths=pl.col("class").n_unique())
    return int(truths.filter(pl.col("truths") > 1)["n"].sum())


def _fine(rows: Table) -> bool:
    looked = [c for c in rows.columns if rows[c].dtype.is_numeric() or rows[c].dtype == pl.String]
    return any(rows[c].n_unique() >= FINE * len(rows) for c in looked)


def _more_than_chance(rows: Table, share: float) -> bool:
    """Whether far fewer rows have a neighbour that differs in one column than have a twin: by chance there are more.

    rows, among them each once, are drawn; a neighbour not drawn is allowed for by the share drawn."""
    unlike = rows.unique(maintain_order=True)
    if share > 0.6 or len(unlike) < 100 or rows.width < 4:
        return False
    rng = np.random.default_rng(0)
    drawn = unlike[np.sort(rng.permutation(len(unlike))[: LOOKED[1]])]
    codes = np.column_stack([drawn[c].rank("dense").fill_null(0).to_numpy().astype(np.int32) for c in drawn.columns])
    asked = rng.permutation(len(codes))[: LOOKED[0]]
    near = 0
    for i in asked:
        near += bool(((codes != codes[i]).sum(axis=1) == 1).any())
    return share > 2 * near / len(asked) * len(unlike) / len(drawn)


def _together(seen: Exhibits, unit: Array) -> Table:
    """case_id, unit of the cases that have a twin."""
    ids = pl.concat([seen.cases["case_id"], seen.test_cases["case_id"].cast(seen.cases["case_id"].dtype)])
    kept = np.flatnonzero(np.bincount(unit)[unit] > 1)
    return pl.DataFrame({"case_id": ids[kept], "unit": [f"twins {u}" for u in unit[kept].tolist()]})


def _sentence(numbers: dict[str, float], surprising: bool) -> str:
    cases = "1 training case repeats" if numbers["repeated"] == 1 else f"{numbers['repeated']:,} training cases repeat"
    nearly = ", some of them nearly and not exactly" if numbers["near"] else ""
    said = f"{cases} the inputs of another one{nearly}"
    if numbers["across"]:
        said += f", and {numbers['across']:,} test cases those of a training case"
    said += f" ({numbers['share']:.1%} of all)"
    if numbers["conflicting"]:
        said += f"; {numbers['conflicting']:,} cases have a twin with another target"
    if surprising:
        return (f"{said}. With columns this fine that is hardly chance. Copies on both sides of a split make scores "
                "too good: remove them, or keep them on one side.")
    return said + ". With columns this coarse that can be chance."
