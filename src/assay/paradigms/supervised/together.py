"""Several models of this paradigm answering as one: a batch is checked once, and encoded once for all who encode alike.

The models of one fold have equal encoders, whatever their recipe; they are told by their content. Many rows are
answered chunk by chunk in threads: rows do not depend on each other, so the answers are those of one thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from assay.contract import Array, Model, Signature, Table
from assay.paradigms.supervised.encode import Encoder
from assay.paradigms.supervised.learner import Learner
from assay.paradigms.supervised.model import CELLS, SupervisedModel
from assay.paradigms.supervised.target import Coder

CHUNK = 8_192                                   # rows that a thread answers at once, at most
MOST_THREADS = 4


@dataclass(frozen=True)
class Member:
    """A learner of the ensemble: by which of its encoders it sees, and its share of the answer."""

    encoder: int
    learner: Learner
    coder: Coder
    share: float


@dataclass(frozen=True)
class Together:
    """The weighted mean of the answers of several models of one signature and one target."""

    signature: Signature
    encoders: tuple[Encoder, ...]
    members: tuple[Member, ...]

    def __call__(self, batch: Table) -> Table:
        """The same as averaging what each model predicts. Raises SchemaError where the batch does not fit."""
        from assay.table import conform

        rows = conform(batch, self.signature, what="the batch")
        step = max(min(CELLS // max(sum(len(e.sources) for e in self.encoders), 1), CHUNK), 1)
        chunks = [rows[at : at + step] for at in range(0, max(len(rows), 1), step)]
        return self.members[0].coder.shown(np.concatenate(list(self._means(chunks))))

    def answer_rows(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, list[Any]]:
        """See `capabilities.AnswersRows`."""
        mean = self._mean(lambda i: self.encoders[i].of_rows(rows, self._places[i]))
        return self.members[0].coder.lists(mean)

    @cached_property
    def _places(self) -> tuple[tuple[int, ...], ...]:
        """For each encoder, where its inputs stand in a row."""
        return tuple(self.signature.places(encoder.inputs) for encoder in self.encoders)

    def _means(self, chunks: list[Table]) -> Iterator[Array]:
        threads = min(os.cpu_count() or 1, MOST_THREADS, len(chunks))
        if threads == 1:
            yield from map(self._of_table, chunks)
            return
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self._of_table, chunks)

    def _of_table(self, rows: Table) -> Array:
        return self._mean(lambda i: self.encoders[i].transform(rows))

    def _mean(self, encoded: Callable[[int], Array]) -> Array:
        """The answers to the rows that `encoded` gives for an encoder, as numbers, each member's added in order."""
        seen: dict[int, Array] = {}
        total: Array = np.zeros(())
        for member in self.members:
            if member.encoder not in seen:
                seen[member.encoder] = encoded(member.encoder)
            X = seen[member.encoder]
            scores = member.learner.scores(X) if len(X) else np.empty((0, member.coder.k))
            total = total + member.share * member.coder.numbers(scores)
        return total


def joined(models: Sequence[Model], weights: Sequence[float]) -> Together | None:
    """These models as one, those without weight left out; None where some are of another kind, or answer another
    question."""
    ours = [(m, w) for m, w in zip(models, weights, strict=True) if isinstance(m, SupervisedModel)]
    if len(ours) < len(models) or not sum(w for _, w in ours) > 0:
        return None
    first, total = ours[0][0], np.asarray(weights, dtype=np.float64).sum()
    if any(m.signature != first.signature or m.coder.target != first.coder.target for m, _ in ours):
        return None
    encoders: dict[str, Encoder] = {}
    for model, weight in ours:
        if weight:
            encoders.setdefault(model.encoder.content, model.encoder)
    place = {content: i for i, content in enumerate(encoders)}
    members = tuple(Member(place[m.encoder.content], m.learner, m.coder, np.float64(w) / total) for m, w in ours if w)
    return Together(first.signature, tuple(encoders.values()), members)
