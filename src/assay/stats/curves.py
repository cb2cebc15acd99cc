"""Would more data help? A learning curve carried on beyond the data, with the doubt of the cases and of the law.

Error falls with the number of cases n about as a + b n^-c (Viering & Loog 2022, "The shape of learning curves: a
review", IEEE TPAMI; Hestness et al. 2017, "Deep learning scaling is predictable, empirically", arXiv 1712.00409).
A handful of points does not tell c, and no law holds surely: so nothing is fitted once. The answer is averaged over
all c that the points allow, over how much of their scatter is the luck of training, and over fits that leave the
smallest sizes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.contract import Array, Estimate, Metric, Table
from assay.errors import DataError
from assay.stats.resample import Sample, pooled, unit_sums, value_of, weights

EXPONENTS = np.linspace(0.05, 1.25, 25)
"""The c considered, all alike before the points are seen. Hestness et al. found 0.07 to 0.35 and the small ends of
curves fall with up to 1."""

LUCK = np.geomspace(0.1, 1.0, 12)
"""The luck of training considered, as parts of the points' range. With smaller ones allowed the points are believed too
much: intervals for a gain at 90 % then held the truth 80 % of the time (benchmarks/learning_curve.py)."""

_DRAWS, _FEWEST, _LEFT_OUT = 6_000, 3, 2
_REDRAWN = 60


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the law says of `times` the data: the score there, and what is gained on the data there are.

    gain: signed so that more is better; the score's interval holds one training's luck too, the gain's does not."""

    times: float
    score: Estimate
    gain: Estimate


def values_by_case(metric: Metric, tables: Sequence[Table], *, seed: int = 0) -> tuple[Array, Array]:
    """The metric on each of K tables (K,), and on resamples of their cases (r, K): the same units drawn for all.

    tables: outcomes of the same cases in the same order. Rank metrics are resampled through pseudo-values, to first
    order; a metric without terms on 60 redrawn tables. Raises DataError where the `case_id`s differ.
    """
    if any(not t["case_id"].equals(tables[0]["case_id"]) for t in tables[1:]):
        raise DataError("resampling a learning curve: the case_ids of its points differ. Score every point on the same "
                        "cases and keep the order.")
    sample = Sample.of(tables[0], 0.95, seed)
    found = np.array([float(metric.fn(t)) for t in tables])
    if metric.terms is None:
        rng = np.random.default_rng(seed)
        drawn = [_redrawn(sample, rng) for _ in range(_REDRAWN)]
        bare = [t.select(c for c in t.columns if not c.startswith("slice.")) for t in tables]
        return found, np.array([[float(metric.fn(t[rows])) for t in bare] for rows in drawn])
    codes, units = pooled(sample.codes, sample.units, seed=seed)
    counts = weights(units, seed=seed)
    parts = [unit_sums(metric.terms(t), codes, units) for t in tables]
    sums, sizes = np.column_stack([p[0] for p in parts]), parts[0][1].astype(float)[:, None]
    means = (counts @ sums) / (counts @ sizes)
    return found, value_of(metric, means.reshape(len(counts), len(tables), -1))


def _redrawn(sample: Sample, rng: np.random.Generator) -> Array:
    counts = np.bincount(rng.integers(0, sample.units, sample.units), minlength=sample.units)[sample.codes]
    return np.repeat(np.arange(len(counts)), counts)


def carried_on(
    metric: Metric, size_K: Array, value_K: Array, draws_RK: Array, *, times: Sequence[float] = (2.0, 4.0),
    level: float = 0.9, seed: int = 0,
) -> list[Ahead] | None:
    """The curve through K points at `times` the largest size N, with intervals at `level`.

    y(n) = y_N + d ((n / N)^-c - 1) / (2^c - 1), so that d is what the last halving took. For each exponent c and each
    spread t of the luck of training (standard deviation t sqrt(N / n)), y_N and d come by generalised least squares
    with the covariance of the draws beneath; c and t are weighted by their marginal likelihood, with flat priors in
    y_N, d, c and log t. Fits to all points, and to those without the smallest and the two smallest, count alike: the
    doubt of the law itself. No score passes 1 where the metric is a share or a rank, nor 0 where it is an error.
    benchmarks/learning_curve.py says how often the truth is inside.

    size_K: ascending numbers of cases; value_K: the metric there; draws_RK: on resampled cases, from `values_by_case`.
    None where fewer than three points are finite.
    """
    kept = np.isfinite(value_K) & np.isfinite(draws_RK).all(axis=0)
    n_K, y_K = np.asarray(size_K, dtype=float)[kept], np.asarray(value_K, dtype=float)[kept]
    if len(y_K) < _FEWEST or len(draws_RK) < 2:
        return None
    cov_KK = np.atleast_2d(np.cov(draws_RK[:, kept], rowvar=False))
    fits = [slice(k, None) for k in range(_LEFT_OUT + 1) if len(y_K) - k >= _FEWEST]
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([_posterior(n_K[f], y_K[f], cov_KK[f, f], _DRAWS // len(fits), rng) for f in fits])
    best = _best(metric, y_K)
    return [_ahead(metric, drawn, t, best, level, int(n_K[-1]), rng) for t in times]


def _best(metric: Metric, seen: Array) -> float | None:
    """What no score can pass, where the kind of metric tells."""
    if metric.higher_is_better:
        return 1.0 if metric.kind in ("proportion", "rank") else None
    return 0.0 if (seen >= 0).all() else None


def _posterior(n_K: Array, y_K: Array, cov_KK: Array, draws: int, rng: np.random.Generator) -> Array:
    """Draws (r, 4) of y_N, d, c and t."""
    spread = max(float(np.ptp(y_K)), math.sqrt(float(np.diag(cov_KK).max())), 1e-12)
    c_G, luck_G = (g.ravel() for g in np.meshgrid(EXPONENTS, LUCK * spread))
    found_G2, root_G22, log_G = _least_squares(n_K / n_K[-1], y_K, cov_KK, c_G, luck_G)
    chosen = rng.choice(len(c_G), draws, p=_shares(log_G))
    both = found_G2[chosen] + np.einsum("rij,rj->ri", root_G22[chosen], rng.normal(size=(draws, 2)))
    return np.column_stack([both, c_G[chosen], luck_G[chosen]])


def _least_squares(
    part_K: Array, y_K: Array, cov_KK: Array, c_G: Array, luck_G: Array
) -> tuple[Array, Array, Array]:
    """Of each of G laws: (y_N, d), the Cholesky root of their covariance, and the log of the marginal likelihood."""
    X = np.stack([np.ones((len(c_G), len(part_K))), _law(part_K[None, :], c_G[:, None])], axis=-1)
    V = cov_KK + luck_G[:, None, None] ** 2 * np.diag(1 / part_K)
    root = np.linalg.cholesky(V)
    A = np.linalg.solve(root, X)
    b = np.linalg.solve(root, np.broadcast_to(y_K[:, None], (len(c_G), len(y_K), 1)))
    precision = A.swapaxes(1, 2) @ A
    found = np.linalg.solve(precision, A.swapaxes(1, 2) @ b)
    rest = ((b - A @ found) ** 2).sum(axis=(1, 2))
    halves = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1) + np.linalg.slogdet(precision)[1] / 2
    return found[..., 0], np.linalg.cholesky(np.linalg.inv(precision)), -rest / 2 - halves


def _law(part: Array, c: Array) -> Array:
    return np.asarray((part**-c - 1) / (2**c - 1))


def _shares(logs: Array) -> Array:
    shares = np.exp(logs - logs.max())
    return np.asarray(shares / shares.sum())


def _ahead(
    metric: Metric, drawn: Array, times: float, best: float | None, level: float, n: int, rng: np.random.Generator
) -> Ahead:
    sign = 1 if metric.higher_is_better else -1
    now, d, c, luck = drawn.T
    there = now + d * _law(np.array(times), c)
    one = there + rng.normal(size=len(there)) * luck / math.sqrt(times)
    if best is not None:
        now, there, one = (np.clip(v, None, best) if sign > 0 else np.clip(v, best, None) for v in (now, there, one))
    how = "power law averaged over its exponents and over fits without the smallest sizes"
    return Ahead(times, _middle(one, level, n, how), _middle(sign * (there - now), level, n, how))


def _middle(draws: Array, level: float, n: int, how: str) -> Estimate:
    low, value, high = (float(q) for q in np.quantile(draws, [(1 - level) / 2, 0.5, (1 + level) / 2]))
    return Estimate(value, low, high, n, how, level)
