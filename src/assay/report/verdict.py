"""The verdict of a judging as one self-contained HTML file, in the dress of the report; and as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from assay.contract import Chart, Estimate, Series
from assay.report import charts, figures
from assay.report.judgement import STATUS, Judgement, Standing, broken, over, stands, verdict
from assay.report.page import _style, _window
from assay.report.sentences import difference
from assay.report.words import Linker


def render_verdict(found: Judgement) -> str:
    """The page of a judging, as HTML text."""
    main = found.ours.metrics.get(found.metric)
    return _template().render(
        found=found, link=Linker(found.metric_says), style=_style(), figures=figures, charts=charts, STATUS=STATUS,
        main=main, verdict=verdict(found), broken=broken(found), rows=_rows(found), gaps=gaps(found),
        details=[difference(s.against[found.metric]) for s in found.scored], names=list(found.ours.metrics),
        better="higher is better" if found.higher_is_better.get(found.metric, True) else "lower is better",
        level=f"{100 * found.level:.3g}%", cell=cell, over=over,
    )


@cache
def _template() -> Template:
    env = Environment(loader=PackageLoader("assay.report", "."), autoescape=True, undefined=StrictUndefined,
                      trim_blocks=True, lstrip_blocks=True)
    return env.get_template("verdict.html.j2")


def _rows(found: Judgement) -> list[dict[str, Any]]:
    """The contestants from best to last, each with its picture on one scale and its distance from assay."""
    ranked = found.ranked()
    scores = [s.metrics[found.metric] for s in ranked if found.metric in s.metrics]
    low, high = _window(scores)
    return [{"standing": s, "score": s.metrics.get(found.metric), "picture": _picture(s, found, low, high, scores),
             "gap": _gap(s, found)} for s in ranked]


def _picture(s: Standing, found: Judgement, low: float, high: float, scores: list[Estimate]) -> Markup:
    if found.metric not in s.metrics:
        return Markup("")
    ours = found.ours.metrics.get(found.metric, scores[0])
    css = {"ours": "best", "tied": "tied"}.get(s.status, "behind")
    return charts.whisker(s.metrics[found.metric], low, high, ours.value, css)


def _gap(s: Standing, found: Judgement) -> tuple[str, str, str]:
    """(assay minus this one, its interval, p)."""
    c = s.against.get(found.metric)
    if c is None:
        return ("", "", "")
    return (figures.signed(c.difference), figures.interval(c.difference), figures.p_value(c.p))


def gaps(found: Judgement) -> Chart | None:
    """Assay minus each contestant by the deciding metric, with intervals; None where nobody was scored."""
    if not found.scored:
        return None
    ds = [s.against[found.metric].difference for s in found.scored]
    low, high = min(0.0, *(d.low for d in ds)), max(0.0, *(d.high for d in ds))
    pad = 0.06 * (high - low) or 1.0
    series = Series("difference", tuple(d.value for d in ds), tuple(s.name for s in found.scored),
                    tuple(d.low for d in ds), tuple(d.high for d in ds), "point")
    return Chart("Assay against each of them", f"{figures.said(found.metric)} in favour of assay", "", (series,),
                 "To the right of 0 assay is better; an interval that holds 0 is a tie.",
                 x_range=(low - pad, high + pad))


def cell(standing: Standing, name: str) -> tuple[str, str, str]:
    """(value, interval, verdict) of one metric of one contestant."""
    e = standing.metrics.get(name)
    if e is None:
        return ("", "", "")
    c = standing.against.get(name)
    return (figures.value(e), figures.interval(e), "" if c is None else stands(c))


# --- as text ---------------------------------------------------------------------------------------


def verdict_lines(found: Judgement) -> Iterator[str]:
    """The verdict, a line a contestant, what broke, what to be careful of."""
    yield verdict(found)
    yield ""
    heads = ("contestant", figures.said(found.metric), f"{100 * found.level:.3g}% interval", "assay minus it",
             "time", "memory", "")
    rows = [heads, *(_cells(s, found) for s in found.ranked())]
    wide = [max(len(r[i]) for r in rows) for i in range(len(heads))]
    yield from ("  ".join(t.ljust(w) for t, w in zip(r, wide, strict=True)).rstrip() for r in rows)
    yield ""
    yield from broken(found)
    yield from (f"{level}: {sentence}" for level, sentence in found.careful if level in ("fail", "warn"))


def _cells(s: Standing, found: Judgement) -> tuple[str, ...]:
    e = s.metrics.get(found.metric)
    value, span = ("", "") if e is None else (figures.value(e), figures.interval(e))
    gap = "{} ({}, {})".format(*_gap(s, found)) if found.metric in s.against else ""
    time = ", ".join(filter(None, [figures.seconds(s.seconds), over(s, found.budget_s)])) if s.seconds else ""
    memory = f"{s.memory_mb:,.0f} MB" if s.memory_mb else ""
    return (s.name, value, span, gap, time, memory, STATUS[s.status])
