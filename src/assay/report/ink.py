"""What every drawing is made of: the frame, its axes, its text, and which series has which colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from assay.contract import Chart, Series
from assay.report.axes import Scale, cut, tick_labels, width
from assay.report.figures import METRICS

WIDTH, HEIGHT = 420, 290
TOP, RIGHT, BOTTOM = 10, 14, 46
ROW, LINE = 24, 15
COLOURS = 6


def named(text: str) -> str:
    """A title or a legend with metrics called what people call them.

    >>> named("roc_auc lost without it")
    'ROC AUC lost without it'
    """
    return " ".join(METRICS.get(word, word) for word in text.split(" "))


def coloured(chart: Chart) -> list[tuple[Series, int]]:
    """Each series with the number of its colour; quiet ones take none."""
    out, used = [], 0
    for s in chart.series:
        out.append((s, used % COLOURS))
        used += not s.quiet
    return out


def has_words(values: Sequence[Any]) -> bool:
    return any(isinstance(v, str | bool) for v in values)


def order(series: Sequence[Series], axis: str) -> list[str]:
    return list(dict.fromkeys(str(v) for s in series for v in getattr(s, axis)))


def framed(chart: Chart, height: float, body: Sequence[str]) -> Markup:
    about = f"{chart.title}: {chart.y} by {chart.x}" if chart.y else f"{chart.title}: {chart.x}"
    opened = f'<svg class="chart" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(about)}">'
    return Markup(opened + "".join(body) + "</svg>")  # noqa: S704 - every text in `body` went through text() or label()


def text(x: float, y: float, words: str, *, anchor: str = "middle", css: str = "", turn: bool = False) -> str:
    turned = f' transform="rotate(-90 {x:g} {y:g})"' if turn else ""
    named = f' class="{css}"' if css else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{named}{turned}>{escape(words)}</text>'


def x_axis(scale: Scale, bottom: float, title: str, ticks: Sequence[float], labels: Sequence[str]) -> list[str]:
    grid = "".join(f"M{scale.at(t)} {TOP}V{bottom}" for t in ticks)
    out = [f'<path class="grid" d="{grid}"/>']
    last = -1e9
    for t, tick in zip(ticks, labels, strict=True):
        half = len(tick) * 3.3
        if scale.at(t) - half > last + 4:       # labels that would touch are left out
            out.append(text(min(scale.at(t), WIDTH - half), bottom + 16, tick))
            last = scale.at(t) + half
    middle = (scale.start + scale.end) / 2
    short = cut(named(title), 2 * min(middle, WIDTH - middle))
    return [*out, text(middle, bottom + 36, short, css="title")]


def y_axis(scale: Scale, left: float, title: str) -> list[str]:
    ticks = scale.ticks()
    grid = "".join(f"M{left} {scale.at(t)}H{WIDTH - RIGHT}" for t in ticks)
    said = zip(ticks, tick_labels(ticks), strict=True)
    labels = [text(left - 6, scale.at(t) + 4, tick, anchor="end") for t, tick in said]
    room = abs(scale.start - scale.end)
    turned = [text(12, (scale.start + scale.end) / 2, cut(named(title), room), css="title", turn=True)] if title else []
    return [f'<path class="grid" d="{grid}"/>', *labels, *turned]


def wrapped(name: str, room: float) -> list[str]:
    """A name too wide for its room, a line for each of the parts that "and" joins.

    >>> wrapped("contract = monthly and tenure up to 9", 172)
    ['contract = monthly', 'and tenure up to 9']
    """
    first, *rest = name.split(" and ")
    return [first, *(f"and {part}" for part in rest)] if width([name]) > room else [name]


def label(name: str, left: float, y: float) -> str:
    short = cut(name, left - 12)
    whole = f"<title>{escape(name)}</title>" if short != name else ""
    return f'<text x="{left - 6:g}" y="{y + 4:g}" text-anchor="end">{escape(short)}{whole}</text>'
