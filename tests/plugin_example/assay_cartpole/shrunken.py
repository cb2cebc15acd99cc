"""A recipe for tables: it says what it learns from and returns a `Learner`; encoding and wrapping are done for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Goal, Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.fitted import link_of
from assay.paradigms.supervised.recipes.linear import LinearLearner


@dataclass(frozen=True)
class ShrunkenMean(SupervisedRecipe):
    """The class whose mean is nearest, each mean drawn towards the mean of all by `threshold` standard errors.

    Columns that do not tell the classes apart drop out. With one variance a column, shared by the classes, the
    log odds are linear in the columns.
    Tibshirani, Hastie, Narasimhan & Chu (2002), PNAS 99(10), nearest shrunken centroids."""

    threshold: float = 1.0

    title: ClassVar[str] = "shrunken class means"
    goals: ClassVar[frozenset[Goal]] = frozenset(("binary", "multiclass"))
    order: ClassVar[float] = 5.0

    def space(self) -> Mapping[str, Any]:
        return {"threshold": ("uniform", 0.0, 5.0)}

    def learn(self, lesson: Lesson, _ctx: Context, /) -> Learner:
        weight = np.ones(len(lesson.y)) if lesson.weight is None else lesson.weight
        belongs_NK = np.eye(lesson.k)[lesson.y] * weight[:, None]
        n_K = belongs_NK.sum(axis=0)
        means_KD = belongs_NK.T @ lesson.X / n_K[:, None]
        within_D = (belongs_NK.T @ lesson.X**2 - n_K[:, None] * means_KD**2).sum(axis=0)
        deviation_D = np.sqrt(np.maximum(within_D, 0.0) / max(n_K.sum() - lesson.k, 1.0))
        deviation_D += np.median(deviation_D) + 1e-3          # columns that hardly vary must not decide alone
        shrunken_KD = self._shrunken(means_KD, deviation_D, n_K)
        coef_KD = shrunken_KD / deviation_D**2
        intercept_K = np.log(n_K / n_K.sum()) - (shrunken_KD * coef_KD).sum(axis=1) / 2
        if lesson.k == 2:                                     # one score: the second class against the first
            coef_KD, intercept_K = coef_KD[1:] - coef_KD[:1], intercept_K[1:] - intercept_K[:1]
        return LinearLearner(coef_KD, intercept_K, link_of(lesson.goal, lesson.k))

    def _shrunken(self, means_KD: Array, deviation_D: Array, n_K: Array) -> Array:
        overall_D = n_K @ means_KD / n_K.sum()
        error_KD = np.sqrt(1 / n_K + 1 / n_K.sum())[:, None] * deviation_D
        apart_KD = (means_KD - overall_D) / error_KD
        kept_KD = np.sign(apart_KD) * np.maximum(np.abs(apart_KD) - self.threshold, 0.0)
        return np.asarray(overall_D + error_KD * kept_KD)
