"""Several models answering as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from assay import registry
from assay.capabilities import AnswersRows, Blends, Joins
from assay.contract import Model, Signature, Table
from assay.files import read_json, write_json
from assay.nested import load_parts, save_parts
from assay.table.rows import table_of


@dataclass(frozen=True)
class Blend:
    """A model made of models: the weighted mean of their answers, as their paradigm blends them."""

    loader: ClassVar[str] = "blend"

    models: tuple[Model, ...]
    weights: tuple[float, ...]
    paradigm: str

    @property
    def signature(self) -> Signature:
        return self.models[0].signature

    def predict(self, batch: Table, /) -> Table:
        if self._joined is not None:
            return self._joined(batch)
        paradigm: Blends = registry.load("assay.paradigms", self.paradigm)
        return paradigm.blend([m.predict(batch) for m in self.models], self.weights)

    def answer_rows(self, rows: Sequence[Sequence[Any]], /) -> Mapping[str, list[Any]]:
        """See `capabilities.AnswersRows`."""
        together: Any = self._joined
        if isinstance(together, AnswersRows):
            return together.answer_rows(rows)
        return self.predict(table_of(rows, self.signature)).to_dict(as_series=False)

    @cached_property
    def _joined(self) -> Callable[[Table], Table] | None:
        paradigm = registry.load("assay.paradigms", self.paradigm)
        return paradigm.joined(self.models, self.weights) if isinstance(paradigm, Joins) else None

    def save(self, folder: Path, /) -> None:
        write_json(folder / "blend.json", {"paradigm": self.paradigm, "weights": self.weights})
        for i, model in enumerate(self.models):
            save_parts(model, folder / f"part-{i:02d}")


def load_blend(folder: Path) -> Blend:
    said = read_json(folder / "blend.json")
    weights = tuple(float(w) for w in said["weights"])
    models = tuple(load_parts(folder / f"part-{i:02d}") for i in range(len(weights)))
    return Blend(models, weights, str(said["paradigm"]))
