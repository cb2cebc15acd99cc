"""The race: every recipe on the first fold, the promising ones on all of them, inside the budget.

The order of decisions depends on outcomes alone, never on which process was quicker, so a race that
is not cut by time ends the same whatever the machine and however often it was killed and resumed.
Each finished job is a folder with a done.json; a resumed race takes those as they are.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from assay.contract import TEST, Table, Task
from assay.errors import StoreError
from assay.files import read_json
from assay.search.clock import Clock
from assay.search.entrants import Entrant
from assay.search.worker import DONE
from assay.search.workers import Workers
from assay.stats.intervals import estimate
from assay.stats.paired import compare

FIRST_FOLD_SHARE = 0.45
"""Of the race's time, what the first fold may take when there are more folds to come."""

FINALISTS, SURE = 6, 3
"""How many go on to the other folds at most, and how many of them whatever the paired test says."""

CURVE_SHARES = (0.5, 0.25, 0.125, 0.35, 0.18, 0.0625)

REFIT, LEAST_REFIT = 1.5, 1.25
"""How many times a fold's seconds are kept for a fit on all training cases, and with how few it still begins.

There are up to a quarter more cases; what lies between goes to the decision."""

Emit = Callable[..., None]


@dataclass
class Runner:
    """An entrant on its way: what each finished fold answered, and why it went no further."""

    entrant: Entrant
    done: dict[int, dict[str, Any]] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    state: str = ""                             # "", dropped, failed, cut
    note: str = ""

    def complete(self, folds: int) -> bool:
        return len(self.done) == folds

    @property
    def fold_s(self) -> float:
        """Seconds that its slowest finished fold took, fit and confrontation."""
        return max((d["fit_s"] + d["predict_s"] for d in self.done.values()), default=0.0)


class Race:
    """One race over a field of entrants. `run()` returns when nothing is left to try or the time is over."""

    def __init__(
        self, task: Task, field_: Sequence[Entrant], folder: Path, *, workers: Workers, clock: Clock, emit: Emit
    ) -> None:
        self.task, self.folder, self.workers, self.clock, self.emit = task, folder, workers, clock, emit
        self.folds, self.metric = task.plan.folds, task.metrics[0]
        self.runners = [Runner(e) for e in field_]
        self.curve: list[float] = []            # shares of the learning curve that are done
        self.curve_of: Runner | None = None
        self._finalists: list[Runner] | None = None
        self._leader: Runner | None = None
        self._shares_started: set[float] = set()
        self._predict_s_per_case = 0.0
        self._test_cases = len(task.plan.rows(TEST))
        self._from = time.monotonic()
        self._restore()

    # --- the time there is ---------------------------------------------------------------------

    @property
    def left(self) -> float:
        """Seconds until the race must end, so that proof and report keep their share and the test part can be read."""
        ahead = 3 * self._predict_s_per_case * self._test_cases
        return self.clock.left - self.clock.tail_s - min(ahead, self.clock.budget_s / 4)

    @property
    def _first_left(self) -> float:
        """Seconds that the first fold still has. Where it is the only one, the leader keeps time for a refit."""
        if math.isinf(self.left):
            return self.left
        whole = self.left + time.monotonic() - self._from
        if self.folds == 1:
            refit = max((r.fold_s for r in self._scored()[:1]), default=0.0) * REFIT
            return self.left - (refit if refit < 0.6 * whole else 0.0)
        return self.left - (1 - FIRST_FOLD_SHARE) * whole

    # --- the loop ------------------------------------------------------------------------------

    def run(self) -> None:
        while (left := self._first_left if self.folds == 1 else self.left) > 0:
            while self.workers.idle and (job := self._next()) is not None:
                self._start(*job)
            if not self.workers.working:
                if self.workers.idle == self.workers.count:
                    break
                self.workers.wait(min(0.2, left))           # still opening the task
                continue
            answer = self.workers.wait(min(1.0, left))
            if answer is not None:
                self._take(*answer)
        self._close()

    def _next(self) -> tuple[Runner, int, float, float] | None:
        """The next job as (runner, fold, share, seconds it may take), or None while there is nothing to start."""
        return self._next_baseline() or self._next_first() or self._next_final() or self._next_share()

    def _next_baseline(self) -> tuple[Runner, int, float, float] | None:
        for runner in self.runners:
            if runner.entrant.baseline and not runner.state:
                for fold in range(self.folds):
                    if fold not in runner.done and fold not in runner.running:
                        return runner, fold, 1.0, self.left
        return None

    def _next_first(self) -> tuple[Runner, int, float, float] | None:
        waiting = [r for r in self.runners if not r.state and not r.done and not r.running]
        for i, runner in enumerate(waiting):
            if self._first_left > 0.5:
                return runner, 0, 1.0, self._slot(len(waiting) - i)
            self._end(runner, "cut", "no time was left to start it")
        return None

    def _slot(self, waiting: int) -> float:
        """Seconds the next first fold may take: a fair share of what is left, never below a third of it."""
        return self._first_left * max(0.34, min(1.0, self.workers.count / waiting))

    def _next_final(self) -> tuple[Runner, int, float, float] | None:
        """The finalists' other folds; while the last first folds run, the leader's, who is a finalist for sure."""
        if self.folds == 1:
            return None
        first_folds = sum(0 in r.running for r in self.runners)
        if first_folds:
            scored = self._scored()
            return self._open_fold(scored[0]) if scored and first_folds < SURE else None
        if self._finalists is None:
            self._finalists = self._choose_finalists()
        for runner in self._finalists:
            job = self._open_fold(runner)
            if job is not None:
                return job
        return None

    def _open_fold(self, runner: Runner) -> tuple[Runner, int, float, float] | None:
        if runner.state:
            return None
        waiting = [f for f in range(self.folds) if f not in runner.done and f not in runner.running]
        if not waiting:
            return None
        rounds = -(-len(waiting) // self.workers.count)
        if rounds * runner.fold_s > self.left:
            if not runner.running and self._finalists is not None:
                self._end(runner, "cut", f"its other folds would have taken {rounds * runner.fold_s:.0f} s")
            return None
        timed = not math.isinf(self.left)               # without a budget no clock may decide what is learned
        return runner, waiting[0], 1.0, max(3.0, 3 * runner.fold_s) if timed else math.inf

    def _next_share(self) -> tuple[Runner, int, float, float] | None:
        """Smaller shares of the first fold for the leader: the learning curve, when all else has been tried.

        A refit comes before it: where the fold is the only one, the curve leaves the time for that."""
        if any(r.running for r in self.runners) or not self._scored():
            return None
        self.curve_of = self.curve_of or self._scored()[0]
        wanted = self.curve_of.fold_s * (1 + REFIT if self.folds == 1 else 1)
        for share in CURVE_SHARES:
            if share not in self._shares_started and wanted < self.left:
                self._shares_started.add(share)
                return self.curve_of, 0, share, self.left
        return None

    # --- jobs out and answers in -----------------------------------------------------------------

    def _start(self, runner: Runner, fold: int, share: float, seconds: float) -> None:
        entrant = runner.entrant
        if share == 1:
            runner.running.add(fold)
            self.emit("recipe", recipe=entrant.name, fold=fold, folds=self.folds, state="started")
        first = self.folds == 1 and share == 1 and not entrant.baseline
        left = max(0.1, self._first_left if first else self.left)
        job = {
            "id": f"{entrant.name}/{fold}/{share}", "recipe": entrant.registered, "settings": entrant.settings,
            "fold": fold, "share": share, "seed": self.task.seed + fold,
            "budget_s": max(0.5, min(seconds, left)), "folder": str(self._place(entrant, fold, share)),
        }
        self.workers.submit(job, time.monotonic() + left)

    def _take(self, job: dict[str, Any], answer: dict[str, Any]) -> None:
        if answer["state"] == "broken":
            raise StoreError(answer["note"])
        name, fold, share = job["id"].rsplit("/", 2)
        if float(share) != 1:
            if answer["state"] == "done":
                self.curve.append(float(share))
            return
        runner = next(r for r in self.runners if r.entrant.name == name)
        runner.running.discard(int(fold))
        if answer["state"] != "done":
            self._end(runner, answer["state"], answer["note"])
            return
        self._add(runner, int(fold), answer)
        self.emit("recipe", recipe=name, fold=int(fold), folds=self.folds, state="done",
                  seconds=answer["fit_s"], score=runner.done[int(fold)]["score"])
        self._say_best()

    def _say_best(self) -> None:
        leader = next(iter(self._scored()), None)
        if leader is not None and leader is not self._leader:
            self._leader = leader
            found = estimate(self.metric, self._outcomes(leader.entrant, 0), seed=self.task.seed)
            self.emit("best", recipe=leader.entrant.name, score=found.value, low=found.low, high=found.high,
                      metric=self.metric.name)

    def _add(self, runner: Runner, fold: int, answer: dict[str, Any]) -> None:
        outcomes = self._outcomes(runner.entrant, fold)
        runner.done[fold] = {**answer, "score": self.metric.fn(outcomes)}
        cost = answer["predict_s"] / max(1, answer["cases"])
        self._predict_s_per_case = max(self._predict_s_per_case, cost * self.folds)

    def _end(self, runner: Runner, state: str, note: str) -> None:
        runner.state, runner.note = state, note
        self.emit("recipe", recipe=runner.entrant.name, fold=len(runner.done), folds=self.folds, state=state, note=note)

    def _close(self) -> None:
        """The time is over: what has not finished is cut."""
        for runner in self.runners:
            goes_on = runner.entrant.baseline or runner in (self._finalists or ())
            wanted = self.folds if goes_on else 1
            if not runner.state and len(runner.done) < wanted:
                begun = runner.done or runner.running
                self._end(runner, "cut", f"no time was left to {'finish' if begun else 'start'} it")

    # --- who goes on -------------------------------------------------------------------------------

    def _scored(self) -> list[Runner]:
        """Runners besides the baselines that have finished the first fold, best first; ties keep the running order."""
        through = [r for r in self.runners if 0 in r.done and not r.entrant.baseline and r.state != "failed"]
        return sorted(through, key=lambda r: -self.metric.goodness(r.done[0]["score"]))

    def _choose_finalists(self) -> list[Runner]:
        """The best of the first fold, and up to as many more that are not told apart from the first there."""
        scored = self._scored()
        finalists: list[Runner] = []
        for runner in scored:
            near = len(finalists) < SURE or (len(finalists) < FINALISTS and self._near(scored[0], runner))
            if near:
                finalists.append(runner)
            else:
                self._end(runner, "dropped", "behind on the first fold")
        return finalists

    def _near(self, best: Runner, other: Runner) -> bool:
        a, b = self._outcomes(best.entrant, 0), self._outcomes(other.entrant, 0)
        return compare(self.metric, a, b, seed=self.task.seed).tied

    # --- the folders -------------------------------------------------------------------------------

    def _place(self, entrant: Entrant, fold: int, share: float = 1.0) -> Path:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", entrant.name)
        return self.folder / slug / (f"fold-{fold}" if share == 1 else f"fold-{fold}-share-{share}")

    def _outcomes(self, entrant: Entrant, fold: int, share: float = 1.0) -> Table:
        return pl.read_parquet(self._place(entrant, fold, share) / "outcomes.parquet")

    def _restore(self) -> None:
        """Take what an earlier, killed run had finished."""
        for runner in self.runners:
            for fold in range(self.folds):
                done = self._place(runner.entrant, fold) / DONE
                if not done.exists():
                    continue
                answer = read_json(done)
                if answer["state"] == "done":
                    self._add(runner, fold, answer)
                else:
                    runner.state, runner.note = answer["state"], answer["note"]

    def held_out(self, runner: Runner, folds: Sequence[int]) -> Table:
        """Its outcomes on the cases that those folds held out, fold after fold."""
        return pl.concat([self._outcomes(runner.entrant, f) for f in folds])

    def curve_outcomes(self) -> dict[float, Table]:
        """Share of the first fold's cases -> outcomes of `curve_of` after learning from it; all of them last."""
        if self.curve_of is None or not self.curve:
            return {}
        return {share: self._outcomes(self.curve_of.entrant, 0, share) for share in [*sorted(self.curve), 1.0]}

    def model_folder(self, runner: Runner, fold: int) -> Path:
        return self._place(runner.entrant, fold) / "model"
