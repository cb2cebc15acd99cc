"""TabM while it learns: the net in PyTorch. See tabm.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Lesson
from assay.paradigms.supervised.recipes.inner import Clock
from assay.paradigms.supervised.recipes.net_inputs import Reader, flat_cos
from assay.paradigms.supervised.recipes.torch_net import (
    Course,
    Loss,
    Noise,
    Parameters,
    judged_rows,
    on_threads,
    rows_of,
    train,
)

if TYPE_CHECKING:
    from assay.paradigms.supervised.recipes.tabm import TabM


class TabMNet:
    """K perceptrons that share their layers: each scales the inputs in its own way and has an output layer of its own.

    starts, steps (F, 1, T): where each bin of a number begins, and 1 over its width."""

    def __init__(self, parameters: Parameters, starts: Tensor, steps: Tensor, goal: str, layers: int) -> None:
        self.parameters, self.starts, self.steps, self.goal, self.layers = parameters, starts, steps, goal, layers

    def raw(self, inputs: tuple[Tensor, Tensor, Tensor], noise: Noise | None) -> Tensor:
        p = self.parameters
        hidden = torch.matmul(self._joined(inputs), p["scale"][:, :, None] * p["weight.0"])             # (K, n, W)
        for i in range(self.layers):
            hidden = hidden + p["bias.0"] if i == 0 else torch.matmul(hidden, p[f"weight.{i}"]) + p[f"bias.{i}"]
            hidden = torch.relu(hidden)
            mask = None if noise is None else noise.mask(hidden.shape)
            hidden = hidden if mask is None else hidden * mask
        return torch.baddbmm(p["head_bias"], hidden, p["head"]).transpose(0, 1)

    def merged(self, raw: Tensor) -> Tensor:
        """The mean of the K answers, as raw values: of numbers, or of probabilities."""
        if self.goal == "regression":
            return torch.mean(raw, dim=1)
        if self.goal == "multilabel":
            return torch.logit(torch.sigmoid(raw).mean(dim=1), eps=1e-6)
        merged: Tensor = torch.logsumexp(torch.log_softmax(raw, dim=-1), dim=1) - math.log(raw.shape[1])
        return merged

    def _joined(self, inputs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        numbers, flags, codes = inputs
        p, n, parts = self.parameters, len(numbers), [flags]
        if numbers.shape[1]:
            x = numbers.T[:, :, None]
            filled = ((x - self.starts) * self.steps).clamp_(0.0, 1.0)                                    # (F, n, T)
            embedded = torch.baddbmm(torch.addcmul(p["shift"], x, p["slope"]), filled, p["bend"])
            parts.insert(0, embedded.transpose(0, 1).reshape(n, -1))
        parts += [functional.embedding(codes[:, e], p[f"embedding.{e}"]) for e in range(codes.shape[1])]
        joined: Tensor = torch.cat(parts, dim=1)
        return joined


def edges(numbers: Array, bins: int) -> tuple[Array, Array]:
    """Where each number's bins begin, and 1 over their widths: (F, 1, bins) float32. Quantiles; those that fall
    together leave bins that nothing fills."""
    starts = np.zeros((numbers.shape[1], 1, bins), np.float32)
    steps = np.zeros_like(starts)
    for i, column in enumerate(numbers.T):
        met = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)).astype(np.float32))
        wide = np.diff(met) > 1e-6
        starts[i, 0, : wide.sum()], steps[i, 0, : wide.sum()] = met[:-1][wide], 1 / np.diff(met)[wide]
    return starts, steps


def first(recipe: TabM, lesson: Lesson, reader: Reader, cuts: tuple[Array, Array], seed: int) -> TabMNet:
    """The net before it has learned: the K perceptrons differ by how they scale each column, and in their outputs."""
    generator = torch.Generator().manual_seed(seed)
    numbers, flags, large = reader.width
    made: dict[str, tuple[Tensor, float, float]] = {}

    def uniform(*shape: int, of: int) -> Tensor:
        return (torch.rand(*shape, generator=generator) * 2 - 1) * float(of**-0.5)

    if numbers:
        made["slope"] = uniform(numbers, 1, recipe.embedding, of=recipe.embedding), 1.0, 1.0
        made["shift"] = uniform(numbers, 1, recipe.embedding, of=recipe.embedding), 1.0, 1.0
        made["bend"] = torch.zeros(numbers, recipe.bins, recipe.embedding), 1.0, 1.0
    for e in range(large):
        made[f"embedding.{e}"] = uniform(int(reader.large_levels[e]) + 1, recipe.category, of=1), 1.0, 1.0
    chunks = torch.tensor([recipe.embedding] * numbers + [1] * flags + [recipe.category] * large, dtype=torch.int64)
    scale = torch.randn(recipe.k, len(chunks), generator=generator).repeat_interleave(chunks, dim=1)
    made["scale"] = scale, 1.0, 1.0
    widths = [scale.shape[1]] + [recipe.width] * recipe.layers
    for i in range(recipe.layers):
        made[f"weight.{i}"] = uniform(widths[i], widths[i + 1], of=widths[i]), 1.0, 1.0
        made[f"bias.{i}"] = uniform(widths[i + 1], of=widths[i]), 1.0, 1.0
    outputs = 1 if lesson.goal == "regression" else lesson.k
    made["head"] = uniform(recipe.k, recipe.width, outputs, of=recipe.width), 1.0, 1.0
    made["head_bias"] = uniform(recipe.k, 1, outputs, of=recipe.width), 1.0, 1.0
    starts, steps = (torch.from_numpy(part) for part in cuts)
    return TabMNet(Parameters.of(made), starts, steps, lesson.goal, recipe.layers)


def learned(recipe: TabM, lesson: Lesson, ctx: Context, clock: Clock) -> tuple[Reader, dict[str, Array]]:
    """How the columns are read, and the weights of the best epoch, by name."""
    with on_threads(ctx.threads):
        reader = Reader.fit(lesson.X, lesson.categorical)
        fit = rows_of(reader, lesson, lesson.X, lesson.y, lesson.weight)
        held = judged_rows(reader, lesson, fit)
        cuts = edges(fit.inputs[0].numpy(), recipe.bins)
        net = first(recipe, lesson, reader, cuts, ctx.seed)
        course = Course(
            recipe.epochs, recipe.batch_of(len(fit.y)), 0.999, rate=lambda t: recipe.learning_rate * flat_cos(t),
            decay=lambda _: recipe.decay, drop=lambda _: recipe.dropout, clip=1.0, patience=recipe.patience)
        train(net, Loss(lesson.goal, absolute=lesson.metric == "mae"), fit, held, course, clock, ctx.seed)
        return reader, net.parameters.arrays() | dict(zip(("starts", "steps"), cuts, strict=True))
