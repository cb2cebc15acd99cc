"""Whether the test part looks like the training part: a classifier that tries to tell them apart, and each column."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.contract import Array, Estimate, Finding, Level, Table
from assay.stats.intervals import logit_interval, normal_quantile
from assay.stats.paired import holm
from assay.stats.rank import roc_auc, roc_auc_pseudo

CHECK = "data.drift"
FEWEST = 40
MOST_ROWS = 10_000                              # of each part, for the tests of columns
MOST_LEARNED = 2_000                            # of each part, for the classifier
MOST_COLUMNS, MOST_LEVELS = 200, 50
DOUBT = 0.002                                   # of each of the two ways to an alarm
CLEAR = 0.6
CLOCK = 0.95
"""Rank correlation with the time of the case from which a column is a clock: it differs by construction."""


def check(seen: Exhibits) -> Iterator[Finding]:
    """The ROC AUC with which boosted trees, cross-fitted, tell test inputs from training inputs, and a test of each
    column: Kolmogorov-Smirnov for numbers, chi-squared for words, corrected for their number (Holm 1979).

    Classifier two-sample test: Lopez-Paz & Oquab (2017), ICLR; the interval is DeLong's on the logit scale. One case a
    unit, at most 10,000 a part (2,000 for the trees), drawn at random; of more than 200 columns the first. Under
    --time dates, and columns that run with time, are left out, and what is found is a note: the split was made so that
    the test score shows it."""
    if not seen.inputs.width or not len(seen.test_inputs):
        return
    kept = [_one_a_unit(cases) for cases in (seen.cases, seen.test_cases)]
    columns = _compared(seen)[:MOST_COLUMNS]
    if min(map(len, kept)) < FEWEST or not columns:
        yield lacked(CHECK, f"inputs of {FEWEST} independent cases in each part, besides the clock")
        return
    parts = [inputs[rows].select(columns) for inputs, rows in zip((seen.inputs, seen.test_inputs), kept, strict=True)]
    train, test = parts
    yield _finding(seen, _by_column(train, test), told_apart(train.head(MOST_LEARNED), test.head(MOST_LEARNED)))


def _one_a_unit(cases: Table) -> Array:
    """Positions of at most 10,000 cases of different units, in random order."""
    order = np.random.default_rng(0).permutation(len(cases))
    _, first = np.unique(cases["unit"].to_physical().to_numpy()[order], return_index=True)
    return np.asarray(order[np.sort(first)][:MOST_ROWS])


def _compared(seen: Exhibits) -> list[str]:
    moment = seen.cases["moment"] if "moment" in seen.cases.columns and seen.method == "time" else None
    return [c.name for c in seen.inputs.get_columns()
            if not c.dtype.is_temporal() and not (moment is not None and _clock(c, moment))]


def _clock(column: pl.Series, moment: pl.Series) -> bool:
    if not column.dtype.is_numeric():
        return False
    both = pl.DataFrame({"a": column.cast(pl.Float64).rank(), "b": moment.rank()}).drop_nulls()
    if len(both) < FEWEST or both["a"].n_unique() < 2:
        return False
    return abs(float(np.corrcoef(both["a"].to_numpy(), both["b"].to_numpy())[0, 1])) > CLOCK


# --- a classifier ---------------------------------------------------------------------------------


def told_apart(train: Table, test: Table, seed: int = 0) -> Estimate:
    """The AUC of telling rows of `test` from rows of `train`, cross-fitted on halves; 0.5 where they look alike."""
    from lightgbm import LGBMClassifier

    X = np.column_stack([_coded(c) for c in pl.concat([train, test], how="vertical_relaxed").get_columns()])
    y = np.repeat([0, 1], [len(train), len(test)])
    half = np.random.default_rng(seed).permutation(len(y)) % 2
    score, weight = 0.0, 0
    pseudo: list[Array] = []
    for h in (0, 1):
        model = LGBMClassifier(n_estimators=40, learning_rate=0.1, num_leaves=8, min_child_samples=20, n_jobs=1,
                               verbose=-1, random_state=seed, deterministic=True, force_row_wise=True)
        said = np.asarray(model.fit(X[half != h], y[half != h]).booster_.predict(X[half == h]))
        score += roc_auc(y[half == h], said) * (half == h).sum()
        pseudo.append(roc_auc_pseudo(y[half == h], said))
        weight += int((half == h).sum())
    spread, least = np.concatenate(pseudo), 1 / weight          # 0 and 1 have no logit
    value = min(max(float(score) / weight, least), 1 - least)
    error = max(float(spread.std(ddof=1)) / math.sqrt(len(spread)), least)
    low, high = logit_interval(value, error, t=normal_quantile(0.95))
    return Estimate(value, low, high, weight, "DeLong, logit, two halves")


def _coded(column: pl.Series) -> Array:
    """A number as it is, a word as its rank, a long text as its length."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return np.asarray(column.cast(pl.Float64).to_numpy())
    text = column.cast(pl.String, strict=False)
    coded = text.str.len_chars() if text.n_unique() > len(text) / 2 else text.rank("dense")
    return np.asarray(coded.cast(pl.Float64).to_numpy())


# --- column by column -------------------------------------------------------------------------------


def _by_column(train: Table, test: Table) -> Table:
    """column, test, distance, p, p (corrected), the most different first."""
    rows = []
    for name in train.columns:
        a, b = train[name], test[name]
        number = a.dtype.is_numeric()
        distance, p = smirnov(_floats(a), _floats(b)) if number else _chi2(a.cast(pl.String), b.cast(pl.String))
        kind = "Kolmogorov-Smirnov" if number else "chi-squared"
        rows.append({"input": name, "test": kind, "distance": distance, "p": p})
    table = pl.DataFrame(rows)
    corrected = pl.Series("p, corrected", holm(table["p"].to_list()))
    return table.with_columns(corrected).sort("p, corrected", "distance", descending=[False, True])


def _floats(column: pl.Series) -> Array:
    """What is missing being one value below all others."""
    value = column.cast(pl.Float64).to_numpy()
    return np.asarray(np.nan_to_num(value, nan=-np.inf, posinf=np.inf, neginf=-np.inf))


def smirnov(a_N: Array, b_M: Array) -> tuple[float, float]:
    """(D, p): the largest gap between two empirical distributions and its asymptotic p-value; with ties p is too large.

    p = 2 sum_k (-1)^(k-1) exp(-2 k² t²), t = D sqrt(n m / (n + m)); Smirnov (1948).

    >>> d, p = smirnov(np.arange(100.0), np.arange(100.0) + 30)
    >>> round(d, 5), round(p, 5)
    (0.3, 0.00025)
    """
    a, b = np.sort(a_N), np.sort(b_M)
    both = np.concatenate([a, b])
    below = [np.searchsorted(part, both, "right") / len(part) for part in (a, b)]
    d = float(np.abs(below[0] - below[1]).max())
    t = d * math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    if t < 0.3:
        return d, 1.0
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * t * t) for k in range(1, 101))
    return d, min(max(p, 0.0), 1.0)


def _chi2(a: pl.Series, b: pl.Series) -> tuple[float, float]:
    """(distance, p): half the summed difference of shares, and Pearson's test; levels of few cases count as one."""
    from scipy.special import gammaincc

    levels = pl.concat([a, b]).fill_null("").alias("level").value_counts(name="n").sort("n", "level", descending=True)
    least = 5 * (len(a) + len(b)) / min(len(a), len(b))
    kept = levels.filter(pl.col("n") >= least).head(MOST_LEVELS)["level"]
    counts = np.array([[int((s == v).sum()) for v in kept] for s in (a.fill_null(""), b.fill_null(""))], dtype=float)
    other = np.array([[len(a)], [len(b)]]) - counts.sum(axis=1, keepdims=True)
    counts = np.hstack([counts, other]) if other.sum() >= least else counts
    if counts.shape[1] < 2:
        return 0.0, 1.0
    share = counts / counts.sum(axis=1, keepdims=True)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return float(np.abs(share[0] - share[1]).sum() / 2), float(gammaincc((counts.shape[1] - 1) / 2, statistic / 2))


# --- what is said --------------------------------------------------------------------------------------


def _finding(seen: Exhibits, columns: Table, apart: Estimate) -> Finding:
    moved = columns.filter(pl.col("p, corrected") < DOUBT)
    z = (apart.value - 0.5) / max((apart.high - apart.low) / 3.92, 1e-9)
    by_trees = 0.5 * math.erfc(z / math.sqrt(2)) < DOUBT
    numbers = {"auc": apart.value, "low": apart.low, "high": apart.high, "columns": moved["input"].to_list()}
    told = f"with ROC AUC {apart.value:.3f} ({apart.low:.3f} to {apart.high:.3f}; 0.5 is not at all)"
    if not by_trees and moved.is_empty():
        said = f"The test part looks like the training part: a classifier tells them apart {told}."
        return Finding(CHECK, "ok", said, numbers, columns.head(20))
    said = f"The test part does not look like the training part: a classifier tells them apart {told}."
    if len(moved):
        named = ", ".join(repr(c) for c in moved["input"].head(3))
        said += f" Most different: {named}" + (f" and {len(moved) - 3} more." if len(moved) > 3 else ".")
    said += (" What comes later may differ again by as much." if seen.method == "time" else
             " The test score speaks of cases like those of the test part.")
    level: Level = "warn" if apart.low > CLEAR and seen.method != "time" else "note"
    return Finding(CHECK, level, said, numbers, columns.head(20))
