"""The life of a run: read, court, race, prove, explain, record, report. Killed at any moment, it can go on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from assay.capabilities import Opens, Races
from assay.checks.court import Court, hold_court, mended
from assay.contract import TEST, TRAIN, Estimate, Finding, Model, Paradigm, Report, Split, Table, Task
from assay.errors import GateError, ProblemError, StoreError
from assay.files import write_json, write_text
from assay.problem import Problem
from assay.report.story import Comparison, Entry, Story, story_to_json
from assay.search.assembly import assemble, rival
from assay.search.clock import Clock
from assay.search.entrants import Entrant, entrants, known
from assay.search.latency import one_row_s
from assay.search.race import Race
from assay.search.runner import Runner
from assay.search.verdict import Verdict, decide, slimmer
from assay.search.workers import Workers, cores
from assay.stages.aside import Aside
from assay.stages.board import entries
from assay.stages.choosing import choosing
from assay.stages.curve import learning_curve
from assay.stages.explain import importance
from assay.stages.finish import finished
from assay.stages.load import Loaded
from assay.stages.prove import attempt_within, put_side_by_side, report_on
from assay.stages.recognise import recognise
from assay.stages.refuse import left_out, refusal
from assay.store import looks, receipt, signing
from assay.store.disk import telling
from assay.store.models import name_from, valid_name
from assay.store.package import save_model, versions
from assay.store.runs import Run
from assay.store.store import Store

Listen = Callable[[dict[str, Any]], None]

COURT_S, COURT_SHARE = 20.0, 0.3
"""Seconds that the court may take, and of the time left which share."""
FIRST_MODEL_SHARE = 0.025                       # of the time left, the court waits for the first model


@dataclass(frozen=True)
class Trained:
    """A finished run: its folder, its story, its model, its report."""

    run: Run
    story: Story
    model: Loaded
    report: Path

    @property
    def evidence(self) -> Report:
        return self.story.test

    @property
    def leaderboard(self) -> tuple[Entry, ...]:
        return self.story.leaderboard


def train(problem: Problem, *, store: Store | None = None, listen: Listen | None = None) -> Trained:
    """From a problem to a proved, recorded model within `problem.budget_s` seconds of wall clock.

    listen: called with each event of the run, a dict with `kind`. Raises UserError for a problem or data that cannot
    be used, GateError where a check is sure of a leak and `allow_leaks` is not set."""
    clock, model_name = _clock(problem), _model_name(problem)
    signing.private_key()                       # one that cannot be used is told now, not after the race
    tell = listen or (lambda _: None)
    name, paradigm = recognise(problem)
    known(name, problem.recipes)
    workers = _workers(problem, name, paradigm)                 # their imports run beside the reading
    try:
        with clock.stage("read"):
            task = paradigm.bind(problem, lambda said: tell({"kind": "stage", "name": "read", "sentence": said}))
            store = store or Store.find(create=True)
            run = store.new_run(model_name, problem.declared())
    except BaseException:
        workers.close()
        raise
    with closing(workers), _recorded(run, listen):
        with clock.stage("read"):
            task.save(run.folder / "task")
            run.update(paradigm=name, settings=problem.model_dump(exclude={"data", "test_data"}))
            run.emit("read", run=run.id, title=task.title, elapsed=clock.elapsed, **task.plan.facts())
        return _Life(run, problem, name, paradigm, task, clock, store, workers).live()


def resume(ref: str | None, *, store: Store | None = None, listen: Listen | None = None) -> Trained:
    """Go on with a run that was interrupted or killed: the latest, or the one named. What was finished is kept.

    Raises ProblemError where there is nothing to resume."""
    signing.private_key()
    store = store or Store.find()
    run = store.run(ref) if ref else next(iter(store.unfinished()), None)
    if run is None:
        raise ProblemError("there is no unfinished run to resume. Start one: assay train churn.csv --target churn")
    info = run.info()
    if info["status"] == "done":
        raise ProblemError(f"run {run.id} is finished. See it: assay show {run.id}")
    if "paradigm" not in info or not (run.folder / "task" / "task.json").exists():
        raise ProblemError(f"run {run.id} was stopped before its data had been read. Start it anew: assay train "
                           f"{info['declared']['data']}")
    name = info["paradigm"]
    _, paradigm = recognise(Problem(data="", task=name))
    problem = Problem(data=info["declared"]["data"], **info["settings"])
    before = max((float(e.get("elapsed", 0.0)) for e in run.events()), default=0.0)
    clock = _clock(problem, before)
    run.claim()
    with closing(_workers(problem, name, paradigm)) as workers, _recorded(run, listen):
        task = paradigm.open(run.folder / "task", test=True)
        return _Life(run, problem, name, paradigm, task, clock, store, workers).live()


def _workers(problem: Problem, name: str, paradigm: Paradigm) -> Workers:
    """With so many trials to make there is no hurry, and recipes that are named may have to be refused: then the field
    is known before anything is fitted."""
    hurry = problem.trials is None and not problem.recipes
    opening = paradigm.opening() if hurry and isinstance(paradigm, Opens) else ()
    return Workers(problem.workers or cores(), name, opening)


def _clock(problem: Problem, before: float = 0.0) -> Clock:
    return Clock(problem.budget_s if problem.trials is None else float("inf"), before)


def _model_name(problem: Problem) -> str:
    """What the model is registered as: as declared, else the data's own name made plain."""
    if problem.name:
        return valid_name(problem.name, "model")
    return name_from(Path(problem.data).name.partition(".")[0] if isinstance(problem.data, str | Path) else "model")


@contextmanager
def _recorded(run: Run, listen: Listen | None) -> Iterator[None]:
    """However the run ends, its folder says so."""
    if listen is not None:
        run.subscribe(listen)
    try:
        with telling(run.folder):
            yield
    except KeyboardInterrupt:
        run.finish("interrupted", {})
        raise KeyboardInterrupt(run.id) from None       # so that a face can say how to go on
    except BaseException as error:
        if run.info()["status"] == "running":
            _finish_quietly(run, error)
        raise


def _finish_quietly(run: Run, error: BaseException) -> None:
    """A run that the disk stopped can go on once the disk is mended, like one that was killed."""
    with suppress(StoreError, OSError):                # the disk is full: the first error is the one to tell
        run.finish("interrupted" if isinstance(error, StoreError) else "failed", {"error": str(error)})


@dataclass
class _Life:
    """The stages of one run, in order. Each leaves what it found in the run's folder."""

    run: Run
    problem: Problem
    name: str
    paradigm: Paradigm
    task: Task
    clock: Clock
    store: Store
    workers: Workers
    cut: list[str] = field(default_factory=list)
    look: looks.Look = field(init=False)        # at the labels of the test part, once it has been taken

    def emit(self, kind: str, **payload: Any) -> None:
        self.run.emit(kind, elapsed=round(self.clock.elapsed, 3), **payload)

    def stage(self, name: str, sentence: str) -> Any:
        self.emit("stage", name=name, sentence=sentence)
        return self.clock.stage(name)

    def live(self) -> Trained:
        self.open_workers()
        with self.stage("court", "looking for leaks and flaws before any model counts"):
            race, court = self.hold_court_beside()
            if court.together is not None:
                court = self.mend(court)
                self.open_workers()
                race = self.new_race()
        with self.stage("race", "recipes race on cases held out from them"):
            self.hold_race(race)
            verdict = decide(race, self.paradigm)
            self.emit("chosen", recipe=verdict.chosen, why=verdict.why)
        with self.stage("finish", "its answers for cases held out calibrate and bound it"):
            verdict, model, found = self.assembled(race, verdict)
        self.workers.close()
        with self.stage("prove", "the chosen model meets the locked test part"):
            report, comparisons = self.prove(race, verdict, model, found)
            choice = choosing(race.metric, verdict, report.metrics[race.metric.name], self.task.seed)
        with self.stage("explain", "what the model looks at"):
            cases = self.task.cases(TEST)
            why = importance(self.task, model, cases, min(0.5 * self.clock.left, self.clock.tail_s))
        with self.stage("record", "saving the model and the report"):
            version_ = self.record(model, report)
        story = self.tell(verdict, model, court=court.findings, leaks=court.all_leaks, test=report,
                          comparisons=comparisons, importance=why, version=version_, choosing=choice)
        return self.close(story, model)

    # --- the stages --------------------------------------------------------------------------------

    def open_workers(self) -> None:
        self.workers.open(self.run.folder / "task", self.run.folder / "workers.log")

    def hold_court_beside(self) -> tuple[Race, Court]:
        """The court in a thread of its own while the first recipes already run: what they find counts once it clears.

        Raises GateError where a leak is sure and not allowed: then nothing that was fitted is kept."""
        race = self.first_model() if self.workers.opening else None
        until = time.monotonic() + min(COURT_S, COURT_SHARE * self.clock.left)
        sitting = Aside(lambda: hold_court(self.task, until))
        race = race or self.new_race()
        race.run(lambda: sitting.going)
        court = sitting.result()
        for finding in court.findings:
            self.emit("finding", check=finding.check, level=finding.level, sentence=finding.sentence)
        if court.sure and not self.problem.allow_leaks:
            self.workers.close()
            shutil.rmtree(race.kept.folder, ignore_errors=True)
            raise GateError(refusal(court))
        return race, court

    def first_model(self) -> Race:
        """A race that has its first model, unless that takes more than its share of the time."""
        race, until = self.new_race(), time.monotonic() + FIRST_MODEL_SHARE * self.clock.left
        race.run(lambda: time.monotonic() < until and not any(r.done for r in race.runners))
        return race

    def mend(self, court: Court) -> Court:
        """The split made anew, and the task in the run's folder with it."""
        self.task, court = mended(self.task, court)
        self.task.save(self.run.folder / "task")
        shutil.rmtree(self.run.folder / "race", ignore_errors=True)
        self.emit("mended", title=self.task.title, **self.task.plan.facts())
        return court

    def new_race(self) -> Race:
        """It begins with the recipes that are known first; the others come in once a worker has imported them."""
        problem = self.problem
        first = self.workers.opened()
        whole = None if self.workers.recipes is None else self.field()
        runners = whole or entrants(first, self.task, problem.recipes, trials=problem.trials)
        raced = self.task.raced() if isinstance(self.task, Races) else self.task
        return Race(raced, self.paradigm, runners, self.run.folder / "race", workers=self.workers, clock=self.clock,
                    emit=self.emit, trials=problem.trials, most_row_s=problem.max_latency_s or float("inf"),
                    rest=None if whole else self.field)

    def field(self) -> Sequence[Entrant] | None:
        """All that can run, once it is known. What cannot is told in the report."""
        described = self.workers.described()
        if described is None:
            return None
        asked = self.problem.recipes
        missing = [d["refuses"] for d in described if "settings" not in d]           # its library is missing
        self.cut += [said for said in (*missing, *left_out(described, asked)) if said not in self.cut]
        return entrants(described, self.task, asked, trials=self.problem.trials)

    def hold_race(self, race: Race) -> None:
        race.run()
        race.close()
        begun = [r.entrant.name for r in race.runners if r.state == "cut" and r.begun]
        never = sum(r.state == "cut" and not r.begun for r in race.runners)
        if begun:
            self.cut.append(f"The time was too short for {', '.join(begun)}.")
        if never:
            self.cut.append(f"The time ended before {never} more of {len(race.runners)} settings could be tried.")

    def assembled(self, race: Race, verdict: Verdict) -> tuple[Verdict, Model, tuple[Finding, ...]]:
        """The model of the verdict, finished; members are given up until one row takes no longer than allowed."""
        while True:
            model = assemble(race, verdict, self.paradigm, self.name, race.kept.folder)
            model, found = self.finish(verdict, verdict.chosen, model)
            if self.problem.max_latency_s is None:
                return verdict, model, found
            took = one_row_s(self.task, model, self.task.cases(Split("held", 0)))
            if took <= self.problem.max_latency_s:
                kept = f" One row takes {1e3 * took:.2g} ms, {1e3 * self.problem.max_latency_s:.3g} ms are allowed."
                return replace(verdict, why=verdict.why + kept), model, found
            verdict = slimmer(verdict, race, self.paradigm, took)

    def finish(self, verdict: Verdict, name: str, model: Model) -> tuple[Model, tuple[Finding, ...]]:
        return finished(self.paradigm, self.task, model, verdict, name, 0.1 * self.clock.left)

    def prove(
        self, race: Race, verdict: Verdict, model: Model, found: tuple[Finding, ...]
    ) -> tuple[Report, tuple[Comparison, ...]]:
        cases = self.task.cases(TEST)
        self.look = looks.record(self.store.folder, looks.seal(cases), run=self.run.id,
                                 what="the chosen model, a baseline and the runner-up, once", data=self._data())
        write_json(self.run.folder / "look.json", asdict(self.look))
        ours = attempt_within(self.task, model, cases, 0.4 * self.clock.left)
        if not ours.whole:
            self.cut.append(f"The model was put to {len(ours.outcomes):,} of {ours.of:,} test cases, chosen at random.")
        others = []
        for runner in self._rivals(verdict):
            if self.clock.left > 0.25 * self.clock.tail_s:
                theirs = rival(race, runner, verdict, self.paradigm, self.name)
                theirs, _ = self.finish(verdict, runner.entrant.name, theirs)
                tried = attempt_within(self.task, theirs, cases, 0.15 * self.clock.left)
                others.append((runner.entrant.name, tried.outcomes))
        report = report_on(self.task, ours.outcomes, "test", level=self.look.level)
        report = Report(report.task, report.split, report.metrics, report.outcomes,
                        (*report.findings, learning_curve(race), *found))
        self._keep("test", ours.outcomes)
        return report, put_side_by_side(self.task.metrics[0], verdict.chosen, ours.outcomes, others, self.task.seed,
                                        level=self.look.level)

    def _data(self) -> str:
        """The seal of all cases, whatever part they play: another seed cuts another test part from the same data."""
        told = [self.task.cases(part) for part in (TRAIN, TEST)]
        return looks.seal(pl.concat([t.select(told[0].columns) for t in told]))

    def _rivals(self, verdict: Verdict) -> list[Runner]:
        """The best baseline and the runner-up: the best recipe besides the chosen one."""
        baseline = next((r for r in verdict.ranked if r.entrant.baseline), None)
        second = next((r for r in verdict.ranked if r.entrant.name == verdict.runner_up), None)
        return [r for r in (baseline, second) if r is not None and r.entrant.name != verdict.chosen]

    def record(self, model: Model, report: Report) -> int:
        lineage = {"run": self.run.id, "paradigm": self.name, "task": self.task.name, "title": self.task.title,
                   "name": _model_name(self.problem)}
        save_model(model, self.run.folder / "model", lineage=lineage)
        deciding = self.task.metrics[0].name
        summary = {"title": self.task.title, "metric": deciding, **_numbers(report.metrics[deciding])}
        return self.store.register(_model_name(self.problem), self.run, summary=summary)

    def tell(self, verdict: Verdict, model: Model, **found: Any) -> Story:
        metrics = {m.name: m for m in self.task.metrics}
        return Story(
            run=self.run.id, name=_model_name(self.problem), title=self.task.title,
            task=self.task.name, declared=self.problem.declared(), facts=self.task.facts(),
            plan=self.task.plan.facts(), metric=self.task.metrics[0].name, why_metric=self.task.why_metric,
            metric_says={n: m.says for n, m in metrics.items()},
            higher_is_better={n: m.higher_is_better for n, m in metrics.items()},
            units={n: m.unit for n, m in metrics.items()}, leaderboard=entries(verdict),
            chosen=verdict.chosen, why_chosen=verdict.why, looks=self.look.number, other_looks=self.look.others,
            spent=dict(self.clock.spent), budget_s=self.problem.budget_s,
            cut=tuple(self.cut), made=datetime.now(UTC).isoformat(timespec="seconds"), versions=versions(),
            signature=asdict(model.signature), **found,
        )

    def close(self, story: Story, model: Model) -> Trained:
        from assay.report.page import render  # its templates are loaded when there is time

        page = self.run.folder / "report.html"
        story_to_json(story, self.run.folder)
        write_text(page, render(story))
        deciding = story.test.metrics[story.metric]
        self.emit("done", run=self.run.id, report=str(page))
        self.run.finish("done", {
            "title": story.title, "chosen": story.chosen, "metric": story.metric, **_numbers(deciding),
            "name": story.name, "version": story.version, "seconds": round(self.clock.elapsed, 2),
        }, vouch=lambda record: receipt.write(
            self.run.folder, record, task="task", outcomes="evidence/test.parquet", metrics=story.test.metrics,
            look=asdict(self.look)))
        return Trained(self.run, story, Loaded(model, self.name, story.name, self.run.folder / "model"), page)

    def _keep(self, name: str, outcomes: Table) -> None:
        folder = self.run.folder / "evidence"
        folder.mkdir(exist_ok=True)
        outcomes.write_parquet(folder / f"{name}.parquet")


def _numbers(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}
