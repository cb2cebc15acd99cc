"""The learning curve of the race's leader, and what it says of more data."""

from __future__ import annotations

from collections.abc import Mapping

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
    points = race.curve_outcomes()
    if race.curve_of is None or not points:
        return Finding(CHECK, "skipped", "There was no time to learn from smaller shares of the cases.")
    whole = len(race.task.plan.rows(Split("fit", 0)))
    return curve_finding(race.metric, race.curve_of.entrant.name, points, whole, race.task.seed)


def curve_finding(metric: Metric, name: str, points: Mapping[float, Table], whole: int, seed: int) -> Finding:
    """points: share of `whole` cases learned from -> outcomes on the same cases, ascending; the last share is 1."""
    sizes = [round(share * whole) for share in points]
    ahead = _ahead(metric, list(points.values()), sizes, seed)
    half = min(points, key=lambda share: abs(share - 0.5))
    gain = compare(metric, points[1.0], points[half], seed=seed)
    said = (f"From {round(half * whole):,} training cases to {whole:,} {name} gained {figures.value(gain.estimate)} "
            f"({figures.interval(gain.estimate)}) {figures.said(metric.name)}")
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
    what = "probably bring" if twice.low > 0 else "bring nothing that stands out from noise:"
    return (f"Twice the cases would {what} {figures.interval(twice)} {figures.said(metric.name)}, four times "
            f"{figures.interval(four)} ({twice.level:.0%} intervals of power laws through these points).")


def _chart(name: str, metric: Metric, sizes: list[int], seen: list[Estimate], ahead: list[Ahead] | None) -> Chart:
    line = Series(name, tuple(sizes), tuple(e.value for e in seen), tuple(e.low for e in seen),
                  tuple(e.high for e in seen))
    if ahead is None:
        return Chart("Learning curve", "training cases", metric.name, (line,), log_x=True)
    sign, now = (1 if metric.higher_is_better else -1), ahead[0].score.value
    onward = Series(
        "if it goes on so", tuple(round(a.times * sizes[-1]) for a in ahead),
        tuple(now + sign * a.gain.value for a in ahead), tuple(now + sign * a.gain.low for a in ahead),
        tuple(now + sign * a.gain.high for a in ahead), quiet=True,
    )
    note = ("Blue: measured, with 95% intervals. Dashed: power laws through these points, with "
            f"{ahead[0].gain.level:.0%} intervals of the gain on what there is now; other cases would move the whole "
            "line.")
    return Chart("Learning curve", "training cases", metric.name, (line, onward), note=note, log_x=True)
