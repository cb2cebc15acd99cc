"""From a race to a decision: the leaderboard with its doubt, and the choice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from assay.capabilities import Blends
from assay.contract import Array, Estimate, Metric, Paradigm, Table
from assay.errors import AssayError, ProblemError
from assay.report import figures
from assay.search.ensemble import Mixture, mix
from assay.search.heats import one_of_each_first, own_s
from assay.search.latency import affordable, prices, without_dearest
from assay.search.race import Race
from assay.search.runner import Runner
from assay.stats.folds import against
from assay.stats.intervals import estimate
from assay.stats.paired import Difference, compare, holm_from_best

EQUAL = 0.02
"""A cheaper recipe is taken for the best one only where it surely gives up less than this share of the gain
over the baseline. Not being told apart is no evidence of being equal."""

MIXED_S = 1e-4
"""Seconds that the models of a mixture may take together for a case, among many, on one core, unless its best member
alone takes nearly as long."""

LITTLE = 0.0025
"""A mixture is taken where it may add more than this share of the gain over the baseline; one model answers sooner."""

ROOM = 0.8
"""Of the time that one row may take, what models may: the rest is for reading the row and mending the answer."""


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
    able = affordable(order, ROOM * race.most_row_s)
    fold = np.repeat(scope, [best.done[f]["cases"] for f in scope])
    gaps = against(metric, best.entrant.name, scores, fold, seed=seed)
    mixture = _mixture(race, paradigm, scores, able, fold)
    chosen, weights, why = _choose(able, gaps if able[0] is best else _gaps(race, able, scores, fold), mixture)
    lines = _lines(race, order, gaps, scores)
    if chosen == "ensemble" and mixture is not None:
        top = Line(None, "ensemble", _recipe_of(weights), "best", estimate(metric, mixture.outcomes, seed=seed), None)
        lines = [top, *_behind_mixture(lines, mixture, scores, metric, fold, seed)]
    runner_up = next((r.entrant.name for r in order if r.entrant.name != chosen and not r.entrant.baseline), None)
    candidates = scores if chosen != "ensemble" or mixture is None else {**scores, "ensemble": mixture.outcomes}
    return Verdict(tuple(lines), weights, chosen, why, runner_up, scope, candidates)


def _gaps(race: Race, able: list[Runner], scores: Mapping[str, Table], fold: Array) -> Mapping[str, Difference]:
    """How far those that answer in time are behind the best of them."""
    theirs = {r.entrant.name: scores[r.entrant.name] for r in able}
    return against(race.metric, able[0].entrant.name, theirs, fold, seed=race.task.seed)


def slimmer(verdict: Verdict, race: Race, paradigm: Paradigm, took_s: float) -> Verdict:
    """The verdict without the member that costs most for its weight, where a row took longer than was allowed.

    Raises ProblemError where there is but one."""
    left = without_dearest(verdict.weights, prices(verdict.ranked))
    told = f"one row takes {1e3 * took_s:.2g} ms, and --max-latency allows {1e3 * race.most_row_s:.3g}ms"
    if not left or not isinstance(paradigm, Blends):
        raise ProblemError(f"{verdict.chosen} is the quickest that was found: {told}. Allow more.")
    chosen = "ensemble" if len(left) > 1 else next(iter(left))
    mean = paradigm.blend([verdict.scores[n] for n in left], list(left.values()))
    scores = {**verdict.scores, **({"ensemble": mean} if len(left) > 1 else {})}
    gone = next(n for n in verdict.weights if n not in left)
    return replace(verdict, weights=left, chosen=chosen, scores=scores, why=f"{verdict.why} Without {gone}: {told}.")


def _scope(race: Race) -> tuple[int, ...]:
    """All folds where some recipe besides the baselines finished them and the best on the first fold, if it did not, is
    not surely ahead of it there; else the first fold alone."""
    def goodness(r: Runner) -> float:
        return race.metric.goodness(r.done[0]["score"])

    begun = [r for r in race.runners if 0 in r.done and not r.entrant.baseline and r.state != "failed"]
    full = [r for r in begun if r.complete(race.folds)]
    if not full:
        return (0,)
    leader, rival = max(begun, key=goodness), max(full, key=goodness)
    ahead = leader not in full and not compare(
        race.metric, race.held_out(leader, [0]), race.held_out(rival, [0]), seed=race.task.seed).tied
    return (0,) if ahead else tuple(range(race.folds))


def _mixture(
    race: Race, paradigm: Paradigm, scores: Mapping[str, Table], able: list[Runner], fold: Array
) -> Mixture | None:
    """The greedy mixture of those that answer in time, where the paradigm blends and there is time to choose it."""
    best = able[0]
    names = [r.entrant.name for r in one_of_each_first([r for r in able if not r.entrant.baseline])]
    if not isinstance(paradigm, Blends) or len(names) < 2 or best.entrant.baseline or race.clock.left < 1:
        return None
    theirs = {n: scores[n] for n in names}
    price, purse = prices(able), ROOM * race.most_row_s
    if math.isinf(purse) and not math.isinf(race.clock.budget_s):
        # nothing was promised: many rows are to be answered quickly. Without a budget no clock may decide
        price = {r.entrant.name: race.folds * own_s(r, race.runners) for r in able}
        purse = max(MIXED_S, 1.5 * price[best.entrant.name])
    return mix(theirs, best.entrant.name, fold, metric=race.metric, blends=paradigm, seed=race.task.seed,
               price=price, purse=purse)


def _choose(
    order: list[Runner], gaps: Mapping[str, Difference], mixture: Mixture | None
) -> tuple[str, dict[str, float], str]:
    best = order[0].entrant.name
    gain = mixture.gain.estimate if mixture is not None else None
    if mixture is not None and gain is not None and gain.high > LITTLE * _over_baseline(order, gaps):
        many = f"The weighted mean of {len(mixture.weights)} recipes"
        seen = f"{figures.value(gain)} ({figures.interval(gain)}) on cases that did not choose the weights"
        if gain.value > 0:
            sure = "" if not mixture.gain.tied else " That may be chance; it is kept because it costs no accuracy."
            why = f"{many} is ahead of the best of them, {best}, by {seen}.{sure}"
        else:
            why = (f"{many} cannot be told from the best of them, {best}: {seen}. It is taken because the score of "
                   f"{best} is flattered: it was the highest of many.")
        return "ensemble", dict(mixture.weights), why
    cheaper = _cheapest_equal(order, gaps)
    if cheaper is not None:
        why = (f"{cheaper.entrant.name} is as good as {best} within {EQUAL:.0%} of the gain over the baseline, "
               "and answers in less than half the time.")
        return cheaper.entrant.name, {cheaper.entrant.name: 1.0}, why
    rest = "" if mixture is None else " An ensemble did not help on cases that did not choose its weights."
    return best, {best: 1.0}, f"{best} scored best on the cases held out of the race.{rest}"


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
