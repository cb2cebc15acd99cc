"""A case is an episode: a seed. A model is confronted with it by acting until the episode ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import polars as pl

from assay.contract import Array, Metric, Model, Split, Table
from assay.errors import DataError, LockedError
from assay.files import read_json, write_json
from assay.problem import Problem
from assay.splits import TEST_ROLE, Plan
from assay_cartpole.policy import shape

MEAN_RETURN = Metric(
    "mean_return", lambda outcomes: float(outcomes["out.return"].mean()), frozenset({"out.return"}),
    kind="mean", unit="reward an episode",
    terms=lambda outcomes: outcomes.select("out.return").to_numpy(), link=lambda means: means[..., 0],
    says="the reward collected in an episode, on average",
)


def success(threshold: float) -> Metric:
    """The share of episodes whose return reaches the threshold at which the environment counts as solved."""
    def reached(outcomes: Table) -> Array:
        return (outcomes["out.return"].to_numpy() >= threshold).astype(float)[:, None]

    return Metric(
        "success", lambda outcomes: float(reached(outcomes).mean()), frozenset({"out.return"}),
        kind="proportion", terms=reached, link=lambda means: means[..., 0],
        says=f"the share of episodes that collect {threshold:g} or more",
    )


@dataclass(frozen=True, eq=False)
class EpisodesTask:
    """Collect as much reward as possible. seeds (n,): one an episode, -1 where the test part was not read."""

    env_id: str
    seeds: Array
    plan: Plan
    seed: int
    locked: bool = False

    name = "cartpole"
    unit_of_resampling = "episode"
    why_metric = "The return is what the environment itself asks to be made large."

    @property
    def title(self) -> str:
        return self.env_id

    @property
    def metrics(self) -> tuple[Metric, ...]:
        threshold = gymnasium.spec(self.env_id).reward_threshold
        return (MEAN_RETURN,) if threshold is None else (MEAN_RETURN, success(threshold))

    def cases(self, split: Split, /) -> Table:
        if split.part == "test" and self.locked:
            raise LockedError(f"the test seeds of {self.title} were asked for on a task opened without them.")
        seeds = self.seeds[self.plan.rows(split)]
        ids = [f"seed {seed}" for seed in seeds]
        return pl.DataFrame({"case_id": ids, "unit": ids, "seed": seeds}, schema_overrides={"seed": pl.Int64})

    def attempt(self, model: Model, cases: Table, /) -> Table:
        names = [field.name for field in model.signature.inputs]
        returns, lengths = roll_out(
            self.env_id, cases["seed"].to_numpy(),
            lambda observations, _: model.predict(pl.DataFrame(observations, schema=names))["action"].to_numpy(),
        )
        return cases.select("case_id", "unit", pl.Series("out.return", returns), pl.Series("out.length", lengths))

    def facts(self) -> dict[str, Any]:
        observed, actions = shape(self.env_id)
        return {"environment": self.env_id, "episodes": len(self.seeds), "observed": observed, "actions": actions}

    def save(self, folder: Path, /) -> None:
        test = self.plan.roles == TEST_ROLE
        write_json(folder / "task.json", {
            "env_id": self.env_id, "seed": self.seed, "roles": self.plan.roles, "folds": self.plan.folds,
            "method": self.plan.method, "why": self.plan.why, "seeds": np.where(test, -1, self.seeds),
        })
        write_json(folder / "test.json", self.seeds[test])


def roll_out(env_id: str, seeds: Array, act: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
    """Play one episode a seed, all live ones step by step together: (returns (n,), lengths (n,)).

    act: observations (m, d) of the live episodes and their positions (m,) -> actions (m,).
    Each episode has an environment of its own: `make_vec` draws all starts from one seed, and then an
    episode would depend on its neighbours."""
    envs = [gymnasium.make(env_id, disable_env_checker=True) for _ in seeds]
    observations = np.array([env.reset(seed=int(seed))[0] for env, seed in zip(envs, seeds, strict=True)])
    returns, lengths = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=np.int64)
    live = np.arange(len(seeds))
    while len(live):
        ended = np.zeros(len(live), dtype=bool)
        for j, (i, action) in enumerate(zip(live, act(observations[live], live).tolist(), strict=True)):
            observations[i], reward, terminated, truncated, _ = envs[i].step(action)
            returns[i] += reward
            ended[j] = terminated or truncated
        lengths[live] += 1
        live = live[~ended]
    return returns, lengths


class Episodes:
    """Data is the id of a Gymnasium environment with a vector of numbers to see and numbered actions to take."""

    name = "cartpole"

    def claims(self, problem: Problem, /) -> float:
        if problem.task is not None:
            return float(problem.task == self.name)
        return 0.9 if isinstance(problem.data, str) and re.fullmatch(r"[\w/]+-v\d+", problem.data) else 0.0

    def bind(self, problem: Problem, progress: Callable[[str], None], /) -> EpisodesTask:
        n, test = int(problem.options.get("episodes", 150)), problem.test
        shape(problem.data)
        seeds = np.random.default_rng(problem.seed).choice(2**31, size=n, replace=False)
        roles = np.select([np.arange(n) < n * test, np.arange(n) < n * (test + 0.25)], [TEST_ROLE, 0], 1)
        progress(f"{problem.data}: {n} episodes, each from a seed of its own")
        return EpisodesTask(problem.data, seeds, Plan(roles, 1, "seeds", "no episode is played twice"), problem.seed)

    def open(self, folder: Path, /, *, test: bool) -> EpisodesTask:
        said = read_json(folder / "task.json")
        roles, seeds = np.array(said["roles"]), np.array(said["seeds"])
        if test:
            seeds[roles == TEST_ROLE] = read_json(folder / "test.json")
        plan = Plan(roles, said["folds"], said["method"], said["why"])
        return EpisodesTask(said["env_id"], seeds, plan, said["seed"], locked=not test)

    def rebind(self, model: Any, data: Any, /) -> EpisodesTask:
        if data != model.env_id:
            raise DataError(f"the model was trained in {model.env_id!r}; got {data!r}. Give the same environment.")
        seeds = np.random.default_rng([0, 1]).choice(2**31, size=100, replace=False)
        plan = Plan(np.full(100, TEST_ROLE), 1, "seeds", "fresh seeds")
        return EpisodesTask(data, seeds, plan, seed=0)


PARADIGM = Episodes()
