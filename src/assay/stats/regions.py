"""The worst regions of a table: conjunctions of a few conditions under which the loss is high.

SliceLine's score and bounds (Sagadeeva & Boehm 2021, "SliceLine: fast, linear-algebra-based slice finding for ML
model debugging", SIGMOD), level by level as products of matrices. What is found was chosen for being bad on the very
cases it was searched on: judge it on others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assay.contract import Array

ALPHA = 0.95
"""How much the mean loss counts against the size; the paper's default."""

KEPT = 60
"""How many of the best are kept: the bound is held against the worst of them."""

MOST_PAIRS = 400
"""Pairs that are searched for a third condition at most, those of the highest bound first: so the time is bounded."""

_CHUNK = 50


@dataclass(frozen=True, slots=True)
class Region:
    """Cases for which all of `conditions` (row numbers of the matrix searched) hold. score: on the cases searched."""

    conditions: tuple[int, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Search:
    """The regions found, best score first; how many were looked at; whether none beyond the bounds was left out."""

    regions: tuple[Region, ...]
    looked: int
    whole: bool


def score(size: Array, total: Array, n: int, mean: float) -> Array:
    """SliceLine's score of regions: α (mean loss there / mean loss - 1) - (1 - α) (n / size - 1).

    size, total (...): cases in a region and the sum of their losses; n, mean: of all cases, mean > 0.
    0 is a region like the whole. Sagadeeva & Boehm (2021), equation 1.

    >>> score(np.array([50.0, 100.0]), np.array([20.0, 20.0]), 100, 0.2).round(3).tolist()
    [0.9, 0.0]
    """
    size = np.maximum(size, 1)
    return np.asarray(ALPHA * (total / size / mean - 1) - (1 - ALPHA) * (n / size - 1))


def bound(size: Array, total: Array, most: Array, *, n: int, mean: float, fewest: int) -> Array:
    """The highest score that any part of a region can have that holds at least `fewest` cases.

    size, total, most (...): the region's cases, the sum and the maximum of their losses. A part of s cases has a total
    of at most min(total, s most), so the bound is the highest score over s in [fewest, size]: at an end, or where
    s most = total. Sagadeeva & Boehm (2021), section 3.2. -inf where size < fewest.
    """
    turn = np.clip(total / np.maximum(most, 1e-300), fewest, np.maximum(size, fewest))
    ends = (np.full_like(turn, fewest), turn, np.maximum(size, fewest))
    best = np.max([score(s, np.minimum(total, s * most), n, mean) for s in ends], axis=0)
    return np.asarray(np.where(size < fewest, -np.inf, best))


def worst_regions(holds_LN: Array, feature_L: Array, loss_N: Array, *, fewest: int) -> Search:
    """The regions of up to three conditions with the highest positive scores, at most `KEPT` of them.

    holds_LN (L, N): whether each of L conditions holds for each of N cases. feature_L (L,): conditions of the same
    feature are never joined. loss_N (N,): losses, none negative. fewest: cases that a region must hold.
    Exact but for `MOST_PAIRS`. Memory: L N floats of four bytes.
    """
    state = _State.of(holds_LN, feature_L, loss_N, fewest)
    if state is None:
        return Search((), 0, True)
    state.singles()
    if len(state.kept) > 1:
        joined = state.pairs()
        state.triples(joined)
    order = np.argsort(-state.scores, kind="stable")[:KEPT]
    found = tuple(Region(tuple(int(state.kept[c]) for c in state.found[i]), float(state.scores[i])) for i in order)
    return Search(found, state.looked, state.whole)


@dataclass
class _State:
    """A search on its way. X (K, N): the conditions that hold often enough, as floats; Y: the same times the loss."""

    X: Array
    Y: Array
    feature: Array
    kept: Array                                 # (K,): which rows of the caller's matrix
    size: Array                                 # (K,)
    total: Array                                # (K,)
    most: Array                                 # (K,)
    n: int
    mean: float
    fewest: int
    found: list[tuple[int, ...]]
    scores: Array
    looked: int = 0
    whole: bool = True

    @classmethod
    def of(cls, holds: Array, feature: Array, loss: Array, fewest: int) -> _State | None:
        n, mean = len(loss), float(loss.mean()) if len(loss) else 0.0
        size = holds.sum(axis=1)
        kept = np.flatnonzero(size >= fewest)
        if not mean > 0 or not len(kept):
            return None
        X = holds[kept].astype(np.float32)
        Y = X * loss.astype(np.float32)
        return cls(X, Y, feature[kept], kept, size[kept].astype(float), X @ loss.astype(np.float32),
                   Y.max(axis=1).astype(float), n, mean, fewest, [], np.empty(0))

    @property
    def bar(self) -> float:
        """What a region must beat: the worst of those kept, and that of the whole table."""
        if len(self.scores) < KEPT:
            return 0.0
        return max(0.0, float(np.partition(self.scores, -KEPT)[-KEPT]))

    def add(self, conditions: Array, scores: Array) -> None:
        """conditions (r, d), scores (r,): keep the positive ones among the best."""
        self.looked += len(scores)
        good = np.flatnonzero(scores > self.bar)
        good = good[np.argsort(-scores[good], kind="stable")[:KEPT]]
        found = self.found + [tuple(int(c) for c in row) for row in conditions[good]]
        together = np.concatenate([self.scores, scores[good]])
        order = np.argsort(-together, kind="stable")[:KEPT]
        self.found, self.scores = [found[i] for i in order], together[order]

    def bounds(self, size: Array, total: Array, most: Array) -> Array:
        return bound(size, total, most, n=self.n, mean=self.mean, fewest=self.fewest)

    def singles(self) -> None:
        self.add(np.arange(len(self.kept))[:, None], score(self.size, self.total, self.n, self.mean))

    def pairs(self) -> tuple[Array, Array]:
        """Scores all pairs. Their bounds (K, K), and each pair's maximal loss at most (K, K)."""
        size, total = (self.X @ self.X.T).astype(float), (self.Y @ self.X.T).astype(float)
        most = np.minimum(self.most[:, None], self.most[None, :])
        allowed = np.triu(self.feature[:, None] != self.feature[None, :], 1) & (size >= self.fewest)
        parents = self.bounds(np.minimum(self.size[:, None], self.size), np.minimum(self.total[:, None], self.total),
                              most)
        i, j = np.nonzero(allowed & (parents > self.bar))
        self.add(np.column_stack([i, j]), score(size[i, j], total[i, j], self.n, self.mean))
        own = np.where(allowed, self.bounds(size, total, most), -np.inf)
        return np.maximum(own, own.T), most

    def triples(self, joined: tuple[Array, Array]) -> None:
        """A third condition for each pair, where every pair of the three may still hold something worse."""
        own, _ = joined
        i, j = np.nonzero(np.triu(own > self.bar, 1))
        order = np.argsort(-own[i, j], kind="stable")
        self.whole = len(order) <= MOST_PAIRS
        for part in _parts(order[:MOST_PAIRS]):
            a, b = i[part], j[part]
            alive = own > self.bar
            third = alive[a] & alive[b] & (np.arange(len(self.kept)) > b[:, None])
            if not third.any():
                continue
            both = self.X[a] * self.X[b]
            size = (both @ self.X.T).astype(float)
            row, k = np.nonzero(third & (size >= self.fewest))
            total = (both @ self.Y.T).astype(float)[row, k]
            self.add(np.column_stack([a[row], b[row], k]), score(size[row, k], total, self.n, self.mean))


# --- judging, on other cases ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gap:
    """The mean loss inside a region and outside it; the standard error of the first and the p of their difference."""

    inside: float
    outside: float
    error_inside: float
    units: int                                  # with cases inside
    p: float


def gap(loss_N: Array, inside_N: Array, outside_N: Array, codes_N: Array) -> Gap:
    """Is the mean loss higher inside than outside? One-sided, cases of a unit kept together.

    t = (mean inside - mean outside) / se with se² = sum over units of the unit's summed residuals squared, each
    residual divided by the number of cases on its side; its inside part times u / (u - 1) (Liang & Zeger 1986,
    Biometrika 73(1), for means). Never less than the se of two sides of the same spread, unit by unit: a few cases
    that happen to be alike are no proof. Degrees of freedom: u - 1, with u the units that have cases inside.
    inside_N, outside_N (N,): booleans, each true for some cases.

    >>> loss = np.array([1, 1, 0, 1, 0, 0, 0, 1, 0, 0.0]); inside = np.arange(10) < 4
    >>> found = gap(loss, inside, ~inside, np.arange(10))
    >>> round(found.inside, 2), round(found.outside, 2), found.units, round(found.p, 3)
    (0.75, 0.17, 4, 0.081)
    """
    from scipy.special import stdtr

    means = [float(loss_N[side].mean()) for side in (inside_N, outside_N)]
    parts = []
    for side, mean in zip((inside_N, outside_N), means, strict=True):
        residual = np.where(side, loss_N - mean, 0.0) / side.sum()
        parts.append(np.bincount(codes_N, weights=residual))
    units = len(np.unique(codes_N[inside_N]))
    mend = math.sqrt(units / max(1, units - 1))
    error, within = (math.sqrt(float((part**2).sum())) for part in (mend * parts[0] - parts[1], mend * parts[0]))
    error = max(error, _alike_error(loss_N, inside_N, outside_N, codes_N))
    if not error > 0:
        return Gap(means[0], means[1], within, units, 1.0 if means[0] <= means[1] else 0.5**units)
    p = float(stdtr(max(1, units - 1), -(means[0] - means[1]) / error))
    return Gap(means[0], means[1], within, units, p)


def _alike_error(loss_N: Array, inside_N: Array, outside_N: Array, codes_N: Array) -> float:
    """The standard error of the difference if both sides were draws from the same cases."""
    both = inside_N | outside_N
    residual = np.where(both, loss_N - loss_N[both].mean(), 0.0)
    spread = float((np.bincount(codes_N, weights=residual) ** 2).sum()) / both.sum()    # of a case, units kept together
    return math.sqrt(spread * (1 / inside_N.sum() + 1 / outside_N.sum()))


def _parts(order: Array) -> Iterator[Array]:
    for start in range(0, len(order), _CHUNK):
        yield order[start:start + _CHUNK]
