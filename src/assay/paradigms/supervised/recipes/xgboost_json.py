"""Whether bytes are an XGBoost model that is safe to load.

XGBoost is not robust here: a UBJSON file cut short ends the process with a segmentation fault (3.2). So models
are kept as JSON, read by Python first, and every index is looked at before XGBoost sees any of it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from assay.contract import Array

_BY_NODE = ("left_children", "right_children", "parents", "split_indices", "split_conditions", "split_type",
            "base_weights", "default_left", "loss_changes", "sum_hessian")


def refuse_nonsense(raw: bytes, *, features: int, outputs: int) -> None:
    """Raises ValueError, KeyError or TypeError unless every tree is whole and every index within bounds."""
    learner = json.loads(raw)["learner"]
    shape = learner["learner_model_param"]
    found = max(int(shape["num_class"]), int(shape.get("num_target", 1)), 1)
    if int(shape["num_feature"]) != features or found != outputs:
        raise ValueError(f"it is not of {features} columns and {outputs} outputs")
    if learner["gradient_booster"]["name"] != "gbtree":
        raise ValueError(f"it is a {learner['gradient_booster']['name']}, wanted trees")
    model = learner["gradient_booster"]["model"]
    trees, owner, bounds = model["trees"], _whole(model["tree_info"]), _whole(model["iteration_indptr"])
    if len(owner) != len(trees) or int(model["gbtree_model_param"]["num_trees"]) != len(trees):
        raise ValueError("its trees are not all there")
    if not _within(owner, outputs) or bounds[0] != 0 or bounds[-1] != len(trees) or (np.diff(bounds) < 0).any():
        raise ValueError("its trees belong to outputs or rounds that do not exist")
    _refuse_trees(trees, features)


def _refuse_trees(trees: list[dict[str, Any]], features: int) -> None:
    """All trees at once: a model of many classes has thousands of them, with a few nodes each."""
    sizes = np.array([int(tree["tree_param"]["num_nodes"]) for tree in trees], dtype=np.int64)
    for name in _BY_NODE:
        _refuse([len(tree[name]) for tree in trees] != sizes, "has arrays of unequal lengths")
    _refuse(sizes < 1, "has no node")
    _refuse([int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees], "has leaves of several values")
    tree_N, first_T = np.repeat(np.arange(len(trees)), sizes), np.cumsum(sizes) - sizes
    left, right, split = (_joined(trees, name) for name in ("left_children", "right_children", "split_indices"))
    inner = left >= 0
    leaves = np.array([x for tree in trees for x in tree["split_conditions"]], dtype=float)
    _refuse(~inner & ~np.isfinite(leaves), "has leaves that are not numbers", tree_N)
    _refuse(inner & ~_inside(split, features), "splits by a feature that does not exist", tree_N)
    _refuse_shapes(left, right, _joined(trees, "parents"), tree_N, first_T, sizes)
    _refuse_sets(trees, tree_N, first_T, sizes)


def _refuse_shapes(left: Array, right: Array, parents: Array, tree_N: Array, first_T: Array, sizes: Array) -> None:
    """Children (nodes,), -1 for a leaf, must form one tree with parents before children."""
    _refuse((left >= 0) != (right >= 0), "is not a tree", tree_N)
    node = np.tile(np.flatnonzero(left >= 0), 2)
    tree = tree_N[node]
    parent, child = node - first_T[tree], np.concatenate([left[left >= 0], right[right >= 0]])
    _refuse((child <= parent) | (child >= sizes[tree]), "is not a tree", tree)
    times = np.bincount(child + first_T[tree], minlength=len(left))
    wanted = np.ones(len(left), dtype=np.int64)
    wanted[first_T] = 0
    _refuse(times != wanted, "is not a tree", tree_N)
    _refuse(parents[child + first_T[tree]] != parent, "is not a tree", tree)


def _refuse_sets(trees: list[dict[str, Any]], tree_N: Array, first_T: Array, sizes: Array) -> None:
    """The sets of codes that nodes split by lie within the one array of their tree."""
    many = np.array([len(tree["categories_nodes"]) for tree in trees], dtype=np.int64)
    for name in ("categories_segments", "categories_sizes"):
        _refuse([len(tree[name]) for tree in trees] != many, "has sets of codes of unequal number")
    at, start, size = (_joined(trees, f"categories_{name}") for name in ("nodes", "segments", "sizes"))
    tree_S, codes = np.repeat(np.arange(len(trees)), many), np.array([len(tree["categories"]) for tree in trees])
    _refuse(~_inside(at, sizes[tree_S]), "splits by a set of codes that does not exist", tree_S)
    used = np.bincount(at + first_T[tree_S], minlength=len(tree_N))
    _refuse(used != (_joined(trees, "split_type") == 1), "splits by a set of codes that does not exist", tree_N)
    out = (start < 0) | (size < 0) | (start + size > codes[tree_S])
    _refuse(out, "has sets of codes out of bounds", tree_S)
    below = _joined(trees, "categories") < 0
    _refuse(below, "has sets of codes out of bounds", np.repeat(np.arange(len(trees)), codes))


def _refuse(wrong: Any, why: str, tree: Array | None = None) -> None:
    """Raises ValueError where any is wrong. tree: which tree each of them is of; by their order if not given."""
    found = np.flatnonzero(wrong)
    if len(found):
        raise ValueError(f"tree {found[0] if tree is None else tree[found[0]]} {why}")


def _joined(trees: list[dict[str, Any]], name: str) -> Array:
    return _whole([value for tree in trees for value in tree[name]])


def _inside(values: Array, end: Any) -> Array:
    return np.asarray((values >= 0) & (values < end))


def _whole(values: Any) -> Array:
    numbers = np.array(values)
    if numbers.size and numbers.dtype.kind not in "iub":
        raise ValueError("it has fractions where whole numbers belong")
    return numbers.astype(np.int64)


def _within(values: Array, end: int) -> bool:
    return bool(_inside(values, end).all())
