"""From a race to a decision: the leaderboard with its doubt, the choice, and the model that carries it out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.capabilities import Blends
from assay.contract import Array, Estimate, Metric, Model, Paradigm, Table
from assay.errors import AssayError
from assay.report import figures
from assay.search.blend import Blend
from assay.search.ensemble import Mixture, mix
from assay.search.race import LEAST_REFIT, Race
from assay.search.runner import Runner
from assay.stats.folds import against
from assay.stats.intervals import estimate
from assay.stats.paired import Difference, holm_from_best
from assay.store.package import load_model

EQUAL = 0.02
"""A cheaper recipe is taken for the best one only where it surely gives up less than this share of the gain
over the baseline. Not being told apart is no evidence of being equal."""


@dataclass(frozen=True)
class Line:
    """One line of the leaderboard, best first."""

    runner: Runner | None                       # None for the mixture
    name: str
    settings: str
    status: str                                 # best, tied, behind, baseline, dropped, failed, cut
    score: Estimate | None
    behind: Estimate | None


@dataclass(frozen=True)
class Verdict:
    lines: tuple[Line, ...]
    weights: Mapping[str, float]                # recipe -> share of the final model
    chosen: str                                 # "ensemble" or a recipe's name
    why: str
    runner_up: str | None
    scope: tuple[int, ...]                      # the folds that the leaderboard is scored on
    scores: Mapping[str, Table] = field(default_factory=dict)   # outcomes there of each that could be chosen

    @property
    def ranked(self) -> list[Runner]:
        """The recipes that were scored on all of `scope`, best first."""
        scored = ("best", "tied", "behind", "baseline")
        return [line.runner for line in self.lines if line.runner and line.status in scored]


def decide(race: Race, paradigm: Paradigm) -> Verdict:
    """Score, compare, mix, choose. Raises AssayError where not one recipe finished a fold."""
    scope = _scope(race)
    through = [r for r in race.runners if set(scope) <= set(r.done) and r.state != "failed"]
    if not through:
        raise AssayError(_nobody(race))
    scores = {r.entrant.name: race.held_out(r, scope) for r in through}
    metric, seed = race.metric, race.task.seed
    order = sorted(through, key=lambda r: -metric.goodness(metric.fn(scores[r.entrant.name])))
    best = order[0]
    fold = np.repeat(scope, [best.done[f]["cases"] for f in scope])
    gaps = against(metric, best.entrant.name, scores, fold, seed=seed)
    mixture = _mixture(race, paradigm, scores, best, fold)
    chosen, weights, why = _choose(order, gaps, mixture)
    lines = _lines(race, order, gaps, scores)
    if chosen == "ensemble" and mixture is not None:
        top = Line(None, "ensemble", _recipe_of(weights), "best", estimate(metric, mixture.outcomes, seed=seed), None)
        lines = [top, *_behind_mixture(lines, mixture, scores, metric, fold, seed)]
    runner_up = next((r.entrant.name for r in order if r.entrant.name != chosen and not r.entrant.baseline), None)
    candidates = scores if chosen != "ensemble" or mixture is None else {**scores, "ensemble": mixture.outcomes}
    return Verdict(tuple(lines), weights, chosen, why, runner_up, scope, candidates)


def _scope(race: Race) -> tuple[int, ...]:
    """All folds where some recipe besides the baselines finished them; else the first fold alone."""
    full = any(r.complete(race.folds) and not r.entrant.baseline and r.state != "failed" for r in race.runners)
    return tuple(range(race.folds)) if full else (0,)


def _mixture(
    race: Race, paradigm: Paradigm, scores: Mapping[str, Table], best: Runner, fold: Array
) -> Mixture | None:
    """The greedy mixture of the recipes besides the baselines, where the paradigm blends and there is time."""
    names = [r.entrant.name for r in race.runners if r.entrant.name in scores and not r.entrant.baseline]
    if not isinstance(paradigm, Blends) or len(names) < 2 or best.entrant.baseline or race.clock.left < 1:
        return None
    theirs = {n: scores[n] for n in names}
    return mix(theirs, best.entrant.name, fold, metric=race.metric, blends=paradigm, seed=race.task.seed)


def _choose(
    order: list[Runner], gaps: Mapping[str, Difference], mixture: Mixture | None
) -> tuple[str, dict[str, float], str]:
    best = order[0].entrant.name
    gain = mixture.gain.estimate if mixture is not None else None
    if mixture is not None and gain is not None and gain.value > 0 and not _small(gain, order, gaps):
        sure = "" if not mixture.gain.tied else " That may be chance; it is kept because it costs no accuracy."
        why = (f"The weighted mean of {len(mixture.weights)} recipes is ahead of the best of them, {best}, by "
               f"{figures.value(gain)} ({figures.interval(gain)}) on cases that did not choose the weights.{sure}")
        return "ensemble", dict(mixture.weights), why
    cheaper = _cheapest_equal(order, gaps)
    if cheaper is not None:
        why = (f"{cheaper.entrant.name} is as good as {best} within {EQUAL:.0%} of the gain over the baseline, "
               "and answers in less than half the time.")
        return cheaper.entrant.name, {cheaper.entrant.name: 1.0}, why
    rest = "" if mixture is None else " An ensemble did not help on cases that did not choose its weights."
    return best, {best: 1.0}, f"{best} scored best on the cases held out of the race.{rest}"


def _small(gain: Estimate, order: list[Runner], gaps: Mapping[str, Difference]) -> bool:
    """Whether what a mixture adds is surely below the share of the gain over the baseline that counts as equal."""
    return gain.high <= EQUAL * _over_baseline(order, gaps)


def _over_baseline(order: list[Runner], gaps: Mapping[str, Difference]) -> float:
    return min((gaps[r.entrant.name].estimate.value for r in order[1:] if r.entrant.baseline), default=0.0)


def _cheapest_equal(order: list[Runner], gaps: Mapping[str, Difference]) -> Runner | None:
    best, gain = order[0], _over_baseline(order, gaps)
    equal = [r for r in order[1:] if not r.entrant.baseline
             and gaps[r.entrant.name].estimate.high <= EQUAL * gain]
    quick = [r for r in equal if _predict_s(r) < 0.5 * _predict_s(best)]
    return min(quick, key=_predict_s, default=None)


def _lines(
    race: Race, order: list[Runner], gaps: Mapping[str, Difference], scores: Mapping[str, Table]
) -> list[Line]:
    behind = _behind(gaps)
    lines = []
    for runner in order:
        name = runner.entrant.name
        gap = gaps.get(name)
        status = "best" if gap is None else "behind" if name in behind else "tied"
        status = "baseline" if runner.entrant.baseline and status != "best" else status
        score = estimate(race.metric, scores[name], seed=race.task.seed)
        lines.append(Line(runner, name, runner.entrant.said, status, score, gap.estimate if gap else None))
    for runner in race.runners:
        if runner in order or not (runner.begun or runner.state == "failed"):
            continue
        first = estimate(race.metric, race.held_out(runner, [0]), seed=race.task.seed) if 0 in runner.done else None
        status = runner.state or "cut"                  # the time was over before anyone was dropped
        lines.append(Line(runner, runner.entrant.name, runner.entrant.said, status, first, None))
    return lines


def _behind(gaps: Mapping[str, Difference]) -> set[str]:
    """Who is surely behind the best: at most one race in twenty says so of an equal (benchmarks/false_winners.py)."""
    adjusted = holm_from_best([g.p for g in gaps.values()])
    return {name for name, p in zip(gaps, adjusted, strict=True) if p <= 0.05}


def _behind_mixture(
    lines: list[Line], mixture: Mixture, scores: Mapping[str, Table], metric: Metric, fold: Array, seed: int
) -> list[Line]:
    """The other lines, once the mixture is best: each that was scored on all folds, compared with it."""
    gaps = against(metric, "ensemble", {**scores, "ensemble": mixture.outcomes}, fold, seed=seed)
    behind = _behind(gaps)
    return [
        line if line.name not in gaps else replace(
            line, behind=gaps[line.name].estimate,
            status="baseline" if line.status == "baseline" else "behind" if line.name in behind else "tied",
        )
        for line in lines
    ]


def assemble(race: Race, verdict: Verdict, paradigm: Paradigm, paradigm_name: str, folder: Path) -> Model:
    """The model of the verdict: its recipes' fold models averaged, or, where answers cannot be averaged or a
    single fold left cases unused, a refit on all training cases if there is time for it."""
    by_name = {r.entrant.name: r for r in race.runners}
    members = [by_name[n] for n in verdict.weights]
    refits = _refit(race, members, folder) if len(verdict.scope) == 1 or not isinstance(paradigm, Blends) else {}
    models: list[Model] = []
    weights: list[float] = []
    for runner in members:
        name = runner.entrant.name
        places = [refits[name]] if name in refits else _fold_models(race, runner, verdict, paradigm)
        models += [load_model(place) for place in places]
        weights += [verdict.weights[name] / len(places)] * len(places)
    return models[0] if len(models) == 1 else Blend(tuple(models), tuple(weights), paradigm_name)


def rival(race: Race, runner: Runner, verdict: Verdict, paradigm: Paradigm, paradigm_name: str) -> Model:
    """What a recipe would have been, had it been chosen, but for a refit: else the winner's folds alone would win."""
    models = tuple(load_model(place) for place in _fold_models(race, runner, verdict, paradigm))
    return models[0] if len(models) == 1 else Blend(models, (1 / len(models),) * len(models), paradigm_name)


def by_fold(model: Model, verdict: Verdict) -> tuple[Model, ...]:
    """What `model`, made by `assemble` or `rival`, would be of one fold's models alone, for each fold in turn.

    Empty where it is made of other models, such as refits, or of a single fold's."""
    folds = len(verdict.scope)
    if not isinstance(model, Blend) or folds < 2 or len(model.models) % folds:
        return ()
    return tuple(Blend(model.models[k::folds], model.weights[k::folds], model.paradigm) for k in range(folds))


def _fold_models(race: Race, runner: Runner, verdict: Verdict, paradigm: Paradigm) -> list[Path]:
    folds = verdict.scope if isinstance(paradigm, Blends) else verdict.scope[:1]
    return [race.model_folder(runner, fold) for fold in folds]


def _refit(race: Race, members: list[Runner], folder: Path) -> dict[str, Path]:
    """Recipes fitted again on all training cases, where their first fold says that the time is enough."""
    done: dict[str, Path] = {}
    waiting = [r for r in members if LEAST_REFIT * r.fold_s <= race.left]
    asked = 0
    while (waiting and race.workers.idle) or asked:
        while waiting and race.workers.idle:
            runner = waiting.pop(0)
            place = folder / f"refit-{members.index(runner)}"
            job: dict[str, Any] = {
                "id": f"refit/{runner.entrant.name}", "recipe": runner.entrant.registered,
                "settings": runner.entrant.settings, "fold": None, "seed": race.task.seed,
                "budget_s": max(1.0, race.left), "folder": str(place),
            }
            race.workers.submit(job, time.monotonic() + max(0.1, race.left))
            asked += 1
        answer = race.workers.wait(1.0)
        if answer is not None and answer[0]["id"].startswith("refit/"):
            asked -= 1
            if answer[1]["state"] == "done":
                done[answer[0]["id"].removeprefix("refit/")] = Path(answer[0]["folder"]) / "model"
    return done


def _predict_s(runner: Runner) -> float:
    return float(sum(d["predict_s"] / max(1, d["cases"]) for d in runner.done.values()))


def _recipe_of(weights: Mapping[str, float]) -> str:
    return " + ".join(f"{w:.2f} {name}" for name, w in sorted(weights.items(), key=lambda kv: -kv[1]))


def _nobody(race: Race) -> str:
    notes = [f"{r.entrant.name}: {r.note.rstrip('.')}" for r in race.runners if r.note]
    why = f" {'; '.join(notes[:4])}." if notes else ""
    late = any(r.state == "cut" for r in race.runners)
    mend = "Give it more time, such as --budget 5m." if late or not notes else "Try others with --recipes."
    return f"not one recipe finished{' within the time' * late}.{why} {mend}"
