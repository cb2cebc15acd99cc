"""Columns crossed with each other, beside the codes of trees: fitted, saved, and the same for a row in any batch.

Which ones, `crossing.py` chooses; here is what they are. All read the columns of codes, never the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from assay.contract import Array

CHUNK = 65_536                                  # rows crossed at once
MOST_KEYS = 1 << 62

OPERATIONS: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide,
}


@dataclass(frozen=True)
class Pair:
    """Arithmetic of two numbers: column `a` and column `b` of the codes. What is not finite is missing."""

    sign: str
    a: int
    b: int

    def of(self, X: Array) -> Array:
        """(n,) float64."""
        with np.errstate(all="ignore"):
            made = OPERATIONS[self.sign](X[:, self.a].astype(np.float64), X[:, self.b].astype(np.float64))
        return finite(made)


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a category, or of two together: numbers looked up by their codes.

    columns    of the codes, one or two
    bases      how many codes each has, the last for missing
    keys       (L,) int64, ascending: the levels, or pairs of levels, that were met
    values     (L + 1, v) float64, the last row for what was never met
    less       a column of numbers: the answer is how far it lies above the value looked up; None: the values
    says       what each value is, in words
    """

    columns: tuple[int, ...]
    bases: tuple[int, ...]
    keys: Array
    values: Array
    says: tuple[str, ...]
    less: int | None = None

    def of(self, X: Array) -> Array:
        """(n, v) float64."""
        found: Array = self.values[place(self.keys, keyed(X, self.columns, self.bases))]
        return found if self.less is None else finite(X[:, self.less, None].astype(np.float64) - found)


@dataclass(frozen=True)
class Crosses:
    """Columns to stand beside the `width` columns of codes."""

    width: int
    pairs: tuple[Pair, ...] = ()
    known: tuple[Known, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs) + sum(len(k.says) for k in self.known)

    def names(self, names: Sequence[str]) -> tuple[str, ...]:
        """In words, from the names of the columns of codes."""
        pairs = (f"{names[p.a]} {p.sign} {names[p.b]}" for p in self.pairs)
        known = (f"{what} {' and '.join(names[c] for c in k.columns)}" if k.less is None else
                 f"{names[k.less]} above {what} {names[k.columns[0]]}" for k in self.known for what in k.says)
        return (*pairs, *known)

    def sources(self, sources: Sequence[int]) -> tuple[int, ...]:
        """The first input that each column is made of."""
        of_known = (sources[k.columns[0] if k.less is None else k.less] for k in self.known for _ in k.says)
        return (*(sources[p.a] for p in self.pairs), *of_known)

    def fill(self, X: Array, out: Array) -> None:
        """Write the columns of the rows X (n, width) into `out` (n, len(self))."""
        for at in range(0, len(X), CHUNK):
            rows, into, column = X[at : at + CHUNK], out[at : at + CHUNK], 0
            for pair in self.pairs:
                into[:, column] = pair.of(rows)
                column += 1
            for known in self.known:
                into[:, column : column + len(known.says)] = known.of(rows)
                column += len(known.says)

    def state(self) -> dict[str, Any]:
        arrays = {f"{i}.{name}": getattr(k, name) for i, k in enumerate(self.known) for name in ("keys", "values")}
        said = [{n: getattr(k, n) for n in ("columns", "bases", "says", "less")} for k in self.known]
        return {"pairs": [[p.sign, p.a, p.b] for p in self.pairs], "known": said, **arrays}

    @classmethod
    def build(cls, said: Mapping[str, Any], arrays: Mapping[str, Array], width: int, coded: Sequence[int]) -> Self:
        """Raises ValueError where a column, a sign or an array is not what crosses are made of."""
        pairs = tuple(Pair(str(sign), int(a), int(b)) for sign, a, b in said["pairs"])
        if any(p.sign not in OPERATIONS or not (0 <= p.a < width and 0 <= p.b < width) for p in pairs):
            raise ValueError("a pair is of columns or of a sign that there is not")
        known = tuple(_known(k, arrays[f"{i}.keys"], arrays[f"{i}.values"], width, coded)
                      for i, k in enumerate(said["known"]))
        return cls(width, pairs, known)


def _known(said: Mapping[str, Any], keys: Array, values: Array, width: int, coded: Sequence[int]) -> Known:
    less = None if said["less"] is None else int(said["less"])
    columns, bases = tuple(map(int, said["columns"])), tuple(map(int, said["bases"]))
    says = tuple(map(str, said["says"]))
    whole = keys.dtype == np.int64 and keys.ndim == 1 and bool((np.diff(keys) > 0).all())
    shaped = values.dtype == np.float64 and values.shape == (len(keys) + 1, len(says)) and np.isfinite(values).all()
    of_codes = len(columns) == len(bases) in (1, 2) and set(columns) <= set(coded) and min(bases) > 0
    if not (whole and shaped and of_codes) or np.prod(bases, dtype=float) > MOST_KEYS:
        raise ValueError("what is known of a category does not fit together")
    if less is not None and (not 0 <= less < width or len(says) != 1):
        raise ValueError("a category is set against a column that there is not")
    return Known(columns, bases, keys, values, says, less)


def keyed(X: Array, columns: Sequence[int], bases: Sequence[int]) -> Array:
    """One whole number (n,) for the codes of a row in these columns; a missing code is the last of its column."""
    key = np.zeros(len(X), dtype=np.int64)
    for column, base in zip(columns, bases, strict=True):
        code = X[:, column]
        key = key * base + np.where(code < base - 1, code, base - 1).astype(np.int64)
    return key


def place(keys: Array, wanted: Array) -> Array:
    """Where each wanted key stands among the ascending keys; len(keys) where it does not.

    >>> place(np.array([2, 5, 9]), np.array([5, 6, 10])).tolist()
    [1, 3, 3]
    """
    at = np.searchsorted(keys, wanted)
    met = keys[np.minimum(at, len(keys) - 1)] == wanted if len(keys) else np.zeros(len(at), dtype=bool)
    return np.where(met, at, len(keys))


def finite(x: Array) -> Array:
    """What float32 can hold; missing where it is not finite."""
    x[~np.isfinite(x)] = np.nan
    return np.clip(x, -3e38, 3e38)
