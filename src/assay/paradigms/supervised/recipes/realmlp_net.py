"""RealMLP while it learns: the net in PyTorch, with its first values taken from the data. See realmlp.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Lesson
from assay.paradigms.supervised.recipes.inner import Clock
from assay.paradigms.supervised.recipes.net_inputs import Reader, flat_cos
from assay.paradigms.supervised.recipes.torch_net import (
    Course,
    Loss,
    Noise,
    Parameters,
    Rows,
    judged_rows,
    on_threads,
    rows_of,
    train,
)

if TYPE_CHECKING:
    from assay.paradigms.supervised.recipes.realmlp import RealMLP

FIRST_ROWS = 4_096                              # that the first weights are scaled by
BIAS_POINTS = 5                                 # rows whose mixture is where a unit bends first


class RealMLPNet:
    """Numbers embedded by waves, scaled columns, then layers h = act(h @ W / sqrt(width in) + bias)."""

    def __init__(self, parameters: Parameters, layers: int, activation: str) -> None:
        self.parameters, self.layers, self.activation = parameters, layers, activation

    def raw(self, inputs: tuple[Tensor, Tensor, Tensor], noise: Noise | None) -> Tensor:
        p = self.parameters
        hidden = joined(p, inputs) * p["scale"]
        for i in range(self.layers):
            hidden = _linear(hidden, p[f"weight.{i}"], p[f"bias.{i}"])
            mask = None if noise is None else noise.mask(hidden.shape)
            hidden = bend(hidden, p[f"bent.{i}"], mask, self.activation)
        return _linear(hidden, p[f"weight.{self.layers}"], p[f"bias.{self.layers}"])

    def merged(self, raw: Tensor) -> Tensor:
        return raw


def joined(p: Any, inputs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The embedded numbers, the flags and the embedded categories side by side, (n, width).

    A number x becomes cos(2 pi x w + b) @ v + c and x itself: periodic, biased, linear, densely connected (PBLD)."""
    numbers, flags, codes = inputs
    n, parts = len(numbers), [flags]
    if numbers.shape[1]:
        waves = torch.cos(torch.addcmul(p["phase"], numbers.T[:, :, None], p["wave"], value=2 * math.pi))
        mixed = torch.baddbmm(p["shift"], waves, p["mix"])
        parts.insert(0, torch.cat([mixed.transpose(0, 1), numbers[:, :, None]], dim=2).reshape(n, -1))
    parts += [torch.nn.functional.embedding(codes[:, e], p[f"embedding.{e}"]) for e in range(codes.shape[1])]
    return torch.cat(parts, dim=1)


def _linear(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.addmm(bias, hidden, weight, alpha=len(weight) ** -0.5)


class _Bend(torch.autograd.Function):
    """(z + (f(z) - z) * share) * mask: what has to be kept for the way back is worked out on the way."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, share: Tensor, mask: Tensor | None, activation: str) -> Tensor:
        gap, slope = (_selu if activation == "selu" else _mish)(z, share)
        out = torch.addcmul(z, gap, share)
        slope.add_(1.0 - share)
        if mask is not None:
            gap, slope, out = gap.mul_(mask), slope.mul_(mask), out.mul_(mask)
        ctx.save_for_backward(gap, slope)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gap, slope = ctx.saved_tensors
        (grad,) = grads
        return grad * slope, (grad * gap).sum(dim=0), None, None


def bend(z: Tensor, share: Tensor, mask: Tensor | None, activation: str) -> Tensor:
    """The parametric activation, and the units that `mask` leaves."""
    bent: Tensor = _Bend.apply(z, share, mask, activation)
    return bent


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805       # Klambauer et al. (2017), equation 2


def _selu(z: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """f(z) - z of SELU, and its slope times the share."""
    f = torch.selu(z)
    slope = torch.ops.aten.elu_backward(share.expand_as(z), ALPHA, SCALE, 1.0, True, f)     # from f: no second exp
    return f.sub_(z), slope


def _mish(z: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """f(z) - z of Mish, f = z tanh(log(1 + e^z)), and its slope times the share: with one exponential."""
    e = z.clamp(max=20.0).exp_()
    n = e.square().add_(e, alpha=2.0)
    t = n.div_(n + 2.0)
    slope = (z - t.square().mul_(z)).mul_(e.div_(e + 1.0)).add_(t)
    return t.sub_(1.0).mul_(z), slope.mul_(share)


def first(recipe: RealMLP, lesson: Lesson, reader: Reader, rows: Rows, generator: torch.Generator) -> RealMLPNet:
    """The net before it has learned: each layer's units have unit spread on the data, and bend within the data."""
    numbers, _, large = reader.width
    made: dict[str, tuple[Tensor, float, float]] = {}       # the decay takes a part's rate twice, as the tuned one did

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator) * 2 - 1

    slow, waves, size = recipe.embedding_rate, recipe.waves, recipe.embedding - 1
    if numbers:
        made["wave"] = normal(numbers, 1, waves) * recipe.frequency, slow, slow
        made["phase"] = uniform(numbers, 1, waves) * math.pi, slow, slow
        made["mix"] = uniform(numbers, waves, size) * waves**-0.5, slow, slow
        made["shift"] = uniform(numbers, 1, size) * waves**-0.5, slow, slow
    for e in range(large):
        made[f"embedding.{e}"] = normal(int(reader.large_levels[e]) + 1, recipe.category), 1.0, 1.0
    hidden = joined({name: value for name, (value, *_) in made.items()}, rows.inputs)
    made["scale"] = torch.ones(hidden.shape[1]), recipe.scale_rate, recipe.scale_rate
    outputs = 1 if lesson.goal == "regression" else lesson.k
    widths = [recipe.width] * recipe.layers + [outputs]
    for i, width in enumerate(widths):
        weight = normal(hidden.shape[1], width)
        hidden = hidden @ weight * len(weight) ** -0.5
        spread = hidden.std(dim=0, correction=0).clamp(min=1e-6)
        made[f"weight.{i}"] = weight / spread, 1.0, 1.0
        hidden = hidden / spread
        bias = -_within(hidden, generator)
        made[f"bias.{i}"] = bias, recipe.bias_rate, 0.0
        if i < recipe.layers:
            share = torch.ones(width)
            made[f"bent.{i}"] = share, recipe.bend_rate, recipe.bend_rate
            hidden = bend(hidden + bias, share, None, recipe.activation_of(lesson.goal))
    return RealMLPNet(Parameters.of(made), recipe.layers, recipe.activation_of(lesson.goal))


def _within(hidden: Tensor, generator: torch.Generator) -> Tensor:
    """For each unit a random mixture of its values at five rows, (width,): 'he+5' of the paper's appendix A."""
    width = hidden.shape[1]
    at = torch.randint(len(hidden), (BIAS_POINTS, width), generator=generator)
    share = (1 - torch.rand(BIAS_POINTS, width, generator=generator)).log()
    return (hidden.gather(0, at) * share / share.sum(dim=0)).sum(dim=0)


def coslog4(t: float) -> float:
    """Four cosine cycles, each twice as long as the one before: (1 - cos(2 pi log2(1 + 15 t))) / 2."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))


def learned(recipe: RealMLP, lesson: Lesson, ctx: Context, clock: Clock) -> tuple[Reader, dict[str, Array]]:
    """How the columns are read, and the weights of the best epoch, by name."""
    generator = torch.Generator().manual_seed(ctx.seed)
    with on_threads(ctx.threads):
        reader = Reader.fit(lesson.X, lesson.categorical)
        fit = rows_of(reader, lesson, lesson.X, lesson.y, lesson.weight)
        held = judged_rows(reader, lesson, fit)
        some = torch.randperm(len(fit.y), generator=generator)[:FIRST_ROWS]
        net = first(recipe, lesson, reader, fit.take(some), generator)
        loss = Loss(lesson.goal, recipe.smoothing(lesson), lesson.metric == "mae")
        course = Course(
            recipe.epochs, recipe.batch, recipe.beta2,
            rate=lambda t: recipe.rate_of(lesson.goal) * coslog4(t), decay=lambda t: recipe.decay * flat_cos(t),
            drop=lambda t: recipe.dropout * flat_cos(t), patience=recipe.patience)
        train(net, loss, fit, held, course, clock, ctx.seed)
        return reader, net.parameters.arrays()
