"""Answers for new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.contract import Table
from assay.stages.load import load
from assay.store.store import Store


def predict(ref: str | Path, data: Any, *, store: Store | None = None, ignore_extra: bool = False) -> Table:
    """What the model called `ref` answers for `data`, a path or a frame: one row a row, in order, as polars."""
    answers: Table = load(ref, store=store).predict(data, ignore_extra=ignore_extra)
    return answers
