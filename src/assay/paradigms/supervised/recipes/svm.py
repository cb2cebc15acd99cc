"""Support vector machines (Cortes & Vapnik 1995), fitted by scikit-learn's liblinear and libsvm.

Several classes become several two-class machines: one against the rest ("ovr"), or one against one
("ovo"). The linear kernel takes ovr by default: k cheap fits on all rows. The RBF kernel takes ovo: its
cost grows with the square of the rows, and the k(k-1)/2 pairs together cost two fits on all rows where
ovr costs k. Margins become probabilities by Platt's sigmoid, fitted on margins of rows that the machine
had not seen; pairs are then coupled into one distribution (platt.py).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Learner, Lesson, sigmoid, two_columns
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.fitted import (
    in_chunks,
    load_fitted,
    one_of,
    require,
    require_shapes,
    save_fitted,
)
from assay.paradigms.supervised.recipes.inner import Clock, climb, inner_folds, part, rows_for, sample
from assay.paradigms.supervised.recipes.platt import classes_of, coupled, platt

Strategy = Literal["ovr", "ovo"]
Combine = Literal["value", "two", "each", "ovr", "ovo"]
Kernel = Literal["linear", "rbf"]

CHUNK_ROWS = 1_024
MOST_NUMBERS = 5e6                              # in the support vectors: 40 MB


@dataclass(frozen=True, eq=False)
class KernelLearner:
    """Margins f(x) = Σ coef_i K(x, vectors_i) + intercept of P machines, and what becomes of them.

    vectors (m, d) support vectors, K the RBF kernel exp(-gamma |x - v|²); for the linear kernel vectors is
    empty and coef (P, d) multiplies x itself. coef (P, m). intercept (P,). platt (P, 2): the probability of
    the machine's positive side is sigmoid(a f + b). Machines of pairs come in the order of combinations(k, 2).
    """

    vectors: Array
    coef: Array
    intercept: Array
    platt: Array
    kernel: Kernel
    gamma: float
    combine: Combine
    kind: ClassVar[str] = "svm"

    def margins(self, X: Array) -> Array:
        """(N, P)."""
        if self.kernel == "linear":
            return np.asarray(X @ self.coef.T + self.intercept)
        return in_chunks(lambda some: self._kernel(some) @ self.coef.T, X, CHUNK_ROWS) + self.intercept

    def _kernel(self, X: Array) -> Array:
        squares = (X**2).sum(axis=1)[:, None] + (self.vectors**2).sum(axis=1) - 2.0 * (X @ self.vectors.T)
        return np.asarray(np.exp(-self.gamma * np.maximum(squares, 0.0)))

    def scores(self, X: Array, /) -> Array:
        margins = self.margins(X)
        if self.combine == "value":
            return np.ascontiguousarray(margins[:, 0])
        p = sigmoid(margins * self.platt[:, 0] + self.platt[:, 1])
        if self.combine == "two":
            return two_columns(p[:, 0])
        if self.combine == "ovo":
            return coupled(p)
        return p if self.combine == "each" else np.asarray(p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300))

    def save(self, folder: Path, /) -> None:
        facts = {"kernel": self.kernel, "gamma": self.gamma, "combine": self.combine}
        arrays = {name: getattr(self, name) for name in ("vectors", "coef", "intercept", "platt")}
        save_fitted(folder, facts, arrays)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        facts, arrays = load_fitted(folder, dict.fromkeys(("vectors", "coef", "intercept", "platt"), "float64"))
        kernel: Kernel = one_of(folder, facts, "kernel", get_args(Kernel))
        combine: Combine = one_of(folder, facts, "combine", get_args(Combine))
        gamma = facts.get("gamma")
        require(folder, isinstance(gamma, float) and gamma > 0, f"gamma is {gamma!r}, not a number above zero")
        machines, vectors = arrays["intercept"].size, arrays["vectors"]
        wide = arrays["coef"].shape[-1] if kernel == "linear" else len(vectors)
        shapes = {"coef": (machines, wide), "intercept": (machines,), "platt": (machines, 2)}
        require_shapes(folder, arrays, shapes)
        require(folder, vectors.ndim == 2 and machines in _machine_counts(combine, machines), "the machines do not fit")
        return cls(**arrays, kernel=kernel, gamma=float(gamma or 0.0), combine=combine)


def _machine_counts(combine: Combine, machines: int) -> tuple[int, ...]:
    """How many machines there may be: given `machines`, that many or another number."""
    if combine in ("value", "two"):
        return (1,)
    k = classes_of(machines)
    return (k * (k - 1) // 2,) if combine == "ovo" else (max(machines, 1),)


@dataclass(frozen=True)
class _Machine:
    """One two-class question within a lesson: which rows it asks about, and which of them are positive."""

    rows: Array
    target: Array                               # of `rows`: bool, or the number for regression


def _machines(lesson: Lesson, strategy: Strategy) -> tuple[list[_Machine], Combine]:
    y, every = lesson.y, np.arange(len(lesson.X))
    if lesson.goal == "regression":
        return [_Machine(every, y)], "value"
    if lesson.goal == "multilabel":
        return [_Machine(every, y[:, j] > 0.5) for j in range(lesson.k)], "each"
    if lesson.k == 2:
        return [_Machine(every, y == 1)], "two"
    if strategy == "ovr":
        return [_Machine(every, y == c) for c in range(lesson.k)], "ovr"
    pairs = [(i, np.flatnonzero((y == i) | (y == j))) for i, j in combinations(range(lesson.k), 2)]
    return [_Machine(rows, y[rows] == i) for i, rows in pairs], "ovo"


@dataclass(frozen=True)
class _Margin:
    """What the solvers need to know, and one fit of each machine."""

    kernel: Kernel
    gamma: float
    C: float
    seed: int

    def fitted(self, lesson: Lesson, strategy: Strategy) -> KernelLearner:
        """All machines on all rows of the lesson, margins not yet calibrated."""
        machines, combine = _machines(lesson, strategy)
        models = [self._fit(lesson, machine) for machine in machines]
        intercept = np.array([float(np.ravel(model.intercept_)[0]) for model in models])
        if self.kernel == "linear":
            coef, vectors = np.array([np.ravel(m.coef_) for m in models]), np.zeros((0, lesson.X.shape[1]))
        else:
            coef, vectors = _shared_vectors(lesson, machines, models)
        platts = np.tile([1.0, 0.0], (len(machines), 1))
        return KernelLearner(vectors, coef, intercept, platts, self.kernel, self.gamma, combine)

    def _fit(self, lesson: Lesson, machine: _Machine) -> Any:
        weight = None if lesson.weight is None else lesson.weight[machine.rows]
        with warnings.catch_warnings():
            # a margin that has not converged is calibrated, and judged, like any other
            warnings.simplefilter("ignore", ConvergenceWarning)
            return self._solver(lesson.goal == "regression").fit(lesson.X[machine.rows], machine.target, weight)

    def _solver(self, regression: bool) -> Any:
        if self.kernel == "rbf":
            return (SVR if regression else SVC)(C=self.C, gamma=self.gamma, cache_size=500)
        if regression:
            return LinearSVR(C=self.C, loss="squared_epsilon_insensitive", dual="auto", random_state=self.seed)
        return LinearSVC(C=self.C, dual="auto", random_state=self.seed)


def _shared_vectors(lesson: Lesson, machines: list[_Machine], models: list[Any]) -> tuple[Array, Array]:
    """coef (P, m) over the support vectors (m, d) of all machines together."""
    at = [machine.rows[model.support_] for machine, model in zip(machines, models, strict=True)]
    rows = np.unique(np.concatenate(at))
    coef = np.zeros((len(models), len(rows)))
    for p, (own, model) in enumerate(zip(at, models, strict=True)):
        coef[p, np.searchsorted(rows, own)] = model.dual_coef_[0]
    return coef, np.asarray(lesson.X[rows], dtype=np.float64)


def _unseen(margin: _Margin, lesson: Lesson, strategy: Strategy, folds: list[tuple[Array, Array]]) -> Array:
    """Margins (n, P) of rows from machines that had not seen them; NaN where a row was never held out."""
    found = None
    for fit, held in folds:
        margins = margin.fitted(part(lesson, fit), strategy).margins(lesson.X[held])
        found = np.full((len(lesson.X), margins.shape[1]), np.nan) if found is None else found
        found[held] = margins
    return np.zeros((len(lesson.X), 1)) if found is None else found


def _calibrated(unseen: Array, lesson: Lesson, strategy: Strategy) -> tuple[Array, float]:
    """platt (P, 2) from unseen margins, and the mean loss after it: log loss, or squared error for regression."""
    machines, combine = _machines(lesson, strategy)
    platts, losses = [], []
    for p, machine in enumerate(machines):
        seen = np.isfinite(unseen[machine.rows, p])
        rows, target = machine.rows[seen], machine.target[seen]
        weight = None if lesson.weight is None else lesson.weight[rows]
        if combine == "value":
            platts.append((1.0, 0.0))
            losses.append(float(np.average((unseen[rows, p] - target) ** 2, weights=weight)))
            continue
        a, b = platt(unseen[rows, p], target, weight)
        raw = a * unseen[rows, p] + b
        platts.append((a, b))
        if len(rows):
            losses.append(float(np.average(np.logaddexp(0.0, np.where(target, -raw, raw)), weights=weight)))
    return np.array(platts), float(np.mean(losses or [0.0]))


def _learned(lesson: Lesson, ctx: Context, kernel: Kernel, gamma: float, C: float | None, strategy: Strategy,
             path: tuple[float, ...]) -> KernelLearner:
    """Choose C by the loss of unseen margins, calibrate on those, fit on all rows."""
    clock, folds = Clock.start(ctx), inner_folds(lesson, ctx.seed, most=3)
    platt_at: dict[float, Array] = {}

    def held_loss(at: float) -> float:
        unseen = _unseen(_Margin(kernel, gamma, at, ctx.seed), lesson, strategy, folds)
        platt_at[at], lost = _calibrated(unseen, lesson, strategy)
        return lost

    if C is not None:
        path = (C,)
    best = path[len(path) // 2]
    if folds:
        half = Clock(clock.deadline - 0.4 * clock.left_s)
        best = climb(path, len(path) // 2, held_loss, half, patience=1)
    model = _Margin(kernel, gamma, best, ctx.seed).fitted(lesson, strategy)
    return KernelLearner(model.vectors, model.coef, model.intercept, platt_at.get(best, model.platt),
                         kernel, gamma, model.combine)


def _affordable(strategy: Strategy, lesson: Lesson, ctx: Context) -> Strategy:
    """ovr where the pairs are so many that starting their fits, some 3 ms each, would eat half the time."""
    pairs = lesson.k * (lesson.k - 1) // 2 if lesson.goal == "multiclass" else 0
    return "ovr" if 4 * 0.003 * pairs > ctx.budget_s / 2 else strategy


@dataclass(frozen=True)
class LinearSVM(SupervisedRecipe):
    """The widest margin by a straight cut. `C` is the inverse of the penalty; None: chosen on inner folds."""

    C: float | None = None
    strategy: Strategy = "ovr"
    title: ClassVar[str] = "linear support vector machine"
    order: ClassVar[float] = 65.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        strategy = _affordable(self.strategy, lesson, ctx)
        many = 1 if lesson.goal == "regression" or lesson.k == 2 else lesson.k
        a_row = 1e-6 * lesson.X.shape[1] * many             # seconds, all fits together, on the high side
        some = sample(lesson, min(rows_for(ctx.budget_s, a_row), 200_000), ctx.seed)
        return _learned(some, ctx, "linear", 1.0, self.C, strategy, (0.01, 0.1, 1.0))

    def space(self) -> Mapping[str, Any]:
        return {"C": ("log", 1e-4, 1e2), "strategy": ("choice", "ovr", "ovo")}


@dataclass(frozen=True)
class RBFSVM(SupervisedRecipe):
    """The widest margin in the space of a Gaussian kernel. `gamma` is in units of 1 / (columns x variance)."""

    C: float | None = None
    gamma: float = 1.0
    strategy: Strategy = "ovo"
    title: ClassVar[str] = "support vector machine with an RBF kernel"
    order: ClassVar[float] = 80.0
    max_rows: ClassVar[int | None] = 10_000

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        strategy, d = _affordable(self.strategy, lesson, ctx), lesson.X.shape[1]
        fits = 1 if lesson.k == 2 else 2                    # on all rows: what all pairs cost
        if lesson.goal == "multilabel" or (fits == 2 and strategy == "ovr"):
            fits = lesson.k
        if lesson.goal == "regression":
            fits = 3                                        # two multipliers a row
        a_square = 6e-9 * (d + 20) * fits                   # seconds a squared row, inner folds included
        rows = max(math.sqrt(ctx.budget_s / a_square), 200.0)
        some = sample(lesson, min(rows, 10_000.0, max(MOST_NUMBERS / d, 200.0)), ctx.seed)
        gamma = self.gamma / (d * max(float(some.X.var()), 1e-12))
        return _learned(some, ctx, "rbf", gamma, self.C, strategy, (0.1, 1.0, 10.0))

    def space(self) -> Mapping[str, Any]:
        return {"C": ("log", 1e-2, 1e3), "gamma": ("log", 0.05, 20.0), "strategy": ("choice", "ovr", "ovo")}
