"""Columns of a table as one array of numbers: fitted on training rows, saved as JSON and safetensors.

Each input becomes a block of columns; the crossed encoding sets columns made of several inputs beside them.
What a row becomes never depends on the other rows of its batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self, get_args

import numpy as np
import polars as pl

from assay.contract import Array, Field, Table
from assay.errors import TamperedError
from assay.files import read_json, write_json
from assay.paradigms.supervised.encode.categories import MOST_COLUMNS, Coded, OneHot
from assay.paradigms.supervised.encode.crossed import Crosses
from assay.paradigms.supervised.encode.numbers import Moment, Plain, Scaled
from assay.paradigms.supervised.encode.text import Topics
from assay.paradigms.supervised.learner import Encoding, Truth
from assay.table.rows import FEW_ROWS

MOST_TOLD = 100                                 # levels that a field tells: with so many there may be more
WIDEST = 2_000                                  # columns of all categories together, numbers encoding
TOPICS: dict[Encoding, int] = {"codes": 48, "numbers": 200, "crossed": 48}


class Block(Protocol):
    """What one input becomes. `names` has one entry a column, said after the input's own name."""

    @property
    def kind(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    def transform(self, values: pl.Series, /) -> Array: ...
    def cell(self, value: Any, /) -> tuple[float, ...]:
        """What `transform` makes of one value, to the bit. Raises TypeError where it is of another type."""
        ...

    def state(self) -> dict[str, Any]: ...


BLOCKS: dict[str, Any] = {b.kind: b for b in (Plain, Scaled, Moment, Coded, OneHot, Topics)}
"""The only classes that a saved encoder can name."""


@dataclass(frozen=True)
class Encoder:
    """Inputs, each with its block, in the order of the array's columns; then the crosses of those, if any."""

    encoding: Encoding
    inputs: tuple[str, ...]
    blocks: tuple[Block, ...]
    crosses: Crosses | None = None

    @classmethod
    def fit(
        cls, table: Table, fields: tuple[Field, ...], encoding: Encoding, *, calendar_only: str | None = None
    ) -> Self:
        """Learn from the rows of `table` how each field becomes columns; of `calendar_only` the days are left out.

        Crosses want the truth too, and give training rows another array than `transform` does: see `fit_transform`."""
        categories = sum(f.kind == "categorical" for f in fields)
        most = max(2, min(MOST_COLUMNS, WIDEST // max(categories, 1)))
        blocks = tuple(_block(table[f.name], f, encoding, most, f.name == calendar_only) for f in fields)
        return cls(encoding, tuple(f.name for f in fields), blocks)

    @classmethod
    def fit_transform(
        cls, table: Table, fields: tuple[Field, ...], encoding: Encoding, truth: Truth, *,
        calendar_only: str | None = None,
    ) -> tuple[Self, Array]:
        """The encoder, and what the rows that it learned from become: means of the target out of fold."""
        encoder = cls.fit(table, fields, encoding, calendar_only=calendar_only)
        X = encoder.transform(table)
        if encoding != "crossed":
            return encoder, X
        from assay.paradigms.supervised.encode.crossing import cross

        alone = frozenset(i for i, at in enumerate(encoder.sources) if encoder.inputs[at] in truth.alone)
        crosses, beside = cross(X, encoder.categorical, truth, alone)
        return replace(encoder, crosses=crosses), np.concatenate([X, beside], axis=1)

    @cached_property
    def _plain(self) -> tuple[int, ...]:
        """The input that each column comes from, crosses left out."""
        return tuple(i for i, block in enumerate(self.blocks) for _ in block.names)

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """Which input (its position) each column of the array comes from, or comes from first."""
        return self._plain + (self.crosses.sources(self._plain) if self.crosses else ())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each column of the array is, in words: 'Contract = Two year', 'tenure', 'length / width'."""
        plain = tuple(f"{n}{part}" for n, block in zip(self.inputs, self.blocks, strict=True) for part in block.names)
        return plain + (self.crosses.names(plain) if self.crosses else ())

    @cached_property
    def categorical(self) -> tuple[int, ...]:
        """Columns of the array that hold codes."""
        return tuple(i for i, source in enumerate(self._plain) if self.blocks[source].kind == "coded")

    def transform(self, table: Table) -> Array:
        """(n, len(names)): float32 for codes, float64 for numbers; rows aligned with the table."""
        if 0 < len(table) <= FEW_ROWS:
            place = {name: at for at, name in enumerate(table.columns)}
            with suppress(TypeError):                   # a value of another type than its block's: the column knows
                return self.of_rows(table.rows(), [place[name] for name in self.inputs])
        X = self._empty(len(table))
        at = 0
        for name, block in zip(self.inputs, self.blocks, strict=True):
            width = len(block.names)
            X[:, at : at + width] = block.transform(table.get_column(name))
            at += width
        return self._crossed(X)

    def of_rows(self, rows: Sequence[Sequence[Any]], places: Sequence[int]) -> Array:
        """What `transform` makes of rows of plain values; places: where in a row each input stands."""
        read = [(block.cell, place) for block, place in zip(self.blocks, places, strict=True)]
        cells = [[number for cell, place in read for number in cell(row[place])] for row in rows]
        X = self._empty(len(rows))
        X[:, : len(self._plain)] = cells
        return self._crossed(X)

    def _empty(self, n: int) -> Array:
        return np.empty((n, len(self.sources)), np.float64 if self.encoding == "numbers" else np.float32)

    def _crossed(self, X: Array) -> Array:
        """The array with its last columns filled, from those before."""
        if self.crosses:
            self.crosses.fill(X[:, : len(self._plain)], X[:, len(self._plain) :])
        return X

    @cached_property
    def content(self) -> str:
        """A hash of all that was learned: encoders of equal content make the same array of the same rows."""
        said, arrays = self._said()
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def _said(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """What JSON holds of this, and its arrays."""
        said: list[dict[str, Any]] = []
        arrays: dict[str, Array] = {}
        for i, (name, block) in enumerate(zip(self.inputs, self.blocks, strict=True)):
            plain = _apart(block.state(), i, arrays)
            said.append({"input": name, "block": block.kind, **plain})
        crosses = {"crosses": _apart(self.crosses.state(), len(said), arrays)} if self.crosses is not None else {}
        return {"encoding": self.encoding, "inputs": said, **crosses}, arrays

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        said, arrays = self._said()
        write_json(folder / "encoder.json", said)
        if arrays:
            save_file(arrays, folder / "encoder.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises TamperedError where the files do not fit together."""
        try:
            said = read_json(folder / "encoder.json")
            arrays = _arrays(folder / "encoder.safetensors")
            encoding = said["encoding"]
            if encoding not in get_args(Encoding):
                raise ValueError(f"there is no encoding {encoding!r}")
            blocks = tuple(BLOCKS[s["block"]].build(s, arrays.get(i, {})) for i, s in enumerate(said["inputs"]))
            bare = cls(encoding, tuple(str(s["input"]) for s in said["inputs"]), blocks)
            if encoding != "crossed":
                return bare
            crosses = Crosses.build(said["crosses"], arrays.get(len(blocks), {}), len(bare.names), bare.categorical)
            return replace(bare, crosses=crosses)
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise TamperedError(f"the encoder in {folder} cannot be read: {wrong}") from None


def _apart(state: dict[str, Any], i: int, arrays: dict[str, Array]) -> dict[str, Any]:
    """What JSON can hold of a state; its arrays go to `arrays`, under the number of its input."""
    arrays |= {f"{i}.{n}": np.ascontiguousarray(v) for n, v in state.items() if isinstance(v, np.ndarray)}
    return {n: v for n, v in state.items() if not isinstance(v, np.ndarray)}


def _arrays(path: Path) -> dict[int, dict[str, Array]]:
    """The arrays of each input, by its position."""
    if not path.exists():
        return {}
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        flat = load_file(path)
    except SafetensorError as wrong:
        raise ValueError(f"{path.name} is not whole: {wrong}") from None
    nested: dict[int, dict[str, Array]] = {}
    for name, array in flat.items():
        at, _, part = name.partition(".")
        nested.setdefault(int(at), {})[part] = array
    return nested


def _block(values: pl.Series, field: Field, encoding: Encoding, most: int, calendar_only: bool) -> Block:
    smooth = encoding == "numbers"
    if field.kind == "text":
        return Topics.fit(values, rank=TOPICS[encoding])
    if field.kind == "datetime":
        return Moment.fit(values, smooth=smooth, calendar_only=calendar_only)
    if field.kind == "categorical":
        if smooth:
            return OneHot.fit(values, most=most)
        return Coded.fit(values, field.levels if len(field.levels) < MOST_TOLD else ())
    return Scaled.fit(values) if smooth else Plain.fit(values)
