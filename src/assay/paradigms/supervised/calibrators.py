"""Maps from the probabilities a model says to those that happen, fitted on answers for cases held out.

    temperature   logits divided by one number (Guo et al. 2017)
    platt         sigmoid(a logit + b) (Platt 1999)
    isotonic      the closest rising curve (Zadrozny & Elkan 2002), straight between its steps
    venn_abers    isotonic with the new case counted once as no and once as yes (Vovk & Petej 2014)

Several classes take one temperature for all, or else a curve a class against the rest, rows then brought to sum one;
labels take a curve each. Every curve rises strictly, so that the order of cases by one class is kept: steps take a
thousandth of the probability said along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from assay.contract import Array
from assay.paradigms.supervised.learner import Goal, sigmoid, softmax, two_columns
from assay.paradigms.supervised.recipes.platt import platt

Method = Literal["temperature", "platt", "isotonic", "venn_abers"]
METHODS: tuple[Method, ...] = get_args(Method)  # from the stiffest to the most flexible

EPS = float(np.finfo(float).eps)
KEEP = 1e-3                                     # of the probability said, so that steps do not tie cases
MOST_STEPS = 256
"""Of the scores of Venn-Abers: more are merged into groups of equal counts before it looks at the truth."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A strictly rising map of [0, 1] into itself.

    temperature, platt   x (1,) the slope, y (1,) the shift, of logits
    isotonic             x, y (m,): through these points, flat beyond them
    venn_abers           x (m-1,) ascending: values up to x[i] give y[i]; y (m,)
    """

    method: Method
    x: Array
    y: Array

    def __call__(self, p_N: Array) -> Array:
        if self.method in ("temperature", "platt"):
            return sigmoid(self.x[0] * logit(p_N) + self.y[0])
        if self.method == "isotonic":
            return np.asarray((1 - KEEP) * np.interp(p_N, self.x, self.y) + KEEP * p_N)
        return np.asarray((1 - KEEP) * self.y[np.searchsorted(self.x, p_N)] + KEEP * p_N)

    @property
    def wrong(self) -> str:
        """What is not as it must be; empty where the curve is sound."""
        finite = bool(np.isfinite(self.x).all() and np.isfinite(self.y).all())
        if self.method not in METHODS or self.x.ndim != 1 or self.y.ndim != 1 or not finite or not len(self.y):
            return "a curve is of no known method, empty or not finite"
        if self.method in ("temperature", "platt"):
            return "" if self.x.shape == self.y.shape == (1,) and self.x[0] > 0 else "a slope is not one number above 0"
        fits = len(self.x) == len(self.y) - (self.method == "venn_abers")
        rises = bool((np.diff(self.x) > 0).all() and (np.diff(self.y) >= 0).all())
        inside = self.y.min() >= 0 and self.y.max() <= 1
        return "" if fits and rises and inside else "a curve does not rise from 0 to 1"


def logit(p_N: Array) -> Array:
    """log(p / (1 - p)), p kept one rounding step from 0 and 1.

    >>> logit(np.array([0.5, 1.0])).round(2).tolist()
    [0.0, 36.04]
    """
    p = np.clip(p_N, EPS, 1 - EPS)
    return np.asarray(np.log(p) - np.log1p(-p))


@dataclass(frozen=True, eq=False)
class Calibrator:
    """Probabilities in, calibrated ones out, both (N, K): columns as `target.names` has them.

    curves: one of the second class (two classes), one temperature or one a class (several), one a label."""

    goal: Goal
    method: Method
    curves: tuple[Curve, ...]

    def __call__(self, p_NK: Array) -> Array:
        if self.goal == "binary":
            return two_columns(self.curves[0](p_NK[:, 1]))
        if self.goal == "multiclass" and self.method == "temperature":
            return softmax(self.curves[0].x[0] * np.log(np.maximum(p_NK, EPS)))
        each = np.column_stack([curve(p_NK[:, k]) for k, curve in enumerate(self.curves)])
        if self.goal == "multilabel":
            return each
        return np.asarray(each / np.maximum(each.sum(axis=1, keepdims=True), EPS))


def fitted(method: Method, goal: Goal, p_NK: Array, y_NK: Array) -> Calibrator:
    """The calibrator of this method that fits probabilities (N, K) to what happened (N, K) of 0 and 1."""
    if goal == "multiclass" and method == "temperature":
        n, k = y_NK.shape
        soft = (n * y_NK + 1) / (n + k)                     # as Platt's targets: all right so far is no certainty
        slope = _steepest(lambda a: _log_loss(softmax(a * np.log(np.maximum(p_NK, EPS))), soft))
        return Calibrator(goal, method, (Curve(method, np.array([slope]), np.zeros(1)),))
    columns = (1,) if goal == "binary" else range(p_NK.shape[1])
    return Calibrator(goal, method, tuple(curve_of(method, p_NK[:, k], y_NK[:, k]) for k in columns))


def curve_of(method: Method, p_N: Array, y_N: Array) -> Curve:
    """One curve. Where all cases are alike the method is left with what its prior says of so many."""
    if method == "temperature":
        raw, soft = logit(p_N), (len(y_N) * y_N + 1) / (len(y_N) + 2)
        slope = _steepest(lambda a: float((np.logaddexp(0.0, a * raw) - soft * a * raw).mean()))
        return Curve(method, np.array([slope]), np.zeros(1))
    if method == "platt":
        slope, shift = platt(logit(p_N), y_N > 0.5)
        return Curve(method, np.array([max(slope, 1e-3)]), np.array([shift]))
    return isotonic(p_N, y_N) if method == "isotonic" else venn_abers(p_N, y_N)


def isotonic(p_N: Array, y_N: Array) -> Curve:
    """The rising curve closest to what happened, by least squares, kept 1 / (N + 2) from 0 and 1.

    Flat steps are kept by their two ends, so between steps the curve is straight, as in scikit-learn."""
    from scipy.optimize import isotonic_regression

    x, share, count = _by_value(p_N, y_N)
    y = np.asarray(isotonic_regression(share, weights=count).x)
    edge = np.concatenate([[True], np.diff(y) > 0, [True]])
    ends = edge[:-1] | edge[1:]
    least = 1 / (len(p_N) + 2)
    return Curve("isotonic", x[ends], np.clip(y[ends], least, 1 - least))


def venn_abers(p_N: Array, y_N: Array, *, most: int = MOST_STEPS) -> Curve:
    """Inductive Venn-Abers, worked out beforehand: for each distinct score what a new case there would be given.

    With the new case added as no, isotonic regression gives it p0; added as yes, p1; the answer is p1 / (1 - p0 + p1),
    the one that loses least by logarithm whichever was right. Isotonic regression at score j is
    max over a <= j of min over b >= j of the mean of scores a to b, so that, with S and n the cumulated truths and
    counts, p1[j] = max_a min_b (S_b - S_a-1 + 1) / (n_b - n_a-1 + 1), and p0 the same without the 1 above.
    One matrix of at most `most` squared cells: more distinct scores are merged into groups of equal counts first.
    Vovk & Petej (2014), UAI; the bounds are Vovk, Petej & Fedorova (2015), section 4."""
    x, share, count = _by_value(p_N, y_N)
    if len(x) > most:
        group = np.minimum((np.cumsum(count) - count / 2) * most / count.sum(), most - 1).astype(int)
        last = np.flatnonzero(np.diff(group, append=most))
        starts = np.concatenate([[0], last[:-1] + 1])
        share, count = np.add.reduceat(share * count, starts), np.add.reduceat(count, starts)
        share, upper, lower = share / count, x[last], x[starts]
    else:
        upper = lower = x
    edges = (upper[:-1] + lower[1:]) / 2
    p0, p1 = _with_one_more(share, count, 0.0), _with_one_more(share, count, 1.0)
    y = np.maximum.accumulate(p1 / (1 - p0 + p1))
    rises = np.diff(edges, prepend=-1.0) > 0            # scores one rounding step apart may share an edge
    return Curve("venn_abers", edges[rises], y[np.append(rises, True)])


def _with_one_more(share_M: Array, count_M: Array, truth: float) -> Array:
    """Isotonic regression (M,) at each score when one more case with this truth stands there."""
    hits, n = np.concatenate([[0.0], np.cumsum(share_M * count_M)]), np.concatenate([[0.0], np.cumsum(count_M)])
    total = np.subtract.outer(n[1:], n[:-1]).T + 1                                      # [a, b]: scores a to b
    mean = (np.subtract.outer(hits[1:], hits[:-1]).T + truth) / np.maximum(total, 1.0)
    mean[total <= 1] = np.inf
    least = np.minimum.accumulate(mean[:, ::-1], axis=1)[:, ::-1]                       # over b >= j
    least[np.tril_indices(len(count_M), -1)] = -np.inf                                  # a > j
    return np.asarray(least.max(axis=0))


def _by_value(p_N: Array, y_N: Array) -> tuple[Array, Array, Array]:
    """Distinct probabilities ascending, the share of yes at each, and how many there are."""
    x, at, count = np.unique(p_N, return_inverse=True, return_counts=True)
    return x, np.bincount(at, weights=y_N) / count, count.astype(float)


def _steepest(cost: Callable[[float], float]) -> float:
    """The slope, from 1/30 to 30, at which a cost that has one valley is least."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(lambda log_a: cost(float(np.exp(log_a))), bounds=(-3.4, 3.4), method="bounded",
                            options={"xatol": 1e-3})
    return float(np.exp(found.x))


def _log_loss(p_NK: Array, y_NK: Array) -> float:
    return float(-(np.log(np.maximum(p_NK, EPS)) * y_NK).sum(axis=1).mean())
