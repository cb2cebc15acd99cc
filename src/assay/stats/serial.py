"""Sums of what is dependent in time: how long the memory is, and the variance that it makes.

The variance that the circular block bootstrap finds for a mean has a closed form, so nothing is drawn for it.
"""

from __future__ import annotations

import math

import numpy as np

from assay.contract import Array

FEWEST_MOMENTS = 20     # with fewer, dependence in time cannot be seen


def block_length(series: Array) -> int:
    """How many neighbours in time a block should hold together: 1.5 n^(1/3) where no memory is seen, for weak memory
    goes unseen among a few hundred cases, and blocks of independent cases cost 1 or 2 % of width.

    (2 G² n / D)^(1/3), rounded up, with G = sum_k w(k/M) |k| R(k), D = 4/3 g² and g = sum_k w(k/M) R(k); R are the
    autocovariances of the series (n,), w the trapezoid, M twice the lag after which 5 or more autocorrelations in a
    row are below 2 sqrt(log10 n / n). At least 1.5 n^(1/3), at most 3 sqrt(n) and n / 3.
    Politis & White (2004), Econometric Reviews 23(1), with the correction of Patton, Politis & White (2009), 28(4).

    >>> rng = np.random.default_rng(0)
    >>> block_length(rng.normal(size=400)), block_length(np.convolve(rng.normal(size=400), np.ones(5)))
    (12, 12)
    """
    return _windowed(series - series.mean())[0]


def shortest_block(n: int) -> int:
    """1.5 n^(1/3), rounded up."""
    return math.ceil(1.5 * math.cbrt(n))


def long_run(series: Array) -> tuple[float, int]:
    """The variance of the sum of a series (n,) of deviations in the order of time, and the block length it took.

    The larger of two: that of the circular block bootstrap, which is n sum_k (1 - |k|/b) R(k) with blocks of b, times
    n / (n - b); and that of the flat-topped window, n sum_k w(k/M) R(k), which is less biased and less steady.
    Politis & Romano (1992), in LePage & Billard, "Exploring the limits of bootstrap"; Politis & Romano (1995),
    Journal of Time Series Analysis 16(1).
    """
    n = len(series)
    deviations = series - series.mean()
    length, flat, seen = _windowed(deviations)
    sums = block_sums(deviations, length)
    blocks = float((sums**2).sum()) / length * n / (n - length)
    return (max(blocks, n * flat) if seen else blocks), length


def block_sums(series: Array, length: int) -> Array:
    """The sums (n,) of all runs of `length` neighbours, the last followed by the first.

    >>> block_sums(np.array([1.0, 2.0, 4.0]), 2).tolist()
    [3.0, 6.0, 5.0]
    """
    if length == 1:
        return series
    running = np.cumsum(np.concatenate([[0.0], series, series[:length - 1]]))
    return np.asarray(running[length:] - running[:-length])


def _windowed(deviations: Array) -> tuple[int, float, bool]:
    """The block length, sum_k w(k/M) R(k), and whether memory was seen."""
    n = len(deviations)
    shortest = shortest_block(n)
    first = float(deviations @ deviations) / n
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    most = math.ceil(math.sqrt(n)) + run
    covariance = np.array([float(deviations[k:] @ deviations[:n - k]) / n for k in range(min(2 * most, n))])
    seen = np.abs(covariance[1:]) > 2 * math.sqrt(math.log10(n) / n) * first
    memory = next((m for m in range(min(most, len(seen))) if not seen[m:m + run].any()), most)
    lag = np.arange(1, min(2 * memory, len(covariance) - 1) + 1)
    if not len(lag):
        return shortest, first, False
    weighed = 2 * np.minimum(1.0, 2 * (1 - lag / len(lag))) * covariance[lag]
    flat, slope = first + float(weighed.sum()), float((weighed * lag).sum())
    length = math.ceil((1.5 * n * (slope / flat) ** 2) ** (1 / 3)) if flat > 0 else n
    return max(shortest, min(length, math.ceil(3 * math.sqrt(n)), n // 3)), flat, True
