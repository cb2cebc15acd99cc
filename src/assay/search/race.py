"""The race: heats of entrants on the first fold, the promising ones on all folds, inside the budget.

The order of decisions depends on outcomes alone, never on which process was quicker, so a race that
is not cut by time ends the same whatever the machine and however often it was killed and resumed.
Each finished job is a folder with a done.json; a resumed race takes those as they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from assay.capabilities import Blends
from assay.contract import TEST, Paradigm, Split, Table, Task
from assay.errors import StoreError
from assay.search import heats
from assay.search.clock import Clock
from assay.search.costs import Costs, fits, room_mb, taken
from assay.search.entrants import Entrant
from assay.search.kept import Kept
from assay.search.left import REFIT, Left
from assay.search.runner import Runner
from assay.search.tuning import BATCH, in_vain, suggested
from assay.search.workers import Workers
from assay.stats.intervals import estimate

CURVE_SHARES = (0.5, 0.25, 0.125, 0.35, 0.18, 0.0625)

Emit = Callable[..., None]
Rest = Callable[[], Sequence[Entrant] | None]
Job = tuple[Runner, int, float, float]          # runner, fold, share, seconds it may take


class Race:
    """One race over a field of entrants. `run()` returns when nothing is left to try or the time is over.

    trials: how many settings are tried in all besides the baselines; None: as many as the time allows.
    rest: gives the rest of the field once it is known, None before; what is there already runs on the first fold, no
    heat begins.
    most_row_s: what one row may take; then the winners keep time to be fitted once more, as one model each."""

    def __init__(
        self, task: Task, paradigm: Paradigm, field_: Sequence[Entrant], folder: Path, *, workers: Workers,
        clock: Clock, emit: Emit, trials: int | None = None, most_row_s: float = math.inf, rest: Rest | None = None,
    ) -> None:
        self.task, self.kept, self.workers, self.clock, self.emit = task, Kept(folder), workers, clock, emit
        self.folds, self.metric = task.plan.folds, task.metrics[0]
        self.blends = paradigm if isinstance(paradigm, Blends) else None
        self.runners: list[Runner] = []
        self.trials, self.most_row_s, self._rest = trials, most_row_s, rest
        self.cases = len(task.plan.rows(Split("fit", 0)))
        self.share = heats.screen_share(self.cases, clock.budget_s)
        self.costs = Costs()
        self.curve: list[float] = []            # shares of the learning curve that are done
        self.curve_of: Runner | None = None
        self._heats: list[list[Runner]] = []
        self._going_on: list[Runner] | None = None      # of the last heat; None until its first folds are through
        self._exhausted = False
        self._heat_until = math.inf
        self._leader: Runner | None = None
        self._shares_started: set[float] = set()
        refits = self.folds == 1 or not math.isinf(most_row_s)
        self._time = Left(clock, self.folds, workers.count, len(task.plan.rows(TEST)), self.share == 1, refits)
        self._enter(field_)

    @property
    def left(self) -> float:
        """Seconds until the race must end."""
        return self._time.whole(self._scored())

    @property
    def _for_fits(self) -> float:
        return self._time.for_fits(self._scored())

    # --- the loop ------------------------------------------------------------------------------

    def run(self, going: Callable[[], bool] = lambda: True) -> None:
        """Races on while `going` says so; called again, it goes on from there and ends for good."""
        while going() and (left := self.left) > 0:
            self._let_in_the_rest()
            while self.workers.idle and (job := self._next()) is not None:
                self._start(*job)
            if not self.workers.working:
                if self.workers.idle == self.workers.count and self._rest is None:
                    break
                self.workers.wait(min(0.2, left))           # still opening the task, or describing the field
                continue
            answer = self.workers.wait(min(0.2, left))
            if answer is not None:
                self._take(*answer)

    def close(self) -> None:
        """The time is over: what has not finished is cut."""
        for runner in self.runners:
            goes_on = runner.entrant.baseline or runner in (self._going_on or ())
            wanted = self.folds if goes_on or self.share < 1 else 1
            if not runner.state and len(runner.done) < wanted:
                self._end(runner, "cut", f"no time was left to {'finish' if runner.begun else 'start'} it")

    def _let_in_the_rest(self) -> None:
        """Those that were not known when the race began, behind those that were."""
        more = None if self._rest is None or self._next_opening() is not None else self._rest()
        if more is not None:
            known = [r.entrant.name for r in self.runners]
            self._enter([e for e in more if e.name not in known])
            self._rest = None

    def _next(self) -> Job | None:
        """The next job, or None while there is nothing to start."""
        if self._rest is not None:
            return self._next_opening() or self._next_baseline()
        return self._next_baseline() or self._next_first() or self._next_fold() or self._next_share()

    def _next_opening(self) -> Job | None:
        """Of those that are known before the rest, the next on the first fold."""
        for runner in sorted(self.runners, key=lambda r: r.entrant.baseline):
            if not runner.begun and not runner.state:
                return runner, 0, 1.0, self.left
        return None

    def _next_baseline(self) -> Job | None:
        for runner in self.runners:
            if runner.entrant.baseline and not runner.state:
                for fold in range(self.folds):
                    if fold not in runner.done and fold not in runner.running:
                        return runner, fold, 1.0, self.left
        return None

    def _next_first(self) -> Job | None:
        """The next of this heat on the first fold; a new heat where this one has been run to its end."""
        if not self._heats or (self._going_on is not None and not any(r.running for r in self.runners)
                               and all(self._open_fold(r) is None for r in self._going_on)):
            self._new_heat()
        waiting = self._waiting()
        for i, runner in enumerate(waiting):
            if not self._fits(runner):
                if not self.workers.working:
                    self._end(runner, "cut", f"it would need about {runner.entrant.memory_mb / 1000:.1f} GB of memory")
                continue
            if self._for_fits > 0.5:
                return runner, 0, self.share, self._slot(runner, len(waiting) - i)
            self._end(runner, "cut", "no time was left to start it")
        return None

    def _waiting(self) -> list[Runner]:
        """Who of this heat has not begun. When its time is over and some are through, the others wait for the next."""
        heat = self._heats[-1] if self._heats else []
        waiting = [r for r in heat if not r.state and not r.begun]
        if waiting and time.monotonic() > self._heat_until and any(r.first is not None for r in heat):
            self._heats[-1] = [r for r in heat if r not in waiting]
            return []
        return waiting

    def _fits(self, runner: Runner) -> bool:
        running = [r for r in self.runners if r.running or r.screening]
        return not runner.entrant.memory_mb or fits(runner, running, room_mb())

    def _slot(self, runner: Runner, waiting: int) -> float:
        """Seconds the next first fold may take: a fair share of what is left, or twice what it is expected to take."""
        if math.isinf(self._for_fits):
            return math.inf
        heat_s = max(self._heat_until - time.monotonic(), 0.1 * self._for_fits)
        fair = heat_s * self.workers.count / waiting
        return min(self._for_fits, max(fair, min(2 * self.costs.first_s(runner, self.share), 0.6 * heat_s)))

    def _new_heat(self) -> None:
        """From the field in its order; once all of it has run, from what tuning suggests."""
        if self._exhausted:
            return
        tried = [r for r in self.runners if not r.entrant.baseline]
        waiting = [r for r in tried if not any(r in heat for heat in self._heats)]
        if not waiting:
            waiting = self._tuned(tried)
        chosen = waiting
        if not math.isinf(self._for_fits):
            chosen = heats.next_heat(waiting, self.costs, self._for_fits, self.workers.count, self.share)
        self._heat_until = time.monotonic() + heats.HEAT_SHARE * self._for_fits
        self._exhausted = not chosen
        if chosen:
            self._heats.append(chosen)
            self._going_on = None

    def _tuned(self, tried: list[Runner]) -> list[Runner]:
        """What tuning suggests next: up to the trials asked for, else as long as it brings something."""
        if self.trials is None:
            room = 0 if in_vain(tried, self.metric, self.cases) else BATCH
        else:
            room = min(self.trials - len(tried), BATCH)
        return self._enter(suggested(tried, self.metric, self.task.seed)[:room]) if room > 0 else []

    def _next_fold(self) -> Job | None:
        """Folds of those that go on; while the last first folds run, the leader's, who goes on for sure."""
        if not self._heats:
            return None
        heat = self._heats[-1]
        if any(r.first is None and not r.state for r in heat):
            scored = self._scored()
            leads = len(self._heats) == 1 and scored and self.share == 1
            return self._open_fold(scored[0]) if leads else None
        if self._going_on is None:
            self._going_on = self._choose(heat)
        for runner in self._going_on:
            job = self._open_fold(runner)
            if job is not None:
                return job
        return self._second_chance()

    def _second_chance(self) -> Job | None:
        """Once nothing new is left to try: those that were dropped, of recipes that no other has finished first, as far
        as the time allows. A mixture gains by them."""
        if not self._exhausted or math.isinf(self.left) or self._going_on is None:
            return None
        finished = [r for r in self.runners if r.complete(self.folds)]
        dropped = [r for r in self._scored() if r.state == "dropped" and not (r.same_as or self._slow(r))]
        for runner in heats.one_of_each_first([*finished, *dropped]):
            if runner in dropped and self._rounds(runner) * self.costs.next_s(runner) <= self._for_fits:
                runner.state = runner.note = ""
                self._going_on.append(runner)
                return self._open_fold(runner)
        return None

    def _rounds(self, runner: Runner) -> int:
        """How many folds of it must run one after another."""
        return -(-(self.folds - len(runner.done) - len(runner.running)) // self.workers.count)

    def _choose(self, heat: list[Runner]) -> list[Runner]:
        earlier = [r for h in self._heats[:-1] for r in h if r.complete(self.folds)]
        through = [r for r in heat if r.first is not None and r.state != "failed"]
        for runner, other in heats.twins(through, earlier, self._first_outcomes):
            through.remove(runner)
            runner.same_as = other.entrant.name
            self._end(runner, "dropped", f"it answers as {runner.same_as} does")
        if not through:
            return []
        chosen = heats.going_on(through, earlier, self._first_outcomes, metric=self.metric, blends=self.blends,
                                seed=self.task.seed, first=len(self._heats) == 1, cases=self.cases,
                                cost=lambda r: self.costs.next_s(r) * (self.folds - len(r.done)),
                                room_s=heats.GOING_ON_SHARE * self._for_fits * self.workers.count,
                                slow=self._slow)
        for runner in through:
            if runner not in chosen and not (self.folds == 1 and self.share == 1):
                self._end(runner, "dropped", "behind on the first fold")
        return chosen

    def _open_fold(self, runner: Runner) -> Job | None:
        """Its next fold, where it is expected to finish all that it still wants."""
        waiting = [f for f in range(self.folds) if f not in runner.done and f not in runner.running]
        if runner.state or not waiting:
            return None
        rounds, a_fold = self._rounds(runner), self.costs.next_s(runner)
        if math.isinf(self.left):                       # without a budget no clock may decide what is learned
            return runner, waiting[0], 1.0, math.inf
        if rounds * a_fold <= self._for_fits or (self.folds == 1 and self._surest(runner, heats.SURE, 3)):
            # a single fold's best stop by themselves in time; its winner learns from all cases afterwards
            most = self._for_fits / 2 if self.folds == 1 else math.inf
            return runner, waiting[0], 1.0, max(3.0, min(3 * a_fold, most))
        if self._surest(runner, 1, 1) and not runner.begun_whole:
            return runner, 0, 1.0, self._for_fits       # the best has its first fold, whatever else is cut
        if not runner.running and self._going_on is not None and self.folds > 1:
            self._end(runner, "cut", f"its other folds would have taken {rounds * a_fold:.0f} s")
        return None

    def _slow(self, runner: Runner) -> bool:
        """Whether it takes too long to answer. Without a budget no clock may decide."""
        return not math.isinf(self.clock.budget_s) and heats.slow(runner, self.runners)

    def _surest(self, runner: Runner, many: int, seconds: float) -> bool:
        """Whether it is one of so many best that go on, and there is so much time."""
        return runner in (self._going_on or ())[:many] and self._for_fits > seconds

    def _next_share(self) -> Job | None:
        """Smaller shares of the first fold for the leader: the learning curve, when all else has been tried.

        A refit comes before it: where the fold is the only one, the curve leaves the time for that."""
        if any(r.running or r.screening for r in self.runners) or not self._scored():
            return None
        self.curve_of = self.curve_of or self._scored()[0]
        if 0 not in self.curve_of.done:
            return None
        wanted = self.curve_of.fold_s * (1 + REFIT if self.folds == 1 else 1)
        for share in CURVE_SHARES:
            if share not in self._shares_started and wanted < self.left:
                self._shares_started.add(share)
                return self.curve_of, 0, share, self.left
        return None

    # --- jobs out and answers in -----------------------------------------------------------------

    def _start(self, runner: Runner, fold: int, share: float, seconds: float) -> None:
        entrant = runner.entrant
        of_curve = share < 1 and runner is self.curve_of
        if share == 1:
            runner.running.add(fold)
        elif not of_curve:
            runner.screening = True
        if not of_curve:
            self.emit("recipe", recipe=entrant.name, fold=fold, folds=self.folds, state="started")
        left = max(0.1, self.left if entrant.baseline or of_curve else self._for_fits)
        settings = {**entrant.settings, **runner.settled} if share == 1 else entrant.settings
        job = {
            "id": f"{entrant.name}/{fold}/{share}", "recipe": entrant.registered, "settings": settings,
            "fold": fold, "share": share, "rough": share < 1 and not of_curve, "seed": self.task.seed + fold,
            "budget_s": max(0.5, min(seconds, left)), "folder": str(self.kept.place(entrant, fold, share)),
        }
        self.workers.submit(job, time.monotonic() + min(left, 2 * seconds + 5))

    def _take(self, job: dict[str, Any], answer: dict[str, Any]) -> None:
        if answer["state"] == "broken":
            raise StoreError(answer["note"])
        name, fold, share = job["id"].rsplit("/", 2)
        runner = next(r for r in self.runners if r.entrant.name == name)
        if float(share) != 1 and not runner.screening:
            if answer["state"] == "done":
                self.curve.append(float(share))
            return
        runner.running.discard(int(fold))
        runner.screening = False
        if answer["state"] != "done":
            self._end(runner, answer["state"], answer["note"])
            return
        if float(share) != 1:
            self._add_screened(runner, answer)
        else:
            self._add(runner, int(fold), answer)
        self.emit("recipe", recipe=name, fold=int(fold), folds=self.folds, state="done", seconds=answer["fit_s"],
                  score=(runner.done.get(int(fold)) or runner.first or {})["score"])
        self._say_best()

    def _say_best(self) -> None:
        leader = next(iter(self._scored()), None)
        if leader is not None and leader is not self._leader:
            self._leader = leader
            outcomes = self.kept.outcomes(leader.entrant, 0) if 0 in leader.done else self._first_outcomes(leader)
            found = estimate(self.metric, outcomes, seed=self.task.seed)
            self.emit("best", recipe=leader.entrant.name, score=found.value, low=found.low, high=found.high,
                      metric=self.metric.name)

    def _add(self, runner: Runner, fold: int, answer: dict[str, Any]) -> None:
        outcomes = self.kept.outcomes(runner.entrant, fold)
        runner.done[fold] = {**answer, "score": self.metric.fn(outcomes)}
        if fold == 0 and runner.screened is None:
            self.costs.learn(runner.entrant.first_s, taken(answer))

    def _add_screened(self, runner: Runner, answer: dict[str, Any]) -> None:
        outcomes = self.kept.outcomes(runner.entrant, 0, self.share)
        runner.screened = {**answer, "score": self.metric.fn(outcomes), "share": self.share}
        expected = runner.entrant.first_s
        self.costs.learn(expected and expected * self.share, taken(answer))

    def _end(self, runner: Runner, state: str, note: str) -> None:
        runner.state, runner.note = state, note
        self.emit("recipe", recipe=runner.entrant.name, fold=len(runner.done), folds=self.folds, state=state, note=note)

    def _scored(self) -> list[Runner]:
        """Runners besides the baselines, best first: by the whole first fold, and then those by a share of it."""
        others = [r for r in self.runners if not r.entrant.baseline and r.state != "failed"]
        whole = [r for r in others if 0 in r.done]
        whole.sort(key=lambda r: -self.metric.goodness(r.done[0]["score"]))
        return [*whole, *heats.ranked([r for r in others if 0 not in r.done], self.metric)]

    # --- the folders -------------------------------------------------------------------------------

    def _first_outcomes(self, runner: Runner) -> Table:
        return self.kept.outcomes(runner.entrant, 0, self.share if runner.screened else 1.0)

    def _enter(self, entrants: Sequence[Entrant]) -> list[Runner]:
        """New runners, with what an earlier, killed run had finished of theirs."""
        fresh = [Runner(e) for e in entrants]
        self.runners += fresh
        for runner in fresh:
            for fold, share in [(0, self.share), *((fold, 1.0) for fold in range(self.folds))]:
                answer = None if fold in runner.done else self.kept.answer(runner.entrant, fold, share)
                if answer is None:
                    continue
                if answer["state"] != "done":
                    runner.state, runner.note = answer["state"], answer["note"]
                elif share == 1:
                    self._add(runner, fold, answer)
                else:
                    self._add_screened(runner, answer)
        return fresh

    def held_out(self, runner: Runner, folds: Sequence[int]) -> Table:
        """Its outcomes on the cases that those folds held out, fold after fold."""
        return pl.concat([self.kept.outcomes(runner.entrant, f) for f in folds])

    def curve_outcomes(self) -> dict[float, Table]:
        """Share of the first fold's cases -> outcomes of `curve_of` after learning from it; all of them last."""
        if self.curve_of is None or not self.curve:
            return {}
        return {share: self.kept.outcomes(self.curve_of.entrant, 0, share) for share in [*sorted(self.curve), 1.0]}

    def model_folder(self, runner: Runner, fold: int) -> Path:
        return self.kept.place(runner.entrant, fold) / "model"
