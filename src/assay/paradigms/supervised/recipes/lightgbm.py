"""LightGBM: gradient boosting on histograms, leaf by leaf (Ke et al. 2017, NeurIPS). Saved as its own text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np

from assay.contract import Array, Context
from assay.errors import TamperedError
from assay.files import read_json, write_json, write_text
from assay.paradigms.supervised.learner import Encoding, Goal, Learner, Lesson, two_columns
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.boosting import (
    BLIND_ROUNDS,
    MOST_BYTES,
    Pace,
    Watch,
    all_rows,
    binned,
    native,
    one_a_label,
    patience,
    rows_of,
)
from assay.paradigms.supervised.recipes.lightgbm_row import OneRow
from assay.paradigms.supervised.recipes.lightgbm_text import refuse_nonsense


@dataclass(frozen=True)
class LightGBM(SupervisedRecipe):
    """Slow and sampled, as tuned defaults are (pytabkit's LGBM_TD, Holzmüller et al. 2024), sized by the rows.

    None: rate 0.05, or 0.1 beyond 50,000 rows, or more where the time calls for it; 16 leaves of 10 rows below 5,000
    rows, 31 of 20, 64 beyond 50,000, 255 beyond 150,000; categories smoothed by 10 and 10, or by 100 and 50 beyond
    50,000 rows."""

    learning_rate: float | None = None
    num_leaves: int | None = None
    min_data_in_leaf: int | None = None
    bagging_fraction: float = 0.75
    feature_fraction: float = 0.7
    lambda_l1: float = 0.0
    lambda_l2: float = 0.0
    extra_trees: bool = False
    cat_smooth: float | None = None
    cat_l2: float | None = None
    max_cat_to_onehot: int = 4
    min_data_per_group: int = 100
    rounds: int = 10_000
    patience: int | None = None
    refit: bool = True                          # once more on all rows, with the number of rounds that was best
    exactly: int | None = None                  # so many rounds, known from another fold: none are held out to stop by
    crossed: bool = False                       # learns from crossed columns too

    title: ClassVar[str] = "LightGBM"
    encoding: ClassVar[Encoding] = "codes"
    order: ClassVar[float] = 10.0
    early_stops: ClassVar[bool] = True
    monotonic: ClassVar[bool] = True

    def reads(self) -> Encoding:
        return "crossed" if self.crossed else self.encoding

    def space(self) -> Mapping[str, Any]:
        """After TabArena's (Erickson et al. 2025, arXiv 2506.16791)."""
        return {
            "learning_rate": ("log", 0.005, 0.1), "num_leaves": ("int_log", 2, 200),
            "min_data_in_leaf": ("int_log", 1, 64), "extra_trees": ("choice", False, True),
            "bagging_fraction": ("uniform", 0.7, 1.0), "feature_fraction": ("uniform", 0.4, 1.0),
            "lambda_l1": ("uniform", 1e-4, 1.0), "lambda_l2": ("uniform", 1e-4, 2.0),
            "cat_smooth": ("log", 0.001, 100.0), "cat_l2": ("log", 0.005, 2.0),
            "max_cat_to_onehot": ("int_log", 8, 100), "min_data_per_group": ("int_log", 2, 100),
        }

    def holds_out(self) -> bool:
        return self.exactly is None

    def settled_by(self, learner: Learner) -> Mapping[str, Any]:
        known = isinstance(learner, LightGBMLearner) and len(learner.texts) == 1
        if not known or not isinstance(learner, LightGBMLearner):
            return {}
        return {"exactly": learner.rounds, "learning_rate": learner.rate}

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        if lesson.goal == "multilabel":
            texts = tuple(self._booster(part, left) for part, left in one_a_label(lesson, ctx))
        else:
            texts = (self._booster(lesson, ctx),)
        return LightGBMLearner(lesson.goal, lesson.k, texts)

    def _booster(self, lesson: Lesson, ctx: Context) -> str:
        params = self._params(lesson, ctx)
        train, val = _datasets(lesson, params)
        watch = Watch(patience(self.patience, len(lesson.y)), ctx.budget_s)
        pace = Pace(params["learning_rate"], 0.7 * ctx.budget_s)
        hurry = self.learning_rate is None and val is not None

        def stop(env: lgb.callback.CallbackEnv) -> None:
            if hurry and (rate := pace.after(env.iteration + 1)) is not None:
                params["learning_rate"] = rate
                env.model.reset_parameter({"learning_rate": rate})  # type: ignore[call-arg]  # one booster, not several
            seen = env.evaluation_result_list or []
            if watch.done(env.iteration, seen[0][2] if seen else -env.iteration):
                raise lgb.callback.EarlyStopException(watch.at, seen)

        if val is None:
            booster = lgb.train(params, train, self.exactly or BLIND_ROUNDS, callbacks=[stop])
            return str(booster.model_to_string(num_iteration=watch.at + 1))
        booster = lgb.train(params, train, self.rounds, valid_sets=[val], callbacks=[stop])
        if self.refit and not ctx.rough and watch.time_for_another(len(lesson.y)):
            X, y, weight = all_rows(lesson)
            whole, _ = _datasets(replace(lesson, X=X, y=y, weight=weight, X_val=None), params)
            booster = lgb.train(params, whole, watch.at + 1)
            return str(booster.model_to_string())
        return str(booster.model_to_string(num_iteration=watch.at + 1))

    def _params(self, lesson: Lesson, ctx: Context) -> dict[str, Any]:
        n = len(lesson.y)
        smooth, l2 = (10.0, 10.0) if n <= 50_000 else (100.0, 50.0)
        rate, leaves, rows = (0.05, 16, 10) if n < 5_000 else (0.05, 31, 20) if n <= 50_000 else (
            0.1, 64 if n <= 150_000 else 255, 20)
        return {
            **_objective(lesson), "verbosity": -1, "num_threads": ctx.threads, "seed": ctx.seed,
            "deterministic": True, "force_row_wise": True, "feature_pre_filter": False,
            "learning_rate": self.learning_rate or rate, "num_leaves": self.num_leaves or leaves,
            "min_data_in_leaf": min(self.min_data_in_leaf or rows, max(n // 20, 1)),
            "bagging_fraction": self.bagging_fraction, "bagging_freq": 1, "feature_fraction": self.feature_fraction,
            "lambda_l1": self.lambda_l1, "lambda_l2": self.lambda_l2, "extra_trees": self.extra_trees,
            "cat_smooth": smooth if self.cat_smooth is None else self.cat_smooth,
            "cat_l2": l2 if self.cat_l2 is None else self.cat_l2,
            "max_cat_to_onehot": self.max_cat_to_onehot, "min_data_per_group": self.min_data_per_group,
            "monotone_constraints": list(lesson.monotone) or None,
        }


BINNING = ("seed", "max_bin", "min_data_in_bin", "feature_pre_filter", "bin_construct_sample_cnt", "enable_bundle",
           "use_missing", "zero_as_missing", "linear_tree")
"""What a Dataset depends on. LightGBM refuses to train with others than it was made with."""


def _datasets(lesson: Lesson, params: dict[str, Any]) -> tuple[lgb.Dataset, lgb.Dataset | None]:
    """The rows to learn from and those to stop by, binned; made once for all settings that bin alike."""
    codes = native(lesson)

    def make() -> tuple[lgb.Dataset, lgb.Dataset | None]:
        train = lgb.Dataset(lesson.X, lesson.y, weight=lesson.weight, params=params, categorical_feature=list(codes))
        if lesson.X_val is None:
            return train, None
        return train, lgb.Dataset(lesson.X_val, lesson.y_val, weight=lesson.weight_val, params=params, reference=train)

    how = ("lightgbm", codes, *(params.get(name) for name in BINNING))
    return binned(make, how, *rows_of(lesson))


def _objective(lesson: Lesson) -> dict[str, Any]:
    if lesson.goal == "regression":
        absolute = lesson.metric == "mae" and not any(lesson.monotone)      # its leaves are renewed: no constraint
        loss = "l1" if absolute else "l2"
        return {"objective": loss, "metric": loss}
    if lesson.goal == "multiclass":
        return {"objective": "multiclass", "metric": "multi_logloss", "num_class": lesson.k}
    return {"objective": "binary", "metric": "binary_logloss"}


class LightGBMLearner:
    """One booster, or one a label, kept as the text that LightGBM writes."""

    kind: ClassVar[str] = "lightgbm"

    def __init__(self, goal: Goal, k: int, texts: tuple[str, ...]) -> None:
        self.goal, self.k, self.texts = goal, k, texts
        self._boosters = [lgb.Booster(model_str=text) for text in texts]
        self._one_row = [OneRow(booster) for booster in self._boosters]

    @property
    def rounds(self) -> int:
        return int(self._boosters[0].current_iteration())

    @property
    def rate(self) -> float:
        """The learning rate of the last tree."""
        return float(self.texts[0].rpartition("\nshrinkage=")[2].partition("\n")[0])

    def scores(self, X: Array, /) -> Array:
        if len(X) == 1 and OneRow.known:
            answers = [one(X[0]).reshape(1, -1) if self.goal == "multiclass" else one(X[0]) for one in self._one_row]
        else:
            answers = [np.asarray(b.predict(X, num_threads=1), dtype=np.float64) for b in self._boosters]
        if self.goal == "multilabel":
            return np.column_stack(answers)
        return two_columns(answers[0]) if self.goal == "binary" else answers[0]

    def save(self, folder: Path, /) -> None:
        write_json(folder / "lightgbm.json", {"goal": self.goal, "k": self.k, "boosters": len(self.texts)})
        for i, text in enumerate(self.texts):
            write_text(folder / f"booster-{i}.txt", text)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """Raises TamperedError where a text is not a whole booster of the right shape."""
        try:
            said = read_json(folder / "lightgbm.json")
            goal, k, n = said["goal"], int(said["k"]), int(said["boosters"])
            paths = [folder / f"booster-{i}.txt" for i in range(n)]
            if n != (k if goal == "multilabel" else 1) or sum(p.stat().st_size for p in paths) > MOST_BYTES:
                raise ValueError(f"{n} boosters for {goal} of {k}, or files too large")
            texts = tuple(p.read_text(encoding="utf-8") for p in paths)
            for text in texts:
                refuse_nonsense(text, outputs=k if goal == "multiclass" else 1)
            return cls(goal, k, texts)
        except (OSError, ValueError, KeyError, TypeError, lgb.basic.LightGBMError) as wrong:
            raise TamperedError(f"the LightGBM model in {folder} cannot be read: {wrong}") from None
