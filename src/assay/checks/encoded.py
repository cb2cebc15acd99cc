"""Columns that hold the mean of the target of a category, the case's own target among it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.checks.telling import ABSENT, FEWEST, truth_of
from assay.contract import Array, Finding, Level, Table

CHECK = "data.encoded"
FEWEST_GROUPS = 8
SMOOTHED = (0.0, 1.0, 5.0, 10.0, 20.0, 50.0)
"""Cases' worth of the overall mean that a smoothed encoding mixes in."""
SURE, ODD = 1e-9, 1e-4
SMALL = 50
MOST_KEYS = 30


@dataclass(frozen=True)
class Match:
    """p: the chance that a mean of *other* cases comes so near to the means of these. inside, outside: the share of
    the target's variance that the groups' means explain of the cases they were taken from, and of others."""

    column: str
    by: str
    p: float
    groups: int
    size: float
    inside: float
    outside: float


def check(seen: Exhibits) -> Iterator[Finding]:
    """Numbers that equal the mean of the target in groups of cases more nearly than means of other cases could.

    Groups g are the cases of one value, or of one level of a column on which the number depends. With x the number,
    ȳ_g and n_g the mean and size in the training cases and s² the variance within, D = (1/G) Σ n_g (x_g - ȳ_g)² / s²
    is about 1 or more where x was made of other cases (G·D is then χ² with G degrees of freedom), about the share of
    cases not seen here where it was made of all, and 0 where it was made of these. Smoothing towards the overall mean
    is undone first. Micci-Barreca (2001), SIGKDD Explorations 3(1), for the encoding."""
    truth = truth_of(seen)
    if truth is None:
        yield lacked(CHECK, ABSENT)
        return
    ys = _targets(seen.cases)
    matches = [m for c in seen.inputs.columns if (m := _match(c, seen, ys)) is not None and m.p < ODD]
    for m in sorted(matches, key=lambda m: m.p):
        yield _finding(m)
    if not matches:
        yield Finding(CHECK, "ok", "No number equals the mean of the target in groups of cases.")


def _targets(cases: Table) -> list[Array]:
    """The target as numbers (N,): itself, yes or no, or each of the commonest classes."""
    if "target.positive" in cases.columns:
        yes = cases["target.positive"].cast(pl.Float64).fill_null(0.0).to_numpy()
        return [yes, 1 - yes]
    if cases["target"].dtype.is_numeric():
        return [cases["target"].cast(pl.Float64).fill_null(strategy="mean").to_numpy()]
    text = cases["target"].cast(pl.String).fill_null("")
    common = text.value_counts(sort=True)[text.name].head(10).to_list()
    order = text.rank("dense").cast(pl.Float64).to_numpy()
    return [*((text == c).cast(pl.Float64).to_numpy() for c in common), order - 1, order]


def _match(column: str, seen: Exhibits, ys: list[Array]) -> Match | None:
    values = seen.inputs[column]
    if not values.dtype.is_numeric() or values.dtype == pl.Boolean or values.null_count():
        return None
    x = values.cast(pl.Float64).to_numpy()
    if not np.isfinite(x).all():
        return None
    distinct, code = np.unique(x, return_inverse=True)
    if not FEWEST_GROUPS <= len(distinct) <= len(x) / 2:
        return None
    best = None
    for y in ys:
        if not _calibrated(x, code, y):
            continue
        for by, groups in [("", code), *_keys(column, code, seen)]:
            found = _tested(column, by, x, groups, y)
            if found is not None and (best is None or (found.p, -found.groups) < (best.p, -best.groups)):
                best = found
    return best


def _calibrated(x: Array, code: Array, y: Array) -> bool:
    """Whether the number is on the scale of the target and goes with it: a cheap look before the test."""
    n = np.bincount(code)
    mean, x_g = np.bincount(code, weights=y) / n, np.bincount(code, weights=x) / n
    within = y.min() - 1e-9 <= x.min() and x.max() <= y.max() + 1e-9
    if y.std() == 0 or not within or abs(x.mean() - y.mean()) > 0.25 * y.std():
        return False
    a, b = x_g - np.average(x_g, weights=n), mean - np.average(mean, weights=n)
    spread = float((n * a * a).sum() * (n * b * b).sum())
    return spread > 0 and float((n * a * b).sum()) / spread**0.5 > 0.5


def _keys(column: str, code: Array, seen: Exhibits) -> list[tuple[str, Array]]:
    """Columns finer than the number, on which it depends: the category that was encoded, if it is still there."""
    keys = []
    own = pl.Series("x", code)
    aside = seen.set_aside
    for table in (seen.inputs, aside):
        for c in table.columns:
            if c == column or table[c].dtype.is_float() or not code.max() < table[c].n_unique() <= 0.7 * len(code):
                continue
            pairs = pl.DataFrame([table[c].alias("k"), own]).unique()
            if len(pairs) == table[c].n_unique():
                keys.append((c, np.unique(table[c].cast(pl.String).fill_null("\0").to_numpy(), return_inverse=True)[1]))
            if len(keys) == MOST_KEYS:
                return keys
    return keys


def _tested(column: str, by: str, x: Array, group: Array, y: Array) -> Match | None:
    from scipy.special import gammainc

    n = np.bincount(group).astype(float)
    G, N = len(n), len(y)
    mean = np.bincount(group, weights=y) / n
    within = float(((y - mean[group]) ** 2).sum())
    if N - G < FEWEST or within <= 0:
        return None
    x_g, s2 = np.bincount(group, weights=x) / n, within / (N - G)
    nearest = 1.0
    for m in SMOOTHED:
        undone = (x_g * (n + m) - m * y.mean()) / n
        D = float((n * (undone - mean) ** 2).sum() / s2 / G)
        nearest = min(nearest, float(gammainc(G / 2, D * G / 2)))
    half = np.random.default_rng(0).permutation(N) % 2
    total = float(((y - y.mean()) ** 2).sum())
    return Match(column, by, min(1.0, nearest * len(SMOOTHED)), G, float(np.median(n[group])),
                 1 - within / total, _outside(group, y, half, total))


def _outside(group: Array, y: Array, half: Array, total: float) -> float:
    said = np.empty_like(y)
    for h in (0, 1):
        fit, held, codes = half != h, half == h, int(group.max()) + 1
        n = np.bincount(group[fit], minlength=codes)
        said[held] = ((np.bincount(group[fit], weights=y[fit], minlength=codes) + y.mean()) / (n + 1))[group[held]]
    return max(0.0, 1 - float(((y - said) ** 2).sum()) / total)


def _finding(m: Match) -> Finding:
    level: Level = "fail" if m.p < SURE and m.size <= SMALL else "warn"
    by = f"by {m.by!r}" if m.by else "with one value of it"
    numbers = {"column": m.column, "by": m.by, "p": m.p, "groups": m.groups, "inside": m.inside, "outside": m.outside}
    sentence = (f"{m.column!r} is the mean of the target of the cases {by}, each case's own target among it: in "
                f"{m.groups:,} groups it is nearer to their means than a mean of other cases could be (p {_p(m.p)}). "
                f"Those means explain {m.inside:.0%} of the target here, and {m.outside:.0%} of cases they were not "
                "taken from. Drop it: categories are encoded within each fold.")
    return Finding(CHECK, level, sentence, numbers, columns=(m.column,))


def _p(p: float) -> str:
    return "below 1e-12" if p < 1e-12 else f"{p:.1e}"
