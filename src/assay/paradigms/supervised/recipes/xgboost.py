"""XGBoost: regularised gradient boosting, level by level (Chen and Guestrin 2016, KDD). Saved as UBJSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import xgboost as xgb

from assay.contract import Array, Context
from assay.errors import TamperedError
from assay.files import read_json, replacing, write_json
from assay.paradigms.supervised.learner import Encoding, Goal, Learner, Lesson, two_columns
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.boosting import MOST_BYTES, Watch, all_rows, refuse_shape


@dataclass(frozen=True)
class XGBoost(SupervisedRecipe):
    """Sampled as tuned defaults are (pytabkit's XGB_TD, Holzmüller et al. 2024), with the library's own regularisation."""

    learning_rate: float | None = None          # None: 0.06, or 0.1 beyond 50,000 rows
    max_depth: int = 6
    min_child_weight: float = 1.0
    subsample: float = 0.7
    colsample_bynode: float = 0.7
    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    max_cat_to_onehot: int = 5
    rounds: int = 2_000
    patience: int = 60
    refit: bool = True                          # once more on all rows, with the number of rounds that was best

    title: ClassVar[str] = "XGBoost"
    encoding: ClassVar[Encoding] = "codes"
    order: ClassVar[float] = 14.0
    early_stops: ClassVar[bool] = True

    def space(self) -> Mapping[str, Any]:
        """After TabArena's (Erickson et al. 2025, arXiv 2506.16791)."""
        return {
            "learning_rate": ("log", 0.005, 0.1), "max_depth": ("int_log", 4, 10), "min_child_weight": ("log", 0.001, 5.0),
            "subsample": ("uniform", 0.6, 1.0), "colsample_bynode": ("uniform", 0.6, 1.0),
            "reg_lambda": ("uniform", 1e-4, 5.0), "reg_alpha": ("uniform", 1e-4, 5.0),
            "max_cat_to_onehot": ("int_log", 8, 100),
        }

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        if lesson.X_val is None:
            raise ValueError("XGBoost stops early: its lesson wants rows held out")
        types = tuple("c" if i in lesson.categorical else "q" for i in range(lesson.X.shape[1]))
        params = self._params(lesson, ctx)
        train = _matrix(lesson.X, types, lesson.y, lesson.weight, params["max_bin"])
        val = _matrix(lesson.X_val, types, lesson.y_val, lesson.weight_val, params["max_bin"], ref=train)
        watch = Watch(self.patience, ctx.budget_s)
        booster = xgb.train(params, train, self.rounds, evals=[(val, "val")], verbose_eval=False, callbacks=[_Stop(watch)])
        if self.refit and watch.time_for_another(len(lesson.y)):
            X, y, weight = all_rows(lesson)
            booster = xgb.train(params, _matrix(X, types, y, weight, params["max_bin"]), watch.at + 1)
        else:
            booster = booster[: watch.at + 1]
        return XGBoostLearner(lesson.goal, lesson.k, types, bytes(booster.save_raw("ubj")))

    def _params(self, lesson: Lesson, ctx: Context) -> dict[str, Any]:
        return {
            **_objective(lesson), "tree_method": "hist", "max_bin": 256, "nthread": ctx.threads, "seed": ctx.seed,
            "verbosity": 0, "learning_rate": self.learning_rate or (0.06 if len(lesson.y) <= 50_000 else 0.1),
            "max_depth": self.max_depth, "min_child_weight": self.min_child_weight, "subsample": self.subsample,
            "colsample_bynode": self.colsample_bynode, "lambda": self.reg_lambda, "alpha": self.reg_alpha,
            "max_cat_to_onehot": self.max_cat_to_onehot,
        }


def _objective(lesson: Lesson) -> dict[str, Any]:
    if lesson.goal == "regression":
        absolute = lesson.metric == "mae"
        return {"objective": "reg:absoluteerror" if absolute else "reg:squarederror", "eval_metric": "mae" if absolute else "rmse"}
    if lesson.goal == "multiclass":
        return {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": lesson.k}
    return {"objective": "binary:logistic", "eval_metric": "logloss"}


def _matrix(X: Array, types: tuple[str, ...], y: Array | None, weight: Array | None, bins: int, ref: Any = None) -> Any:
    return xgb.QuantileDMatrix(X, y, weight=weight, feature_types=list(types), enable_categorical=True, max_bin=bins, ref=ref)


class _Stop(xgb.callback.TrainingCallback):  # type: ignore[misc]  # the library publishes no types
    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def after_iteration(self, _: Any, epoch: int, evals_log: Any) -> bool:
        (losses,) = evals_log["val"].values()
        return self.watch.done(epoch, losses[-1])


class XGBoostLearner:
    """A booster, kept as the bytes that XGBoost writes. types: one letter a column, c for codes and q for quantities."""

    kind: ClassVar[str] = "xgboost"

    def __init__(self, goal: Goal, k: int, types: tuple[str, ...], raw: bytes) -> None:
        self.goal, self.k, self.types, self.raw = goal, k, types, raw
        self._booster = xgb.Booster({"nthread": 1}, model_file=bytearray(raw))

    def __reduce__(self) -> Any:
        return type(self), (self.goal, self.k, self.types, self.raw)

    def scores(self, X: Array, /) -> Array:
        batch = xgb.DMatrix(X, feature_types=list(self.types), enable_categorical=True, nthread=1)
        p = self._booster.predict(batch).astype(np.float64)
        if self.goal == "binary":
            return two_columns(p)
        return p / p.sum(axis=1, keepdims=True) if self.goal == "multiclass" else p

    def save(self, folder: Path, /) -> None:
        write_json(folder / "xgboost.json", {"goal": self.goal, "k": self.k, "types": self.types})
        with replacing(folder / "booster.ubj") as beside:
            beside.write_bytes(self.raw)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """Raises TamperedError where the file is not a whole booster of the right shape."""
        try:
            said = read_json(folder / "xgboost.json")
            path = folder / "booster.ubj"
            if path.stat().st_size > MOST_BYTES:
                raise ValueError("the file is too large")
            learner = cls(said["goal"], int(said["k"]), tuple(said["types"]), path.read_bytes())
            learner._refuse_nonsense()
            return learner
        except (OSError, ValueError, KeyError, TypeError, IndexError, xgb.core.XGBoostError) as wrong:
            said_why = str(wrong).strip().partition("\n")[0]
            raise TamperedError(f"the XGBoost model in {folder} cannot be read: {said_why}") from None

    def _refuse_nonsense(self) -> None:
        """XGBoost checks what it parses; that the trees are trees and split by features that exist is seen to here."""
        learner = json.loads(bytes(self._booster.save_raw("json")))["learner"]
        features, outputs = len(self.types), self.k if self.goal in ("multiclass", "multilabel") else 1
        shape = learner["learner_model_param"]
        found = max(int(shape["num_class"]), int(shape.get("num_target", 1)))
        if int(shape["num_feature"]) != features or found not in (outputs, outputs - 1):
            raise ValueError(f"it is not of {features} columns and {outputs} outputs")
        for i, tree in enumerate(learner["gradient_booster"]["model"]["trees"]):
            left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
            split = np.array(tree["split_indices"])[left >= 0]
            refuse_shape(left, right, i)
            if len(split) and not (split.min() >= 0 and split.max() < features):
                raise ValueError(f"tree {i} splits by a feature that does not exist")
