"""The race as plain aligned text, for a terminal."""

from __future__ import annotations

from assay.report import figures
from assay.report.story import Entry, Story

TIED = ("tied: not told apart once corrected for comparing all of them and for having picked the best (Holm); each "
        "interval is of its pair alone")
HEADS = ("recipe", "", "score", "95% interval", "behind the best", "fit", "per 1,000")


def leaderboard_lines(story: Story) -> list[str]:
    """A heading, one line a recipe in order, and a line that says what the score is."""
    rows = [HEADS, *(_cells(e, chosen=e.recipe == story.chosen) for e in story.leaderboard)]
    wide = [max(len(r[i]) for r in rows) for i in range(len(HEADS))]
    left = (True, True, False, True, True, False, False)
    lines = ["  ".join(t.ljust(w) if side else t.rjust(w) for t, w, side in zip(r, wide, left, strict=True)).rstrip()
             for r in rows]
    better = "higher" if story.higher_is_better.get(story.metric, True) else "lower"
    said = [f"score: {figures.said(story.metric)} on held-out cases, {better} is better; * chosen"]
    if any(e.status == "tied" for e in story.leaderboard):
        said.append(TIED)
    return [*lines, "", *said]


def _cells(entry: Entry, *, chosen: bool) -> tuple[str, ...]:
    name = ("* " if chosen else "  ") + entry.recipe
    if entry.score is None:
        return (name, entry.status, "", entry.note[:60], "", "", "")
    gap = "" if entry.behind is None else f"{figures.value(entry.behind)} ({figures.interval(entry.behind)})"
    return (name, entry.status, figures.value(entry.score), figures.interval(entry.score), gap,
            figures.seconds(entry.fit_s), f"{entry.predict_ms:,.1f} ms")
