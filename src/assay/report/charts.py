"""A `Chart` as inline SVG, drawn without a library: colours are CSS variables, text is text, nothing is fetched.

Three layouts. Rows: one axis has names, each a row from top to bottom. Cells: both have. Plane: both are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from assay.contract import Chart, Estimate, Series
from assay.report.axes import Scale
from assay.report.draw_cells import cells
from assay.report.draw_plane import plane
from assay.report.draw_rows import rows
from assay.report.figures import plain
from assay.report.ink import COLOURS, coloured, has_words, named


def svg(chart: Chart) -> Markup:
    """The picture alone; empty where there is nothing to draw."""
    if not any(s.x for s in chart.series):
        return Markup("")
    if any(s.mark == "cell" for s in chart.series):
        return cells(chart)
    return rows(_upright(chart)) if _in_rows(chart) else plane(chart)


def legend(chart: Chart) -> list[tuple[str, str]]:
    """(name, CSS class of its swatch) of each series, where there is more than one to tell apart."""
    if len(chart.series) < 2 or any(s.mark == "cell" for s in chart.series):
        return []
    return [(named(s.name), f"{'quiet' if s.quiet else f'c{i}'} {s.mark}") for s, i in coloured(chart)]


def whisker(score: Estimate, low: float, high: float, best: float, status: str) -> Markup:
    """One line of the leaderboard as a dot with its interval, on the scale of all; what lies outside is cut off."""
    scale = Scale(low, high, 6, 174)
    a, b, dot, mark = (scale.at(min(max(v, low), high)) for v in (score.low, score.high, score.value, best))
    beyond = score.value < low or score.value > high
    shape = f'<path class="dot" d="M{dot} 11h0"/>' if not beyond else (
        f'<path class="beyond" d="M{dot} 6l{-5 if score.value < low else 5} 5l{5 if score.value < low else -5} 5"/>')
    return Markup(  # noqa: S704 - numbers, and a status that is escaped
        f'<svg class="whisker {escape(status)}" viewBox="0 0 180 22" width="180" height="22" aria-hidden="true">'
        f'<path class="guide" d="M{mark} 0V22"/><path class="span" d="M{a} 11H{b}"/>{shape}</svg>'
    )


def stacked(parts: Sequence[tuple[str, float]], whole: float) -> Markup:
    """Parts of a whole side by side, as one bar; what is left stays empty."""
    total = max(whole, sum(v for _, v in parts)) or 1.0
    drawn, x = [], 0.0
    for i, (name, v) in enumerate(parts):
        w = v / total * 700
        drawn.append(f'<rect class="fill c{i % COLOURS}" x="{x:.1f}" y="0" width="{max(w - 1, 0.5):.1f}" height="20">'
                     f"<title>{escape(name)}</title></rect>")
        x += w
    opened = '<svg class="stacked" viewBox="0 0 700 20" preserveAspectRatio="none" role="img" aria-label="time spent">'
    rest = '<rect class="rest" width="700" height="20"/>'
    return Markup(opened + rest + "".join(drawn) + "</svg>")  # noqa: S704 - names are escaped above


def _in_rows(chart: Chart) -> bool:
    return any(has_words(s.y) or (has_words(s.x) and s.mark in ("bar", "point")) for s in chart.series)


def _upright(chart: Chart) -> Chart:
    """Names on the vertical axis: with names along x, the axes change places."""
    if any(has_words(s.y) for s in chart.series):
        return chart
    turned = tuple(Series(s.name, s.y, s.x, s.low, s.high, s.mark, s.value, s.quiet) for s in chart.series)
    return Chart(chart.title, chart.y, chart.x, turned, chart.note, x_range=chart.y_range)


def rows_of(chart: Chart, most: int = 200) -> tuple[list[str], list[list[str]], int]:
    """The chart's data as a table: headings, at most so many rows, and how many were left out."""
    several, bounds = len(chart.series) > 1, any(s.low for s in chart.series)
    value = next((s.name for s in chart.series if s.value), "")
    heads = ["series"] * several + [chart.x or "x", chart.y or "y"] + ["low", "high"] * bounds + [value] * bool(value)
    rows = []
    for s in chart.series:
        for i, (a, b) in enumerate(zip(s.x, s.y, strict=True)):
            ends = [plain(e[i]) if i < len(e) else "" for e in (s.low, s.high)] if bounds else []
            shade = [plain(s.value[i]) if s.value else ""] if value else []
            rows.append([s.name] * several + [plain(a), plain(b), *ends, *shade])
    return heads, rows[:most], max(0, len(rows) - most)
