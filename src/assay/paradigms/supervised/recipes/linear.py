"""Linear models: a weighted sum of the columns, shrunk by as much as the lesson's own folds advise.

Least squares, ridge (Hoerl & Kennard 1970), lasso (Tibshirani 1996), elastic net (Zou & Hastie 2005),
logistic regression: multinomial for classes, one a label for labels. Fitted by scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV, enet_path
from sklearn.linear_model import Ridge as RidgeRegression

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Goal, Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.fitted import (
    Link,
    link_of,
    linked,
    load_fitted,
    require_link,
    require_shapes,
    save_fitted,
)
from assay.paradigms.supervised.recipes.inner import Clock, climb, inner_folds, loss, part, rows_for, sample

REGRESSION: frozenset[Goal] = frozenset(("regression",))
CLASSES: frozenset[Goal] = frozenset(("binary", "multiclass", "multilabel"))

FLOPS = 4e9                                     # a second on one thread, on the low side: for choosing how many rows
PATH_ROWS = 20_000                              # a penalty is chosen on at most so many rows


@dataclass(frozen=True, eq=False)
class LinearLearner:
    """coef (C, d), intercept (C,): raw values X @ coef.T + intercept, through the link."""

    coef: Array
    intercept: Array
    link: Link
    kind: ClassVar[str] = "linear"

    def scores(self, X: Array, /) -> Array:
        return linked(X @ self.coef.T + self.intercept, self.link)

    def save(self, folder: Path, /) -> None:
        save_fitted(folder, {"link": self.link}, {"coef": self.coef, "intercept": self.intercept})

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        facts, arrays = load_fitted(folder, {"coef": "float64", "intercept": "float64"})
        outputs = arrays["intercept"].size
        require_shapes(folder, arrays, {"intercept": (outputs,), "coef": (outputs, arrays["coef"].shape[-1])})
        return cls(**arrays, link=require_link(folder, facts, outputs))


def _regression(coef: Array, intercept: float) -> LinearLearner:
    return LinearLearner(np.asarray(coef, dtype=np.float64).reshape(1, -1), np.array([float(intercept)]), "value")


@dataclass(frozen=True)
class Linear(SupervisedRecipe):
    """Ordinary least squares; of several solutions the one of least norm."""

    title: ClassVar[str] = "linear regression"
    goals: ClassVar[frozenset[Goal]] = REGRESSION
    order: ClassVar[float] = 74.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        d = lesson.X.shape[1]
        some = sample(lesson, rows_for(ctx.budget_s / 2, 8 * d * d / FLOPS), ctx.seed)
        model = LinearRegression(tol=1e-9).fit(some.X, some.y, some.weight)
        return _regression(model.coef_, model.intercept_)


@dataclass(frozen=True)
class Ridge(SupervisedRecipe):
    """Least squares with the sum of squared coefficients penalised by `alpha`; None: by leave-one-out error."""

    alpha: float | None = None
    title: ClassVar[str] = "ridge regression"
    goals: ClassVar[frozenset[Goal]] = REGRESSION
    order: ClassVar[float] = 20.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        d = lesson.X.shape[1]
        some = sample(lesson, rows_for(ctx.budget_s / 2, 4 * d * d / FLOPS), ctx.seed)
        alpha = self.alpha if self.alpha is not None else _ridge_alpha(some, ctx)
        model = RidgeRegression(alpha=alpha).fit(some.X, some.y, some.weight)
        return _regression(model.coef_, model.intercept_)

    def space(self) -> Mapping[str, Any]:
        return {"alpha": ("log", 1e-3, 1e5)}


def _ridge_alpha(lesson: Lesson, ctx: Context) -> float:
    """The alpha of least leave-one-out error on a sample, scaled to the rows of the whole lesson."""
    n, d = lesson.X.shape
    affordable = rows_for(ctx.budget_s / 4, 20 * d * min(n, d, PATH_ROWS) / FLOPS, least=100)
    some = sample(lesson, min(affordable, PATH_ROWS), ctx.seed)
    chosen = RidgeCV(alphas=np.logspace(-3, 5, 25)).fit(some.X, some.y, some.weight)
    return float(chosen.alpha_ * n / len(some.X))


@dataclass(frozen=True)
class Lasso(SupervisedRecipe):
    """Least squares with the sum of absolute coefficients penalised by `alpha`; None: along a path on inner folds."""

    alpha: float | None = None
    title: ClassVar[str] = "lasso"
    goals: ClassVar[frozenset[Goal]] = REGRESSION
    order: ClassVar[float] = 50.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        return _sparse(lesson, ctx, self.alpha, l1_ratio=1.0)

    def space(self) -> Mapping[str, Any]:
        return {"alpha": ("log", 1e-5, 1.0)}


@dataclass(frozen=True)
class ElasticNet(SupervisedRecipe):
    """Both penalties, `l1_ratio` of them on absolute values; alpha None: along a path on inner folds."""

    alpha: float | None = None
    l1_ratio: float = 0.5
    title: ClassVar[str] = "elastic net"
    goals: ClassVar[frozenset[Goal]] = REGRESSION
    order: ClassVar[float] = 55.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        return _sparse(lesson, ctx, self.alpha, l1_ratio=self.l1_ratio)

    def space(self) -> Mapping[str, Any]:
        return {"l1_ratio": ("uniform", 0.05, 0.95)}


@dataclass
class _Descent:
    """Coordinate descent on one set of rows, going on from where it last stopped. It minimises
    |y - Xb|² / 2n + alpha (l1_ratio |b|₁ + (1 - l1_ratio) |b|² / 2), rows weighted, X and y centred."""

    X: Array
    y: Array
    mean: Array
    mean_of_y: float
    gram: Array | bool
    coef: Array

    @classmethod
    def of(cls, lesson: Lesson) -> _Descent:
        X, y, w = lesson.X, lesson.y, lesson.weight
        mean, mean_of_y = np.average(X, axis=0, weights=w), float(np.average(y, weights=w))
        root = np.ones((len(y), 1)) if w is None else np.sqrt(w)[:, None]
        Xc, yc = np.asfortranarray((X - mean) * root), (y - mean_of_y) * root[:, 0]
        narrow = Xc.shape[1] < len(Xc)          # then one product of X with itself serves every step
        return cls(Xc, yc, mean, mean_of_y, Xc.T @ Xc if narrow else False, np.zeros(Xc.shape[1]))

    def alpha_max(self, l1_ratio: float) -> float:
        """Where every coefficient becomes zero."""
        return max(float(np.abs(self.X.T @ self.y).max()) / (len(self.y) * max(l1_ratio, 0.01)), 1e-10)

    def to(self, alpha: float, l1_ratio: float) -> LinearLearner:
        with warnings.catch_warnings():
            # a step that has not converged is a start for the next, and is judged by its held-out loss
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, coefs, _ = enet_path(
                self.X, self.y, l1_ratio=l1_ratio, alphas=[alpha], precompute=self.gram, Xy=self.X.T @ self.y,
                coef_init=self.coef, check_input=False, max_iter=1_000,
            )
        self.coef = np.asarray(coefs)[:, 0]
        return _regression(self.coef, self.mean_of_y - float(self.mean @ self.coef))


def _sparse(lesson: Lesson, ctx: Context, alpha: float | None, *, l1_ratio: float) -> LinearLearner:
    """Elastic net on all the rows that time allows, alpha chosen along a path where it is not given."""
    clock, d = Clock.start(ctx), lesson.X.shape[1]
    some = sample(lesson, rows_for(ctx.budget_s / 3, 4 * d * d / FLOPS), ctx.seed)
    whole = _Descent.of(some)
    highest = whole.alpha_max(l1_ratio)
    path = (highest * np.logspace(0, -4, 50)).tolist()
    if alpha is None:
        alpha = _sparse_alpha(some, ctx, clock, path, l1_ratio)
    for step in path:
        if step > alpha and not clock.out:
            whole.to(step, l1_ratio)
    return whole.to(alpha, l1_ratio)


def _sparse_alpha(lesson: Lesson, ctx: Context, clock: Clock, path: list[float], l1_ratio: float) -> float:
    """The alpha of least held-out squared error, searched from a twentieth of the one that zeroes everything."""
    d = lesson.X.shape[1]
    rows = rows_for(clock.left_s / 4, 20 * d * d / FLOPS, least=200)
    some = sample(lesson, min(rows, PATH_ROWS), ctx.seed)
    folds = [(_Descent.of(part(some, fit)), part(some, held)) for fit, held in inner_folds(some, ctx.seed)]
    if not folds:
        return path[len(path) // 3]

    def held_loss(alpha: float) -> float:
        return sum(loss("regression", fold.to(alpha, l1_ratio).scores(h.X), h.y, h.weight) for fold, h in folds)

    return climb(path, len(path) // 3, held_loss, clock, patience=4)


@dataclass(frozen=True)
class Logistic(SupervisedRecipe):
    """Logistic regression: multinomial for classes, one a label. `C` is the inverse of the penalty on squared
    coefficients, for the sum of the rows' losses; None: along a path on inner folds."""

    C: float | None = None
    title: ClassVar[str] = "logistic regression"
    goals: ClassVar[frozenset[Goal]] = CLASSES
    order: ClassVar[float] = 20.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        clock = Clock.start(ctx)
        a_step = 8 * lesson.X.shape[1] * lesson.k / FLOPS       # seconds a row
        some = sample(lesson, rows_for(ctx.budget_s / 2, 30 * a_step), ctx.seed)
        logits = _Logits(some.goal, some.k)
        C = self.C if self.C is not None else _logistic_C(some, ctx, clock, logits, a_step)
        steps = clock.left_s / (a_step * len(some.X))
        return logits.to(some, C, int(np.clip(steps, 20, 500)))

    def space(self) -> Mapping[str, Any]:
        return {"C": ("log", 1e-4, 1e3)}


@dataclass
class _Logits:
    """One logistic regression, or one a label, each going on from where it last stopped."""

    goal: Goal
    k: int
    models: list[LogisticRegression] = field(default_factory=list)

    def to(self, lesson: Lesson, C: float, steps: int) -> LinearLearner:
        ys = list(lesson.y.T.astype(np.int64)) if self.goal == "multilabel" else [lesson.y]
        if not self.models:
            self.models = [LogisticRegression(warm_start=True) for _ in ys]
        with warnings.catch_warnings():
            # the number of steps is what time allows; what it gives is judged by its held-out loss
            warnings.simplefilter("ignore", ConvergenceWarning)
            for model, y in zip(self.models, ys, strict=True):
                model.set_params(C=C, max_iter=steps).fit(lesson.X, y, lesson.weight)
        coef = np.concatenate([m.coef_ for m in self.models])
        intercept = np.concatenate([m.intercept_ for m in self.models])
        return LinearLearner(coef, intercept, link_of(self.goal, self.k))


def _logistic_C(lesson: Lesson, ctx: Context, clock: Clock, logits: _Logits, a_step: float) -> float:
    """The C of least held-out log loss, scaled to the rows of the lesson. Leaves `logits` near the answer."""
    some = sample(lesson, min(rows_for(clock.left_s / 8, 100 * a_step, least=200), PATH_ROWS), ctx.seed)
    pairs = inner_folds(some, ctx.seed)
    folds = [(_Logits(some.goal, some.k), part(some, fit), part(some, held)) for fit, held in pairs]
    if not folds:
        return 1.0

    def held_loss(C: float) -> float:
        return sum(loss(h.goal, fold.to(fit, C, 200).scores(h.X), h.y, h.weight) for fold, fit, h in folds)

    best = climb(np.logspace(-4, 3, 15).tolist(), 6, held_loss, clock)
    logits.models = folds[0][0].models
    return float(best) * len(folds[0][1].X) / len(lesson.X)
