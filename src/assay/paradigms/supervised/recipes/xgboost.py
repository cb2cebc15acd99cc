"""XGBoost: regularised gradient boosting, level by level (Chen and Guestrin 2016, KDD). Saved as its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import xgboost as xgb

from assay.contract import Array, Context
from assay.errors import TamperedError
from assay.files import read_json, replacing, write_json
from assay.paradigms.supervised.learner import Encoding, Goal, Learner, Lesson, two_columns
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.boosting import (
    BLIND_ROUNDS,
    MOST_BYTES,
    Watch,
    all_rows,
    binned,
    native,
    patience,
    rows_of,
)
from assay.paradigms.supervised.recipes.xgboost_json import refuse_nonsense


@dataclass(frozen=True)
class XGBoost(SupervisedRecipe):
    """Sampled as tuned defaults are (pytabkit's XGB_TD, Holzmüller et al. 2024), with the library's own penalties."""

    learning_rate: float | None = None          # None: 0.06, or 0.1 beyond 50,000 rows
    max_depth: int = 6
    min_child_weight: float = 1.0
    subsample: float = 0.7
    colsample_bynode: float = 0.7
    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    max_cat_to_onehot: int = 5
    grow_policy: str = "depthwise"              # or lossguide: leaf by leaf, up to max_leaves
    max_leaves: int = 0
    rounds: int = 10_000
    patience: int | None = None
    refit: bool = True                          # once more on all rows, with the number of rounds that was best
    exactly: int | None = None                  # so many rounds, known from another fold: none are held out to stop by
    crossed: bool = False                       # learns from crossed columns too

    title: ClassVar[str] = "XGBoost"
    encoding: ClassVar[Encoding] = "codes"
    order: ClassVar[float] = 14.0
    early_stops: ClassVar[bool] = True
    monotonic: ClassVar[bool] = True

    def reads(self) -> Encoding:
        return "crossed" if self.crossed else self.encoding

    def space(self) -> Mapping[str, Any]:
        """After TabArena's (Erickson et al. 2025, arXiv 2506.16791)."""
        return {
            "learning_rate": ("log", 0.005, 0.1), "max_depth": ("int_log", 4, 10),
            "min_child_weight": ("log", 0.001, 5.0), "max_cat_to_onehot": ("int_log", 8, 100),
            "subsample": ("uniform", 0.6, 1.0), "colsample_bynode": ("uniform", 0.6, 1.0),
            "reg_lambda": ("uniform", 1e-4, 5.0), "reg_alpha": ("uniform", 1e-4, 5.0),
        }

    def holds_out(self) -> bool:
        return self.exactly is None

    def settled_by(self, learner: Learner) -> Mapping[str, Any]:
        return {"exactly": learner.rounds} if isinstance(learner, XGBoostLearner) else {}

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        codes = native(lesson)
        types = tuple("c" if i in codes else "q" for i in range(lesson.X.shape[1]))
        params = self._params(lesson, ctx)
        train, val = _matrices(lesson, types, params["max_bin"])
        watch = Watch(patience(self.patience, len(lesson.y)), ctx.budget_s)
        evals, rounds = ([], self.exactly or BLIND_ROUNDS) if val is None else ([(val, "val")], self.rounds)
        booster = xgb.train(params, train, rounds, evals=evals, verbose_eval=False, callbacks=[_Stop(watch)])
        if evals and self.refit and not ctx.rough and watch.time_for_another(len(lesson.y)):
            X, y, weight = all_rows(lesson)
            whole, _ = _matrices(replace(lesson, X=X, y=y, weight=weight, X_val=None), types, params["max_bin"])
            booster = xgb.train(params, whole, watch.at + 1)
        else:
            booster = booster[: watch.at + 1]
        return XGBoostLearner(lesson.goal, lesson.k, types, bytes(booster.save_raw("json")))

    def _params(self, lesson: Lesson, ctx: Context) -> dict[str, Any]:
        return {
            **_objective(lesson), "tree_method": "hist", "max_bin": 256, "nthread": ctx.threads, "seed": ctx.seed,
            "verbosity": 0, "learning_rate": self.learning_rate or (0.06 if len(lesson.y) <= 50_000 else 0.1),
            "max_depth": self.max_depth, "min_child_weight": self.min_child_weight, "subsample": self.subsample,
            "colsample_bynode": self.colsample_bynode, "lambda": self.reg_lambda, "alpha": self.reg_alpha,
            "max_cat_to_onehot": self.max_cat_to_onehot, "grow_policy": self.grow_policy, "max_leaves": self.max_leaves,
            **({"monotone_constraints": lesson.monotone} if lesson.monotone else {}),
        }


def _objective(lesson: Lesson) -> dict[str, Any]:
    if lesson.goal == "regression":
        absolute = lesson.metric == "mae" and not any(lesson.monotone)      # its leaves are renewed: no constraint
        loss, judge = ("absoluteerror", "mae") if absolute else ("squarederror", "rmse")
        return {"objective": f"reg:{loss}", "eval_metric": judge}
    if lesson.goal == "multiclass":
        return {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": lesson.k}
    return {"objective": "binary:logistic", "eval_metric": "logloss"}


def _matrices(lesson: Lesson, types: tuple[str, ...], bins: int) -> tuple[Any, Any | None]:
    """The rows to learn from and those to stop by, binned; made once for all settings that bin alike."""
    def matrix(X: Array, y: Array | None, weight: Array | None, ref: Any = None) -> Any:
        return xgb.QuantileDMatrix(
            X, y, weight=weight, feature_types=list(types), enable_categorical=True, max_bin=bins, ref=ref
        )

    def make() -> tuple[Any, Any | None]:
        train = matrix(lesson.X, lesson.y, lesson.weight)
        return train, None if lesson.X_val is None else matrix(lesson.X_val, lesson.y_val, lesson.weight_val, train)

    return binned(make, ("xgboost", types, bins), *rows_of(lesson))


class _Stop(xgb.callback.TrainingCallback):
    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def after_iteration(self, _: Any, epoch: int, evals_log: Any) -> bool:
        losses = next(iter(evals_log["val"].values())) if evals_log else [-epoch]
        return self.watch.done(epoch, losses[-1])


class XGBoostLearner:
    """A booster, kept as the bytes that XGBoost writes. types: a letter a column, c for codes and q for quantities."""

    kind: ClassVar[str] = "xgboost"

    def __init__(self, goal: Goal, k: int, types: tuple[str, ...], raw: bytes) -> None:
        self.goal, self.k, self.types, self.raw = goal, k, types, raw
        self._booster = xgb.Booster({"nthread": 1}, model_file=bytearray(raw))

    @property
    def rounds(self) -> int:
        return int(self._booster.num_boosted_rounds())

    def scores(self, X: Array, /) -> Array:
        p = np.asarray(self._booster.inplace_predict(X, validate_features=False), dtype=np.float64)
        if self.goal == "binary":
            return two_columns(p)
        return p / p.sum(axis=1, keepdims=True) if self.goal == "multiclass" else p

    def save(self, folder: Path, /) -> None:
        write_json(folder / "xgboost.json", {"goal": self.goal, "k": self.k, "types": self.types})
        with replacing(folder / "booster.json") as beside:
            beside.write_bytes(self.raw)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """Raises TamperedError where the file is not a whole booster of the right shape."""
        try:
            said = read_json(folder / "xgboost.json")
            goal, k, types = said["goal"], int(said["k"]), tuple(said["types"])
            path = folder / "booster.json"
            if path.stat().st_size > MOST_BYTES:
                raise ValueError("the file is too large")
            raw = path.read_bytes()
            refuse_nonsense(raw, features=len(types), outputs=k if goal in ("multiclass", "multilabel") else 1)
            return cls(goal, k, types, raw)
        except (OSError, ValueError, KeyError, TypeError, IndexError, xgb.core.XGBoostError) as wrong:
            said_why = str(wrong).strip().partition("\n")[0]
            raise TamperedError(f"the XGBoost model in {folder} cannot be read: {said_why}") from None
