"""One column that gives the target away: a copy of it, or something known only afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.columns import quantile_bins
from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding, Level, Table

CHECK = "data.copies"
SURE, ODD = 0.999, 0.98
ENOUGH = 100
"""Cases of the rarest class (rows, for a number) that bear out a sure leak: among few, a good column can be perfect."""
BINS = 64
MOST_LEVELS = 20
FEWEST = 40
MOST_CASES = 20_000                             # beyond, so many are drawn: a leak shows in them too


@dataclass(frozen=True)
class Truth:
    """What is to be told: `yes` (N, K) has a column of 0 and 1 a class, or is the number itself (N, 1).
    `half` (N,): which half a case is in. `support`: cases of the rarest class, or all cases of a number."""

    measure: str
    yes: Array
    half: Array
    support: int


def check(seen: Exhibits) -> Iterator[Finding]:
    """How well each single column predicts, learned on one half of the cases and scored on the other.

    Two classes: ROC AUC. More classes: the share of the errors of always guessing the commonest that is avoided.
    A number: R², or the squared rank correlation if that is larger. Missing counts as a value.
    From 0.999 a sure leak, if at least 100 cases of the rarest class bear it out or the column is the target
    under other names; from 0.98 a doubt."""
    cases, inputs = seen.cases, seen.inputs
    if len(cases) < FEWEST or "target" not in cases.columns:
        yield lacked(CHECK, f"one target and {FEWEST} cases")
        return
    if len(cases) > MOST_CASES:
        kept = np.sort(np.random.default_rng(0).permutation(len(cases))[:MOST_CASES])
        cases, inputs = cases[kept], inputs[kept]
    truth = _truth(cases)
    if truth is None:
        yield lacked(CHECK, "a target that varies, with a few cases of each class, in two units or more")
        return
    scores = {c: _score(inputs[c], truth) for c in inputs.columns}
    ranked = sorted(scores, key=lambda c: -scores[c])
    found = [_finding(c, scores[c], truth, _renames(inputs[c], cases["target"])) for c in ranked if scores[c] >= ODD]
    if found:
        yield from found
    elif ranked:
        best = ranked[0]
        sentence = f"No single column gives the target away; {best!r} alone has {truth.measure} {scores[best]:.3f}."
        yield Finding(CHECK, "ok", sentence, {"column": best, "score": scores[best]})


def _truth(cases: Table) -> Truth | None:
    target = cases["target"]
    fold = _halves(cases)
    if len(np.unique(fold)) < 2:                # one unit only: nothing to score on
        return None
    if "target.positive" in cases.columns:
        yes = cases["target.positive"].cast(pl.Float64).fill_null(0.0).to_numpy()
        rarest = int(min(yes.sum(), len(yes) - yes.sum()))
        return Truth("ROC AUC", yes[:, None], fold, rarest) if rarest >= 5 else None
    if target.dtype.is_numeric():
        value = target.cast(pl.Float64).fill_null(strategy="mean").to_numpy()
        return Truth("R²", value[:, None], fold, len(value)) if value.std() > 0 else None
    text = target.cast(pl.String).fill_null("").to_numpy()
    names, code, size = np.unique(text, return_inverse=True, return_counts=True)
    if len(names) < 2 or len(names) > len(cases) / 10:
        return None
    yes_NK = np.zeros((len(cases), len(names)))
    yes_NK[np.arange(len(cases)), code] = 1.0
    return Truth("skill", yes_NK, fold, int(size.min()))


def _halves(cases: Table) -> Array:
    """0 or 1 for each case, whole units on one side."""
    unit = cases["unit"] if "unit" in cases.columns else cases["case_id"]
    _, code = np.unique(unit.cast(pl.String).to_numpy(), return_inverse=True)
    return np.random.default_rng(0).permutation(int(code.max()) + 1)[code] % 2


def _score(column: pl.Series, truth: Truth) -> float:
    """In [0, 1]: how well this column alone predicts cases it was not learned from."""
    numeric = column.dtype.is_numeric() or column.dtype.is_temporal()
    scores = [_graded(_learned(_codes(column, numeric), truth), truth)]
    if numeric:
        value = _as_floats(column)
        scores.append(_graded(_nearest(value, truth), truth))
        if truth.measure == "R²":
            scores.append(_rank_r2(value, truth.yes[:, 0]))
        elif truth.measure == "ROC AUC":
            plain = _auc(value, truth.yes[:, 0])
            scores += [plain, 1 - plain]
    return max(0.0, *scores)


def _graded(said_NK: Array, truth: Truth) -> float:
    """What was said against the truth, in the measure of the truth."""
    if truth.measure == "skill":
        return _skill(said_NK, truth.yes)
    said, true = said_NK[:, 0], truth.yes[:, 0]
    if truth.measure == "R²":
        return 1 - float(((true - said) ** 2).sum() / ((true - true.mean()) ** 2).sum())
    return float(np.mean([_auc(said[truth.half == h], true[truth.half == h]) for h in (0, 1)]))


def _as_floats(column: pl.Series) -> Array:
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


def _codes(column: pl.Series, numeric: bool) -> Array:
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


def _skill(said_NK: Array, yes_NK: Array) -> float:
    """Share of the errors of the commonest class that are avoided."""
    right = float((said_NK.argmax(axis=1) == yes_NK.argmax(axis=1)).mean())
    common = float(yes_NK.mean(axis=0).max())
    return max(0.0, (right - common) / (1 - common))


def _auc(score_N: Array, yes_N: Array) -> float:
    """ROC AUC by ranks, ties counted half; 0.5 without both classes."""
    n = yes_N.sum()
    if n in (0, len(yes_N)):
        return 0.5
    return float((_ranks(score_N) @ yes_N - n * (n + 1) / 2) / (n * (len(yes_N) - n)))


def _ranks(values_N: Array) -> Array:
    """From 1, ties sharing their mean. Not SciPy's: importing it takes longer than all the checks."""
    _, code, size = np.unique(values_N, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(size) - (size - 1) / 2)[code])


def _rank_r2(x_N: Array, y_N: Array) -> float:
    a, b = _ranks(x_N), _ranks(y_N)
    return float(np.corrcoef(a, b)[0, 1] ** 2) if a.std() > 0 else 0.0


def _renames(column: pl.Series, target: pl.Series) -> bool:
    """Whether the column has one value for each class and one class for each value: the target under other names."""
    if target.dtype.is_numeric() and target.n_unique() > MOST_LEVELS:
        return False
    pairs = pl.DataFrame({"a": column, "b": target}).unique()
    return len(pairs) == column.n_unique() == target.n_unique() > 1


def _finding(column: str, score: float, truth: Truth, renames: bool) -> Finding:
    sure = score >= SURE and (renames or truth.support >= ENOUGH)
    level: Level = "fail" if sure else "warn"
    numbers = {"column": column, "score": score, "measure": truth.measure, "renames": renames}
    what = f"{column!r} alone predicts the target with {truth.measure} {score:.4f} on cases it was not learned from"
    if renames:
        sentence = f"{what}: it is the target under other names. Drop it."
        return Finding(CHECK, level, sentence, numbers, columns=(column,))
    if sure:
        return Finding(CHECK, level, f"{what}: too good to be true. It is a copy of the target, or is known only "
                       "afterwards. Drop it, or allow it knowingly.", numbers, columns=(column,))
    sentence = f"{what}. Is it known at the time of the prediction? If not, drop it."
    return Finding(CHECK, level, sentence, numbers, columns=(column,))
