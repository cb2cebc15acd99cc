"""Near twins among rows of a table: nearer in their numbers than neighbours are by chance, and alike in the rest."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.contract import Array, Table

FINE = 0.1
"""A number with at least this share of distinct values says how near two rows are; the other columns have to agree."""
FEWEST, MOST = 3, 24
"""Directions in which rows are compared: fewer say nothing, more cost time."""
FAINT = 0.05
ASKED = 600
GAP, MANY = 5.0, 0.03
"""A twin is this many times nearer than the next row that is none."""
DEEP = 7
NEAR, CROWD, LEVELS = 0.04, 20, 12
PLATEAU = 2.0
"""Twice as far away there are at most twice as many pairs: by chance there are 2^m times."""
WIDER = 1.5
"""And three times as far away in each of a few numbers at most this many."""


def near_pairs(rows: Table) -> Array:
    """Positions (p, 2) of near twins; (0, 2) where no more rows have one than chance allows.

    The fine numbers are brought to one scale and turned to uncorrelated directions. Where rows fill m directions
    evenly, the distances d_k to the k-th neighbour obey P(d_(k+1) / d_k > x) = x^(-m k), whatever the density (Facco
    et al. 2017, Scientific Reports 7, 12140, eq. 2, for k = 1). m is read off d_7 / d_6, which a few twins do not
    touch. Rows with a gap of five times among their first five neighbours have twins, if there are three times as
    many as expected, and 3 % of the rows; twins agree in nine of ten of the other columns. And twice as far away there
    must not be twice as many pairs."""
    nothing = np.empty((0, 2), dtype=np.int64)
    fine = [c for c in rows.columns if _is_fine(rows[c])]
    if len(rows) < 100 or not fine:
        return nothing
    X = np.column_stack([_scaled(rows[c]) for c in fine])
    Z = _turned(X)
    rest = _coded(rows.select(c for c in rows.columns if c not in fine), len(rows))
    if Z.shape[1] < FEWEST:
        return _near_alike(X, rest)
    radius = _radius(Z, rest)
    if radius == 0:
        return nothing
    from scipy.spatial import cKDTree

    tree = cKDTree(Z)
    if tree.count_neighbors(tree, 2 * radius) - len(Z) > PLATEAU * (tree.count_neighbors(tree, radius) - len(Z)):
        return nothing
    pairs = tree.query_pairs(radius, output_type="ndarray")
    return np.asarray(pairs[_alike(rest, pairs[:, 0], pairs[:, 1])]) if len(pairs) else nothing


def _near_alike(X: Array, rest: Array) -> Array:
    """Rows that agree in all other columns and nearly in the few fine numbers: more of them than numbers drawn anew
    would make. Near is measured by what the other columns leave open of a number: a price may follow from them."""
    X = X / _left_open(X, rest)
    _, key, size = np.unique(rest, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(key, kind="stable")
    order = order[(size[key[order]] > 1) & (size[key[order]] <= CROWD)]
    found = []
    for step in range(1, CROWD):
        a, b = order[:-step], order[step:]
        same = key[a] == key[b]
        if not same.any():
            break
        found.append(np.column_stack([a, b])[same])
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    pairs = np.concatenate(found)
    near = (np.abs(X[pairs[:, 0]] - X[pairs[:, 1]]) < NEAR).all(axis=1)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(X), (2, 20_000))
    by_luck = float(((np.abs(X[a] - X[b]) < NEAR).all(axis=1) & (a != b)).mean())
    wider = int((np.abs(X[pairs[:, 0]] - X[pairs[:, 1]]) < 3 * NEAR).all(axis=1).sum())
    enough = near.sum() >= max(MANY / 2 * len(X), 5 * by_luck * len(pairs), wider / WIDER)
    return np.asarray(pairs[near & enough])


def _left_open(X: Array, rest: Array) -> Array:
    """(d,): the spread of each number that least squares on the other columns, small ones by level, cannot explain."""
    columns = [np.ones(len(X))]
    for code in rest.T:
        levels = np.unique(code)
        columns += [code == v for v in levels[1:]] if len(levels) <= LEVELS else [code]
    D = np.column_stack(columns).astype(float)
    left = X - D @ np.linalg.lstsq(D, X, rcond=None)[0]
    return np.asarray(np.maximum(left.std(axis=0), 1e-6))


def _is_fine(column: pl.Series) -> bool:
    return column.dtype.is_numeric() and column.dtype != pl.Boolean and column.n_unique() >= FINE * len(column)


def _scaled(column: pl.Series) -> Array:
    """asinh of the distance to the median in units of the middle spread; a missing value at the median."""
    value = column.cast(pl.Float64).to_numpy()
    known = value[np.isfinite(value)]
    if not len(known):
        return np.zeros(len(value))
    low, middle, high = np.quantile(known, [0.16, 0.5, 0.84])
    spread = max((high - low) / 2, known.std() / 4) or 1.0          # of many noughts the middle has none
    return np.asarray(np.arcsinh(np.nan_to_num((value - middle) / spread, nan=0.0, posinf=1e6, neginf=-1e6)))


def _turned(X: Array) -> Array:
    """Principal directions of unit spread, but for those with less than a twentieth of a column's variance."""
    X = X - X.mean(axis=0)
    spread = X.std(axis=0)
    X = X[:, spread > 0] / spread[spread > 0]
    if X.shape[1] < FEWEST:
        return X
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    kept = np.flatnonzero(values >= FAINT)[::-1][:MOST]
    return np.asarray(X @ (vectors[:, kept] / np.sqrt(values[kept])))


def _coded(rest: Table, n: int) -> Array:
    """Codes (n, 1 + d), missing being one; the first column is 0 in all."""
    coded = [rest[c].rank("dense").fill_null(0).to_numpy().astype(np.int32) for c in rest.columns]
    return np.column_stack([np.zeros(n, dtype=np.int32), *coded])


def _alike(rest: Array, a: Array, b: Array) -> Array:
    """Whether rows a and b agree in nine of ten of the other columns."""
    unlike: Array = (rest[a] != rest[b]).sum(axis=1)
    return np.asarray(unlike <= (rest.shape[1] - 1) // 10)


def _radius(Z: Array, rest: Array) -> float:
    """How near twins are; 0 where there are none."""
    asked = np.random.default_rng(0).permutation(len(Z))[:ASKED]
    near, d = _neighbours(Z, asked)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = d[:, 1:] / d[:, :-1]
    ratio = np.nan_to_num(ratio, nan=1.0, posinf=np.inf)
    last = ratio[:, -1][np.isfinite(ratio[:, -1])]
    step = float(np.log(np.median(last))) if len(last) else 0.0
    m = np.log(2) / (DEEP - 1) / step if step > 0 else float(MOST)
    gap = ratio[:, :5] >= GAP
    at = gap.argmax(axis=1)
    twin = gap.any(axis=1) & _alike(rest, asked, near[:, 0])
    expected = len(asked) * GAP**-m
    if twin.sum() < max(4, MANY * len(asked), 3 * expected):
        return 0.0
    seen = d[np.arange(len(d)), at][twin]
    return float(min(1.5 * np.quantile(seen, 0.95), np.median(d[~twin, 0]) / 2)) if (~twin).any() else float(seen.max())


def _neighbours(Z: Array, asked: Array) -> tuple[Array, Array]:
    """Positions and distances (a, 7) of the nearest other rows, nearest first."""
    near = np.empty((len(asked), DEEP), dtype=np.int64)
    d = np.empty((len(asked), DEEP))
    light = Z.astype(np.float32)
    square = (light**2).sum(axis=1)
    for start in range(0, len(asked), 100):
        some = asked[start:start + 100]
        about = square[None] - 2 * (light[some] @ light.T)
        about[np.arange(len(some)), some] = np.inf
        few = np.argpartition(about, DEEP + 3, axis=1)[:, :DEEP + 4]        # single precision finds, double measures
        true = np.sqrt(((Z[few] - Z[some][:, None]) ** 2).sum(axis=2))
        order = np.argsort(true, axis=1)[:, :DEEP]
        near[start:start + 100] = np.take_along_axis(few, order, axis=1)
        d[start:start + 100] = np.take_along_axis(true, order, axis=1)
    return near, d
