"""What every recipe of this paradigm has in common: read the cases, encode, hold out, learn, wrap.

A recipe adds its settings as fields and one method, `learn`: a `Lesson` of arrays in, a `Learner` out.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from assay.contract import Array, Context, Model, Table, Task
from assay.errors import PairingError
from assay.paradigms.supervised.declared import counted, signs, weight_of
from assay.paradigms.supervised.learner import Encoding, Goal, Learner, Lesson
from assay.paradigms.supervised.model import SupervisedModel
from assay.paradigms.supervised.target import Coder
from assay.paradigms.supervised.task import SupervisedTask, units
from assay.splits import TEST_ROLE, group_plan, random_plan

EVERY_GOAL: frozenset[Goal] = frozenset(("regression", "binary", "multiclass", "multilabel"))


@dataclass(frozen=True)
class SupervisedRecipe(ABC):
    """A recipe that learns rows of a table. Subclasses are frozen dataclasses whose fields are their settings.

    What `learn` may count on, besides what `Lesson` says:
    - regression: y has mean 0 and standard deviation 1; scores go back to the target's units elsewhere.
    - multiclass: k may be smaller than in the task (a class absent from these rows), never below 2.
    - multilabel: every label has both values in y; the others are answered for elsewhere.
    - `ctx.budget_s` is what is left after encoding. `ctx.threads` and `ctx.seed` are to be kept to.
    """

    title: ClassVar[str]                        # as a reader knows it: "LightGBM"
    encoding: ClassVar[Encoding] = "numbers"
    goals: ClassVar[frozenset[Goal]] = EVERY_GOAL
    baseline: ClassVar[bool] = False
    order: ClassVar[float] = 50.0
    early_stops: ClassVar[bool] = False         # wants X_val and y_val, unless no row can be spared
    max_rows: ClassVar[int | None] = None       # learns from a stratified sample of so many rows at most
    weighs: ClassVar[bool] = True               # honours `Lesson.weight`
    monotonic: ClassVar[bool] = False           # honours `Lesson.monotone`

    @abstractmethod
    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        """A fitted learner. The same lesson, settings and seed give the same learner."""

    def reads(self) -> Encoding:
        """The encoding that these settings call for."""
        return self.encoding

    def space(self) -> Mapping[str, Any]:
        """What may be varied: field -> ("log" | "int_log" | "uniform" | "int", low, high) or ("choice", *values)."""
        return {}

    def holds_out(self) -> bool:
        """Whether it wants rows to stop early by, where `early_stops`: not where it was told when to stop."""
        return True

    def settled_by(self, learner: Learner) -> Mapping[str, Any]:  # noqa: ARG002 - for those that search
        """Settings that fitting found by itself, such as the number of rounds: other folds need not search for them."""
        return {}

    def settled(self, model: Model, /) -> Mapping[str, Any]:
        return self.settled_by(model.learner) if isinstance(model, SupervisedModel) else {}

    def refuses(self, task: Task, /) -> str | None:
        """Why this recipe cannot learn this task, in words; None if it can."""
        if not isinstance(task, SupervisedTask):
            return f"{self.title} fits a table; {task.title!r} is of another kind ({task.name})"
        if task.goal not in self.goals:
            return f"{self.title} learns {_either(sorted(self.goals))}; {task.title!r} is {task.goal}"
        q = task.question
        if q.monotone and not self.monotonic:
            return f"{self.title} cannot keep --monotone"
        if (q.weights or q.balance) and not self.weighs:
            return f"{self.title} cannot keep {'--weights' if q.weights else '--balance'}"
        return None

    def fit(self, task: Task, ctx: Context, /) -> SupervisedModel:
        """Learn from `task.cases(ctx.split)` and nothing else. Raises PairingError where it refuses."""
        started = time.monotonic()
        why_not = self.refuses(task)
        if why_not or not isinstance(task, SupervisedTask):
            raise PairingError(f"{why_not}.")
        cases = counted(task, task.cases(ctx.split))
        coder = Coder.fit(task.target, cases)
        rows = _sampled(coder, cases, self.max_rows, ctx.seed)
        if len(rows) < len(cases):
            cases = cases[rows]
            coder = Coder.fit(task.target, cases)
        encoder, X = task.encoded(cases, self.reads())
        lesson = lesson_of(coder, cases, X, encoder.categorical, task.metrics[0].name,
                           val=self.early_stops and self.holds_out(), seed=ctx.seed, weight=weight_of(task, cases),
                           monotone=signs(encoder, task.question.monotone))
        left = replace(ctx, budget_s=max(ctx.budget_s - (time.monotonic() - started), 0.0))
        learner = self.learn(lesson, left) if coder.k > 0 else constant(lesson)
        return SupervisedModel(task.signature, encoder, learner, coder)


def _either(goals: list[str]) -> str:
    return goals[0] if len(goals) == 1 else f"{', '.join(goals[:-1])} or {goals[-1]}"


def constant(lesson: Lesson) -> Learner:
    """All rows have one class (or no label varies): there is nothing to learn."""
    from assay.paradigms.supervised.recipes.baselines import Constant

    return Constant(np.zeros(lesson.k))


def lesson_of(coder: Coder, cases: Table, X: Array, categorical: tuple[int, ...], metric: str,
              *, val: bool, seed: int, weight: Array | None = None, monotone: tuple[int, ...] = ()) -> Lesson:
    """The arrays of these cases, encoded already as X; with `val` some of them are set apart to stop early by."""
    y, names, unit = coder.encode(cases), cases["unit"].to_numpy(), units(cases)
    whole = Lesson(coder.goal, X, y, coder.k, weight, categorical, metric, monotone, unit)
    if not val or coder.k == 0:
        return whole
    held = held_out(coder.strata(y), names, seed)
    held &= ~_needed(coder, y, held)
    if not held.any():
        return whole
    return replace(whole, X=X[~held], y=y[~held], unit=None if unit is None else unit[~held], X_val=X[held],
                   y_val=y[held], weight=None if weight is None else weight[~held],
                   weight_val=None if weight is None else weight[held])


def held_out(strata: Array, unit: Array, seed: int) -> Array:
    """Which rows to stop early by: a mask (n,) of 10 to 20 %, at most 50,000; whole units, strata spread evenly."""
    n = len(strata)
    share = min(0.2 if n < 2_000 else 0.15 if n < 20_000 else 0.1, 50_000 / n)
    units = len(np.unique(unit))
    if 3 <= units < n:
        plan = group_plan(unit, test=share, folds=1, seed=seed, name="unit")
    else:
        plan = random_plan(n, test=share, folds=1, seed=seed, strata=strata)
    mask: Array = plan.roles == TEST_ROLE
    return mask


def _needed(coder: Coder, y: Array, held: Array) -> Array:
    """Rows (n,) of a class, or of a label's value, that holding out would leave with none to learn from."""
    if coder.goal == "regression":
        return np.zeros(len(y), dtype=bool)
    if coder.goal == "multilabel":
        gone = np.ptp(y[~held], axis=0) == 0
        needed: Array = np.any(y[:, gone] != y[~held][0, gone], axis=1)
        return needed
    return np.isin(y, y[~held], invert=True)


def _sampled(coder: Coder, cases: Table, most: int | None, seed: int) -> Array:
    """Positions (m,) of at most `most` cases, each stratum by its share and none lost, in order."""
    n = len(cases)
    if most is None or n <= most:
        return np.arange(n)
    strata = coder.strata(coder.encode(cases)) if coder.k else np.zeros(n, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(n)
    _, first = np.unique(strata[order], return_index=True)
    plan = random_plan(n, test=(most - len(first)) / n, folds=1, seed=seed, strata=strata)
    return np.union1d(np.flatnonzero(plan.roles == TEST_ROLE), order[first])[:most]
