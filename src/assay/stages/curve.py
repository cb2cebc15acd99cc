"""The learning curve of the race's leader, and what it says of more data."""

from __future__ import annotations

import numpy as np

from assay.contract import Chart, Estimate, Finding, Metric, Series, Split, Table
from assay.report import figures
from assay.search.race import Race
from assay.stats.curves import Ahead, carried_on, values_by_case
from assay.stats.intervals import estimate
from assay.stats.paired import compare

CHECK = "learning_curve"
AHEAD = (1.0, 2**0.5, 2.0, 8**0.5, 4.0)         # times the cases there are; twice and four times are told


def learning_curve(race: Race) -> Finding:
    """The first fold's leader after learning from shares of that fold's cases, scored on the same held-out cases each
    time; what the last doubling brought, and what two more would (stats/curves.py)."""
    metric, points = race.metric, race.curve_outcomes()
    if race.curve_of is None or not points:
        return Finding(CHECK, "skipped", "There was no time to learn from smaller shares of the cases.")
    name, seed = race.curve_of.entrant.name, race.task.seed
    whole = len(race.task.plan.rows(Split("fit", 0)))
    sizes = [round(share * whole) for share in points]
    ahead = _ahead(metric, list(points.values()), sizes, seed)
    half = min(points, key=lambda share: abs(share - 0.5))
    gain = compare(metric, points[1.0], points[half], seed=seed)
    said = (f"From {round(half * whole):,} training cases to {whole:,} {name} gained {figures.value(gain.estimate)} "
            f"({figures.interval(gain.estimate)}) {metric.name}")
    numbers = {"gain": gain.estimate.value}
    more = gain.estimate.value > 0 and not gain.tied
    if ahead is None:
        sentence = f"{said}: " + ("more data would probably help." if more else "nothing that stands out from noise.")
    else:
        twice, four = ahead[AHEAD.index(2.0)].gain, ahead[AHEAD.index(4.0)].gain
        more = twice.low > 0
        sentence = f"{said}. {_promise(twice, four, metric)}"
        numbers |= {f"{word}_{part}": getattr(e, part) for word, e in (("doubling", twice), ("fourfold", four))
                    for part in ("value", "low", "high")}
    chart = _chart(name, metric, sizes, [estimate(metric, t, seed=seed) for t in points.values()], ahead)
    return Finding(CHECK, "note" if more else "ok", sentence, numbers, charts=(chart,))


def _ahead(metric: Metric, tables: list[Table], sizes: list[int], seed: int) -> list[Ahead] | None:
    found, draws = values_by_case(metric, tables, seed=seed)
    return carried_on(metric, np.array(sizes), found, draws, times=AHEAD, seed=seed)


def _promise(twice: Estimate, four: Estimate, metric: Metric) -> str:
    level = f"{twice.level:.0%} intervals of power laws through these points"
    if twice.low > 0:
        return (f"Twice the cases would probably bring {figures.interval(twice)} {metric.name}, four times "
                f"{figures.interval(four)} ({level}).")
    return (f"Twice the cases would bring nothing that stands out from noise: {figures.interval(twice)} {metric.name}, "
            f"four times {figures.interval(four)} ({level}).")


def _chart(name: str, metric: Metric, sizes: list[int], seen: list[Estimate], ahead: list[Ahead] | None) -> Chart:
    line = Series(name, tuple(sizes), tuple(e.value for e in seen), tuple(e.low for e in seen),
                  tuple(e.high for e in seen))
    if ahead is None:
        return Chart("Learning curve", "training cases", metric.name, (line,), log_x=True)
    onward = Series(
        "if it goes on so", tuple(round(a.times * sizes[-1]) for a in ahead), tuple(a.score.value for a in ahead),
        tuple(a.score.low for a in ahead), tuple(a.score.high for a in ahead), quiet=True,
    )
    note = (f"Bands: 95% intervals where it was measured; {ahead[0].score.level:.0%} beyond, for the luck of cases and "
            "training and for the doubt of the law.")
    return Chart("Learning curve", "training cases", metric.name, (line, onward), note=note, log_x=True)
