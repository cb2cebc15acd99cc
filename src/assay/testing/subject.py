"""What a check is given, and the list that each check enters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from assay.capabilities import Inspects
from assay.contract import TRAIN, Context, Field, Model, Paradigm, Recipe, Split, Table, Task
from assay.problem import Problem

FIT0, HELD0 = Split("fit", 0), Split("held", 0)


@dataclass(frozen=True)
class Subject:
    """What is checked: a problem, the task it was bound to, and a model that the recipe got from it."""

    problem: Problem
    paradigm: Paradigm
    task: Task
    recipe: Recipe
    model: Model
    seed: int = 0

    @classmethod
    def of(
        cls, problem: Problem, paradigm: Paradigm, recipe: Recipe, *, seed: int = 0, task: Task | None = None
    ) -> Subject:
        """Bind the problem (or take the task it was bound to before) and fit the recipe on its training part."""
        task = task or paradigm.bind(problem, lambda _: None)
        return cls(problem, paradigm, task, recipe, recipe.fit(task, Context(seed=seed)), seed)

    def batch(self, rows: int = 60) -> Table:
        """Inputs for the model: those of training cases where the task can show them, else drawn from its signature."""
        fields = self.model.signature.inputs
        if isinstance(self.task, Inspects):
            shown = self.task.inputs(self.task.cases(TRAIN))
            if all(f.name in shown.columns for f in fields):
                return shown.select(f.name for f in fields).head(rows)
        rng = np.random.default_rng(self.seed)
        return pl.DataFrame({f.name: drawn(f, rows, rng) for f in fields})


Check = Callable[[Subject], None]
CHECKS: dict[str, Check] = {}
"""Every check by its name, in the order of writing."""


def promise(of: str) -> Callable[[Check], Check]:
    """Enters a check under the name of what makes the promise and the promise: "model.predict_is_pure"."""
    def keep(check: Check) -> Check:
        CHECKS[f"{of}.{check.__name__}"] = check
        return check

    return keep


def drawn(field: Field, n: int, rng: np.random.Generator) -> pl.Series:
    """n values that a field may have, as its signature says."""
    low, high = -1.0 if field.low is None else field.low, 1.0 if field.high is None else field.high
    if field.levels:
        return pl.Series(rng.choice(list(field.levels), n).tolist())
    if field.dtype == "float":
        return pl.Series(rng.uniform(low, high, n))
    if field.dtype == "int":
        return pl.Series(rng.integers(int(low), int(high) + 1, n))
    if field.dtype == "bool":
        return pl.Series(rng.random(n) < 0.5)
    if field.dtype == "datetime":
        return pl.Series([datetime(2024, 1, 1) + timedelta(hours=int(h)) for h in rng.integers(0, 9_000, n)])
    return pl.Series([f"word {i}" for i in rng.integers(0, n, n)])
