"""Who starts together and who goes on: successive halving over folds and rows, decided by outcomes alone.

A heat is a batch of entrants that learn from the first fold, or from a share of it where the cases are many. The best
of them, and those that would lend something to a mixture, go on to all of it and to the other folds
(Jamieson and Talwalkar 2016, AISTATS; one step of it a heat, since the next heat begins with what this one found).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from assay.capabilities import Blends
from assay.contract import Metric, Table
from assay.search.costs import Costs
from assay.search.ensemble import greedy
from assay.search.runner import Runner
from assay.stats.paired import compare

FIRST, LATER = 16, 4
"""How many of the first heat go on at most, and of each later one; twice as many where cases are few."""

FEW_CASES = 10_000
"""Up to so many, a first fold tells little apart, and folds are cheap."""

SURE = 3
"""How many of the first heat go on whatever the paired test says."""

GOING_ON_SHARE = 0.6
"""Of the time left, what the other folds of those that go on may take; the rest is for later heats."""

MIXED_OF = 30
"""Of how many of the best on the first fold a mixture is tried."""

SCREEN_A_SECOND, SCREEN_LEAST, SCREEN_MOST, SCREEN_FROM = 250, 10_000, 40_000, 3
"""How many cases a heat learns from for each second of the budget, between these; of all where they are fewer than
three times as many: those that go on learn from all of them once more."""

SLOW_S = 1e-4
"""Seconds that one fold's model may take for a case, among many; it is slow beyond. A mixture asks ten such models."""

HEAT_SHARE, FEWEST = 0.35, 4
"""Of the time left, what a heat's first fold may take; and how many start even where they are expected to take more."""


def screen_share(cases: int, budget_s: float) -> float:
    """The share of the first fold's cases that a heat learns from: all, unless they are SCREEN_FROM times as many."""
    wanted = min(max(SCREEN_A_SECOND * budget_s, SCREEN_LEAST), SCREEN_MOST)
    return 1.0 if cases <= SCREEN_FROM * wanted else wanted / cases


def next_heat(waiting: Sequence[Runner], costs: Costs, left_s: float, workers: int, share: float) -> list[Runner]:
    """The next entrants in the field's order, as many as the time is expected to be enough for. All without a limit.

    One that is expected to take more than all of it is passed over: what comes after may be quick."""
    room = HEAT_SHARE * left_s * workers
    chosen: list[Runner] = []
    spent = 0.0
    for runner in waiting:
        cost = 0.0 if runner.first is not None or runner.state else costs.first_s(runner, share)
        if cost > left_s:
            continue
        if spent + cost > room and len(chosen) >= FEWEST:
            break
        chosen.append(runner)
        spent += cost
    return chosen


def going_on(
    heat: Sequence[Runner], rivals: Sequence[Runner], outcomes: Callable[[Runner], Table], *,
    metric: Metric, blends: Blends | None, seed: int, first: bool, cases: int,
    cost: Callable[[Runner], float] = lambda _: 0.0, room_s: float = math.inf,
    slow: Callable[[Runner], bool] = lambda _: False,
) -> list[Runner]:
    """Of a heat, who goes on, best first. rivals: those of earlier heats that have gone on, on the same first fold.

    Of the first heat the best do, those that a mixture would take, and those that cannot be told from the best, of each
    recipe one before a second of any: it is unlike answers that a mixture gains by. cost: seconds of a runner's other
    folds; all together they take no more than `room_s`, the surest aside. slow: whether it takes too long to answer;
    such a one goes on where it is the best, and surely so."""
    order = ranked([*heat, *rivals], metric)
    best = next((r for r in order if not slow(r) and (r is order[0] or _near(r, order[0], outcomes, metric, seed))),
                order[0])
    order = [r for r in order if r is best or not slow(r)]
    tables = {r.entrant.name: outcomes(r) for r in order[:MIXED_OF]}
    mixed = greedy(tables, best.entrant.name, metric, blends) if blends is not None and len(tables) > 1 else {}
    sure = order[: SURE if first else 1]
    near = [r for r in order if first and r not in sure and r in heat and _near(r, best, outcomes, metric, seed)]
    wanted = [*sure, *(r for r in order if r.entrant.name in mixed), *one_of_each_first([*sure, *near])]
    most = (FIRST if first else LATER) * (2 if cases <= FEW_CASES else 1)
    chosen: list[Runner] = []
    spent = 0.0
    for runner in dict.fromkeys(wanted):
        if runner in heat and len(chosen) < most and (runner in sure or spent + cost(runner) <= room_s):
            chosen.append(runner)
            spent += cost(runner)
    return sorted(chosen, key=order.index)


def twins(
    heat: Sequence[Runner], rivals: Sequence[Runner], outcomes: Callable[[Runner], Table]
) -> list[tuple[Runner, Runner]]:
    """Pairs of a runner and one before it, of the same recipe, that answers alike: settings that made no difference, as
    crosses where none pays. A mixture of both would count one answer twice."""
    found: list[tuple[Runner, Runner]] = []
    for place, runner in enumerate(heat):
        gone = [twin for twin, _ in found]
        for other in [*rivals, *(r for r in heat[:place] if r not in gone)]:
            same = other.entrant.registered == runner.entrant.registered and other.score == runner.score
            if same and outcomes(other).equals(outcomes(runner)):
                found.append((runner, other))
                break
    return found


def own_s(runner: Runner, field: Sequence[Runner]) -> float:
    """Seconds that a model of it takes for a case, beside what reading the case takes, as the baselines show it."""
    reading = min((r.answer_s for r in field if r.entrant.baseline and r.done), default=0.0)
    return max(runner.answer_s - reading, 0.0)


def slow(runner: Runner, field: Sequence[Runner]) -> bool:
    """Whether a model of it takes too long for a case."""
    return own_s(runner, field) > SLOW_S


def one_of_each_first(runners: Sequence[Runner]) -> list[Runner]:
    """The same, in their order, but the first of each recipe before all the others."""
    firsts = list({r.entrant.registered: r for r in reversed(runners)}.values())
    return [*(r for r in runners if r in firsts), *(r for r in runners if r not in firsts)]


def _near(runner: Runner, best: Runner, outcomes: Callable[[Runner], Table], metric: Metric, seed: int) -> bool:
    return compare(metric, outcomes(best), outcomes(runner), seed=seed).tied


def ranked(runners: Sequence[Runner], metric: Metric) -> list[Runner]:
    """Best first by the first fold; ties keep the order given. Those that have not finished it are left out."""
    through = [r for r in runners if r.first is not None and r.state != "failed"]
    return sorted(through, key=lambda r: -metric.goodness(r.score))
