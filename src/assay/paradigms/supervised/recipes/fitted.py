"""What learners made of arrays share: their two files, the checks on reading them back, and the links.

A fitted learner is `learner.json`, its plain facts, beside `learner.safetensors`, its arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from assay.contract import Array
from assay.errors import TamperedError
from assay.files import read_json, replacing, write_json
from assay.paradigms.supervised.learner import Goal, sigmoid, softmax, two_columns

FACTS, ARRAYS = "learner.json", "learner.safetensors"

Link = Literal["value", "two", "softmax", "each"]
"""value: the number itself. two: a sigmoid and its complement. softmax: over the classes. each: a sigmoid a label."""


def link_of(goal: Goal, k: int) -> Link:
    """How raw values of a model with one output a class become scores; two classes need one output."""
    if goal == "regression":
        return "value"
    if goal == "multilabel":
        return "each"
    return "two" if k == 2 else "softmax"


def linked(raw_NC: Array, link: Link) -> Array:
    """Raw values (N, C) as the scores a `Learner` gives."""
    if link == "value":
        return np.ascontiguousarray(raw_NC[:, 0])
    if link == "two":
        return two_columns(sigmoid(raw_NC[:, 0]))
    return softmax(raw_NC) if link == "softmax" else sigmoid(raw_NC)


def in_chunks(answer: Callable[[Array], Array], X: Array, rows: int) -> Array:
    """What `answer` says of X, asked so many rows at a time: memory stays bounded."""
    return np.concatenate([answer(X[i : i + rows]) for i in range(0, max(len(X), 1), rows)])


def save_fitted(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write the facts as JSON and the arrays as safetensors into `folder`."""
    with replacing(folder / ARRAYS) as beside:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, beside)
    write_json(folder / FACTS, dict(facts))


def load_fitted(folder: Path, kinds: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The facts, and the arrays called for by `kinds`: name -> NumPy dtype.

    Raises TamperedError where a file cannot be read, an array is missing, of another type, or not finite."""
    try:
        facts, arrays = read_json(folder / FACTS), load_file(folder / ARRAYS)
    except (OSError, ValueError, KeyError, SafetensorError) as wrong:
        raise TamperedError(f"reading a learner from {folder}: {' '.join(str(wrong).split())}") from None
    require(folder, isinstance(facts, dict), f"{FACTS} is not a JSON object")
    for name, kind in kinds.items():
        require(folder, name in arrays, f"array {name!r} is missing")
        got = arrays[name].dtype
        require(folder, got == np.dtype(kind), f"array {name!r} is {got}, not {kind}")
        require(folder, bool(np.isfinite(arrays[name]).all()), f"array {name!r} has values that are not finite")
    return facts, {name: arrays[name] for name in kinds}


def require(folder: Path, holds: bool, otherwise: str) -> None:
    """Raise TamperedError, with what is wrong, unless the condition holds."""
    if not holds:
        raise TamperedError(
            f"reading a learner from {folder}: {otherwise}. "
            "The folder was changed after it was saved; restore it or train again."
        )


def require_shapes(folder: Path, arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Each named array must have exactly its shape."""
    for name, shape in shapes.items():
        require(folder, arrays[name].shape == shape, f"array {name!r} has shape {arrays[name].shape}, not {shape}")


def one_of(folder: Path, facts: Mapping[str, Any], name: str, allowed: Iterable[Any]) -> Any:
    """A fact that must be one of the allowed values."""
    allowed = tuple(allowed)
    value = facts.get(name)
    known = isinstance(value, str) and value in allowed
    require(folder, known, f"{name} is {value!r}, not one of {', '.join(allowed)}")
    return value


def counted(folder: Path, facts: Mapping[str, Any], name: str) -> int:
    """A fact that must be a whole number above zero."""
    value = facts.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        require(folder, False, f"{name} is {value!r}, not a whole number above zero")
    return int(value or 0)


def require_link(folder: Path, facts: Mapping[str, Any], outputs: int) -> Link:
    """The link of a learner with so many outputs."""
    link: Link = one_of(folder, facts, "link", get_args(Link))
    wanted = outputs == 1 if link in ("value", "two") else outputs >= (2 if link == "softmax" else 1)
    require(folder, wanted, f"link {link!r} does not fit {outputs} outputs")
    return link
