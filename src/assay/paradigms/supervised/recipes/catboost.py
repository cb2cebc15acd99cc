"""CatBoost: symmetric trees, ordered target statistics (Prokhorenkova et al. 2018, NeurIPS). Saved as cbm."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import catboost
import numpy as np
import pandas as pd

from assay.contract import Array, Context
from assay.errors import TamperedError
from assay.files import read_json, replacing, write_json
from assay.paradigms.supervised.learner import Encoding, Goal, Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.boosting import BLIND_ROUNDS, MOST_BYTES, Watch, all_rows, patience

FEW_ROWS = 8                                    # up to so many rows a frame costs more than the answers


@dataclass(frozen=True)
class CatBoost(SupervisedRecipe):
    """The library's depth and penalties, the best value among boosters in TabArena (Erickson et al. 2025).

    Up to 16 levels become one column each, and statistics of at most two categories together are tried: measured on
    Telco churn and Ames, as good as the library's own settings and 10 times faster."""

    learning_rate: float = 0.05
    depth: int = 6
    l2_leaf_reg: float = 3.0
    random_strength: float = 1.0
    one_hot_max_size: int = 16
    max_ctr_complexity: int = 2
    grow_policy: str = "SymmetricTree"          # or Depthwise
    subsample: float | None = None              # None: the library's own bootstrap
    rsm: float = 1.0                            # the share of columns tried at each cut
    leaf_estimation_iterations: int | None = None
    rounds: int = 5_000
    patience: int | None = None
    refit: bool = True                          # once more on all rows, with the number of rounds that was best
    exactly: int | None = None                  # so many rounds, known from another fold: none are held out to stop by
    crossed: bool = False                       # learns from crossed columns too

    title: ClassVar[str] = "CatBoost"
    encoding: ClassVar[Encoding] = "codes"
    order: ClassVar[float] = 12.0
    early_stops: ClassVar[bool] = True
    monotonic: ClassVar[bool] = True

    def reads(self) -> Encoding:
        return "crossed" if self.crossed else self.encoding

    def space(self) -> Mapping[str, Any]:
        """After TabArena's (Erickson et al. 2025, arXiv 2506.16791)."""
        return {
            "learning_rate": ("log", 0.005, 0.1), "depth": ("int", 4, 8), "l2_leaf_reg": ("log", 1e-4, 5.0),
            "random_strength": ("uniform", 0.0, 2.0), "one_hot_max_size": ("int_log", 8, 100),
            "grow_policy": ("choice", "SymmetricTree", "Depthwise"), "subsample": ("uniform", 0.7, 1.0),
            "rsm": ("uniform", 0.85, 1.0), "leaf_estimation_iterations": ("int_log", 1, 20),
        }

    def holds_out(self) -> bool:
        return self.exactly is None

    def settled_by(self, learner: Learner) -> Mapping[str, Any]:
        return {"exactly": learner.rounds} if isinstance(learner, CatBoostLearner) else {}

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        codes = lesson.categorical
        watch = Watch(patience(self.patience, len(lesson.y)), ctx.budget_s)
        train = catboost.Pool(_frame(lesson.X, codes), lesson.y, cat_features=list(codes), weight=lesson.weight)
        params = self._params(lesson, ctx)
        val, rounds = None, self.exactly or BLIND_ROUNDS
        if lesson.X_val is not None:
            held = _frame(lesson.X_val, codes)
            val = catboost.Pool(held, lesson.y_val, cat_features=list(codes), weight=lesson.weight_val)
            rounds = self.rounds
        booster = catboost.CatBoost(params | {"iterations": rounds})
        booster.fit(train, eval_set=val, use_best_model=False, callbacks=[_Stop(watch)])
        if val and self.refit and not ctx.rough and watch.time_for_another(len(lesson.y)):
            X, y, weight = all_rows(lesson)
            booster = catboost.CatBoost(params | {"iterations": watch.at + 1})
            booster.fit(catboost.Pool(_frame(X, codes), y, cat_features=list(codes), weight=weight))
        elif self.grow_policy == "SymmetricTree":               # the library cuts no others short
            booster.shrink(watch.at + 1)
        return CatBoostLearner(lesson.goal, lesson.k, codes, booster)

    def _params(self, lesson: Lesson, ctx: Context) -> dict[str, Any]:
        sampled = {} if self.subsample is None else {"bootstrap_type": "Bernoulli", "subsample": self.subsample}
        steps = self.leaf_estimation_iterations
        return {
            **sampled, **({} if steps is None else {"leaf_estimation_iterations": steps}), "rsm": self.rsm,
            "grow_policy": self.grow_policy, "loss_function": _loss(lesson), "depth": self.depth,
            "l2_leaf_reg": self.l2_leaf_reg, "random_strength": self.random_strength,
            "thread_count": ctx.threads, "random_seed": ctx.seed,
            "logging_level": "Silent", "allow_writing_files": False,
            "learning_rate": self.learning_rate, "one_hot_max_size": self.one_hot_max_size,
            "max_ctr_complexity": self.max_ctr_complexity, "boosting_type": "Plain",
            **({"monotone_constraints": list(lesson.monotone)} if lesson.monotone else {}),
        }


def _loss(lesson: Lesson) -> str:
    if lesson.goal == "regression":
        return "MAE" if lesson.metric == "mae" and not any(lesson.monotone) else "RMSE"
    return {"binary": "Logloss", "multiclass": "MultiClass", "multilabel": "MultiLogloss"}[lesson.goal]


def _frame(X: Array, codes: tuple[int, ...]) -> pd.DataFrame:
    """Codes as whole numbers, missing as -1: CatBoost takes neither NaN nor fractions for a category."""
    columns = {i: X[:, i] for i in range(X.shape[1])}
    return pd.DataFrame(columns | {i: np.nan_to_num(X[:, i], nan=-1.0).astype(np.int32) for i in codes})


def _lists(X: Array, codes: tuple[int, ...]) -> list[list[Any]]:
    """The same as `_frame` holds, for a few rows: a frame takes a millisecond to make."""
    rows: list[list[Any]] = X.tolist()
    for row in rows:
        for i in codes:
            row[i] = -1 if math.isnan(row[i]) else int(row[i])
    return rows


_pools: dict[int, tuple[weakref.ref[Array], tuple[int, ...], Any]] = {}


def _pool(X: Array, codes: tuple[int, ...]) -> Any:
    """The rows as CatBoost reads them, made once for all boosters that are asked about this array while it lives.

    Making it is most of the time where there are categories: 65 of 78 ms for 8,192 rows of 73 columns, 39 of them
    categories. From here on the array cannot be written to."""
    key = id(X)
    known = _pools.get(key)
    if known is not None and known[0]() is X and known[1] == codes:
        return known[2]
    pool = catboost.Pool(_frame(X, codes) if len(X) > FEW_ROWS else _lists(X, codes), cat_features=list(codes))
    X.flags.writeable = False
    _pools[key] = weakref.ref(X, lambda _: _pools.pop(key, None)), codes, pool
    return pool


class _Stop:
    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def after_iteration(self, info: Any) -> bool:
        seen = info.metrics.get("validation")
        losses = next(iter(seen.values())) if seen else [-info.iteration]
        return not self.watch.done(info.iteration - 1, losses[-1])


class CatBoostLearner:
    """A booster; `codes` are the columns that hold categories."""

    kind: ClassVar[str] = "catboost"

    def __init__(self, goal: Goal, k: int, codes: tuple[int, ...], booster: Any) -> None:
        self.goal, self.k, self.codes, self._booster = goal, k, codes, booster

    @property
    def rounds(self) -> int:
        return int(self._booster.tree_count_)

    def scores(self, X: Array, /) -> Array:
        form = "RawFormulaVal" if self.goal == "regression" else "Probability"
        answer = self._booster.predict(_pool(X, self.codes), prediction_type=form, thread_count=1)
        return np.asarray(answer, dtype=np.float64)

    def save(self, folder: Path, /) -> None:
        write_json(folder / "catboost.json", {"goal": self.goal, "k": self.k, "codes": self.codes})
        with replacing(folder / "booster.cbm") as beside:
            self._booster.save_model(str(beside), format="cbm")

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """Raises TamperedError where the file is not a whole booster of the right shape."""
        try:
            said = read_json(folder / "catboost.json")
            path = folder / "booster.cbm"
            if path.stat().st_size > MOST_BYTES:
                raise ValueError("the file is too large")
            booster = catboost.CatBoost()
            booster.load_model(str(path), format="cbm")
            return cls(said["goal"], int(said["k"]), tuple(int(c) for c in said["codes"]), booster)
        except (OSError, ValueError, KeyError, TypeError, catboost.CatBoostError) as wrong:
            said_why = str(wrong).strip().partition("\n")[0]
            raise TamperedError(f"the CatBoost model in {folder} cannot be read: {said_why}") from None
