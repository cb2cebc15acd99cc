"""Which columns to cross: those that tell of what a quick model leaves unexplained, and only if it does better by them.

A small LightGBM learns from each half of a sample and answers for the other. Candidates are ranked by the share of its
residuals that their bins tell, and of the target beyond what their own columns do. Each family of them is kept only
where the same model, given them too, loses less on the halves that it did not learn from. Means of the target are out
of fold: a row's own target, and those of its unit, are in its columns only by the mean of all rows, which is the same
for each (Micci-Barreca 2001, SIGKDD Explorations 3; Pargent et al. 2022, Computational Statistics 37).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np

from assay.contract import Array
from assay.paradigms.supervised.encode.crossed import CHUNK, Crosses, Known, Pair, keyed, place
from assay.paradigms.supervised.learner import Goal, Truth

FEWEST = 300                                    # rows to choose by, at least
WIDEST = 500                                    # columns of codes; on more, choosing would take longer than learning
SAMPLE = 10_000                                 # rows that the quick model sees
FOLDS = 5                                       # by which means are out of fold
NUMBERS, CATEGORIES = 8, 8                      # the most telling columns, from which pairs are made
MOST = {"arithmetic": 12, "above": 6, "means": 12}
MOST_CLASSES = 5                                # of which each has a mean of its own
CLEAR = 4.0                                     # standard errors by which the bins of a candidate must tell
LIFT = 0.01                                     # of the target's variance, told beyond what either column tells
BETTER = 2.0                                    # standard errors by which a family must lower the loss
ALIKE = 0.98                                    # rank correlation above which the second of two is left out
BINS = 16
ROUNDS = 50
_SHARE_FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class Means:
    """Means of the target by category, and what they are without each fold: held (L + 1, folds, v)."""

    known: Known
    held: Array

    def of(self, X: Array, fold: Array) -> Array:
        key = keyed(X, self.known.columns, self.known.bases)
        found: Array = self.held[place(self.known.keys, key), fold]
        return found


Part = Pair | Known | Means


@dataclass(frozen=True, eq=False)
class Ground:
    """The training rows as codes, and their random parts: whole units in one of the folds, and in one of two halves."""

    X: Array
    Y: Array                                    # (n, v) float64: the number, or one column a class
    bases: dict[int, int]
    fold: Array
    rows: Array                                 # the sample, ascending
    half: Array                                 # of the rows of the sample

    def columns(self, part: Part, rows: Array | slice) -> Array:
        """What a part is for these rows (m, v), as a learner may see it that learns from them."""
        X = self.X[rows]
        if isinstance(part, Means):
            return part.of(X, self.fold[rows])
        made = part.of(X)
        return made[:, None] if made.ndim == 1 else made


def cross(X: Array, coded: tuple[int, ...], truth: Truth, but: frozenset[int] = frozenset()) -> tuple[Crosses, Array]:
    """The crosses that pay on these rows, and their columns (n, m) float32 for them.

    X (n, d): codes; coded: columns that hold categories; but: columns not to be crossed."""
    n, d = X.shape
    if n < FEWEST or d > WIDEST or truth.goal == "multilabel" or truth.k < 1:
        return Crosses(d), np.empty((n, 0), np.float32)
    ground = _ground(X, coded, truth)
    parts = _chosen(ground, coded, truth, but)
    crosses = Crosses(d, tuple(p for p in parts if isinstance(p, Pair)),
                      tuple(p.known if isinstance(p, Means) else p for p in parts if not isinstance(p, Pair)))
    ordered = sorted(parts, key=lambda p: not isinstance(p, Pair))
    made = np.empty((n, len(crosses)), np.float32)
    for at in range(0, n, CHUNK):
        rows, column = slice(at, at + CHUNK), 0
        for part in ordered:
            block = ground.columns(part, rows)
            made[rows, column : column + block.shape[1]] = block
            column += block.shape[1]
    return crosses, made


def _ground(X: Array, coded: tuple[int, ...], truth: Truth) -> Ground:
    n = len(X)
    unit = np.arange(n) if truth.unit is None else truth.unit
    rng = np.random.default_rng(truth.seed)
    dealt = rng.permutation(int(unit.max()) + 1)
    rows = np.sort(rng.permutation(n)[:SAMPLE])
    Y = truth.y[:, None] if truth.goal == "regression" else \
        truth.y[:, None] == (np.arange(truth.k) if truth.k > 2 else [1])
    bases = {c: int(np.nanmax(X[:, c], initial=0)) + 2 for c in coded}
    return Ground(X, Y.astype(np.float64), bases, dealt[unit] % FOLDS, rows, dealt[unit[rows]] // FOLDS % 2)


def _chosen(ground: Ground, coded: tuple[int, ...], truth: Truth, but: frozenset[int]) -> list[Part]:
    """Family by family, what lowers the loss of the quick model on the halves held out."""
    rows, told = ground.rows, replace(truth, y=truth.y[ground.rows])
    base = ground.X[rows]
    residual, gain = quick(base, coded, told, ground.half)
    loss, parts = _losses(truth.goal, residual, ground.Y[rows]), list[Part]()
    order = [c for c in np.argsort(-gain, kind="stable").tolist() if gain[c] > 0 and c not in but]
    numbers = [c for c in order if c not in coded][:NUMBERS]
    categories = [c for c in order if c in coded][:CATEGORIES]
    for family in (_arithmetic(ground, residual, numbers), _above(ground, residual, numbers, categories),
                   _means(ground, residual, categories)):
        if not family:
            continue
        more = np.column_stack([base, *(ground.columns(p, rows) for p in family)]).astype(np.float32)
        now = _losses(truth.goal, quick(more, coded, told, ground.half)[0], ground.Y[rows])
        gap = now - loss
        if gap.mean() < -BETTER * gap.std() / np.sqrt(len(gap)):
            base, loss, parts = more, now, [*parts, *family]
    return parts


# --- candidates --------------------------------------------------------------------------------------


def _arithmetic(ground: Ground, residual: Array, numbers: list[int]) -> list[Part]:
    pairs = [Pair(sign, a, b) for a, b in combinations(numbers, 2) for sign in "+-*"]
    return _best(ground, residual, [*pairs, *(Pair("/", a, b) for a, b in permutations(numbers, 2))],
                 MOST["arithmetic"])


def _above(ground: Ground, residual: Array, numbers: list[int], categories: list[int]) -> list[Part]:
    """How far a number lies above the mean of its category."""
    parts: list[Part] = []
    for c in (c for c in categories[:5] if ground.bases[c] > 3):
        key = keyed(ground.X, (c,), (ground.bases[c],))
        for a in numbers[:5]:
            x = ground.X[:, a].astype(np.float64)
            there = ~np.isnan(x)
            keys, at = np.unique(key[there], return_inverse=True)
            mean = np.bincount(at, x[there]) / np.bincount(at)
            values = np.append(mean, x[there].mean())[:, None]
            parts.append(Known((c,), (ground.bases[c],), keys, values, ("its mean in",), a))
    return _best(ground, residual, parts, MOST["above"])


def _best(ground: Ground, residual: Array, parts: list[Part], most: int) -> list[Part]:
    """Parts of a column each: first those that tell more of the target than the columns they are made of do, then
    those that tell most of the residuals. None is nearly the same as one before it or a column of its own."""
    Y, rows = ground.Y[ground.rows], ground.rows
    plain = {c: ground.X[rows, c] for c in {c for part in parts for c in _numbers_of(part)}}
    ranks = {c: _ranks(x) for c, x in plain.items()}
    alone = {c: tells(_binned(x), Y)[0] for c, x in plain.items()}
    lifts, clears = [], []
    for part in parts:
        x = ground.columns(part, rows)[:, 0]
        group = _binned(x)
        lift = tells(group, Y)[0] - max(alone[c] for c in _numbers_of(part))
        share, clear = tells(group, residual)
        if lift > LIFT:
            lifts.append((lift, part, x))
        if clear > CLEAR:
            clears.append((share, part, x))
    kept: list[tuple[Part, Array]] = []
    for scored, room in ((lifts, most // 2), (clears, most)):
        for _, part, x in sorted(scored, key=lambda s: -s[0]):
            rank = _ranks(x)
            others = [*(ranks[c] for c in _numbers_of(part)), *(other for _, other in kept)]
            if len(kept) < room and all(abs(float(rank @ other)) < ALIKE for other in others):
                kept.append((part, rank))
    return [part for part, _ in kept]


def _numbers_of(part: Part) -> tuple[int, ...]:
    if isinstance(part, Pair):
        return part.a, part.b
    return (part.less,) if isinstance(part, Known) and part.less is not None else ()


def _means(ground: Ground, residual: Array, categories: list[int]) -> list[Part]:
    """Means of the target by a category, or by two together, where residuals depend on it."""
    if ground.Y.shape[1] > MOST_CLASSES:
        return []
    scored = []
    for columns in (*((c,) for c in categories), *combinations(categories, 2)):
        bases = tuple(ground.bases[c] for c in columns)
        key = keyed(ground.X[ground.rows], columns, bases)
        share, clear = tells(np.unique(key, return_inverse=True)[1], residual)
        if clear > CLEAR:
            scored.append((share, columns, bases))
    scored.sort(key=lambda s: -s[0])
    return [_means_of(ground, columns, bases) for _, columns, bases in scored[: MOST["means"] // ground.Y.shape[1]]]


def _means_of(ground: Ground, columns: tuple[int, ...], bases: tuple[int, ...]) -> Means:
    """Means drawn towards that of all rows: (sum + m prior) / (rows + m), m = variance within / variance between."""
    keys, at = np.unique(keyed(ground.X, columns, bases), return_inverse=True)
    L, Y, prior = len(keys), ground.Y, ground.Y.mean(axis=0)
    cell = at * FOLDS + ground.fold
    rows = np.bincount(cell, minlength=L * FOLDS).reshape(L, FOLDS, 1).astype(np.float64)
    total = np.stack([np.bincount(cell, y, minlength=L * FOLDS) for y in Y.T], axis=-1).reshape(L, FOLDS, -1)
    m = _shrinkage(at, Y)
    values = (total.sum(axis=1) + m * prior) / (rows.sum(axis=1) + m)
    held = (total.sum(axis=1, keepdims=True) - total + m * prior) / (rows.sum(axis=1, keepdims=True) - rows + m)
    known = Known(columns, bases, keys, np.vstack([values, prior]), tuple(_says(Y.shape[1])))
    return Means(known, np.concatenate([held, np.broadcast_to(prior, (1, FOLDS, len(prior)))]))


def _says(v: int) -> Iterator[str]:
    yield from (f"mean of class {j + 1} in" for j in range(v)) if v > 1 else ("mean target in",)


# --- evidence ----------------------------------------------------------------------------------------


def tells(group: Array, residual: Array) -> tuple[float, float]:
    """The share of the residuals' variance that groups tell, less what chance would; and its standard errors.

    group (n,): 0..L-1. residual (n, v). With B and W the variance between and within groups, the share is
    (B - W) (L - 1) / total, and (B / W - 1) / sqrt(2 / (L - 1)) is about standard normal where nothing is told.

    >>> group = np.repeat([0, 1], 50)
    >>> share, clear = tells(group, group[:, None] + np.tile([-0.5, 0.5], 50)[:, None])
    >>> round(share, 2), clear > 10
    (0.49, True)
    """
    between, within, groups = _variances(group, residual)
    if groups < 2 or within <= 0:
        return 0.0, 0.0
    total = between * (groups - 1) + within * (len(group) - groups)
    return (between - within) * (groups - 1) / total, (between / within - 1) / np.sqrt(2 / (groups - 1))


def _variances(group: Array, Y: Array) -> tuple[float, float, int]:
    """Mean squares between and within groups, summed over the columns of Y; and how many groups there are."""
    rows = np.bincount(group)
    groups, n = int((rows > 0).sum()), len(group)
    if not 1 < groups < n:
        return 0.0, 0.0, 0
    centred = Y - Y.mean(axis=0)
    between = sum(float((np.bincount(group, y) ** 2 / np.maximum(rows, 1)).sum()) for y in centred.T)
    return between / (groups - 1), (float((centred**2).sum()) - between) / (n - groups), groups


def _shrinkage(group: Array, Y: Array) -> float:
    """How many rows of the mean of all rows each group's mean is mixed with, 1 to 1,000."""
    between, within, groups = _variances(group, Y)
    rows = np.bincount(group)
    spread = (between - within) * (groups - 1) / (len(group) - (rows.astype(np.float64) ** 2).sum() / len(group))
    return float(np.clip(within / spread, 1.0, 1_000.0)) if spread > 0 else 1_000.0


def _binned(x: Array) -> Array:
    """Sixteenths of the values that are there, and one more for those that are not; (n,) int64."""
    there = ~np.isnan(x)
    found = np.full(len(x), BINS)
    if there.any():
        cuts = np.unique(np.quantile(x[there], np.linspace(0, 1, BINS + 1)[1:-1]))
        found[there] = np.searchsorted(cuts, x[there])
    return found


def _ranks(x: Array) -> Array:
    """Ranks, centred and of unit length; missing in the middle."""
    known = np.where(np.isnan(x), np.nanmedian(x), x)
    rank = np.unique(known, return_inverse=True)[1].astype(np.float64)
    rank -= rank.mean()
    return rank / (np.linalg.norm(rank) or 1.0)


def quick(X: Array, coded: tuple[int, ...], truth: Truth, half: Array) -> tuple[Array, Array]:
    """What a small LightGBM of each half leaves of the other: residuals (n, v); and the gain of each column."""
    import lightgbm as lgb

    k = truth.k if truth.goal == "multiclass" else 1
    params = {
        "objective": {"regression": "l2", "multiclass": "multiclass"}.get(truth.goal, "binary"), "verbosity": -1,
        "num_threads": 1, "seed": truth.seed, "deterministic": True, "force_row_wise": True, "max_bin": 63,
        "learning_rate": 0.15, "num_leaves": 15, "min_data_in_leaf": 10, "feature_fraction": 0.7,
        **({"num_class": k} if k > 1 else {}),
    }
    residual, gain = np.zeros((len(X), k)), np.zeros(X.shape[1])
    Y = truth.y[:, None] == np.arange(k) if k > 1 else truth.y[:, None]
    for part in (0, 1):
        fit, held = half == part, half != part
        if not (fit.any() and held.any()):
            continue
        rows = lgb.Dataset(X[fit], truth.y[fit], categorical_feature=list(coded), params=params)
        booster = lgb.train(params, rows, ROUNDS if k == 1 else max(2 * ROUNDS // k, 20))
        gain += booster.feature_importance("gain")
        residual[held] = Y[held] - np.asarray(booster.predict(X[held], num_threads=1)).reshape(-1, k)
    return residual, gain


def _losses(goal: Goal, residual: Array, Y: Array) -> Array:
    """Squared error, or log loss, of each row (n,)."""
    if goal == "regression":
        return np.asarray(residual[:, 0] ** 2)
    miss: Array = (residual * Y).sum(axis=1) if Y.shape[1] > 1 else np.abs(residual[:, 0])
    return np.asarray(-np.log(np.clip(1 - miss, _SHARE_FLOOR, 1.0)))
