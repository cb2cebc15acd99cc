"""Gaussian naive Bayes: within a class every column is normal, and on its own (Hand & Yu 2001)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.naive_bayes import GaussianNB

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Goal, Learner, Lesson, softmax
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.fitted import in_chunks, load_fitted, require, require_shapes, save_fitted
from assay.paradigms.supervised.recipes.inner import Clock, climb, inner_folds, loss, part, rows_for, sample

CHUNK_ROWS = 8_192
TEMPERS = (1.0, 0.6, 0.35, 0.2, 0.1, 0.05, 0.02)


@dataclass(frozen=True, eq=False)
class BayesLearner:
    """Q questions of K classes: mean (Q, K, d), variance (Q, K, d), log_prior (Q, K).

    log p(c | x) = log_prior_c - ½ Σ_j [ln 2π v_cj + (x_j - m_cj)² / v_cj] times `temper`, less its log sum. One
    question for classes; for labels one of K = 2 each, answered by its second class.
    """

    mean: Array
    variance: Array
    log_prior: Array
    multilabel: bool
    temper: float = 1.0
    kind: ClassVar[str] = "naive_bayes"

    def scores(self, X: Array, /) -> Array:
        return in_chunks(self._scores, X, CHUNK_ROWS)

    def _scores(self, X: Array) -> Array:
        if not self.multilabel:
            return self._question(X, 0)
        return np.column_stack([self._question(X, q)[:, 1] for q in range(len(self.mean))])

    def _question(self, X: Array, q: int) -> Array:
        log_density = [
            prior - 0.5 * np.log(2 * np.pi * v).sum() - 0.5 * ((X - m) ** 2 / v).sum(axis=1)
            for prior, m, v in zip(self.log_prior[q], self.mean[q], self.variance[q], strict=True)
        ]
        return softmax(self.temper * np.column_stack(log_density))

    def save(self, folder: Path, /) -> None:
        arrays = {name: getattr(self, name) for name in ("mean", "variance", "log_prior")}
        save_fitted(folder, {"multilabel": self.multilabel, "temper": self.temper}, arrays)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        facts, arrays = load_fitted(folder, dict.fromkeys(("mean", "variance", "log_prior"), "float64"))
        mean, multilabel, temper = arrays["mean"], facts.get("multilabel"), facts.get("temper")
        require(folder, isinstance(temper, float) and 0 < temper <= 1, f"temper is {temper!r}, not in (0, 1]")
        require(folder, isinstance(multilabel, bool), f"multilabel is {multilabel!r}, not true or false")
        require(folder, mean.ndim == 3 and mean.shape[0] > 0 and mean.shape[1] > 1, "the means do not fit")
        require(folder, len(mean) == 1 or (multilabel is True and mean.shape[1] == 2), "too many questions")
        require_shapes(folder, arrays, {"variance": mean.shape, "log_prior": mean.shape[:2]})
        require(folder, bool((arrays["variance"] > 0).all()), "a variance is not above zero")
        return cls(**arrays, multilabel=bool(multilabel), temper=float(temper or 1.0))


@dataclass(frozen=True)
class NaiveBayes(SupervisedRecipe):
    """Gaussian naive Bayes. `smoothing` is added to each variance, as a share of the largest variance of a column.
    `temper` is the share of the evidence that counts: columns that say the same thing twice make it too sure.
    None: chosen on inner folds."""

    smoothing: float | None = None
    temper: float | None = None
    title: ClassVar[str] = "naive Bayes"
    goals: ClassVar[frozenset[Goal]] = frozenset(("binary", "multiclass", "multilabel"))
    order: ClassVar[float] = 72.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        a_row = 2e-7 * lesson.X.shape[1] * lesson.k
        some = sample(lesson, rows_for(ctx.budget_s / 4, a_row), ctx.seed)
        smoothing, temper = self._chosen(some, ctx)
        return replace(_smoothed(_described(some), some, smoothing), temper=temper)

    def _chosen(self, lesson: Lesson, ctx: Context) -> tuple[float, float]:
        """The smoothing and temper of least held-out log loss, searched from a smoothing of a thousandth."""
        clock, d = Clock.start(ctx), lesson.X.shape[1]
        some = sample(lesson, rows_for(ctx.budget_s / 20, 1e-6 * d * lesson.k), ctx.seed)
        folds = [(part(some, fit), part(some, held)) for fit, held in inner_folds(some, ctx.seed)]
        plain = [_described(fit) for fit, _ in folds]
        tempers = TEMPERS if self.temper is None else (self.temper,)
        temper_at: dict[float, float] = {}

        def held_loss(smoothing: float) -> float:
            trials = [(_smoothed(p, fit, smoothing), held) for p, (fit, held) in zip(plain, folds, strict=True)]
            lost = [sum(_lost(replace(model, temper=t), held) for model, held in trials) for t in tempers]
            temper_at[smoothing] = tempers[int(np.argmin(lost))]
            return min(lost)

        path: list[float] = np.logspace(-9, 0, 10).tolist() if self.smoothing is None else [self.smoothing]
        if not folds:
            return path[len(path) * 2 // 3], tempers[0]
        best = climb(path, len(path) * 2 // 3, held_loss, clock)
        return best, temper_at[best]

    def space(self) -> Mapping[str, Any]:
        return {"smoothing": ("log", 1e-9, 1.0)}


def _described(lesson: Lesson) -> BayesLearner:
    """Means, variances and shares of each class, without smoothing."""
    multilabel = lesson.goal == "multilabel"
    ys = list(lesson.y.T.astype(np.int64)) if multilabel else [lesson.y]
    models = [GaussianNB(var_smoothing=0.0).fit(lesson.X, y, lesson.weight) for y in ys]
    return BayesLearner(
        np.stack([m.theta_ for m in models]),
        np.stack([m.var_ for m in models]),
        np.log(np.stack([m.class_prior_ for m in models])),
        multilabel,
    )


def _smoothed(plain: BayesLearner, lesson: Lesson, smoothing: float) -> BayesLearner:
    added = max(smoothing * float(lesson.X.var(axis=0).max(initial=0.0)), 1e-12)
    return replace(plain, variance=plain.variance + added)


def _lost(model: BayesLearner, held: Lesson) -> float:
    return loss(held.goal, model.scores(held.X), held.y, held.weight)
