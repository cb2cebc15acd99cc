"""Where the truth lies: the order statistic of past errors that bounds the next one.

Scores of n cases, and of one more, are exchangeable; the next score is then at most the k-th smallest of them with
probability k / (n + 1). Vovk, Gammerman & Shafer (2005); Lei et al. (2018), JASA 113(523), section 2.2.
"""

from __future__ import annotations

import math

import numpy as np

from assay.contract import Array
from assay.errors import UserError


def rank(level: float, n: int, units: int | None = None) -> int | None:
    """Which of n sorted scores, counted from 1, bounds the next one with probability `level`; None where all are
    too few.

    k = ceil((n + 1) level), MAPIE's rule from 1.6 on. Where the n scores come from fewer independent units, the u units
    carry the correction: the score at the share ceil((u + 1) level) / u of the pooled scores (Dunn, Wasserman &
    Ramdas 2022, JASA 118(544), pooling of CDFs, each case counted once). Raises UserError unless 0 < level < 1.

    >>> rank(0.9, 99), rank(0.9, 9), rank(0.9, 8), rank(0.9, 100, units=20)
    (90, 9, None, 95)
    """
    if not 0 < level < 1:
        raise UserError(f"an interval was asked for at level {level!r}; wanted a number between 0 and 1, such as 0.9")
    u = n if units is None else units
    k = math.ceil((u + 1) * level - 1e-9)
    return None if k > u else -(-n * k // u)


def bound(sorted_n: Array, level: float, units: int | None = None) -> float:
    """The score that bounds the next one with probability `level`. sorted_n (n,), ascending.

    Raises UserError where the scores are too few for the level.

    >>> bound(np.arange(1.0, 100.0), 0.9)
    90.0
    """
    at, u = rank(level, len(sorted_n), units), len(sorted_n) if units is None else units
    if at is None:
        most = f" The highest level that they allow is {math.floor(1000 * u / (u + 1)) / 1000}." if u > 1 else ""
        raise UserError(f"an interval at level {level} takes at least {fewest(level):,} independent cases with known "
                        f"errors; this model was kept with {u:,}.{most}")
    return float(sorted_n[at - 1])


def fewest(level: float) -> int:
    """How many scores a level takes: the smallest n with ceil((n + 1) level) <= n.

    >>> fewest(0.9), fewest(0.95), fewest(0.99)
    (9, 19, 99)
    """
    return math.ceil(level / (1 - level) - 1e-9)


def absolute(true_N: Array, said_N: Array, scale_N: Array | float = 1.0) -> Array:
    """Scores of a number: |true - said| / scale, (N,)."""
    return np.asarray(np.abs(true_N - said_N) / scale_N)


def least_ambiguous(p_NK: Array, truth_N: Array) -> Array:
    """Scores of a class: one minus the probability of the true one, (N,). truth_N: its position.

    Sets of all classes with a score within the bound are the smallest on average at their coverage.
    Sadeghian, Lei & Wasserman (2019), JASA 114(525): least ambiguous set-valued classifiers."""
    return np.asarray(1.0 - p_NK[np.arange(len(p_NK)), truth_N])
