"""Probabilities from margins: Platt's sigmoid for two classes, pairs coupled into one distribution for more.

Platt (1999), Advances in Large Margin Classifiers; Lin, Lin & Weng (2007), Machine Learning 68;
Wu, Lin & Weng (2004), JMLR 5 (their second method, as in libsvm).
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from assay.contract import Array
from assay.paradigms.supervised.learner import sigmoid


def classes_of(pairs: int) -> int:
    """k such that k(k-1)/2 = pairs."""
    return round((1 + math.sqrt(1 + 8 * pairs)) / 2)


def coupled(p_NP: Array) -> Array:
    """Probabilities (N, k) that agree best with those of all pairs: p_NP[:, (i, j)] is i's against j's.

    Minimises Σ_i Σ_{j≠i} (r_ji p_i - r_ij p_j)² under Σ p = 1 (Wu, Lin & Weng 2004, eq. 21), solved directly.
    >>> coupled(np.array([[0.5, 0.5, 0.5]])).round(3).tolist()
    [[0.333, 0.333, 0.333]]
    """
    n, k = len(p_NP), classes_of(p_NP.shape[1])
    i, j = np.array(list(combinations(range(k), 2))).T
    r = np.zeros((n, k, k))
    r[:, i, j] = np.clip(p_NP, 1e-7, 1 - 1e-7)
    r[:, j, i] = 1.0 - r[:, i, j]
    system = np.ones((n, k + 1, k + 1))
    system[:, :k, :k] = -r.transpose(0, 2, 1) * r
    system[:, np.arange(k), np.arange(k)] = (r**2).sum(axis=1)
    system[:, k, k] = 0.0
    right = np.zeros((n, k + 1, 1))
    right[:, k] = 1.0
    p = np.maximum(np.linalg.solve(system, right)[:, :k, 0], 0.0)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def platt(margin: Array, positive: Array, weight: Array | None = None) -> tuple[float, float]:
    """(a, b) of sigmoid(a·margin + b), by maximum likelihood on targets (n₊+1)/(n₊+2) and 1/(n₋+2).

    Newton steps with backtracking (Lin, Lin & Weng 2007; their A and B are -a and -b). margin (n,),
    positive (n,) of bool. Where one side has no rows the margin is taken as it is: (1, 0).
    """
    up = int(positive.sum())
    down = len(positive) - up
    if up == 0 or down == 0:
        return 1.0, 0.0
    w = np.ones(len(margin)) if weight is None else weight
    target = np.where(positive, (up + 1.0) / (up + 2.0), 1.0 / (down + 2.0))
    design = np.column_stack([margin, np.ones(len(margin))])

    def cost(at: Array) -> float:
        raw = design @ at
        return float(w @ (np.logaddexp(0.0, raw) - target * raw))

    at = np.array([0.0, np.log((up + 1.0) / (down + 1.0))])
    for _ in range(100):
        p = sigmoid(design @ at)
        gradient = design.T @ (w * (p - target))
        if np.abs(gradient).max() < 1e-7 * len(margin):
            break
        hessian = (design * (w * p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step, size, now = np.linalg.solve(hessian, gradient), 1.0, cost(at)
        while size > 1e-10 and cost(at - size * step) > now - 1e-4 * size * float(gradient @ step):
            size /= 2
        at = at - size * step
    return float(at[0]), float(at[1])
