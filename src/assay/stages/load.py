"""A saved model in the hand: found by name, checked, loaded, asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from assay import registry
from assay.capabilities import Bounds
from assay.contract import Model, Paradigm, Signature, Table
from assay.errors import UserError
from assay.store.package import load_model, manifest
from assay.store.store import Store, locate
from assay.table import conform, like, read_raw, to_table
from assay.table.rows import Reader, answered, answers_like, table_of


@dataclass(frozen=True)
class Loaded:
    """A model with its name and its folder. Takes any frame or file, answers in the kind of frame it was given."""

    model: Model
    paradigm: str
    name: str
    folder: Path

    @property
    def signature(self) -> Signature:
        return self.model.signature

    def predict(self, data: Any, *, ignore_extra: bool = False, interval: float | None = None) -> Any:
        """Everything the model answers, one row a row of `data`, in order.

        data: pandas, polars or arrow frame, dict of lists, list of dicts, or a path. A frame comes back in the
        kind it was given in, a path as polars. interval: 0.9 adds where the truth lies nine times in ten, over all
        cases alike: `low` and `high` of a number, `set` of a class. Raises SchemaError where the columns do not fit,
        UserError where the model cannot say an interval or not at this level."""
        rows = self._read(data)
        if interval is None and rows is not None:
            return answers_like(answered(self.model, rows), self.signature, data)
        fitting = self._fitting(data, ignore_extra) if rows is None else table_of(rows, self.signature)
        if interval is None:
            return like(self.model.predict(fitting), data)
        return like(self._bounding().predict_within(fitting, interval), data)

    def _fitting(self, data: Any, ignore_extra: bool) -> Table:
        what = str(data) if isinstance(data, str | Path) else f"the batch for {self.name!r}"
        return conform(as_batch(data), self.signature, what=what, extra="drop" if ignore_extra else "refuse")

    @cached_property
    def _read(self) -> Reader:
        return Reader(self.signature)

    def _bounding(self) -> Bounds:
        if isinstance(self.model, Bounds):
            return self.model
        raise UserError(f"the model {self.name!r} cannot say an interval: it kept no errors of cases held out, as "
                        "those trained by this version do. Train it again, or leave the interval out.")

    def predict_proba(self, data: Any) -> Any:
        """The columns `p.<class>` alone, named by class. Empty for a model that gives no probabilities."""
        answers = to_table(self.predict(as_batch(data)))
        chances = [c for c in answers.columns if c.startswith("p.")]
        return like(answers.select(chances).rename({c: c.removeprefix("p.") for c in chances}), data)


def as_batch(data: Any) -> Table:
    """A path is read as a file, anything else is taken for a frame."""
    return read_raw(data) if isinstance(data, str | Path) else to_table(data)


def load(ref: str | Path, *, store: Store | None = None) -> Loaded:
    """The model called `ref`: "churn", "churn@champion", "churn:3", "last", a run, or a folder.

    Raises UnknownName with the nearest names, TamperedError where a file is not what it was."""
    folder = locate(ref, store)
    lineage = manifest(folder)["lineage"]
    return Loaded(load_model(folder), lineage["paradigm"], lineage["name"], folder)


def paradigm_of(loaded: Loaded) -> Paradigm:
    paradigm: Paradigm = registry.load("assay.paradigms", loaded.paradigm)
    return paradigm
