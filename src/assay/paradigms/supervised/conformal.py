"""Conformal bounds of answers: how far off answers for cases held out were, kept as scores.

A number gets an interval as wide on both sides, scaled by how large errors are at that answer where this makes
intervals narrower. A class gets the set of all classes that are probable enough, its own answer always among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from assay.contract import Array, Table
from assay.paradigms.supervised.target import Target
from assay.stats.conformal import absolute, bound, least_ambiguous

MOST_SCORES = 20_000
SCALE_CASES, SCALE_BINS = 50, 10                # cases a bin takes at least, and bins there are at most
NARROWER = 0.98                                 # scaled intervals must be at most so wide, on average, to be kept
PARTS = 5


@dataclass(frozen=True, eq=False)
class Scale:
    """How large errors are at an answer: straight between points (m,), flat beyond. No points: the same everywhere."""

    x: Array
    y: Array

    def __call__(self, value_N: Array) -> Array:
        return np.interp(value_N, self.x, self.y) if len(self.x) else np.ones(len(value_N))

    @property
    def wrong(self) -> str:
        """What is not as it must be; empty where the scale is sound."""
        same = self.x.ndim == 1 and self.x.shape == self.y.shape
        sound = same and bool(np.isfinite(self.x).all() and np.isfinite(self.y).all())
        return "" if sound and bool((np.diff(self.x) > 0).all() and (self.y > 0).all()) else "the scale is not sound"


SAME = Scale(np.empty(0), np.empty(0))


@dataclass(frozen=True, eq=False)
class Conformity:
    """Scores (n,) of cases held out, ascending, of so many independent units; for a number in units of `scale`."""

    scores: Array
    units: int
    scale: Scale = SAME

    @property
    def wrong(self) -> str:
        s = self.scores
        sound = s.ndim == 1 and len(s) > 0 and bool(np.isfinite(s).all() and (np.diff(s) >= 0).all() and s[0] >= 0)
        return self.scale.wrong if sound and 1 <= self.units <= len(s) else "the conformity scores are not sound"

    def averaged(self, removed: float, *, about_mean: bool = False) -> Conformity:
        """What the scores would be of the average of the fold models, whose own they are.

        removed: the share of the mean squared error (of numbers), or of the variance of scores (of classes), that
        averaging takes away. Errors shrink by sqrt(1 - removed), towards 0 or, with `about_mean`, towards their mean;
        by half at most. Of classes half is taken: models agree more where a chance is near 0 or 1, and all of it left
        sets that hold the truth too seldom (93.3 % of 95 % on the cuts of diamonds)."""
        share, middle = (removed / 2, self.scores.mean()) if about_mean else (removed, 0.0)
        shrink = np.sqrt(1 - min(max(share, 0.0), 0.75))
        return replace(self, scores=middle + (self.scores - middle) * shrink)

    def around(self, value_N: Array, level: float) -> tuple[Array, Array]:
        """(low, high) of answers (N,). Raises UserError where the scores are too few for the level."""
        half = bound(self.scores, level, self.units) * self.scale(value_N)
        return value_N - half, value_N + half

    def probable(self, p_NK: Array, level: float, answer_N: Array | None = None) -> Array:
        """Which classes (N, K) are in the set: those within the bound, and always the one that is answered, the most
        probable if nothing is said of it."""
        inside = 1.0 - p_NK <= bound(self.scores, level, self.units)
        inside[np.arange(len(p_NK)), p_NK.argmax(axis=1) if answer_N is None else answer_N] = True
        return inside


def of_numbers(said_N: Array, true_N: Array, unit_N: Array, seed: int) -> Conformity:
    """What bounds numbers. unit_N: codes from 0.

    Scaled scores are of a scale that other cases made (five parts of whole units); they are kept where their
    90 % intervals are narrower on average by more than a fiftieth."""
    plain, units = absolute(true_N, said_N), int(unit_N.max()) + 1
    same = Conformity(np.sort(plain), units)
    if len(plain) < 2 * SCALE_CASES or units < 2 * PARTS or not plain.any():
        return same
    scales = np.empty(len(plain))
    part_N = parts(unit_N, seed)
    for part in range(PARTS):
        held = part_N == part
        scales[held] = scale_of(said_N[~held], plain[~held])(said_N[held])
    scaled = Conformity(np.sort(plain / scales), units, scale_of(said_N, plain))
    narrower = bound(scaled.scores, 0.9, units) * scales.mean() <= NARROWER * bound(same.scores, 0.9, units)
    return scaled if narrower else same


def scale_of(said_N: Array, error_N: Array) -> Scale:
    """The mean error along the answer, in up to ten bins of equal counts; never below a tenth of the overall mean."""
    bins = min(SCALE_BINS, len(said_N) // SCALE_CASES)
    edges = np.unique(np.quantile(said_N, np.linspace(0, 1, bins + 1)[1:-1])) if bins > 1 else np.empty(0)
    bin_N = np.unique(np.searchsorted(edges, said_N), return_inverse=True)[1]
    n = np.bincount(bin_N)
    x, y = np.bincount(bin_N, weights=said_N) / n, np.bincount(bin_N, weights=error_N) / n
    return Scale(x, np.maximum(y, 0.1 * error_N.mean())) if error_N.any() and (np.diff(x) > 0).all() else SAME


def spread(answers: Sequence[Array]) -> float:
    """What K models' answers (n,) to the same cases differ by: their variance over the K, averaged over the cases.

    The mean squared error of K answers is that of their average plus this (Krogh & Vedelsby 1995, NIPS 7). Each of the
    cases was learned from by all but one of the models: those differ less there than on new cases, that one more."""
    return float(np.var(np.stack(answers), axis=0).mean()) if len(answers) > 1 else 0.0


def of_classes(p_NK: Array, truth_N: Array, unit_N: Array) -> Conformity:
    """What bounds classes. truth_N: the position of each true class."""
    return Conformity(np.sort(least_ambiguous(p_NK, truth_N)), int(unit_N.max()) + 1)


def parts(unit_N: Array, seed: int) -> Array:
    """Five parts (N,) of about as many whole units each."""
    drawn = np.random.default_rng(seed).permutation(int(unit_N.max()) + 1) % PARTS
    return np.asarray(drawn[unit_N])


def sets(target: Target, inside_NK: Array) -> pl.Series:
    """The classes of each row as a list, in their own type."""
    words = target.labels(np.arange(len(target.classes)))
    row, column = np.nonzero(inside_NK)
    flat = pl.DataFrame({"row": row, "set": words.gather(column)})
    return flat.group_by("row", maintain_order=True).agg("set")["set"]


def bounded(answers: Table, target: Target, conformity: Conformity, level: float) -> Table:
    """The answers with `low` and `high`, or `set`, beside them."""
    if target.goal == "regression":
        low, high = conformity.around(answers["value"].to_numpy(), level)
        return answers.with_columns(pl.Series("low", low), pl.Series("high", high))
    p_NK = answers.select(f"p.{c}" for c in target.classes).to_numpy()
    said = answers["label"].cast(pl.String).cast(pl.Enum(list(target.classes))).to_physical().to_numpy()
    return answers.with_columns(sets(target, conformity.probable(p_NK, level, said)).alias("set"))
