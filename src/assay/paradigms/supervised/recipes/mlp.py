"""A multilayer perceptron: two hidden layers of rectified units, Adam, stopped early. Fitted by scikit-learn.

Rumelhart, Hinton & Williams (1986), Nature 323; Kingma & Ba (2015), ICLR.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from assay.contract import Array, Context
from assay.paradigms.supervised.learner import Learner, Lesson
from assay.paradigms.supervised.recipe import SupervisedRecipe
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
from assay.paradigms.supervised.recipes.inner import Clock, loss, with_held_out

SLAB_NUMBERS = 1_000_000                        # of X, learned from between two looks at the clock
CHUNK_ROWS = 8_192                              # answered at a time
HELD_ROWS = 10_000                              # judge an epoch, at most
EPOCH_ROWS = 100_000                            # at most so many between two looks at the held-out rows


@dataclass(frozen=True, eq=False)
class MLPLearner:
    """Layer after layer h = max(h @ weights + biases, 0), the last without the max, through the link.

    weights[i] (width i, width i+1), biases[i] (width i+1,), float64."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    link: Link
    kind: ClassVar[str] = "mlp"

    def scores(self, X: Array, /) -> Array:
        return linked(in_chunks(self._forward, np.asarray(X, dtype=np.float64), CHUNK_ROWS), self.link)

    def _forward(self, hidden: Array) -> Array:
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0.0)
        return np.asarray(hidden @ self.weights[-1] + self.biases[-1])

    def save(self, folder: Path, /) -> None:
        arrays = {f"weight.{i}": w for i, w in enumerate(self.weights)}
        arrays |= {f"bias.{i}": b for i, b in enumerate(self.biases)}
        save_fitted(folder, {"link": self.link, "layers": len(self.weights)}, arrays)

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        facts, _ = load_fitted(folder, {})
        layers = counted(folder, facts, "layers")
        require(folder, layers <= 16, f"{layers} layers are more than the 16 there may be")
        names = [f"{part}.{i}" for part in ("weight", "bias") for i in range(layers)]
        _, arrays = load_fitted(folder, dict.fromkeys(names, "float64"))
        weights = tuple(arrays[f"weight.{i}"] for i in range(layers))
        biases = tuple(arrays[f"bias.{i}"] for i in range(layers))
        require(folder, all(w.ndim == 2 and w.size for w in weights), "a layer's weights are no matrix")
        widths = [weights[0].shape[0], *(w.shape[1] for w in weights)]
        shapes: dict[str, tuple[int, ...]] = {f"weight.{i}": (widths[i], widths[i + 1]) for i in range(layers)}
        require_shapes(folder, arrays, shapes | {f"bias.{i}": (widths[i + 1],) for i in range(layers)})
        return cls(weights, biases, require_link(folder, facts, widths[-1]))


@dataclass(frozen=True)
class MLP(SupervisedRecipe):
    """Two hidden layers of `width` units. `alpha` penalises squared weights; stops `patience` epochs after the best."""

    width: int = 128
    learning_rate: float = 1e-3
    alpha: float = 1e-4
    epochs: int = 300
    patience: int = 15
    title: ClassVar[str] = "multilayer perceptron"
    order: ClassVar[float] = 60.0
    early_stops: ClassVar[bool] = True

    def learn(self, lesson: Lesson, ctx: Context, /) -> Learner:
        clock, rng = Clock.start(ctx), np.random.RandomState(ctx.seed)
        lesson = with_held_out(lesson, HELD_ROWS, ctx.seed)
        model = self._model(lesson, rng)
        best, least, since = None, math.inf, 0
        for epoch in self._epochs(model, lesson, clock, rng):
            now = _learner_of(model, lesson)
            lost = _held_loss(now, lesson)
            if best is None or lost < least * (1 - 1e-4):
                best, least, since = now, lost, epoch
            if epoch - since >= self.patience:
                break
        return best or _learner_of(model, lesson)

    def space(self) -> Mapping[str, Any]:
        return {
            "width": ("int_log", 16, 512),
            "learning_rate": ("log", 1e-4, 1e-2),
            "alpha": ("log", 1e-6, 1e-1),
        }

    def _model(self, lesson: Lesson, rng: np.random.RandomState) -> Any:
        n = len(lesson.X)
        family = MLPRegressor if lesson.goal == "regression" else MLPClassifier
        # the generator itself: with a seed scikit-learn would shuffle every epoch alike
        return family(
            hidden_layer_sizes=(self.width, self.width), learning_rate_init=self.learning_rate,
            alpha=self.alpha, batch_size=min(int(np.clip(n // 40, 16, 256)), n), random_state=rng,
        )

    def _epochs(self, model: Any, lesson: Lesson, clock: Clock, rng: np.random.RandomState) -> Iterator[int]:
        """Learn, and give the number of each epoch, until there were enough or the time is out."""
        classes = {} if lesson.goal == "regression" else {"classes": np.arange(lesson.k)}
        first, y = True, lesson.y.astype(np.int64) if lesson.goal == "multilabel" else lesson.y
        for epoch in range(self.epochs):
            order = rng.permutation(len(y))[:EPOCH_ROWS]
            for rows in np.array_split(order, max(len(order) * lesson.X.shape[1] // SLAB_NUMBERS, 1)):
                if clock.out and not first:
                    break
                weight = None if lesson.weight is None else lesson.weight[rows]
                model.partial_fit(lesson.X[rows], y[rows], sample_weight=weight, **classes)
                first, classes = False, {}
            yield epoch
            if clock.out:
                break


def _held_loss(learner: MLPLearner, lesson: Lesson) -> float:
    if lesson.X_val is None or lesson.y_val is None:
        return loss(lesson.goal, learner.scores(lesson.X), lesson.y, lesson.weight)
    return loss(lesson.goal, learner.scores(lesson.X_val), lesson.y_val, lesson.weight_val)


def _learner_of(model: Any, lesson: Lesson) -> MLPLearner:
    """A copy of the weights as they are now."""
    weights = tuple(np.array(w, dtype=np.float64) for w in model.coefs_)
    biases = tuple(np.array(b, dtype=np.float64) for b in model.intercepts_)
    return MLPLearner(weights, biases, link_of(lesson.goal, lesson.k))
