"""A fitted model of this paradigm: check the batch, encode, score, answer. And averages of several models' answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from assay import registry
from assay.contract import Array, Field, Signature, Table
from assay.errors import ProblemError, TamperedError
from assay.files import read_json, write_json
from assay.paradigms.supervised.encode import Encoder
from assay.paradigms.supervised.learner import Learner
from assay.paradigms.supervised.target import Coder, coder_from

CELLS = 20_000_000                              # of the encoded array held at once


@dataclass(frozen=True)
class SupervisedModel:
    """Rows in; label and p.<class>, or value, or label.<name> and p.<name> out, aligned."""

    signature: Signature
    encoder: Encoder
    learner: Learner
    coder: Coder
    loader: ClassVar[str] = "supervised"

    def predict(self, batch: Table, /) -> Table:
        """Raises SchemaError where the batch does not fit the signature."""
        from assay.table import conform

        rows = conform(batch, self.signature, what="the batch")
        return self.coder.answers(self._scores(rows))

    def answer_rows(self, rows: Sequence[Sequence[Any]], /) -> Mapping[str, list[Any]]:
        """See `capabilities.AnswersRows`."""
        X = self.encoder.of_rows(rows, self._places)
        return self.coder.lists(self.coder.numbers(self.learner.scores(X)))

    @cached_property
    def _places(self) -> tuple[int, ...]:
        """Where the encoder's inputs stand in a row."""
        return self.signature.places(self.encoder.inputs)

    def _scores(self, rows: Table) -> Array:
        step = max(CELLS // max(len(self.encoder.sources), 1), 1)
        chunks = [self.learner.scores(self.encoder.transform(rows[at : at + step])) for at in range(0, len(rows), step)]
        if not chunks:
            return np.empty((0,) if self.coder.goal == "regression" else (0, self.coder.k))
        return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)

    def save(self, folder: Path, /) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.save(folder / "encoder")
        (folder / "learner").mkdir(exist_ok=True)
        self.learner.save(folder / "learner")
        write_json(folder / "model.json", {
            "format": 1, "learner": self.learner.kind, "coder": asdict(self.coder), "signature": asdict(self.signature),
        })


def load(folder: Path) -> SupervisedModel:
    """A model that was saved. Raises TamperedError where its files are not what a model is made of."""
    try:
        said = read_json(folder / "model.json")
        kind = f"supervised.{said['learner']}"
        known = said["format"] == 1 and kind in registry.names("assay.learners")
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise TamperedError(f"{folder / 'model.json'} cannot be read: {wrong!r}") from None
    if not known:
        raise TamperedError(f"{folder / 'model.json'} names format {said['format']!r} and learner {said['learner']!r}, "
                            "which this version of assay does not read")
    learner: Learner = registry.load("assay.learners", kind).load(folder / "learner")
    model = SupervisedModel(signature_from(said["signature"]), Encoder.load(folder / "encoder"), learner,
                            coder_from(said["coder"]))
    inputs = {f.name for f in model.signature.inputs}
    if not inputs.issuperset(model.encoder.inputs):
        raise TamperedError(f"{folder}: the encoder wants inputs that the signature does not have")
    return model


def signature_from(said: Any) -> Signature:
    try:
        fields = {side: tuple(Field(**{**f, "levels": tuple(f["levels"])}) for f in said[side])
                  for side in ("inputs", "outputs")}
        return Signature(fields["inputs"], fields["outputs"], tuple(said["ignored"]))
    except (KeyError, TypeError) as wrong:
        raise TamperedError(f"the model's signature cannot be read: {wrong!r}") from None


def coder_of(model: Any) -> Coder:
    """How a model of this paradigm reads its target; that of its first part for a model made of models."""
    while not hasattr(model, "coder"):
        if not getattr(model, "models", ()):
            raise ProblemError(f"a {type(model).__name__} does not say what its target is; wanted a model of a table")
        model = model.models[0]
    coder: Coder = model.coder
    return coder


def blend(answers: Sequence[Table], weights: Sequence[float]) -> Table:
    """The weighted mean of the answers of several models to the same rows, or of their outcomes.

    Values and probabilities are averaged, labels follow from them (two classes are cut at 0.5);
    every other column is the first table's. Columns keep the first table's order."""
    share = np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    first = answers[0]
    prefix = "out." if any(c.startswith("out.") for c in first.columns) else ""
    averaged = [c for c in first.columns if c == f"{prefix}value" or c.startswith(f"{prefix}p.") or c == f"{prefix}p"]
    mean = {c: sum(w * t[c].to_numpy() for w, t in zip(share, answers, strict=True)) for c in averaged}
    table = first.with_columns(pl.Series(c, v) for c, v in mean.items())
    return table.with_columns(_relabelled(table, prefix))


def _relabelled(table: Table, prefix: str) -> list[pl.Series]:
    """The labels that the averaged probabilities of `table` call for."""
    label, start = f"{prefix}label", f"{prefix}p."
    names = [c.removeprefix(start) for c in table.columns if c.startswith(start)]
    labels = [n for n in names if f"{label}.{n}" in table.columns]
    made = [pl.Series(f"{label}.{n}", table[start + n].to_numpy() >= 0.5) for n in labels]
    if label in table.columns and names:
        best = table.select(start + n for n in names).to_numpy().argmax(axis=1)
        made.append(_cast(pl.Series(label, names).gather(best), table[label].dtype))
        if f"{prefix}positive" in table.columns:
            made.append(pl.Series(f"{prefix}positive", best == 1))
    return made


def _cast(labels: pl.Series, dtype: Any) -> pl.Series:
    return labels == "true" if dtype == pl.Boolean else labels.cast(dtype)
