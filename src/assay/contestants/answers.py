"""predictions.parquet of a contestant: checked before a number is computed from it."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from assay.contract import Field, Signature, Table
from assay.errors import DataError, nearest

SUM_WITHIN = 0.001                              # how far from 1 the probabilities of a case may add up
_BYTES_A_VALUE, _BYTES_BESIDE = 256, 1 << 20


@dataclass(frozen=True)
class Answered:
    """Answers that were read, as a model: it knows one batch, the one they are for."""

    answers: Table
    signature: Signature
    loader: ClassVar[str] = ""                  # never saved: the answers are

    def predict(self, batch: Table, /) -> Table:
        """Raises DataError for a batch of another length."""
        if len(batch) != len(self.answers):
            raise DataError(f"a contestant answered {len(self.answers):,} rows and is asked about {len(batch):,}.")
        return self.answers

    def save(self, folder: Path, /) -> None:
        self.answers.write_parquet(folder / "answers.parquet")


def read_answers(path: Path, rows: int, outputs: Sequence[Field]) -> Table:
    """The answers as a model of ours would give them: labels as text, numbers as Float64, in the order of `outputs`.

    Raises DataError, in one sentence, for a link, a file too large, another number of rows, a column that is missing
    or unknown, a value that is missing or not finite, a probability out of range, a label nobody knows."""
    said = path.name
    _plain_file(path, said, _BYTES_BESIDE + _BYTES_A_VALUE * rows * max(1, len(outputs)))
    try:
        lazy = pl.scan_parquet(path, glob=False)
        schema = lazy.collect_schema()
        if (found := lazy.select(pl.len()).collect().item()) != rows:
            raise DataError(f"{said} has {found:,} rows; wanted {rows:,}, one for each row of test.parquet, in order.")
        wanted = _wanted(schema, outputs, said)
        table = lazy.select(f.name for f in wanted).collect()
    except (pl.exceptions.PolarsError, OSError) as wrong:
        raise DataError(f"{said} cannot be read as Parquet: {str(wrong).partition(chr(10))[0]}") from None
    columns = {f.name: _number(table[f.name], f, said) if f.dtype == "float" else _label(table[f.name], f, said)
               for f in wanted}
    return _completed(columns, outputs, said)


def _plain_file(path: Path, said: str, most: int) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise DataError(f"there is no {said} in its folder") from None
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{said} is a link, or no plain file. Write the answers themselves.")
    if found.st_size > most:
        raise DataError(f"{said} has {found.st_size:,} bytes; that many answers need fewer than {most:,}.")


def _wanted(schema: pl.Schema, outputs: Sequence[Field], said: str) -> list[Field]:
    """The fields that are answered. Those that are asked for by one dtype are answered all or not at all."""
    known = {f.name: f for f in outputs}
    there = [name for name in schema if not name.startswith("__index_level_")]      # how pandas writes its index
    for name in there:
        if name not in known:
            raise DataError(f"{said} has a column {name!r} that was not asked for. {nearest(name, known)}")
    found = [f for f in outputs if f.name in there]
    for f in outputs:
        if f.name not in there and any(f.dtype == other.dtype for other in found):
            raise DataError(f"{said} has no column {f.name!r}. Wanted: {', '.join(known)}.")
    if not found:
        raise DataError(f"{said} has no column that was asked for. Wanted: {', '.join(known)}.")
    return found


def _number(values: pl.Series, field: Field, said: str) -> pl.Series:
    if not values.dtype.is_numeric():
        raise DataError(f"{said}: column {field.name!r} holds {values.dtype}; wanted numbers.")
    numbers = values.cast(pl.Float64)
    if (wrong := numbers.len() - int(numbers.is_finite().fill_null(value=False).sum())):
        raise DataError(f"{said}: column {field.name!r} has {wrong:,} values that are missing or not finite.")
    low, high = (field.low, field.high) if field.name.startswith("p.") else (None, None)
    if low is not None and high is not None and not numbers.is_between(low - SUM_WITHIN, high + SUM_WITHIN).all():
        raise DataError(f"{said}: column {field.name!r} holds {_outside(numbers, low, high):g}; wanted "
                        f"{low:g} to {high:g}.")
    return numbers if low is None else numbers.clip(low, high)


def _outside(numbers: pl.Series, low: float, high: float) -> float:
    return float(numbers.filter(~numbers.is_between(low, high))[0])


def _label(values: pl.Series, field: Field, said: str) -> pl.Series:
    """As the signature writes labels. A whole number may come as 1.0, and a truth value as 1."""
    if values.null_count():
        raise DataError(f"{said}: column {field.name!r} has {values.null_count():,} missing values.")
    if values.dtype.is_float() and values.is_finite().all() and (values == values.floor()).all():
        values = values.cast(pl.Int64)
    text = values.cast(pl.String)
    if field.dtype == "bool":
        told = text.str.to_lowercase().replace({"1": "true", "0": "false"})
        if not told.is_in(["true", "false"]).all():
            raise DataError(f"{said}: column {field.name!r} holds {_odd(told, ('true', 'false'))!r}; wanted true or "
                            "false.")
        return told == "true"
    if field.levels and len(field.levels) < 100 and not text.is_in(list(field.levels)).all():
        raise DataError(f"{said}: column {field.name!r} holds {_odd(text, field.levels)!r}, which is no class. "
                        f"{nearest(str(_odd(text, field.levels)), field.levels)}")
    return text


def _odd(text: pl.Series, known: Sequence[str]) -> Any:
    return text.filter(~text.is_in(list(known)))[0]


def _completed(columns: dict[str, pl.Series], outputs: Sequence[Field], said: str) -> Table:
    """Labels follow from probabilities where those alone were given: the likeliest class, or each label at 0.5."""
    chances = [name for name in columns if name.startswith("p.")]
    labels = [f for f in outputs if f.name.partition(".")[0] == "label"]
    one = any(f.name == "label" for f in labels)
    if chances and one:
        columns.update(_summing_to_one(columns, chances, said))
    for f in labels:
        if f.name not in columns and chances:
            chance = f.name.replace("label", "p", 1)
            columns[f.name] = _likeliest(columns, chances) if one else columns[chance] >= 0.5
    return pl.DataFrame({f.name: columns[f.name] for f in outputs if f.name in columns})


def _summing_to_one(columns: dict[str, pl.Series], chances: list[str], said: str) -> dict[str, pl.Series]:
    p = np.column_stack([columns[name].to_numpy() for name in chances])
    total = p.sum(axis=1)
    if (worst := float(np.abs(total - 1).max())) > SUM_WITHIN:
        row = int(np.abs(total - 1).argmax())
        raise DataError(f"{said}: the probabilities of row {row:,} add up to {total[row]:.6g}, {worst:.2g} from 1.")
    return {name: pl.Series(p[:, i] / total) for i, name in enumerate(chances)}


def _likeliest(columns: dict[str, pl.Series], chances: list[str]) -> pl.Series:
    p = np.column_stack([columns[name].to_numpy() for name in chances])
    return pl.Series([name.removeprefix("p.") for name in chances]).gather(p.argmax(axis=1))
