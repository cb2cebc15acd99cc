"""Ranking of yes above no, and what each case adds to it.

`*_pseudo` return pseudo-values (n,): their mean is the statistic itself, and the variance of that
mean is the statistic's (DeLong's for ROC AUC). So a rank statistic is averaged over classes, summed
by unit and compared in pairs like any mean. They are NaN where the statistic is undefined: a class
is missing, or a score is NaN.
"""

from __future__ import annotations

import numpy as np

from assay.contract import Array


def roc_auc(positive: Array, score: Array) -> float:
    """The chance that a positive case is scored above a negative one, ties counting half. positive, score: (n,).

    >>> roc_auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    return float(roc_auc_pseudo(positive, score).mean())


def roc_auc_pseudo(positive: Array, score: Array) -> Array:
    """DeLong's structural components as pseudo-values (n,), in O(n log n).

    For the m positives V_i is the share of negatives below case i, for the n' negatives the share of
    positives above it, ties counting half; A = mean V in either class. The pseudo-value of a positive is
    A + (V_i - A) (N / m) sqrt(m / (m - 1)), of a negative the same with n'. Then A = their mean, and the sum
    of their squared deviations over N² is DeLong's variance S10 / m + S01 / n'.
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44(3); one sort as in Sun & Xu (2014), IEEE SPL 21(11).

    >>> roc_auc_pseudo(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])).round(3).tolist()
    [1.457, 0.043, 0.043, 1.457]
    """
    positive = np.asarray(positive, dtype=bool)
    share = 1 - wrongly_ranked(positive, score)
    if np.isnan(share).any():
        return share
    area, yes = share[positive].mean(), int(positive.sum())
    return np.asarray(area + (share - area) * np.where(positive, _scale(yes), _scale(len(share) - yes)) * len(share))


def wrongly_ranked(positive: Array, score: Array) -> Array:
    """The share of the other class that each case is ranked on the wrong side of (n,), ties counting half.

    For a positive: the negatives scored above it; for a negative: the positives below it. The mean over either class
    is 1 - ROC AUC, and so is the mean over all. NaN where a class is missing or a score is NaN.

    >>> wrongly_ranked(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    positive = np.asarray(positive, dtype=bool)
    above, below, group = _by_score(positive, score)
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no or np.isnan(score).any():
        return np.full(len(positive), np.nan)
    lower_yes = np.cumsum(above) - above / 2
    higher_no = no - np.cumsum(below) + below / 2
    return np.asarray(np.where(positive, higher_no[group] / no, lower_yes[group] / yes))


def average_precision(positive: Array, score: Array) -> float:
    """Mean precision at the positives: sum over thresholds of (recall gained) x precision. positive, score: (n,).

    Cases tied in score enter together, as in scikit-learn.

    >>> round(average_precision(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    return float(average_precision_pseudo(positive, score).mean())


def average_precision_pseudo(positive: Array, score: Array) -> Array:
    """The infinitesimal jackknife of average precision as pseudo-values (n,), in O(n log n).

    AP(w) = sum_i w_i TP_i / N_i / sum_i w_i over positives i, where TP_i and N_i are the weights of the
    positives and of all cases scored at least as high. The pseudo-value of case j is
    AP + N dAP/dw_j sqrt(P / (P - 1)) at w = 1, with P positives; the derivatives sum to zero.
    Efron (1982), The Jackknife, chapter 6; the logit interval on top: Boyd, Eng & Page (2013), ECML.

    >>> average_precision_pseudo(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])).round(3).tolist()
    [0.833, 0.205, 0.676, 1.619]
    """
    positive = np.asarray(positive, dtype=bool)
    above, below, group = _by_score(positive, score)
    yes = int(positive.sum())
    if not yes or np.isnan(score).any():
        return np.full(len(positive), np.nan)
    hits = _from_the_top(above)
    seen = _from_the_top(above + below)
    precision = hits / seen
    area = float((above * precision).sum() / yes)
    gained = np.cumsum(above / seen)                        # over the positives scored no higher
    lost = np.cumsum(above * hits / seen**2)
    slope = np.where(positive, (precision - area + gained)[group], 0.0) - lost[group]
    return np.asarray(area + slope * _scale(yes) * len(positive))


def _by_score(positive: Array, score: Array) -> tuple[Array, Array, Array]:
    """Positives and negatives at each distinct score, ascending, and which of them each case has."""
    levels, group = np.unique(np.asarray(score, dtype=float), return_inverse=True)
    yes = np.bincount(group, weights=positive, minlength=len(levels))
    return yes, np.bincount(group, minlength=len(levels)) - yes, group


def _from_the_top(counts: Array) -> Array:
    return np.asarray(np.cumsum(counts[::-1])[::-1])


def _scale(count: int) -> float:
    """1 / count, with the correction that makes a variance of `count` deviations unbiased."""
    return float(np.sqrt(count / max(count - 1, 1)) / count)
