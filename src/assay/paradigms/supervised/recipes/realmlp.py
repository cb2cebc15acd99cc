"""RealMLP with its tuned defaults (Holzmüller et al. 2024, NeurIPS, arXiv 2407.04491): a multilayer perceptron made
of many small improvements, learned with PyTorch. What was learned is plain arrays, and answers without PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Goal, Learner, Lesson
from assay.paradigms.supervised.recipes.deep import DeepRecipe
from assay.paradigms.supervised.recipes.fitted import (
    Link,
    counted,
    in_chunks,
    link_of,
    linked,
    load_fitted,
    one_of,
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

Activation = Literal["selu", "mish"]
ANSWERED_BY_LABEL = frozenset(("accuracy", "balanced_accuracy", "f1", "mcc"))
"""Metrics that read the answer and not how sure it is: smoothed targets serve them, and spoil probabilities."""


@dataclass(frozen=True)
class RealMLP(DeepRecipe):
    """RealMLP-TD. The rates named after a part multiply the learning rate there.

    None: a learning rate of 0.04 and SELU for classes, 0.2 and Mish for numbers; targets smoothed by 0.1 where the
    metric reads answers alone. The schedule is as long as the time allows, and never longer than `epochs`."""

    learning_rate: float | None = None
    width: int = 256
    layers: int = 3
    epochs: int = 256
    patience: int = 32                          # looks at the rows held out, of 64 in all, without a better one
    batch: int = 256
    dropout: float = 0.15
    decay: float = 0.02
    beta2: float = 0.95
    label_smoothing: float | None = None
    activation: Activation | None = None
    frequency: float = 0.1                      # spread of the first frequencies of a number's waves
    waves: int = 16
    embedding: int = 4                          # numbers that a number becomes, itself among them
    category: int = 8                           # numbers that a category of many levels becomes
    embedding_rate: float = 0.1
    scale_rate: float = 6.0
    bias_rate: float = 0.1
    bend_rate: float = 0.1

    title: ClassVar[str] = "RealMLP"
    order: ClassVar[float] = 35.0

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        clock = Clock.start(ctx)
        from assay.paradigms.supervised.recipes.realmlp_net import learned

        lesson = with_held_out(lesson, HELD_ROWS, ctx.seed)
        reader, arrays = learned(self, lesson, ctx, clock)
        return RealMLPLearner.of(reader, arrays, self, lesson)

    def space(self) -> Mapping[str, Any]:
        """After TabArena's (Erickson et al. 2025, arXiv 2506.16791), for nets that a processor can learn."""
        return {
            "learning_rate": ("log", 0.02, 0.3), "layers": ("int", 2, 4), "width": ("choice", 256, 384),
            "dropout": ("uniform", 0.0, 0.5), "decay": ("log", 1e-3, 5e-2), "frequency": ("log", 1e-2, 50.0),
            "beta2": ("uniform", 0.95, 0.995), "embedding_rate": ("log", 0.05, 0.3),
            "scale_rate": ("log", 2.0, 10.0), "activation": ("choice", "mish", "selu"),
        }

    def activation_of(self, goal: Goal) -> Activation:
        return self.activation or ("mish" if goal == "regression" else "selu")

    def rate_of(self, goal: Goal) -> float:
        return self.learning_rate or (0.2 if goal == "regression" else 0.04)

    def smoothing(self, lesson: Lesson) -> float:
        if lesson.goal not in ("binary", "multiclass"):
            return 0.0
        if self.label_smoothing is not None:
            return self.label_smoothing
        return 0.1 if lesson.metric in ANSWERED_BY_LABEL else 0.0


@dataclass(frozen=True, eq=False)
class RealMLPLearner:
    """The weights, float32 as they were learned; answers are worked out in float64, so that no row sways another.

    wave, phase (F, 1, w), mix (F, w, e), shift (F, 1, e) of the F numbers' waves; tables: (levels + 1, c) each;
    weights[i] (width i, width i+1), with the scales of the layer in them; biases[i]; bent[i] of all but the last.
    span: the least and the greatest target met, for regression."""

    reader: Reader
    waves: tuple[Array, Array, Array, Array]
    tables: tuple[Array, ...]
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    bent: tuple[Array, ...]
    span: Array
    activation: Activation
    link: Link
    kind: ClassVar[str] = "realmlp"

    @classmethod
    def of(cls, reader: Reader, arrays: Mapping[str, Array], recipe: RealMLP, lesson: Lesson) -> Self:
        layers = recipe.layers
        none = np.zeros((0, 1, 1), np.float32)
        weights = [arrays[f"weight.{i}"] * len(arrays[f"weight.{i}"]) ** -0.5 for i in range(layers + 1)]
        weights[0] = arrays["scale"][:, None] * weights[0]
        span = np.array([lesson.y.min(), lesson.y.max()] if lesson.goal == "regression" else [0.0, 0.0])
        wave, phase, mix, shift = (arrays.get(name, none) for name in ("wave", "phase", "mix", "shift"))
        return cls(
            reader, (wave * (2 * np.pi), phase, mix, shift),
            tuple(arrays[f"embedding.{e}"] for e in range(reader.width[2])),
            tuple(w.astype(np.float32) for w in weights), tuple(arrays[f"bias.{i}"] for i in range(layers + 1)),
            tuple(arrays[f"bent.{i}"] for i in range(layers)), span, recipe.activation_of(lesson.goal),
            "softmax" if lesson.goal == "binary" else link_of(lesson.goal, lesson.k))

    def scores(self, X: Array, /) -> Array:
        numbers = X.shape[1] + len(self.waves[0]) * self.waves[0].shape[-1] * 2 + 3 * len(self.weights[-1])
        return linked(in_chunks(self._raw, np.asarray(X), max(CHUNK_NUMBERS // numbers, 16)), self.link)

    def _raw(self, X: Array) -> Array:
        """What the net says before the link, (n, C) float64."""
        hidden = self._joined(X)
        for weight, bias, share in zip(self._exact[0], self._exact[1], self._exact[2], strict=True):
            hidden = hidden @ weight + bias
            hidden += (ACTIVATIONS[self.activation](hidden) - hidden) * share
        raw: Array = hidden @ self.weights[-1].astype(np.float64) + self.biases[-1]
        return np.clip(raw, *self.span) if self.link == "value" else raw

    def _joined(self, X: Array) -> Array:
        numbers, flags, codes = self.reader(X)
        parts = []
        if numbers.shape[1]:
            wave, phase, mix, shift = self._exact_waves
            x = numbers.T.astype(np.float64)[:, :, None]
            mixed = np.cos(x * wave + phase) @ mix + shift                              # (F, n, e)
            parts.append(np.concatenate([mixed, x], axis=2).transpose(1, 0, 2).reshape(len(X), -1))
        tables = [table[codes[:, e]] for e, table in enumerate(self.tables)]
        return np.concatenate([*parts, flags, *tables], axis=1, dtype=np.float64)

    @cached_property
    def _exact(self) -> tuple[list[Array], list[Array], list[Array]]:
        """Weights, biases and shares of the hidden layers in float64."""
        parts = (self.weights[:-1], self.biases[:-1], self.bent)
        weights, biases, bent = ([a.astype(np.float64) for a in part] for part in parts)
        return weights, biases, bent

    @cached_property
    def _exact_waves(self) -> tuple[Array, ...]:
        return tuple(part.astype(np.float64) for part in self.waves)

    def save(self, folder: Path, /) -> None:
        arrays = dict(zip(WAVES, self.waves, strict=True)) | {"span": self.span} | self.reader.arrays()
        for name, parts in zip(("table", "weight", "bias", "bent"),
                               (self.tables, self.weights, self.biases, self.bent), strict=True):
            arrays |= {f"{name}.{i}": part for i, part in enumerate(parts)}
        save_fitted(folder, {"link": self.link, "activation": self.activation, "layers": len(self.bent)}, arrays)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """Raises TamperedError where the arrays do not fit together."""
        facts, arrays = load_fitted(folder, Reader.kinds())
        reader, layers = Reader.of(folder, arrays), counted(folder, facts, "layers")
        require(folder, layers <= MOST_LAYERS, f"{layers} layers are more than the {MOST_LAYERS} there may be")
        activation: Activation = one_of(folder, facts, "activation", get_args(Activation))
        kinds = {f"{name}.{i}": "float32" for name in ("weight", "bias") for i in range(layers + 1)}
        kinds |= {f"bent.{i}": "float32" for i in range(layers)} | dict.fromkeys(WAVES, "float32")
        kinds |= {f"table.{e}": "float32" for e in range(reader.width[2])} | {"span": "float64"}
        _, arrays = load_fitted(folder, kinds)
        widths = _refuse_nonsense(folder, reader, arrays, layers)
        waves, tables, weights, biases, bent = _gathered(arrays, layers, reader.width[2])
        link = require_link(folder, facts, widths[-1])
        return cls(reader, waves, tables, weights, biases, bent, arrays["span"], activation, link)


WAVES = ("wave", "phase", "mix", "shift")


def _gathered(arrays: Mapping[str, Array], layers: int, tables: int) -> Any:
    """waves, tables, weights, biases and bent, in the order of the learner's fields."""
    def of(name: str, n: int) -> tuple[Array, ...]:
        return tuple(arrays[f"{name}.{i}"] for i in range(n))

    waves = tuple(arrays[name] for name in WAVES)
    return waves, of("table", tables), of("weight", layers + 1), of("bias", layers + 1), of("bent", layers)


def _refuse_nonsense(folder: Path, reader: Reader, arrays: Mapping[str, Array], layers: int) -> list[int]:
    """The widths from layer to layer. Raises TamperedError where shapes do not fit together."""
    numbers, flags, large = reader.width
    for name in WAVES:
        require(folder, arrays[name].ndim == 3, f"array {name!r} is no block of matrices")
    waves, size = arrays["mix"].shape[1:]
    shapes: dict[str, tuple[int, ...]] = {
        "wave": (numbers, 1, waves), "phase": (numbers, 1, waves), "mix": (numbers, waves, size),
        "shift": (numbers, 1, size), "span": (2,)} if numbers else {"span": (2,)}
    width = numbers * (size + 1) + flags
    for e in range(large):
        require(folder, arrays[f"table.{e}"].ndim == 2, f"array 'table.{e}' is no matrix")
        shapes[f"table.{e}"] = (int(reader.large_levels[e]) + 1, arrays[f"table.{e}"].shape[1])
        width += arrays[f"table.{e}"].shape[1]
    widths = [width]
    for i in range(layers + 1):
        require(folder, arrays[f"weight.{i}"].ndim == 2, f"array 'weight.{i}' is no matrix")
        widths.append(arrays[f"weight.{i}"].shape[1])
        shapes |= {f"weight.{i}": (widths[i], widths[i + 1]), f"bias.{i}": (widths[i + 1],)}
        shapes |= {f"bent.{i}": (widths[i + 1],)} if i < layers else {}
    require_shapes(folder, arrays, shapes)
    return widths


def _selu(z: Array) -> Array:
    """SELU: 1.0507 z above 0, 1.7581 (e^z - 1) below (Klambauer et al. 2017)."""
    bent: Array = 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0.0)))
    return bent


def _mish(z: Array) -> Array:
    """Mish: z tanh(log(1 + e^z)) (Misra 2019)."""
    e = np.exp(np.minimum(z, 20.0))
    n = e * (e + 2.0)
    bent: Array = z * (n / (n + 2.0))
    return bent


ACTIVATIONS: dict[Activation, Callable[[Array], Array]] = {"selu": _selu, "mish": _mish}
