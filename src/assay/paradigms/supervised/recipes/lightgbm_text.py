"""Whether a text is a LightGBM model that is safe to walk: LightGBM itself trusts every index it reads."""

from __future__ import annotations

import re

import numpy as np

from assay.contract import Array

_CATEGORICAL = 1                                # bit 0 of decision_type: the threshold is a set of codes


def refuse_nonsense(text: str, *, outputs: int) -> None:
    """Raises ValueError unless every tree of `text` is whole and every index within it lies within bounds."""
    head, _, rest = text.partition("\nTree=0\n")
    said = _pairs(head)
    shaped = all(int(said.get(name, 0)) == outputs for name in ("num_class", "num_tree_per_iteration"))
    if not text.startswith("tree\n") or not shaped:
        raise ValueError("it does not begin as a model of this shape does")
    features = int(said["max_feature_idx"]) + 1
    body, ended, _ = f"Tree=0\n{rest}".partition("end of trees")
    blocks = re.split(r"(?m)^(?=Tree=\d+$)", body)[1:] if rest else []
    sizes = [int(s) for s in said.get("tree_sizes", "").split()]
    if not ended or [len(b.encode()) for b in blocks] != sizes or len(blocks) % outputs or not blocks:
        raise ValueError("its trees are cut short or do not have the sizes its head says")
    for i, block in enumerate(blocks):
        _refuse_tree(_pairs(block), i, features)


def _pairs(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _refuse_tree(tree: dict[str, str], i: int, features: int) -> None:
    leaves, cats = int(tree["num_leaves"]), int(tree["num_cat"])
    inner = leaves - 1
    value = _numbers(tree, "leaf_value", float)
    if leaves < 1 or len(value) != leaves or not np.isfinite(value).all() or int(tree.get("is_linear", 0)):
        raise ValueError(f"tree {i} has leaves that are not numbers")
    if inner == 0:
        return
    feature, left, right, decision = (_numbers(tree, n, int) for n in
                                      ("split_feature", "left_child", "right_child", "decision_type"))
    threshold = _numbers(tree, "threshold", float)
    if {len(feature), len(left), len(right), len(decision), len(threshold)} != {inner}:
        raise ValueError(f"tree {i} has arrays of unequal lengths")
    if feature.min() < 0 or feature.max() >= features:
        raise ValueError(f"tree {i} splits by a feature that does not exist")
    _refuse_shape(np.concatenate([left, right]), inner, i)
    _refuse_sets(tree, threshold[decision.astype(np.int64) & _CATEGORICAL > 0], cats, i)


def _refuse_shape(children: Array, inner: int, i: int) -> None:
    """Every inner node but the first, and every leaf, has one parent, which comes before it."""
    parent = np.tile(np.arange(inner), 2)
    below = children >= 0
    expected = np.concatenate([np.arange(-inner - 1, 0), np.arange(1, inner)])
    if not np.array_equal(np.sort(children), expected) or (children[below] <= parent[below]).any():
        raise ValueError(f"tree {i} is not a tree")


def _refuse_sets(tree: dict[str, str], used: Array, cats: int, i: int) -> None:
    if not cats:
        if len(used):
            raise ValueError(f"tree {i} splits by a set of codes that does not exist")
        return
    bounds, words = _numbers(tree, "cat_boundaries", int), _numbers(tree, "cat_threshold", int)
    ordered = len(bounds) == cats + 1 and bounds[0] == 0 and bounds[-1] == len(words) and (np.diff(bounds) > 0).all()
    if not ordered or not np.isin(used, np.arange(cats)).all():
        raise ValueError(f"tree {i} has sets of codes out of bounds")


def _numbers(tree: dict[str, str], name: str, kind: type) -> Array:
    return np.array([kind(word) for word in tree[name].split()])
