"""How well a column, or a model, tells the target: one scale from 0 to 1 for every kind of target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks.columns import quantile_bins
from assay.checks.exhibits import Exhibits
from assay.contract import Array, Level, Table

SURE, PLAIN, ODD, JUMP = 0.999, 0.985, 0.98, 0.9
ENOUGH = 100
"""Cases of the rarest class (rows, for a number) that bear out a sure leak: among few, a good column can be perfect."""
SOME = 20
"""As many bear out a doubt that rests on what the other columns say."""
BINS = 64
FEWEST = 40
MOST_CASES = 20_000                             # beyond, so many are drawn: a leak shows in them too
ABSENT = f"a target that varies, with a few cases of each class, in two units or more, and {FEWEST} cases"


@dataclass(frozen=True)
class Truth:
    """What is to be told: `yes` (N, K) has a column of 0 and 1 a class, or is the number itself (N, 1).

    half (N,): which half a case is in, whole units in one. support: cases of the rarest class, or of a number all.
    cases, inputs: the rows, at most 20,000, drawn at random."""

    measure: str
    yes: Array
    half: Array
    support: int
    cases: Table
    inputs: Table


def truth_of(seen: Exhibits, target: str = "target", most: int = MOST_CASES) -> Truth | None:
    """None where there is no one target, or it hardly varies. target: "target", or a label of several."""
    cases, inputs = seen.cases, seen.inputs
    if len(cases) < FEWEST or target not in cases.columns:
        return None
    if len(cases) > most:
        kept = np.sort(np.random.default_rng(0).permutation(len(cases))[:most])
        cases, inputs = cases[kept], inputs[kept]
    half = _halves(cases)
    told = _yes(cases, target) if len(np.unique(half)) == 2 else None       # one unit: nothing to score on
    return told and Truth(told[0], told[1], half, told[2], cases, inputs)


def _yes(cases: Table, name: str) -> tuple[str, Array, int] | None:
    """(measure, yes, support); None where the target hardly varies."""
    target = cases[name]
    positive = "target.positive" if name == "target" else name
    if positive in cases.columns:
        yes = cases[positive].cast(pl.Float64).fill_null(0.0).to_numpy()
        rarest = int(min(yes.sum(), len(yes) - yes.sum()))
        return ("ROC AUC", yes[:, None], rarest) if rarest >= 5 else None
    if target.dtype.is_numeric():
        value = target.cast(pl.Float64).fill_null(strategy="mean").to_numpy()
        return ("R²", value[:, None], len(value)) if value.std() > 0 else None
    text = target.cast(pl.String).fill_null("").to_numpy()
    names, code, size = np.unique(text, return_inverse=True, return_counts=True)
    if len(names) < 2 or len(names) > len(cases) / 10:
        return None
    yes_NK = np.zeros((len(cases), len(names)))
    yes_NK[np.arange(len(cases)), code] = 1.0
    return "skill", yes_NK, int(size.min())


def _halves(cases: Table) -> Array:
    """0 or 1 for each case, whole units on one side."""
    unit = cases["unit"] if "unit" in cases.columns else cases["case_id"]
    _, code = np.unique(unit.cast(pl.String).to_numpy(), return_inverse=True)
    return np.random.default_rng(0).permutation(int(code.max()) + 1)[code] % 2


def score(column: pl.Series, truth: Truth) -> float:
    """In [0, 1]: how well this column alone predicts cases it was not learned from.

    Two classes: ROC AUC. More: the share of the errors of always guessing the commonest that is avoided.
    A number: R², or the squared rank correlation if that is larger. Missing counts as a value."""
    numeric = column.dtype.is_numeric() or column.dtype.is_temporal()
    scores = [graded(_learned(codes(column, numeric), truth), truth)]
    if numeric:
        value = as_floats(column)
        scores.append(graded(_nearest(value, truth), truth))
        if truth.measure == "R²":
            scores.append(_rank_r2(value, truth.yes[:, 0]))
        elif truth.measure == "ROC AUC":
            plain = auc(value, truth.yes[:, 0])
            scores += [plain, 1 - plain]
    return max(0.0, *scores)


def without(seen: Exhibits, columns: Sequence[str], measure: str) -> float | None:
    """What a quick model scores on the same scale without these inputs; None where nobody can be asked."""
    outcomes = seen.probed(columns)
    if outcomes is None:
        return None
    if {"out.p", "target.positive"} <= set(outcomes.columns):
        return auc(outcomes["out.p"].to_numpy(), outcomes["target.positive"].cast(pl.Float64).to_numpy())
    if "out.value" in outcomes.columns and measure == "R²":
        true, said = (outcomes[c].cast(pl.Float64).to_numpy() for c in ("target", "out.value"))
        return max(0.0, 1 - float(((true - said) ** 2).sum() / ((true - true.mean()) ** 2).sum()))
    if "out.label" in outcomes.columns and "target" in outcomes.columns:
        label = outcomes["target"].cast(pl.String).to_numpy()
        common = float(np.unique(label, return_counts=True)[1].max() / len(label))
        return max(0.0, (float((label == outcomes["out.label"].to_numpy()).mean()) - common) / (1 - common))
    return None


def level_of(seen: Exhibits, columns: Sequence[str], said: float, truth: Truth) -> tuple[Level, float | None]:
    """How sure a leak is, and what the rest of the table scores (None if it was not asked).

    From 0.999 it is sure where 100 cases of the rarest class bear it out, from 0.985 if also a model on all other
    inputs leaves ten times its error; from 0.98 it is a doubt. From 0.9 it is a doubt if that model leaves four times
    its error: a column that is good because the question is easy has company, a copy with noise has none."""
    borne_out = truth.support >= ENOUGH
    if said >= SURE and borne_out:
        return "fail", None
    rest = without(seen, columns, truth.measure) if truth.support >= SOME else None
    times = (1 - rest) / max(1 - said, 1e-9) if rest is not None else 0.0
    if said >= ODD:
        return ("fail" if times >= 10 and said >= PLAIN and borne_out else "warn"), rest
    return ("warn" if times >= 4 else "ok"), rest


def graded(said_NK: Array, truth: Truth) -> float:
    """What was said against the truth, in the measure of the truth."""
    if truth.measure == "skill":
        return skill(said_NK, truth.yes)
    said, true = said_NK[:, 0], truth.yes[:, 0]
    if truth.measure == "R²":
        return 1 - float(((true - said) ** 2).sum() / ((true - true.mean()) ** 2).sum())
    return float(np.mean([auc(said[truth.half == h], true[truth.half == h]) for h in (0, 1)]))


def as_floats(column: pl.Series) -> Array:
    """float64 (N,), what is missing being one value below all others."""
    value = column.to_physical().cast(pl.Float64).to_numpy()
    known = value[np.isfinite(value)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    return np.asarray(np.nan_to_num(value, nan=low - (high - low) - 1, posinf=high, neginf=low))


def _nearest(value_N: Array, truth: Truth) -> Array:
    """(N, K): the truth of the nearest value in the other half, which sees finer than bins do."""
    said_NK = np.empty_like(truth.yes)
    for half in (0, 1):
        fit, held = np.flatnonzero(truth.half != half), np.flatnonzero(truth.half == half)
        fit = fit[np.argsort(value_N[fit], kind="stable")]
        after = np.searchsorted(value_N[fit], value_N[held]).clip(1, len(fit) - 1)
        nearer = value_N[held] - value_N[fit[after - 1]] < value_N[fit[after]] - value_N[held]
        said_NK[held] = truth.yes[fit[after - nearer]]
    return said_NK


def codes(column: pl.Series, numeric: bool) -> Array:
    """Integer codes (N,): bins of a number with many values, else its values; missing is a code of its own."""
    if numeric:
        value = column.to_physical().cast(pl.Float64).to_numpy()
        distinct, code = np.unique(value, return_inverse=True)
        if len(distinct) > BINS:
            there = ~np.isnan(value)
            code = np.zeros(len(column), dtype=np.int64)
            code[there] = 1 + quantile_bins(value[there], BINS)
        return np.asarray(code)
    text = column.cast(pl.String, strict=False).fill_null("\0")
    return text.rank("dense").to_numpy().astype(np.int64) - 1


def _learned(code_N: Array, truth: Truth) -> Array:
    """(N, K): the mean of the truth under each code in the other half, drawn a little to the mean of all."""
    codes = int(code_N.max()) + 1
    said_NK = np.empty_like(truth.yes)
    for fold in (0, 1):
        fit, held = truth.half != fold, truth.half == fold
        n = np.bincount(code_N[fit], minlength=codes)
        for k in range(truth.yes.shape[1]):
            prior = truth.yes[fit, k].mean()
            total = np.bincount(code_N[fit], weights=truth.yes[fit, k], minlength=codes)
            said_NK[held, k] = ((total + 0.01 * prior) / (n + 0.01))[code_N[held]]
    return said_NK


def skill(said_NK: Array, yes_NK: Array) -> float:
    """Share of the errors of the commonest class that are avoided."""
    right = float((said_NK.argmax(axis=1) == yes_NK.argmax(axis=1)).mean())
    common = float(yes_NK.mean(axis=0).max())
    return max(0.0, (right - common) / (1 - common))


def auc(score_N: Array, yes_N: Array) -> float:
    """ROC AUC by ranks, ties counted half; 0.5 without both classes."""
    n = yes_N.sum()
    if n in (0, len(yes_N)):
        return 0.5
    return float((ranks(score_N) @ yes_N - n * (n + 1) / 2) / (n * (len(yes_N) - n)))


def ranks(values_N: Array) -> Array:
    """From 1, ties sharing their mean. Not SciPy's: importing it takes longer than all the checks."""
    _, code, size = np.unique(values_N, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(size) - (size - 1) / 2)[code])


def _rank_r2(x_N: Array, y_N: Array) -> float:
    a, b = ranks(x_N), ranks(y_N)
    return float(np.corrcoef(a, b)[0, 1] ** 2) if a.std() > 0 else 0.0
