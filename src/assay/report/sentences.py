"""What the page says in words: the abstract, each comparison, and all that should be held against the numbers."""

from __future__ import annotations

import math

from assay.contract import Estimate, Optimism
from assay.report import figures
from assay.report.story import Comparison, Story

LEVELS = ("fail", "warn", "note", "ok", "skipped")
SMALL = 200


def headline(story: Story) -> list[str]:
    """The abstract: what was chosen, what it is worth, against what, how sure."""
    main, name = story.test.metrics[story.metric], figures.said(story.metric)
    rows = len(story.test.outcomes)
    said = [
        f"The model chosen for {story.title} is {story.chosen}. On {rows:,} test cases that nothing was learned from, "
        f"its {name} is {figures.value(main)}; the data allow {figures.interval(main)} "
        f"({figures.level(main)} interval)."
    ]
    against = _against_baseline(story)
    if against is not None:
        said.append(difference(against, f"the best baseline ({against.other})"))
    alarms = [f for f in story.court if f.level in ("fail", "warn")]
    if leaks_allowed(story):
        said.append("The data hold a sure leak, so these numbers are too good to be true.")
    elif alarms:
        said.append(f"The court of the data has {len(alarms)} doubt{'s' if len(alarms) > 1 else ''}, listed below.")
    return said


def _against_baseline(story: Story) -> Comparison | None:
    baselines = {e.recipe for e in story.leaderboard if e.status == "baseline"}
    return next((c for c in story.comparisons if c.other in baselines), None)


def difference(c: Comparison, other: str = "") -> str:
    """A comparison as a sentence; not told apart where the interval holds zero. More is better in its difference."""
    d, other = c.difference, other or c.other
    p, name = f", {figures.p_value(c.p)}" if not math.isnan(c.p) else "", figures.said(c.metric)
    if d.low <= 0 <= d.high or math.isnan(d.value):
        return f"{c.winner} is not told apart from {other} ({figures.signed(d)} {name}, {figures.interval(d)}{p})."
    better, size = ("better", d) if d.value > 0 else ("worse", _turned(d))
    return f"{c.winner} is {better} than {other} by {figures.value(size)} {name} ({figures.interval(size)}{p})."


def _turned(d: Estimate) -> Estimate:
    return Estimate(-d.value, -d.high, -d.low, d.n, d.method, d.level)


def looked(story: Story) -> str:
    """How often the labels of the test part had been looked at, and what follows for the intervals."""
    if story.looks == 1:
        return "Their labels were looked at for the first time."
    level = figures.level(story.test.metrics[story.metric])
    return (f"This was look number {story.looks} at the test labels, counted over all runs of the store. Choosing by "
            f"earlier looks makes a score too good, so the intervals are drawn at {level} (0.05 over the looks).")


def leaks_allowed(story: Story) -> bool:
    """Whether the run went on although a check was sure of a leak."""
    return any(f.level == "fail" for f in story.court)


def honest_figure(story: Story) -> str:
    """What a quick model scores without the leaks; empty where they could not be priced."""
    return price(story.leaks, "the leaks") if story.leaks is not None else ""


def price(of: Optimism, what: str = "it") -> str:
    """The score of a quick model with a leak and without it, each with its interval, and the difference."""
    found = f"{figures.value(of.points)} ({figures.interval(of.points)})"
    verdict = f"{found} would be optimism" if of.points.low > 0 else f"no optimism that stands out from noise, {found}"
    return (f"A quick model scores {figures.said(of.metric)} {figures.value(of.leaky)} ({figures.interval(of.leaky)}) "
            f"with {what} and {figures.value(of.honest)} ({figures.interval(of.honest)}) without, on the same held-out "
            f"training cases: {verdict}.")


def careful(story: Story) -> list[tuple[str, str]]:
    """(level, sentence) of all that a reader should hold against the numbers, the worst first."""
    found = (*story.court, *story.test.findings)
    out: list[tuple[str, str]] = [(f.level, f.sentence) for f in found if f.level in ("fail", "warn")]
    if story.declared.get("allow_leaks"):
        out.append(("fail", "Leaks were allowed: the run went on although a check may have been sure of one."))
    main = story.test.metrics[story.metric]
    if main.n < SMALL:
        out.append(("warn", f"The test part is small ({main.n:,} independent units), so the intervals are wide."))
    if story.looks > 1:
        out.append(("warn", looked(story)))
    if story.other_looks:
        out.append(("warn", f"The same data had been tested {story.other_looks} times on other test parts. Whoever "
                    "takes the best of them chooses by luck."))
    against = _against_baseline(story)
    if against is not None and against.difference.low <= 0:
        out.append(("warn", f"The model is not surely better than {against.other}, which is far simpler."))
    failed = [e.recipe for e in story.leaderboard if e.status == "failed"]
    if failed:
        out.append(("note", f"Failed and therefore not in the race: {', '.join(failed)}."))
    out += [("note", sentence) for sentence in story.cut]
    return sorted(dict.fromkeys(out), key=lambda ls: LEVELS.index(ls[0]))
