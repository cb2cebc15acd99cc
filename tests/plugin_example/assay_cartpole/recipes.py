"""Ways to get a policy. A recipe is a frozen dataclass; its fields are its settings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import gymnasium
import numpy as np

from assay.contract import Array, Context, Task
from assay.errors import PairingError
from assay_cartpole.policy import Policy, shape
from assay_cartpole.task import EpisodesTask, roll_out


def checked(task: Task, why_not: str | None) -> EpisodesTask:
    if why_not or not isinstance(task, EpisodesTask):
        raise PairingError(f"{why_not}.")
    return task


class PlaysEpisodes:
    """What both recipes refuse, in words."""

    baseline: ClassVar[bool] = False
    order: ClassVar[float] = 10.0

    def refuses(self, task: Task, /) -> str | None:
        if isinstance(task, EpisodesTask):
            return None
        return f"{type(self).__name__} acts in an environment; {task.title!r} is of another kind ({task.name})"


@dataclass(frozen=True)
class RandomActions(PlaysEpisodes):
    """Any action, whatever is seen: what a policy must beat."""

    baseline: ClassVar[bool] = True
    order: ClassVar[float] = 0.0

    def fit(self, task: Task, _ctx: Context, /) -> Policy:
        return Policy(checked(task, self.refuses(task)).env_id)


@dataclass(frozen=True)
class CrossEntropy(PlaysEpisodes):
    """The cross-entropy method on the weights of a linear policy.

    Each round draws `population` policies from a normal distribution, plays `episodes` training seeds with each,
    and moves the distribution to the best `elite` of them. Stops when those solve the environment.
    Szita & Lörincz (2006), Neural Computation 18(12): the noise that shrinks keeps the search from closing too soon."""

    population: int = 24
    elite: int = 6
    episodes: int = 3
    rounds: int = 30

    def fit(self, task: Task, ctx: Context, /) -> Policy:
        task = checked(task, self.refuses(task))
        rng = np.random.default_rng(ctx.seed)
        seeds = task.cases(ctx.split)["seed"].to_numpy()
        solved = gymnasium.spec(task.env_id).reward_threshold or np.inf
        centre, spread = np.zeros(shape(task.env_id)), np.ones(shape(task.env_id))
        started, longest = time.monotonic(), 0.0
        for i in range(self.rounds):
            began = time.monotonic()
            if began - started + 1.5 * longest > ctx.budget_s:
                break
            drawn = centre + spread * rng.standard_normal((self.population, *centre.shape))
            score = self.scores(task.env_id, drawn, rng.choice(seeds, size=self.episodes))
            best = np.argsort(-score, kind="stable")[: self.elite]
            centre = drawn[best].mean(axis=0)
            spread = drawn[best].std(axis=0) + max(0.5 - i / 10, 0.0)
            ctx.progress(f"round {i + 1}: the best policies collect {score[best].mean():.0f} an episode")
            if score[best].min() >= solved:
                break
            longest = max(longest, time.monotonic() - began)
        return Policy(task.env_id, centre)

    def scores(self, env_id: str, drawn: Array, seeds: Array) -> Array:
        """The mean return (p,) of each of the policies drawn (p, d, k) over the same seeds (e,)."""
        returns, _ = roll_out(
            env_id, np.tile(seeds, len(drawn)),
            lambda seen, live: (seen[:, :, None] * drawn[live // len(seeds)]).sum(axis=1).argmax(axis=1),
        )
        return returns.reshape(len(drawn), len(seeds)).mean(axis=1)
