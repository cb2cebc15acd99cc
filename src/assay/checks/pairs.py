"""Two columns that give the target away together, though neither does alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.columns import quantile_bins
from assay.checks.exhibits import Exhibits
from assay.checks.telling import ABSENT, JUMP, ODD, Truth, as_floats, level_of, score, truth_of
from assay.contract import Array, Finding

CHECK = "data.pairs"
MOST_CASES, MOST_COLUMNS = 10_000, 120
CELLS, LEVELS = 16, 24
"""Bins of a number; levels of a category, the rarest being taken together."""
TRIED, NAMED = 8, 3

Pair = tuple[str, str]


def check(seen: Exhibits) -> Iterator[Finding]:
    """How well each two columns predict, learned on one half of the cases and scored on the other.

    A grid of their values finds codes that have to be combined; for a number also the plane, product and ratio of two
    numbers are fitted. A pair is odd where it leaves a quarter of the error of its better column, or less; how sure
    that is, `level_of` says. Of more than 120 columns the first 120 are paired, as long as the court has time."""
    truth = truth_of(seen, most=MOST_CASES)
    if truth is None or truth.inputs.width < 2:
        yield lacked(CHECK, f"two inputs, and {ABSENT}")
        return
    looked = truth.inputs.columns[:MOST_COLUMNS]
    scores = _grids(seen, truth, looked)
    if truth.measure == "R²":
        for pair, s in _planes(truth, looked).items():
            scores[pair] = max(s, scores.get(pair, 0.0))
    found = list(_found(seen, truth, scores))
    yield from found
    if not found and scores:
        best = max(scores, key=lambda p: scores[p])
        said = f"{best[0]!r} with {best[1]!r} do best, {truth.measure} {scores[best]:.3f}"
        cut = "" if len(looked) == truth.inputs.width else f" Only the first {MOST_COLUMNS} columns were paired."
        yield Finding(CHECK, "ok", f"No two columns give the target away together; {said}.{cut}",
                      {"columns": best, "score": scores[best], "pairs": len(scores)})


def _found(seen: Exhibits, truth: Truth, scores: dict[Pair, float]) -> Iterator[Finding]:
    ranked = sorted((p for p in scores if scores[p] >= JUMP), key=lambda p: -scores[p])
    used: set[str] = set()
    alone: dict[str, float] = {}
    for pair in ranked[: 20 * TRIED]:
        for c in pair:
            alone[c] = alone[c] if c in alone else score(truth.inputs[c], truth)
        better, s = max(alone[c] for c in pair), scores[pair]
        if used & set(pair) or better >= ODD or 1 - better < 4 * (1 - s) or len(used) >= 2 * NAMED:
            continue
        level, rest = level_of(seen, pair, s, truth)
        used |= set(pair) if level != "ok" or s >= ODD else set()
        if level != "ok":
            numbers = {"columns": pair, "score": s, "measure": truth.measure, "alone": better, "rest": rest}
            yield Finding(CHECK, level, _sentence(pair, numbers, sure=level == "fail"), numbers, columns=pair)


def _sentence(pair: Pair, numbers: dict[str, Any], *, sure: bool) -> str:
    said = (f"{pair[0]!r} and {pair[1]!r} together predict the target with {numbers['measure']} {numbers['score']:.4f} "
            f"on cases they were not learned from, where the better of them alone reaches {numbers['alone']:.3f}")
    if numbers["rest"] is not None:
        said += f" and a quick model on all other inputs {numbers['rest']:.3f}"
    if sure:
        return (f"{said}: too good to be true, so one is made from the other and the target. Drop both, or allow them "
                "knowingly.")
    return f"{said}. Are both known at the time of the prediction? If not, drop them."


# --- a grid of two columns ------------------------------------------------------------------------


def _grids(seen: Exhibits, truth: Truth, looked: list[str]) -> dict[Pair, float]:
    coded = {c: _coarse(truth.inputs[c]) for c in looked}
    vary = [c for c in looked if coded[c].max() > 0]
    score_of = _Grid(truth)
    scores = {}
    for i, (a, b) in enumerate(combinations(vary, 2)):
        if i % 256 == 255 and seen.seconds_left <= 0:
            break
        scores[a, b] = score_of(coded[a], coded[b])
    return scores


def _coarse(column: pl.Series) -> Array:
    """Integer codes (N,), at most 25 of them."""
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        value = as_floats(column)
        distinct, code = np.unique(value, return_inverse=True)
        return np.asarray(code) if len(distinct) <= LEVELS else quantile_bins(value, CELLS)
    text = column.cast(pl.String, strict=False).fill_null("\0").rank("dense").to_numpy().astype(np.int64) - 1
    size = np.bincount(text)
    place = np.empty(len(size), dtype=np.int64)
    place[np.argsort(-size, kind="stable")] = np.arange(len(size))
    return np.asarray(np.minimum(place, LEVELS)[text])


class _Grid:
    """Scores a cross of two codes: the truth of each cell as one half has it, held against the other half's counts."""

    def __init__(self, truth: Truth) -> None:
        self.measure, self.half = truth.measure, truth.half
        self.value = truth.yes[:, 0]
        self.kinds = 2 if truth.measure == "ROC AUC" else truth.yes.shape[1]
        self.code = self.value.astype(np.int64) if self.kinds == 2 else truth.yes.argmax(axis=1)

    def __call__(self, a_N: Array, b_N: Array) -> float:
        cells = (int(a_N.max()) + 1) * (int(b_N.max()) + 1)
        at = (a_N * (int(b_N.max()) + 1) + b_N) * 2 + self.half
        if self.measure == "R²":
            return self._squares(at, cells)
        count = np.bincount(at * self.kinds + self.code, minlength=2 * cells * self.kinds)
        count_CHK = count.reshape(cells, 2, self.kinds)
        both = [self._half(count_CHK[:, 1 - h], count_CHK[:, h]) for h in (0, 1)]
        return float(np.mean(both))

    def _half(self, learned_CK: Array, held_CK: Array) -> float:
        share = learned_CK.sum(axis=0) / max(learned_CK.sum(), 1)
        said = learned_CK + 0.01 * share
        if self.measure == "ROC AUC":
            rate = said[:, 1] / said.sum(axis=1)
            return _auc_of_counts(rate, held_CK[:, 0], held_CK[:, 1])
        right = held_CK[np.arange(len(said)), said.argmax(axis=1)].sum() / held_CK.sum()
        common = held_CK.sum(axis=0).max() / held_CK.sum()
        return max(0.0, float((right - common) / (1 - common))) if common < 1 else 0.0

    def _squares(self, at: Array, cells: int) -> float:
        n_CH = np.bincount(at, minlength=2 * cells).reshape(cells, 2)
        sum_CH = np.bincount(at, weights=self.value, minlength=2 * cells).reshape(cells, 2)
        mean = self.value.mean()
        said_CH = (sum_CH + 0.01 * mean) / (n_CH + 0.01)
        said_CH = said_CH[:, ::-1]              # what the other half says
        left = float((self.value**2).sum() - 2 * (said_CH * sum_CH).sum() + (n_CH * said_CH**2).sum())
        return max(0.0, 1 - left / float(((self.value - mean) ** 2).sum()))


def _auc_of_counts(rate_C: Array, no_C: Array, yes_C: Array) -> float:
    """ROC AUC where all cases of a cell have one score; cells of equal score are ties but for their order."""
    there = (no_C + yes_C) > 0
    order = np.argsort(rate_C[there], kind="stable")
    no, yes = no_C[there][order], yes_C[there][order]
    if not no.sum() or not yes.sum():
        return 0.5
    return float((yes * (np.cumsum(no) - no / 2)).sum() / (no.sum() * yes.sum()))


# --- a number from two numbers ----------------------------------------------------------------------


def _planes(truth: Truth, looked: list[str]) -> dict[Pair, float]:
    """R² of the number as a plane of two numbers, or its logarithm as one of theirs; the best are then fitted on one
    half and scored on the other."""
    names = [c for c in looked if truth.inputs[c].dtype.is_numeric() or truth.inputs[c].dtype.is_temporal()]
    names = [c for c in names if truth.inputs[c].n_unique() > 2]
    if len(names) < 2:
        return {}
    X = np.column_stack([_filled(truth.inputs[c]) for c in names])
    y = truth.yes[:, 0]
    kept = _best(X, y, range(len(names)))
    positive = [i for i in range(len(names)) if (X[:, i] > 0).all()]
    if (y > 0).all() and len(positive) > 1:
        kept |= _best(np.log(np.where(X > 0, X, 1.0)), np.log(y), positive)
    return {(names[i], names[j]): _fitted(X[:, i], X[:, j], truth) for i, j in kept}


def _filled(column: pl.Series) -> Array:
    value = column.to_physical().cast(pl.Float64).to_numpy()
    known = np.isfinite(value)
    return np.where(known, value, value[known].mean() if known.any() else 0.0)


def _best(X: Array, y: Array, among: range | list[int]) -> set[tuple[int, int]]:
    """The pairs with the largest R² = (r_a² + r_b² - 2 r_a r_b r_ab) / (1 - r_ab²)."""
    at = np.array([i for i in among if X[:, i].std() > 0])
    if len(at) < 2 or y.std() == 0:
        return set()
    R = np.corrcoef(np.column_stack([X[:, at], y]), rowvar=False)
    r, R_ab = R[:-1, -1], R[:-1, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        square = (r[:, None] ** 2 + r[None] ** 2 - 2 * r[:, None] * r[None] * R_ab) / (1 - R_ab**2)
    a, b = np.triu_indices(len(at), 1)
    good = np.nan_to_num(np.where(np.abs(R_ab[a, b]) < 1 - 1e-9, square[a, b], 0.0))
    top = np.argsort(-good)[:TRIED]
    return {(int(at[a[t]]), int(at[b[t]])) for t in top if good[t] > JUMP / 2}


def _fitted(a_N: Array, b_N: Array, truth: Truth) -> float:
    """R² of least squares on a, b, ab, a/b and b/a, learned on one half and scored on the other."""
    a, b = a_N / (np.abs(a_N).max() or 1.0), b_N / (np.abs(b_N).max() or 1.0)
    terms = [np.ones_like(a), a, b, a * b]
    terms += [x / z for x, z in ((a, b), (b, a)) if np.abs(z).min() > 1e-6]
    D, y = np.column_stack(terms), truth.yes[:, 0]
    said = np.empty_like(y)
    for half in (0, 1):
        fit, held = truth.half != half, truth.half == half
        said[held] = D[held] @ np.linalg.lstsq(D[fit], y[fit], rcond=None)[0]
    return max(0.0, 1 - float(((y - said) ** 2).sum() / ((y - y.mean()) ** 2).sum()))


