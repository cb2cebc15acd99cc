"""How the small nets of this paradigm are trained: the losses, the parameters in flat pieces, Adam, the time.

Importing this brings PyTorch with it, so recipes import it where they learn. On one thread the same seed
gives the same net to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from assay.contract import Array
from assay.paradigms.supervised.learner import Lesson
from assay.paradigms.supervised.recipes.inner import Clock
from assay.paradigms.supervised.recipes.net_inputs import Inputs, Reader

LOOKS = 64                                      # at the rows held out, at most
CHUNK_ROWS = 2_048                              # answered at a time


@contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """PyTorch on so many threads, and afterwards on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# --- rows and losses ------------------------------------------------------------------------


class Rows(NamedTuple):
    """Inputs, target and weight of some rows. y: (n,) float32 or int64; (n, k) float32 for labels."""

    inputs: tuple[Tensor, Tensor, Tensor]
    y: Tensor
    weight: Tensor | None

    def take(self, at: Tensor) -> Rows:
        numbers, flags, codes = (part.index_select(0, at) for part in self.inputs)
        weight = None if self.weight is None else self.weight.index_select(0, at)
        return Rows((numbers, flags, codes), self.y.index_select(0, at), weight)


def rows_of(reader: Reader, lesson: Lesson, X: Array, y: Array, weight: Array | None) -> Rows:
    inputs: Inputs = reader(X)
    numbers, flags, codes = (torch.from_numpy(part) for part in inputs)
    whole = lesson.goal in ("binary", "multiclass")
    target = torch.from_numpy(np.asarray(y, dtype=np.int64 if whole else np.float32))
    weights = None if weight is None else torch.from_numpy(weight.astype(np.float32))
    return Rows((numbers, flags, codes), target, weights)


def judged_rows(reader: Reader, lesson: Lesson, fit: Rows) -> Rows:
    """The rows held out; where there are none, those learned from."""
    if lesson.X_val is None or lesson.y_val is None:
        return fit
    return rows_of(reader, lesson, lesson.X_val, lesson.y_val, lesson.weight_val)


@dataclass(frozen=True)
class Loss:
    """The loss of raw outputs (n, C): squared or absolute error, or log loss, against targets smoothed by `smooth`."""

    goal: str
    smooth: float = 0.0
    absolute: bool = False

    def __call__(self, raw: Tensor, rows: Rows) -> Tensor:
        """The weighted mean over rows; raw is (n, C), or (n, K, C) for K nets whose losses are averaged."""
        each = self._each(raw, rows.y)
        each = each.mean(dim=1) if each.ndim == 2 else each
        return each.mean() if rows.weight is None else (each * rows.weight).mean()

    def _each(self, raw: Tensor, y: Tensor) -> Tensor:
        several = raw.ndim == 3
        if self.goal == "regression":
            gap = raw[..., 0] - (y[:, None] if several else y)
            return gap.abs() if self.absolute else gap.square()
        if self.goal == "multilabel":
            target = y[:, None].expand_as(raw) if several else y
            return functional.binary_cross_entropy_with_logits(raw, target, reduction="none").mean(dim=-1)
        log_p = torch.log_softmax(raw, dim=-1)
        index = y[:, None, None].expand(-1, raw.shape[1], 1) if several else y[:, None]
        hit = -log_p.gather(-1, index).squeeze(-1)
        return hit if not self.smooth else (1 - self.smooth) * hit - self.smooth * log_p.mean(dim=-1)


# --- parameters -----------------------------------------------------------------------------


@dataclass
class Parameters:
    """Named tensors that lie side by side in one flat piece for each (rate, decay): a step of Adam is a few calls.

    rate multiplies the learning rate, decay the weight decay."""

    pieces: dict[tuple[float, float], tuple[Tensor, Tensor]] = field(default_factory=dict)
    named: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, made: Mapping[str, tuple[Tensor, float, float]]) -> Parameters:
        """From name -> (first value, rate, decay)."""
        self = cls()
        for key in sorted({(rate, decay) for _, rate, decay in made.values()}):
            group = {name: value for name, (value, *kind) in made.items() if tuple(kind) == key}
            flat = torch.cat([value.flatten() for value in group.values()])
            slopes = torch.zeros_like(flat)
            self.pieces[key] = flat, slopes
            at = 0
            for name, value in group.items():
                view = flat[at : at + value.numel()].view(value.shape).requires_grad_()
                view.grad = slopes[at : at + value.numel()].view(value.shape)
                self.named[name] = view
                at += value.numel()
        return self

    def __getitem__(self, name: str) -> Tensor:
        return self.named[name]

    def copies(self) -> list[Tensor]:
        return [flat.clone() for flat, _ in self.pieces.values()]

    def restore(self, copies: list[Tensor]) -> None:
        for (flat, _), copy in zip(self.pieces.values(), copies, strict=True):
            flat.copy_(copy)

    def arrays(self) -> dict[str, Array]:
        return {name: value.detach().numpy().copy() for name, value in self.named.items()}


class Adam:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019) on flat pieces, each with its own rate and decay.

    Written out, for torch.optim brings PyTorch's compiler with it: some seconds before the first step."""

    def __init__(self, parameters: Parameters, beta2: float, *, beta1: float = 0.9, epsilon: float = 1e-8) -> None:
        self.beta1, self.beta2, self.epsilon, self.steps = beta1, beta2, epsilon, 0
        self.slopes = [slopes for _, slopes in parameters.pieces.values()]
        self.pieces = [(rate, decay, flat, slopes, torch.zeros_like(flat), torch.zeros_like(flat))
                       for (rate, decay), (flat, slopes) in parameters.pieces.items()]

    def step(self, lr: float, decay: float) -> None:
        """flat -= lr m / (sqrt(v) + epsilon), m and v without their bias towards zero, after flat *= 1 - lr decay."""
        self.steps += 1
        first, second = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        with torch.no_grad():
            for rate, decayed, flat, slopes, mean, square in self.pieces:
                mean.lerp_(slopes, 1 - self.beta1)
                square.mul_(self.beta2).addcmul_(slopes, slopes, value=1 - self.beta2)
                flat.mul_(1 - lr * rate * decay * decayed)
                flat.addcdiv_(mean, square.sqrt().mul_(second**-0.5).add_(self.epsilon), value=-lr * rate / first)
                slopes.zero_()


# --- training -------------------------------------------------------------------------------


class Net(Protocol):
    """parameters, and raw outputs (n, C) or (n, K, C). With `noise` it is learning: units are dropped at random."""

    parameters: Parameters

    def raw(self, inputs: tuple[Tensor, Tensor, Tensor], noise: Noise | None) -> Tensor: ...

    def merged(self, raw: Tensor) -> Tensor:
        """Raw outputs (n, C) of the whole."""
        ...


@dataclass
class Noise:
    """Masks that drop units: from bytes, so a share is a whole number of 256ths."""

    generator: torch.Generator
    share: float = 0.0

    def mask(self, shape: torch.Size) -> Tensor | None:
        """0 for a unit that is dropped, 1 / (share kept) for the others; None where none is dropped."""
        least = round(256 * self.share)
        if not least:
            return None
        n = math.prod(shape)
        drawn = torch.empty(-(-n // 8), dtype=torch.int64).random_(-(2**63), None, generator=self.generator)
        kept = torch.ge(drawn.view(torch.uint8)[:n].view(shape), least, out=torch.empty(shape))
        return kept.mul_(256 / (256 - least))


@dataclass(frozen=True)
class Course:
    """What training is to do. Progress t runs from 0 to 1; rate, decay and drop are functions of it."""

    epochs: int
    batch: int
    beta2: float
    rate: Callable[[float], float]
    decay: Callable[[float], float]
    drop: Callable[[float], float]
    clip: float = 0.0                           # the longest gradient; 0 takes each as it is
    patience: int = 0                           # looks without a better one; 0 goes on to the end


def train(net: Net, loss: Loss, fit: Rows, held: Rows, course: Course, clock: Clock, seed: int) -> float:
    """Leave the net as it was when it was best on the rows held out, and say its loss on them.

    Progress is the share of the epochs done, or of the time used where that is more: the schedule always comes
    to its end, in less time with fewer epochs."""
    generator = torch.Generator().manual_seed(seed)
    noise, adam = Noise(generator), Adam(net.parameters, course.beta2)
    size = min(course.batch, len(fit.y))
    total = course.epochs * (len(fit.y) // size)
    limit = clock.left_s
    best, least, since, due = net.parameters.copies(), math.inf, 0, 1 / LOOKS
    for step, at in enumerate(batches(len(fit.y), size, generator)):
        t = max(step / total, _used(limit, clock.left_s))
        if t >= due or t >= 1:
            due, lost = max(due, (math.floor(t * LOOKS) + 1) / LOOKS), judged(net, loss, held)
            since += 1
            if lost < least:
                best, least, since = net.parameters.copies(), lost, 0
            if t >= 1 or not math.isfinite(lost) or (course.patience and since >= course.patience):
                break
        noise.share = course.drop(t)
        rows = fit.take(at)
        torch.autograd.backward(loss(net.raw(rows.inputs, noise), rows))
        if course.clip:
            _shorten(adam.slopes, course.clip)
        adam.step(course.rate(t), course.decay(t))
    with torch.no_grad():
        net.parameters.restore(best)
    return least


def _used(limit: float, left: float) -> float:
    """The share of the time that is used, 0 where there is no limit; all of it where there was none from the start."""
    if not math.isfinite(limit):
        return 0.0
    return 1 - left / limit if limit > 0 else 1.0


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions of whole batches, shuffled anew each epoch, for ever."""
    while True:
        yield from torch.split(torch.randperm(n, generator=generator)[: n // size * size], size)


def judged(net: Net, loss: Loss, held: Rows) -> float:
    """The loss on the rows held out, as the whole answers them."""
    lost, weight = 0.0, 0.0
    with torch.no_grad():
        for at in torch.split(torch.arange(len(held.y)), CHUNK_ROWS):
            rows = held.take(at)
            lost += float(loss(net.merged(net.raw(rows.inputs, None)), rows)) * len(at)
            weight += len(at) if rows.weight is None else float(rows.weight.sum())
    return lost / weight if weight else math.inf


def _shorten(slopes: list[Tensor], most: float) -> None:
    length = math.sqrt(sum(float(s.dot(s)) for s in slopes))
    if length > most:
        for s in slopes:
            s.mul_(most / length)
