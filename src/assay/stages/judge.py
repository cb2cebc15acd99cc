"""Other tools against assay's model: the same training part, budget and test cases; the labels stay here."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay import registry
from assay.contestants.answers import Answered
from assay.contestants.confront import Result, confront
from assay.contestants.desk import papers
from assay.contestants.known import Contestant, contestants
from assay.contract import TEST, Estimate, Metric, Paradigm, Table, Task
from assay.errors import StoreError
from assay.files import write_text
from assay.problem import Problem, problem
from assay.report import figures
from assay.report.judgement import OURS, Judgement, Standing, cautions, stands, verdict
from assay.report.sentences import difference
from assay.report.story import Comparison, Story
from assay.report.verdict import render_verdict
from assay.search.workers import cores
from assay.stages.records import show
from assay.stages.train import Listen, train
from assay.stats.intervals import estimate
from assay.stats.paired import together
from assay.store import disk, looks
from assay.store.package import load_model, versions
from assay.store.runs import Run
from assay.store.store import Store

GRACE = 0.5                                     # of the budget


@dataclass(frozen=True)
class Judged:
    """A judging that is over: what was found, its page, the folder with everyone's answers."""

    judgement: Judgement
    page: Path
    folder: Path


def asked(source: Any, said: Mapping[str, Any]) -> Problem | str:
    """A problem to train first, or the run that is meant: a word that names no file, with nothing said beside it."""
    if isinstance(source, str) and not said and not source.endswith((".yaml", ".yml")) and not Path(source).exists():
        return source
    return problem(source, **said)


def judge(
    source: Problem | str, named: str | Iterable[str], *, store: Store | None = None, listen: Listen | None = None,
    fresh: bool = False, grace_s: float | None = None,
) -> Judged:
    """Train assay's model, or take that of a finished run, and put the contestants beside it on the test part.

    named: as after `--with`. fresh: nobody's earlier answers are taken over. grace_s: after so many seconds over the
    budget a contestant is killed; half the budget. Raises as `train` does; UnknownName, ProblemError for a contestant
    that cannot be started; ProblemError for a task that shows no inputs. A contestant that breaks is part of the
    verdict, and no error."""
    words = [named] if isinstance(named, str) else list(named)
    who = contestants(words)
    if isinstance(source, Problem):
        run = train(source, store=store, listen=listen).run
        store = store or Store.find()
    else:
        store = store or Store.find()
        run = store.run(source)
    repeat = shlex.join(["assay", "judge", run.id, *(part for word in words for part in ("--with", word))])
    with _claimed(store.folder / "judged" / run.id) as folder:
        try:
            return _Court(run, store, folder, listen or (lambda _: None), repeat).judge(who, fresh, grace_s)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(run.id, repeat) from None


@contextmanager
def _claimed(folder: Path) -> Iterator[Path]:
    """Raises StoreError where the run is being judged by another process."""
    with disk.telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not disk.hold(folder / "lock"):
        raise StoreError(f"run {folder.name} is being judged by another process. Wait for it, or stop it first.")
    try:
        yield folder
    finally:
        disk.release(folder / "lock")


@dataclass(frozen=True)
class _Court:
    run: Run
    store: Store
    folder: Path
    listen: Listen
    repeat: str

    def judge(self, who: Sequence[Contestant], fresh: bool, grace_s: float | None) -> Judged:
        story = show(self.run.id, self.store)
        paradigm: Paradigm = registry.load("assay.paradigms", self.run.info()["paradigm"])
        task = paradigm.open(self.run.folder / "task", test=True)
        signature = load_model(self.run.folder / "model").signature
        given = papers(task, signature.outputs, budget_s=story.budget_s, cores=cores())
        grace = GRACE * story.budget_s if grace_s is None else grace_s
        answered = [
            confront(c, given, signature.outputs, store=self.store.folder, keep=self.folder / "contestants" / c.name,
                     limit_s=story.budget_s + grace, fresh=fresh, tell=self.tell)
            for c in who
        ]
        look, level = self.look([answers for _, answers in answered], task)
        seen = [(result, None if answers is None else task.attempt(Answered(answers, signature), task.cases(TEST)))
                for result, answers in answered]
        standings = _standings(story, task, seen, level)
        return self.close(Judgement(
            run=self.run.id, title=story.title, task=story.task, metric=story.metric, why_metric=story.why_metric,
            metric_says=story.metric_says, higher_is_better=story.higher_is_better, units=story.units,
            chosen=story.chosen, train=len(given.train), cases=len(story.test.outcomes), budget_s=story.budget_s,
            grace_s=grace, cores=given.question["cores"], look=look, level=level, standings=standings,
            careful=_careful(story, standings, look, level), repeat=self.repeat,
            made=datetime.now(UTC).isoformat(timespec="seconds"), versions=versions(),
        ))

    def tell(self, sentence: str) -> None:
        self.listen({"kind": "stage", "name": "judge", "sentence": sentence})

    def look(self, answers: Sequence[Table | None], task: Task) -> tuple[int, float]:
        """Count one look for the whole judging, none where nobody answered: (its number, the level of intervals).

        The same answers judged again are the same look."""
        given = [a for a in answers if a is not None]
        if not given:
            return 0, 0.95
        digest = hashlib.sha256(b"".join(a.write_ipc(None).getvalue() for a in given)).hexdigest()[:12]
        found = looks.record(self.store.folder, looks.seal(task.cases(TEST)), run=f"{self.run.id} judged {digest}",
                             what=f"assay judge: assay and {len(given)} other{'s' * (len(given) > 1)}, paired")
        return found.number, found.level

    def close(self, found: Judgement) -> Judged:
        """The page and, beside it, the same as JSON."""
        page = self.folder / "verdict.html"
        write_text(page, render_verdict(found))
        disk.write(self.folder / "verdict.json", {"verdict": verdict(found), **asdict(found)})
        self.tell(f"the verdict is in {page}")
        return Judged(found, page, self.folder)


def _standings(
    story: Story, task: Task, seen: Sequence[tuple[Result, Table | None]], level: float
) -> tuple[Standing, ...]:
    """Assay's first, then the contestants' in their order."""
    ours = story.test.outcomes
    theirs = {r.name: _aligned(outcomes, ours) for r, outcomes in seen if outcomes is not None}
    metrics = [m for m in task.metrics if not m.missing(ours.columns)]
    against: dict[str, dict[str, Comparison]] = {name: {} for name in theirs}
    for metric in metrics:
        able = [name for name, outcomes in theirs.items() if not metric.missing(outcomes.columns)]
        found = together(metric, [ours] * len(able), [theirs[name] for name in able], level=level, seed=task.seed)
        for name, d in zip(able, found, strict=True):
            c = Comparison(OURS, name, metric.name, d.estimate, d.p, "")
            against[name][metric.name] = replace(c, verdict=difference(c))
    scores = {name: _scores(metrics, outcomes, task.seed, level) for name, outcomes in theirs.items()}
    first = Standing(OURS, "ours", metrics=_scores(metrics, ours, task.seed, level),
                     seconds=sum(story.spent.values()), command=f"assay train ({story.run})")
    return (first, *(_standing(r, story.metric, scores.get(r.name, {}), against.get(r.name, {})) for r, _ in seen))


def _aligned(outcomes: Table, ours: Table) -> Table:
    """The cases that our model was put to, in its order."""
    return ours.select("case_id").join(outcomes, on="case_id", how="left", maintain_order="left")


def _scores(metrics: Sequence[Metric], outcomes: Table, seed: int, level: float) -> dict[str, Estimate]:
    return {m.name: estimate(m, outcomes, level=level, seed=seed) for m in metrics if not m.missing(outcomes.columns)}


def _standing(
    r: Result, metric: str, scores: Mapping[str, Estimate], against: Mapping[str, Comparison]
) -> Standing:
    status, note = r.status, r.note
    if status == "answered":
        status = stands(against[metric]) if metric in against else "apart"
        note = "" if metric in against else f"its answers do not allow {figures.said(metric)}"
    return Standing(r.name, status, note, scores, against, r.seconds, r.cpu_s, r.memory_mb, r.again, r.command,
                    r.versions, r.log)


def _careful(story: Story, standings: Sequence[Standing], look: int, level: float) -> tuple[tuple[str, str], ...]:
    leaks = [f.sentence for f in story.court if f.level == "fail"]
    return cautions(standings, cases=standings[0].metrics[story.metric], look=look, level=level,
                    budget_s=story.budget_s, leaks=leaks, by_trials=story.declared.get("trials") is not None)
