"""How far probabilities are from frequencies, and how much they say, with what chance adds taken out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from assay.contract import Array, Estimate
from assay.stats.intervals import normal_quantile


@dataclass(frozen=True, slots=True)
class Brier:
    """score = reliability - resolution + uncertainty + within.

    reliability  how far off the probabilities are, squared: 0 is best
    resolution   how much the frequencies differ with the probability: more is better
    uncertainty  what always saying the base rate would score
    within       what the spread of p inside the bins adds or takes
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def brier_decomposition(p_N: Array, y_N: Array, bin_N: Array) -> Brier:
    """The Brier score taken apart, corrected for the bias that finite bins bring.

    With n_k cases, mean probability p_k and share o_k in bin k, and o the share of all:
    reliability = Σ n_k/n [(p_k - o_k)² - o_k (1 - o_k) / (n_k - 1)],
    resolution = Σ n_k/n [(o_k - o)² - o_k (1 - o_k) / (n_k - 1)] + o (1 - o) / (n - 1),
    uncertainty = o (1 - o) n / (n - 1).
    Both may come out slightly below zero. p_N in [0, 1], y_N 0 or 1, bin_N from 0; bins of one case are not corrected.
    Ferro & Fricker (2012), QJRMS 138(668), section 4; `within` as in Stephenson, Coelho & Jolliffe (2008).

    >>> y = np.array([0, 0, 1, 0, 1, 1.0])
    >>> b = brier_decomposition(np.array([0.2, 0.2, 0.2, 0.7, 0.7, 0.7]), y, np.array([0, 0, 0, 1, 1, 1]))
    >>> print(f"{b.score:.3f} {b.reliability:.3f} {b.resolution:.3f} {b.uncertainty:.3f} {b.within:.3f}")
    0.232 -0.102 -0.033 0.300 0.000
    """
    n_K, said_K, seen_K = binned(p_N, y_N, bin_N)
    n, share = len(p_N), float(y_N.mean())
    weight_K = n_K / n
    luck = float(weight_K @ (seen_K * (1 - seen_K) / np.maximum(n_K - 1, 1)))
    whole = share * (1 - share) / max(n - 1, 1)
    reliability = float(weight_K @ (said_K - seen_K) ** 2) - luck
    resolution = float(weight_K @ (seen_K - share) ** 2) - luck + whole
    uncertainty = share * (1 - share) + whole
    score = float(((p_N - y_N) ** 2).mean())
    return Brier(score, reliability, resolution, uncertainty, score - (reliability - resolution + uncertainty))


def binned(p_N: Array, y_N: Array, bin_N: Array) -> tuple[Array, Array, Array]:
    """(n_K, mean probability, share seen) of each bin. bin_N: bin numbers from 0, none empty."""
    n_K = np.bincount(bin_N).astype(float)
    return n_K, np.bincount(bin_N, weights=p_N) / n_K, np.bincount(bin_N, weights=y_N) / n_K


def calibration_error(
    p_N: Array, y_N: Array, bin_N: Array, unit_N: Array | None = None, *, level: float = 0.95
) -> Estimate:
    """The root mean square gap between probability and frequency, what chance makes of it taken out.

    θ = Σ n_k/n δ_k², δ_k the true gap of bin k, is estimated by T = Σ n_k/n (d_k² - v_k), d_k the mean of p - y and
    v_k its squared standard error: without v_k even perfect probabilities show a gap. The value is sqrt(max(T, 0)).
    The interval inverts the score test |T - θ| <= z sqrt(A + 4 c θ), A = 2 Σ (n_k/n)² v_k², c the mean of n_k/n v_k
    weighted by n_k/n d_k², so it is right at θ = 0 too. unit_N: codes from 0 of what is independent; residuals are
    summed by unit first. Raises UserError unless 0 < level < 1.
    Kumar, Liang & Ma (2019), NeurIPS, section 4 (their v_k is o(1-o)/(n_k-1), which wide bins make too large).

    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.05, 0.85, 4000); y = (rng.random(4000) < p + 0.1).astype(float)
    >>> print(calibration_error(p, y, (p * 10).astype(int)))
    0.1072 [0.09419, 0.1219]
    """
    z = normal_quantile(level)
    n_K = np.bincount(bin_N).astype(float)
    weight_K = n_K / len(p_N)
    gap_K = np.bincount(bin_N, weights=p_N - y_N) / n_K
    v_K = _variance(p_N - y_N - gap_K[bin_N], bin_N, n_K, unit_N)
    T = float(weight_K @ (gap_K**2 - v_K))
    pull_K = weight_K * gap_K**2
    pull_K = pull_K if pull_K.sum() > 0 else weight_K
    A, c = 2 * float((weight_K * v_K) @ (weight_K * v_K)), float((pull_K / pull_K.sum()) @ (weight_K * v_K))
    middle = T + 2 * c * z * z
    half = math.sqrt(max(middle**2 - T * T + z * z * A, 0.0))
    value, low, high = (math.sqrt(max(x, 0.0)) for x in (T, middle - half, middle + half))
    units = len(p_N) if unit_N is None else int(unit_N.max()) + 1
    return Estimate(value, min(low, value), max(high, value), units, "debiased, score interval", level)


def _variance(residual_N: Array, bin_N: Array, n_K: Array, unit_N: Array | None) -> Array:
    """Squared standard error (K,) of each bin's mean of centred residuals, summed by unit within it."""
    if unit_N is None:
        squares_K, m_K = np.bincount(bin_N, weights=residual_N**2), n_K
    else:
        cell, inverse = np.unique(bin_N * (int(unit_N.max()) + 1) + unit_N, return_inverse=True)
        sums = np.bincount(inverse, weights=residual_N)
        of_K = cell // (int(unit_N.max()) + 1)
        squares_K, m_K = np.bincount(of_K, weights=sums**2), np.bincount(of_K).astype(float)
    return np.asarray(squares_K / n_K**2 * m_K / np.maximum(m_K - 1, 1))
