"""What a neural net reads: columns of codes as numbers on one scale, as few columns for each small category, and
as positions in an embedding for each large one. NumPy alone: a saved net is asked without PyTorch.

After RealMLP (Holzmüller et al. 2024, arXiv 2407.04491, section 3 and appendix A.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from assay.contract import Array
from assay.paradigms.supervised.recipes.fitted import require, require_shapes

MOST_ONE_HOT = 8                                # levels of a category that gets a column for each
BEND = 3.0                                      # numbers are bent smoothly into (-3, 3)
MOST_LEVELS = 1 << 20                           # of one category that is read back


class Inputs(NamedTuple):
    """numbers (n, F) and flags (n, O), float32, within (-3, 3); codes (n, E) int64, 0 where missing or unknown."""

    numbers: Array
    flags: Array
    codes: Array


@dataclass(frozen=True, eq=False)
class Reader:
    """How the columns of X become inputs.

    number   (F,) positions of numbers; number_at, number_by (F,): median, and 1 over the interquartile range
    gap      (G,) positions of numbers that had values missing: a flag each says where
    small    (S,) positions of categories of at most 8 levels; small_levels (S,). Two levels are -1 and 1 in one flag
    large    (E,) positions of other categories; large_levels (E,): codes run from 1, and 0 stands for missing
    flag_at, flag_by (O,)  as for numbers
    """

    number: Array
    number_at: Array
    number_by: Array
    gap: Array
    small: Array
    small_levels: Array
    large: Array
    large_levels: Array
    flag_at: Array
    flag_by: Array

    @classmethod
    def fit(cls, X: Array, categorical: tuple[int, ...]) -> Self:
        number = np.setdiff1d(np.arange(X.shape[1]), categorical)
        at, by = _scales(X, number)
        gap = number[np.isnan(X[:, number]).any(axis=0)]
        codes = np.asarray(sorted(categorical), dtype=np.int64)
        levels = np.array([_levels(X[:, j]) for j in codes], dtype=np.int64)
        few = levels <= MOST_ONE_HOT
        none = np.zeros(0)
        bare = cls(number, at, by, gap, codes[few], levels[few], codes[~few], levels[~few], none, none)
        flags = bare._flags(X)
        flag_at, flag_by = _scales(flags, np.arange(flags.shape[1]))
        return replace(bare, flag_at=flag_at, flag_by=flag_by)

    def __call__(self, X: Array) -> Inputs:
        codes = X[:, self.large]
        codes = np.where(codes < self.large_levels, codes + 1, 0).astype(np.int64)       # not less where missing
        return Inputs(_bent(X[:, self.number], self.number_at, self.number_by),
                      _bent(self._flags(X), self.flag_at, self.flag_by), codes)

    def _flags(self, X: Array) -> Array:
        """(n, O) float32: each small category's columns, then for each number with gaps whether it is missing."""
        hot = (X[:, self._hot_of] == self._hot_level).astype(np.float32)
        hot -= X[:, self._hot_of] == self._cold_level
        return np.concatenate([hot, np.isnan(X[:, self.gap])], axis=1, dtype=np.float32)

    @cached_property
    def _hot_of(self) -> Array:
        """Which column of X each column of a small category reads."""
        return np.repeat(self.small, _columns(self.small_levels))

    @cached_property
    def _hot_level(self) -> Array:
        """The level that makes it 1: of two, the second."""
        runs = [np.arange(1, 2) if levels == 2 else np.arange(levels) for levels in self.small_levels]
        return np.concatenate([np.zeros(0), *runs])

    @cached_property
    def _cold_level(self) -> Array:
        """The level that makes it -1: of two, the first; of others none."""
        return np.repeat(np.where(self.small_levels == 2, 0.0, -1.0), _columns(self.small_levels))

    @property
    def width(self) -> tuple[int, int, int]:
        """How many numbers, flags and large categories there are."""
        return len(self.number), int(_columns(self.small_levels).sum()) + len(self.gap), len(self.large)

    def arrays(self) -> dict[str, Array]:
        return {f"reader.{f.name}": getattr(self, f.name) for f in fields(self)}

    @classmethod
    def kinds(cls) -> dict[str, str]:
        """The arrays and their types, as `load_fitted` takes them."""
        return {f"reader.{f.name}": "float64" if f.name.endswith(("_at", "_by")) else "int64" for f in fields(cls)}

    @classmethod
    def of(cls, folder: Path, arrays: Mapping[str, Array]) -> Self:
        """Raises TamperedError where the arrays do not fit together."""
        parts = {f.name: arrays[f"reader.{f.name}"] for f in fields(cls)}
        require(folder, all(a.ndim == 1 for a in parts.values()), "what the net reads is not said in rows")
        for name in ("number", "gap", "small", "large"):
            require(folder, bool((parts[name] >= 0).all()), f"{name} holds a position below zero")
        for name, most in (("small_levels", MOST_ONE_HOT), ("large_levels", MOST_LEVELS)):
            require(folder, bool(((parts[name] >= 1) & (parts[name] <= most)).all()), f"{name} is out of range")
        made = cls(**parts)
        f, o, e = made.width
        require_shapes(folder, arrays, {"reader.number_at": (f,), "reader.number_by": (f,), "reader.flag_at": (o,),
                                        "reader.flag_by": (o,), "reader.large_levels": (e,),
                                        "reader.small_levels": (len(made.small),)})
        return made


def _columns(levels: Array) -> Array:
    """How many columns a small category of so many levels has."""
    return np.where(levels == 2, 1, levels)


def _levels(codes: Array) -> int:
    known = codes[~np.isnan(codes)]
    return int(known.max()) + 1 if len(known) else 1


def _scales(X: Array, columns: Array) -> tuple[Array, Array]:
    """Medians, and 1 over the interquartile range; over half of the range where that is 0; 0 for a constant."""
    at, by = np.zeros(len(columns)), np.zeros(len(columns))
    for i, j in enumerate(columns):
        x = X[:, j].astype(np.float64)
        x = x[~np.isnan(x)]
        if len(x):
            low, at[i], high = np.quantile(x, (0.25, 0.5, 0.75))
            spread = (high - low) or (x.max() - x.min()) / 2
            by[i] = 1 / max(spread, 1e-100) if spread else 0.0
    return at, by


def _bent(x: Array, at: Array, by: Array) -> Array:
    """z / sqrt(1 + (z / 3)^2) of z = (x - at) * by, float32; 0 where x is missing."""
    z = (x.astype(np.float64) - at) * by
    z[np.isnan(z)] = 0.0
    bent: Array = (z / np.hypot(1.0, z / BEND)).astype(np.float32)
    return bent


def flat_cos(t: float) -> float:
    """A schedule: one for the first half, then down to zero along a cosine.

    >>> flat_cos(0.2), round(flat_cos(0.75), 3)
    (1.0, 0.5)
    """
    return 1.0 if t < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * t - 1)))
