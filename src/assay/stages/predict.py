"""Answers for new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from assay.contract import Table
from assay.stages.load import load
from assay.store.store import Store


def predict(
    ref: str | Path, data: Any, *, store: Store | None = None, ignore_extra: bool = False, interval: float | None = None
) -> Table:
    """What the model called `ref` answers for `data`, a path or a frame: one row a row, in order, as polars.

    interval: as in `Loaded.predict`."""
    answers: Table = load(ref, store=store).predict(data, ignore_extra=ignore_extra, interval=interval)
    return answers


def flat(answers: Table) -> Table:
    """The answers as CSV can hold them: the classes of a set joined by |."""
    if "set" not in answers.columns:
        return answers
    return answers.with_columns(pl.col("set").list.eval(pl.element().cast(pl.String)).list.join("|"))
