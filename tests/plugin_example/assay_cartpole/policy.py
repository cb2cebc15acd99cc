"""A linear policy: a table of observations in, a column of actions out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import gymnasium
import numpy as np
import polars as pl
from safetensors.numpy import load_file, save_file

from assay.contract import Array, Field, Signature, Table
from assay.errors import DataError, SchemaError, TamperedError, nearest
from assay.files import read_json, write_json

NAMES = {"CartPole-v1": ("position", "velocity", "angle", "angular_velocity")}


@dataclass(frozen=True)
class Policy:
    """The action of the largest score, x @ weights with weights (d, k); without weights, a coin per observation."""

    env_id: str
    weights: Array | None = None
    loader: ClassVar[str] = "cartpole"

    @property
    def signature(self) -> Signature:
        d, _ = shape(self.env_id)
        names = NAMES.get(self.env_id, tuple(f"obs{i}" for i in range(d)))
        inputs = tuple(Field(name, "numeric", "float", optional=False, example=0.0) for name in names)
        return Signature(inputs, (Field("action", "categorical", "int", optional=False),))

    def predict(self, batch: Table, /) -> Table:
        wanted = [field.name for field in self.signature.inputs]
        for name in wanted:
            if name not in batch.columns:
                raise SchemaError(f"predicting an action in {self.env_id}: column {name!r} is missing; "
                                  f"the batch has {batch.columns}.")
        for name in batch.columns:
            if name not in wanted:
                raise SchemaError(f"predicting an action in {self.env_id}: column {name!r} is unknown. "
                                  f"{nearest(name, wanted)}")
        observations = batch.select(pl.col(wanted).cast(pl.Float32)).to_numpy()
        return pl.DataFrame({"action": self.act(observations)})

    def act(self, observations: Array) -> Array:
        """observations (n, d) float32 -> actions (n,) int64."""
        _, k = shape(self.env_id)
        if self.weights is None:   # a coin that depends on the observation alone: predict stays pure
            bits = np.ascontiguousarray(observations, dtype=np.float32).view(np.uint32).astype(np.uint64)
            mixed = (bits * np.uint64(0x9E3779B97F4A7C15)).sum(axis=1) >> np.uint64(40)
            return (mixed % np.uint64(k)).astype(np.int64)
        return (observations[:, :, None] * self.weights).sum(axis=1).argmax(axis=1)

    def save(self, folder: Path, /) -> None:
        write_json(folder / "policy.json", {"env_id": self.env_id, "linear": self.weights is not None})
        if self.weights is not None:
            save_file({"weights": self.weights}, folder / "weights.safetensors")


def load(folder: Path) -> Policy:
    """Read back what `Policy.save` wrote. Raises TamperedError if the weights do not fit the environment."""
    said = read_json(folder / "policy.json")
    if not said["linear"]:
        return Policy(said["env_id"])
    weights = load_file(folder / "weights.safetensors")["weights"]
    if weights.shape != shape(said["env_id"]):
        raise TamperedError(f"{folder}: weights of shape {weights.shape} do not fit {said['env_id']}")
    return Policy(said["env_id"], weights)


def shape(env_id: str) -> tuple[int, int]:
    """(d, k): numbers in an observation, actions to choose from. Raises DataError for another kind of environment."""
    if env_id not in _SHAPES:
        try:
            env = gymnasium.make(env_id)
        except gymnasium.error.Error as wrong:
            raise DataError(f"opening the environment {env_id!r}: {wrong}") from None
        seen, done = env.observation_space, env.action_space
        if not (isinstance(seen, gymnasium.spaces.Box) and len(seen.shape) == 1
                and isinstance(done, gymnasium.spaces.Discrete) and done.start == 0):
            raise DataError(f"{env_id!r} observes {seen} and acts by {done}; wanted a vector and numbered actions.")
        _SHAPES[env_id] = seen.shape[0], int(done.n)
    return _SHAPES[env_id]


_SHAPES: dict[str, tuple[int, int]] = {}
