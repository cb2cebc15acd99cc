"""One decision tree, random forests (Breiman 2001) and extremely randomised trees (Geurts et al. 2006).

Grown by scikit-learn, kept as flat arrays. One row walks all trees at once in NumPy; many rows walk
tree by tree in scikit-learn's compiled code, rebuilt from the arrays. Both end in the same leaves.
Measured with 84 trees of 3,000 nodes: one row 0.37 ms against 0.67 ms, 4,096 rows 500 ms against 124 ms.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.tree._tree import NODE_DTYPE, Tree

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Encoding, Goal, Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
from assay.paradigms.supervised.recipes.fitted import (
    counted,
    in_chunks,
    load_fitted,
    one_of,
    require,
    require_shapes,
    save_fitted,
)
from assay.paradigms.supervised.recipes.inner import Clock, climb, inner_folds, loss, part, rows_for, sample

MOST_BYTES = 40e6                               # of a saved forest
FEW_ROWS = 8                                    # up to so many rows NumPy is the faster walker
CHUNK_ROWS = 8_192
PILOT_TREES, PILOT_ROWS = 20, 10_000            # of a forest that judges a size of leaf
MOST_FLOAT = float(np.finfo(np.float32).max)   # for an infinite threshold, which parts missing from not missing
NODE_ARRAYS = {"left": "int32", "right": "int32", "feature": "int32", "threshold": "float32", "missing_left": "bool"}


@dataclass(frozen=True, eq=False)
class ForestLearner:
    """Trees laid end to end: the answer is the mean of the leaves' values.

    start (T+1,): tree t owns nodes start[t] to start[t+1]. For each node: left and right, positions within
    its tree, both -1 at a leaf; a row goes left where its float32 value is at most the threshold, or is
    missing and missing_left holds. value (leaves, C): one row a leaf, in the order of the nodes.
    """

    start: Array
    left: Array
    right: Array
    feature: Array
    threshold: Array
    missing_left: Array
    value: Array
    goal: Goal
    d: int
    least: int = 0                              # rows in a leaf, where it was just grown; not kept
    kind: ClassVar[str] = "forest"

    def scores(self, X: Array, /) -> Array:
        X = np.ascontiguousarray(X, dtype=np.float32)
        mean = self._walked(X) if len(X) <= FEW_ROWS else in_chunks(self._applied, X, CHUNK_ROWS)
        if self.goal == "regression":
            return mean[:, 0]
        return mean if self.goal == "multilabel" else np.asarray(mean / mean.sum(axis=1, keepdims=True))

    def _walked(self, X: Array) -> Array:
        values = self.value[self._leaf_of[self._leaves(X)]]                 # (T, N, C)
        # accumulated, for a sum would add in another order than `_applied` does
        return np.asarray(np.add.accumulate(values, axis=0, dtype=np.float64)[-1] / len(values))

    def _applied(self, X: Array) -> Array:
        total = np.zeros((len(X), self.value.shape[1]))
        for tree, first in zip(self._trees, self.start[:-1], strict=True):
            total += self.value[self._leaf_of[first + tree.apply(X)]]
        return total / len(self._trees)

    def _leaves(self, X: Array) -> Array:
        """The leaf (T, N) that each row reaches in each tree: all rows and trees take each step together."""
        at = np.repeat(self.start[:-1, None], len(X), axis=1)               # (T, N)
        row, any_missing = np.arange(len(X)), bool(np.isnan(X).any())
        while True:
            x = X[row, self.feature[at]]
            goes_left = x <= self.threshold[at]
            if any_missing:
                goes_left |= np.isnan(x) & self.missing_left[at]
            then = self._children[2 * at + ~goes_left]
            if (then == at).all():
                return at
            at = then

    @cached_property
    def _leaf_of(self) -> Array:
        """The row of `value` for each leaf; of no meaning for other nodes."""
        return np.cumsum(self.left < 0) - 1

    @cached_property
    def _children(self) -> Array:
        """(2 nodes,): left and right child of each node, counted over all trees; a leaf is its own child."""
        nodes, first = np.arange(len(self.left)), np.repeat(self.start[:-1], np.diff(self.start))
        both = np.stack([self.left, self.right], axis=1)
        return np.where(both < 0, nodes[:, None], first[:, None] + both).ravel()

    @cached_property
    def _trees(self) -> list[Any]:
        """scikit-learn's own trees, for their compiled walk only: they hold no values."""
        spans = zip(self.start[:-1], self.start[1:], strict=True)
        return [self._tree(slice(first, end)) for first, end in spans]

    def _tree(self, of: slice) -> Any:
        nodes = np.zeros(of.stop - of.start, dtype=NODE_DTYPE)
        nodes["left_child"], nodes["right_child"] = self.left[of], self.right[of]
        nodes["feature"], nodes["threshold"] = self.feature[of], self.threshold[of]
        nodes["missing_go_to_left"] = self.missing_left[of]
        tree = Tree(self.d, np.ones(1, dtype=np.intp), 1)
        values = np.zeros((len(nodes), 1, 1))
        tree.__setstate__({"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values})
        return tree

    def save(self, folder: Path, /) -> None:
        arrays = {name: getattr(self, name) for name in ("start", *NODE_ARRAYS, "value")}
        save_fitted(folder, {"goal": self.goal, "d": self.d}, arrays)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        facts, arrays = load_fitted(folder, {"start": "int64", **NODE_ARRAYS, "value": "float32"})
        goal = one_of(folder, facts, "goal", ("regression", "binary", "multiclass", "multilabel"))
        d = counted(folder, facts, "d")
        _require_trees(folder, arrays, d)
        return cls(**arrays, goal=goal, d=d)  # type: ignore[arg-type]  # arrays by name, none called `least`


def _require_trees(folder: Path, arrays: Mapping[str, Array], d: int) -> None:
    """Every index that a walk will use: children inside their tree and after their parent, columns below d."""
    start, left, right = arrays["start"], arrays["left"], arrays["right"]
    n = len(left)
    require_shapes(folder, arrays, dict.fromkeys(NODE_ARRAYS, (n,)))
    ends = start.ndim == 1 and len(start) > 1 and start[0] == 0 and start[-1] == n
    require(folder, ends and bool((np.diff(start) > 0).all()), "the trees do not cover the nodes")
    place = np.arange(n) - np.repeat(start[:-1], np.diff(start))
    size = np.repeat(np.diff(start), np.diff(start))
    leaf = (left == -1) & (right == -1)
    inside = (left > place) & (right > place) & (left < size) & (right < size)
    require(folder, bool((leaf | inside).all()), "a child lies outside its tree or before its parent")
    columns = (arrays["feature"] >= 0) & (arrays["feature"] < d)
    require(folder, bool(columns.all()), "a node asks for a column that there is not")
    value = arrays["value"]
    require(folder, value.ndim == 2 and len(value) == leaf.sum() and value.shape[1] > 0, "values do not fit the leaves")


def flattened(trees: list[Any], goal: Goal, *, pseudo: float = 0.0) -> ForestLearner:
    """scikit-learn's fitted trees as one learner.

    `pseudo` rows that are like all rows are shared out among the trees and added to each leaf, so that no
    answer is wholly sure (after Provost & Domingos 2003, who add one of each class); 0 for scikit-learn's own."""
    nodes = [tree.__getstate__()["nodes"] for tree in trees]
    flat = np.concatenate(nodes)
    leaf = flat["left_child"] < 0
    value = np.concatenate([_leaf_values(tree, goal, pseudo / len(trees)) for tree in trees])
    return ForestLearner(
        start=np.concatenate([[0], np.cumsum([len(of) for of in nodes])]).astype(np.int64),
        left=flat["left_child"].astype(np.int32),
        right=flat["right_child"].astype(np.int32),
        feature=np.where(leaf, 0, flat["feature"]).astype(np.int32),
        threshold=_rounded_down(np.where(leaf, 0.0, np.minimum(flat["threshold"], MOST_FLOAT))),
        missing_left=flat["missing_go_to_left"].astype(bool),
        value=value.astype(np.float32),
        goal=goal,
        d=int(trees[0].n_features),
    )


def _leaf_values(tree: Any, goal: Goal, pseudo: float) -> Array:
    """scikit-learn's (leaves, outputs, classes) as (leaves, C): a label's share is that of its class 1."""
    leaf, value = tree.children_left < 0, tree.value
    rows = tree.weighted_n_node_samples[leaf][:, None, None]
    value = (rows * value[leaf] + pseudo * value[:1]) / (rows + pseudo)
    return np.asarray(value[:, :, -1] if goal in ("multilabel", "regression") else value[:, 0, :])


def _rounded_down(threshold: Array) -> Array:
    """The largest float32 at or below each: a float32 x is below the one exactly when it is below the other."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def _target(lesson: Lesson) -> Array:
    return lesson.y.astype(np.int64) if lesson.goal == "multilabel" else lesson.y


Grown = Callable[[Lesson, int], ForestLearner]
"""Grow on a lesson, with so many rows in a leaf at least."""


@dataclass(frozen=True)
class DecisionTree(SupervisedRecipe):
    """One tree. `min_samples_leaf` None: chosen on inner folds."""

    min_samples_leaf: int | None = None
    title: ClassVar[str] = "decision tree"
    encoding: ClassVar[Encoding] = "codes"
    order: ClassVar[float] = 75.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        clock = Clock.start(ctx)
        some = sample(lesson, rows_for(ctx.budget_s / 10, 2e-6 * lesson.X.shape[1]), ctx.seed)

        def grown(lesson: Lesson, leaf: int) -> ForestLearner:
            return _one_tree(lesson, leaf, ctx.seed)

        return grown(some, self.min_samples_leaf or _leaf_size(some, grown, inner_folds(some, ctx.seed), 16, clock))

    def space(self) -> Mapping[str, Any]:
        return {"min_samples_leaf": ("int_log", 1, 256)}


def _one_tree(lesson: Lesson, leaf: int, seed: int) -> ForestLearner:
    family = DecisionTreeRegressor if lesson.goal == "regression" else DecisionTreeClassifier
    cap = max(int(MOST_BYTES / _bytes_a_leaf(lesson)), 2)
    model = family(min_samples_leaf=leaf, max_leaf_nodes=cap if cap < len(lesson.X) else None, random_state=seed)
    return flattened([model.fit(lesson.X, _target(lesson), lesson.weight).tree_], lesson.goal, pseudo=1.0)


def _leaf_size(lesson: Lesson, grown: Grown, folds: list[tuple[Array, Array]], start: int, clock: Clock) -> int:
    """The rows a leaf must hold, of least loss on the held-out part of the folds, searched from `start`."""
    sizes = [s for s in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if s <= max(len(lesson.X) // 4, 1)]
    if not folds:
        return 1
    parts = [(part(lesson, fit), part(lesson, held)) for fit, held in folds]

    def held_loss(leaf: int) -> float:
        return sum(loss(h.goal, grown(fit, leaf).scores(h.X), h.y, h.weight) for fit, h in parts)

    return climb(sizes, sizes.index(min(start, sizes[-1])), held_loss, clock)


def _bytes_a_leaf(lesson: Lesson) -> int:
    """Of a saved forest: two nodes of 17 bytes, and the values."""
    return 34 + 4 * lesson.k


@dataclass(frozen=True)
class _Forest(SupervisedRecipe):
    """Many trees, grown in chunks until there are `trees` of them or the time is out.

    `min_samples_leaf` None: chosen on inner folds; on noisy data it moves the log loss by a tenth and more.
    `max_features` is the share of columns tried at a split; None: the square root of their number for
    classes and labels, and the family's own share for regression."""

    trees: int = 200
    min_samples_leaf: int | None = None
    max_features: float | None = None
    encoding: ClassVar[Encoding] = "codes"
    bootstrap: ClassVar[bool]
    regression_share: ClassVar[float]
    families: ClassVar[tuple[type, type]]       # for numbers, for classes and labels

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        clock = Clock.start(ctx)
        leaf = self.min_samples_leaf or self._leaf_size(lesson, ctx, clock)
        return replace(self._grown(lesson, ctx, clock, leaf, self.trees), least=leaf)

    def settled_by(self, learner: Learner) -> Mapping[str, Any]:
        return {"min_samples_leaf": learner.least} if isinstance(learner, ForestLearner) and learner.least else {}

    def _leaf_size(self, lesson: Lesson, ctx: Context, clock: Clock) -> int:
        """By small forests, in a third of the time at most; 4 where even one of those would take too long."""
        tried = lesson.X.shape[1] ** (1.0 if lesson.goal == "regression" else 0.5)
        most = min(clock.left_s / 20 / (PILOT_TREES * 1.5e-6 * tried), PILOT_ROWS)      # measured: seconds a row
        if most < min(len(lesson.X), 1_000):
            return 4
        until = Clock(clock.deadline - 0.67 * clock.left_s)

        def grown(lesson: Lesson, leaf: int) -> ForestLearner:
            return self._grown(lesson, ctx, Clock(math.inf), leaf, PILOT_TREES)

        some = sample(lesson, most, ctx.seed)
        return _leaf_size(some, grown, inner_folds(some, ctx.seed, most=3), 4, until)

    def _grown(self, lesson: Lesson, ctx: Context, clock: Clock, leaf: int, trees: int) -> ForestLearner:
        """So many trees, or as many as time allows, added in chunks."""
        model, have, a_tree = self._new(lesson, ctx, leaf, self._rows_a_tree(lesson, ctx, clock, leaf)), 0, 0.0
        while have < trees and not (have and clock.left_s < a_tree):
            began = time.monotonic()
            more = int(min(max(clock.left_s / 10 / a_tree, 1), 25, trees - have)) if have else 1
            model.set_params(n_estimators=have + more).fit(lesson.X, _target(lesson), lesson.weight)
            have, a_tree = have + more, max((time.monotonic() - began) / more, 1e-6)
        return flattened([tree.tree_ for tree in model.estimators_], lesson.goal, pseudo=1.0)

    def _new(self, lesson: Lesson, ctx: Context, leaf: int, rows: int) -> Any:
        n, regression = len(lesson.X), lesson.goal == "regression"
        leaves = int(MOST_BYTES / self.trees / _bytes_a_leaf(lesson))
        family: Any = self.families[0 if regression else 1]
        return family(
            warm_start=True, random_state=ctx.seed, n_jobs=ctx.threads, min_samples_leaf=leaf,
            max_features=self.max_features or (self.regression_share if regression else "sqrt"),
            max_leaf_nodes=max(leaves, 8) if leaves < rows else None,
            bootstrap=self.bootstrap or rows < n, max_samples=rows if rows < n else None,
        )

    def _rows_a_tree(self, lesson: Lesson, ctx: Context, clock: Clock, leaf: int) -> int:
        """How many rows each tree may draw so that thirty trees end in time, judged by one small tree."""
        n = len(lesson.X)
        if math.isinf(clock.deadline) or n <= 2_000:
            return n
        began = time.monotonic()
        self._new(lesson, ctx, leaf, 1_000).set_params(n_estimators=1).fit(lesson.X, _target(lesson), lesson.weight)
        a_row = (time.monotonic() - began) / (1_000 * math.log2(1_000)) * math.log2(n)
        return int(min(n, max(1_000, clock.left_s / 30 / a_row)))

    def space(self) -> Mapping[str, Any]:
        return {"min_samples_leaf": ("int_log", 1, 32), "max_features": ("uniform", 0.1, 1.0)}


@dataclass(frozen=True)
class RandomForest(_Forest):
    """Each tree learns from rows drawn with replacement, and looks for the best cut of a few columns."""

    title: ClassVar[str] = "random forest"
    order: ClassVar[float] = 45.0
    bootstrap: ClassVar[bool] = True
    regression_share: ClassVar[float] = 0.4
    families: ClassVar[tuple[type, type]] = (RandomForestRegressor, RandomForestClassifier)


@dataclass(frozen=True)
class ExtraTrees(_Forest):
    """Each tree learns from all rows and takes the best of a few columns cut at random."""

    title: ClassVar[str] = "extra trees"
    order: ClassVar[float] = 40.0
    bootstrap: ClassVar[bool] = False
    regression_share: ClassVar[float] = 0.7
    families: ClassVar[tuple[type, type]] = (ExtraTreesRegressor, ExtraTreesClassifier)
