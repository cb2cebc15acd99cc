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
    for i, tree in enumerate(trees):
        _refuse_tree(tree, i, features)


def _refuse_tree(tree: dict[str, Any], i: int, features: int) -> None:
    nodes = int(tree["tree_param"]["num_nodes"])
    if any(len(tree[name]) != nodes for name in _BY_NODE) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ValueError(f"tree {i} has arrays of unequal lengths")
    left, right, split = (_whole(tree[n]) for n in ("left_children", "right_children", "split_indices"))
    inner = left >= 0
    if not np.isfinite(np.array(tree["split_conditions"], dtype=float)[~inner]).all():
        raise ValueError(f"tree {i} has leaves that are not numbers")
    if not _within(split[inner], features):
        raise ValueError(f"tree {i} splits by a feature that does not exist")
    _refuse_shape(left, right, _whole(tree["parents"]), i)
    _refuse_sets(tree, nodes, i)


def _refuse_shape(left: Array, right: Array, parents: Array, i: int) -> None:
    """Children (nodes,), -1 for a leaf, must form one tree with parents before children."""
    inner = np.flatnonzero(left >= 0)
    parent, children = np.tile(inner, 2), np.concatenate([left[inner], right[inner]])
    paired = np.array_equal(np.flatnonzero(right >= 0), inner)
    once = np.array_equal(np.sort(children), np.arange(1, len(left)))
    if not (paired and once and np.array_equal(parents[children], parent)) or (children <= parent).any():
        raise ValueError(f"tree {i} is not a tree")


def _refuse_sets(tree: dict[str, Any], nodes: int, i: int) -> None:
    """The sets of codes that nodes split by lie within one array."""
    at, start, size, codes = (_whole(tree[n]) for n in
                              ("categories_nodes", "categories_segments", "categories_sizes", "categories"))
    sets = np.flatnonzero(_whole(tree["split_type"]) == 1)
    if not len(at) == len(start) == len(size) or not np.array_equal(np.sort(at), sets) or not _within(at, nodes):
        raise ValueError(f"tree {i} splits by a set of codes that does not exist")
    if ((start < 0) | (size < 0) | (start + size > len(codes))).any() or (codes < 0).any():
        raise ValueError(f"tree {i} has sets of codes out of bounds")


def _whole(values: Any) -> Array:
    numbers = np.array(values)
    if numbers.size and numbers.dtype.kind not in "iub":
        raise ValueError("it has fractions where whole numbers belong")
    return numbers.astype(np.int64)


def _within(values: Array, end: int) -> bool:
    return bool(((values >= 0) & (values < end)).all())
