"""TabM (Gorishniy et al. 2024, ICLR 2025, arXiv 2410.24210): many perceptrons that share nearly all their weights and
answer as one. Learned with PyTorch; what was learned is plain arrays, and answers without PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Learner, Lesson
from assay.paradigms.supervised.recipes.deep import DeepRecipe
from assay.paradigms.supervised.recipes.fitted import (
    Link,
    counted,
    in_chunks,
    link_of,
    linked,
    load_fitted,
    require,
    require_link,
    require_shapes,
    save_fitted,
)
from assay.paradigms.supervised.recipes.inner import Clock, with_held_out
from assay.paradigms.supervised.recipes.net_inputs import Reader

HELD_ROWS = 10_000                              # judge an epoch, at most
MOST_LAYERS = 16
CHUNK_NUMBERS = 1_000_000                       # that answering holds at once


@dataclass(frozen=True)
class TabM(DeepRecipe):
    """TabM-mini with piecewise-linear embeddings, the variant its authors recommend, made small enough for a processor.

    Published: k 32, width 512, embeddings of 16 numbers; here half, a quarter and half of that, a thirtieth of the
    work. The learning rate, held constant there, falls to zero in the second half here, so that it ends in time."""

    learning_rate: float = 2e-3
    k: int = 16
    width: int = 128
    layers: int = 2
    dropout: float = 0.1
    decay: float = 3e-4
    bins: int = 48                              # of a number, by quantiles
    embedding: int = 8                          # numbers that a number becomes
    category: int = 8                           # numbers that a category of many levels becomes
    batch: int | None = None                    # None: 32 rows below 2,800, more with more rows, at most 1,024
    epochs: int = 64
    patience: int = 16                          # looks at the rows held out, of 64 in all, without a better one

    title: ClassVar[str] = "TabM"
    order: ClassVar[float] = 30.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        clock = Clock.start(ctx)
        from assay.paradigms.supervised.recipes.tabm_net import learned

        lesson = with_held_out(lesson, HELD_ROWS, ctx.seed)
        reader, arrays = learned(self, lesson, ctx, clock)
        span = [lesson.y.min(), lesson.y.max()] if lesson.goal == "regression" else [0.0, 0.0]
        arrays = {name.replace("embedding", "table"): array for name, array in arrays.items()}
        link: Link = "softmax" if lesson.goal == "binary" else link_of(lesson.goal, lesson.k)
        return TabMLearner(reader, arrays | {"span": np.array(span)}, self.layers, link)

    def space(self) -> Mapping[str, Any]:
        """After TabArena's (Erickson et al. 2025, arXiv 2506.16791), for nets that a processor can learn."""
        return {
            "learning_rate": ("log", 1e-4, 3e-3), "decay": ("log", 1e-4, 1e-1), "layers": ("int", 2, 4),
            "width": ("choice", 64, 128, 192, 256), "dropout": ("uniform", 0.0, 0.5), "bins": ("int_log", 2, 128),
            "embedding": ("choice", 8, 12, 16),
        }

    def batch_of(self, rows: int) -> int:
        """As TabArena's TabM chooses it."""
        sizes = ((2_800, 32), (4_500, 64), (6_400, 128), (32_000, 256), (108_000, 512))
        return self.batch or next((size for most, size in sizes if rows < most), 1_024)


@dataclass(frozen=True, eq=False)
class TabMLearner:
    """The weights, float32 as they were learned; answers are worked out in float64, so that no row sways another.

    parts, by name: starts, steps (F, 1, T) of the F numbers' bins; slope, shift (F, 1, e) and bend (F, T, e) of their
    embeddings; table.i (levels + 1, c); scale (K, width of the inputs); weight.i, bias.i of the shared layers;
    head (K, W, C), head_bias (K, 1, C); span: the least and the greatest target met, for regression."""

    reader: Reader
    parts: Mapping[str, Array]
    layers: int
    link: Link
    kind: ClassVar[str] = "tabm"

    def scores(self, X: Array, /) -> Array:
        k, width, _ = self.parts["head"].shape
        embedded = 0 if not self.reader.width[0] else 2 * self.parts["starts"].size
        numbers = embedded + 2 * k * (width + self.parts["scale"].shape[1])
        answered = in_chunks(self._answered, np.asarray(X), max(CHUNK_NUMBERS // numbers, 16))
        return np.ascontiguousarray(answered[:, 0]) if self.link == "value" else answered

    def _answered(self, X: Array) -> Array:
        """The mean of the K answers, (n, C)."""
        p = self._exact
        hidden = self._joined(X)[:, None, :] * p["scale"]                              # (n, K, width of the inputs)
        n, k, _ = hidden.shape
        flat = hidden.reshape(n * k, -1)
        for i in range(self.layers):
            flat = np.maximum(flat @ p[f"weight.{i}"] + p[f"bias.{i}"], 0.0)
        raw = flat.reshape(n, k, -1).transpose(1, 0, 2) @ p["head"] + p["head_bias"]
        if self.link == "value":
            value: Array = np.clip(raw.mean(axis=0), *p["span"])
            return value
        each = linked(raw.reshape(k * n, -1), self.link).reshape(k, n, -1)
        return np.asarray(each.mean(axis=0))

    def _joined(self, X: Array) -> Array:
        numbers, flags, codes = self.reader(X)
        p, parts = self._exact, [flags]
        if numbers.shape[1]:
            x = numbers.T.astype(np.float64)[:, :, None]
            filled = np.clip((x - p["starts"]) * p["steps"], 0.0, 1.0)
            embedded = filled @ p["bend"] + x * p["slope"] + p["shift"]
            parts.insert(0, embedded.transpose(1, 0, 2).reshape(len(X), -1))
        parts += [self.parts[f"table.{e}"][codes[:, e]] for e in range(codes.shape[1])]
        return np.concatenate(parts, axis=1, dtype=np.float64)

    @cached_property
    def _exact(self) -> dict[str, Array]:
        return {name: part.astype(np.float64) for name, part in self.parts.items()}

    def save(self, folder: Path, /) -> None:
        save_fitted(folder, {"link": self.link, "layers": self.layers}, {**self.parts, **self.reader.arrays()})

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """Raises TamperedError where the arrays do not fit together."""
        facts, arrays = load_fitted(folder, Reader.kinds())
        reader, layers = Reader.of(folder, arrays), counted(folder, facts, "layers")
        require(folder, layers <= MOST_LAYERS, f"{layers} layers are more than the {MOST_LAYERS} there may be")
        names = ["scale", "head", "head_bias", *(f"table.{e}" for e in range(reader.width[2]))]
        names += [f"{part}.{i}" for part in ("weight", "bias") for i in range(layers)]
        names += EMBEDDED if reader.width[0] else []
        _, parts = load_fitted(folder, dict.fromkeys(names, "float32") | {"span": "float64"})
        _refuse_nonsense(folder, reader, parts, layers)
        return cls(reader, parts, layers, require_link(folder, facts, parts["head"].shape[2]))


EMBEDDED = ["starts", "steps", "slope", "shift", "bend"]


def _refuse_nonsense(folder: Path, reader: Reader, parts: Mapping[str, Array], layers: int) -> None:
    """Raises TamperedError where shapes do not fit together."""
    numbers, width, large = reader.width
    for name, part in parts.items():
        wanted = 3 if name.startswith("head") or name in EMBEDDED else 1 if name.startswith("bias") else 2
        require(folder, name == "span" or part.ndim == wanted, f"array {name!r} has {part.ndim} axes, not {wanted}")
    shapes: dict[str, tuple[int, ...]] = {"span": (2,)}
    if numbers:
        bins, size = parts["bend"].shape[1:]
        shapes |= dict.fromkeys(("starts", "steps"), (numbers, 1, bins)) | {"bend": (numbers, bins, size)}
        shapes |= dict.fromkeys(("slope", "shift"), (numbers, 1, size))
        width += numbers * size
    for e in range(large):
        size = parts[f"table.{e}"].shape[1]
        shapes[f"table.{e}"] = int(reader.large_levels[e]) + 1, size
        width += size
    k, _, outputs = parts["head"].shape
    require(folder, k > 0, "there is no perceptron")
    shapes["scale"] = k, width
    for i in range(layers):
        shapes |= {f"weight.{i}": (width, parts[f"weight.{i}"].shape[1]), f"bias.{i}": (parts[f"weight.{i}"].shape[1],)}
        width = parts[f"weight.{i}"].shape[1]
    require_shapes(folder, parts, shapes | {"head": (k, width, outputs), "head_bias": (k, 1, outputs)})
