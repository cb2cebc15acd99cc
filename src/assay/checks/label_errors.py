"""Labels that may be wrong: what a model that did not learn from a case is sure of, and the label denies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.columns import classes
from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding, Table

CHECK = "data.label_errors"
FEWEST, SHOWN = 100, 20
CLEAR, COMMON = 0.85, 0.03
"""The middle probability that cases of a class get for it, of every class with 3 % of the cases: from there the classes
are told apart so well that a surprise may be an error."""

MUCH = 0.05


def check(seen: Exhibits) -> Iterator[Finding]:
    """Cases whose label confident learning suspects (Northcutt, Jiang & Chuang 2021, JAIR 70), on out-of-fold
    probabilities of the quick model for at most 6,000 training cases.

    A class's threshold is the mean probability of it among the cases that bear its label; a case sure of another class
    is suspected, as many a class as the estimated joint of given and true labels says. Where classes overlap a
    wrong-looking label may be right: a warning is given only where the model tells them apart well."""
    if "target" not in seen.cases.columns or seen.cases["target"].dtype.is_numeric():
        return
    try:
        from cleanlab.filter import find_label_issues
    except ModuleNotFoundError:
        yield lacked(CHECK, "cleanlab: pip install 'assay[audit]'")
        return
    asked = seen.probed()
    if asked is None or not classes(asked)[1]:
        yield lacked(CHECK, "a quick model's probabilities for each class, and time to ask it")
        return
    given, p_NK, names, kept = _aligned(asked)
    if len(given) < FEWEST or len(names) < 2:
        yield lacked(CHECK, f"{FEWEST} cases of two classes or more, each with three cases or more")
        return
    ranked = find_label_issues(given, p_NK, return_indices_ranked_by="self_confidence", filter_by="both", n_jobs=1)
    yield _finding(kept, given, p_NK, names, np.asarray(ranked))


def _aligned(asked: Table) -> tuple[Array, Array, list[str], Table]:
    """(given (N,), p (N, K), names, cases): the classes with three cases or more, and the cases of them."""
    p_NK, names = classes(asked)
    counts = {str(c): n for c, n in asked["target"].value_counts().iter_rows()}
    there = [k for k, name in enumerate(names) if counts.get(name, 0) >= 3]
    kept = asked.with_row_index("at").filter(pl.col("target").is_in([names[k] for k in there]))
    p_NK = p_NK[kept["at"].to_numpy()][:, there] + 1e-9
    names = [names[k] for k in there]
    code = {name: k for k, name in enumerate(names)}
    given = kept["target"].replace_strict(code, return_dtype=pl.Int64).to_numpy()
    return given, p_NK / p_NK.sum(axis=1, keepdims=True), names, kept


def _finding(cases: Table, given: Array, p_NK: Array, names: list[str], suspects: Array) -> Finding:
    share, own = len(suspects) / len(given), p_NK[np.arange(len(given)), given]
    clear = min(float(np.median(own[given == k])) for k in range(len(names)) if (given == k).mean() >= COMMON)
    numbers = {"suspected": len(suspects), "share": share, "looked at": len(given), "clear": clear}
    if not len(suspects):
        return Finding(CHECK, "ok", f"No label of {len(given):,} cases looked at is suspected to be wrong.", numbers)
    first = suspects[:SHOWN]
    table = pl.DataFrame({
        "case": cases["case_id"].gather(first).cast(pl.String), "label": [names[g] for g in given[first]],
        "suggested": [names[k] for k in p_NK[first].argmax(axis=1)], "p of the label": p_NK[first, given[first]],
        "p of the suggested": p_NK[first].max(axis=1)})
    said = f"{len(suspects):,} of {len(given):,} labels looked at ({share:.1%}) are suspected to be wrong"
    if clear < CLEAR:
        said += "; the classes overlap, so most of these may be right. The most suspected are worth a look."
        return Finding(CHECK, "note", said, numbers, table)
    said += ": a quick model that had not seen the case is sure of another class. Look at the most suspected."
    return Finding(CHECK, "warn" if share >= MUCH else "note", said, numbers, table)
