"""A chart of shaded squares: names along both axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from assay.contract import Chart, Series
from assay.report.axes import cut, numbers, width
from assay.report.ink import RIGHT, TOP, WIDTH, framed, label, order, text

MOST_WRITTEN = 10                               # columns up to which each square has its number written in
SLANTED = 80                                    # pixels of room for a label along its slant


def cells(chart: Chart) -> Markup:
    """Squares shaded by value, the largest darkest."""
    series = next(s for s in chart.series if s.mark == "cell")
    columns, rows = order([series], "x"), order([series], "y")
    left = min(width(rows), 130) + 30
    side = min((WIDTH - RIGHT - left) / len(columns), 64)
    tall = min(side, 44)
    bottom = TOP + tall * len(rows)
    under, deep = _under(columns, left, side, bottom)
    body = [*_squares(series, columns, rows, (left, side, tall)), *under]
    body += [label(r, left, TOP + tall * (i + 0.5)) for i, r in enumerate(rows)]
    body.append(text(left + side * len(columns) / 2, bottom + deep + 20, chart.x, css="title"))
    body.append(text(12, TOP + tall * len(rows) / 2, cut(chart.y, tall * len(rows)), css="title", turn=True))
    return framed(chart, bottom + deep + 28, body)


def _squares(series: Series, columns: list[str], rows: list[str], size: tuple[float, float, float]) -> Iterator[str]:
    left, side, tall = size
    top = max((abs(v) for v in numbers(series.value)), default=0.0) or 1.0
    for a, b, value in zip(series.x, series.y, series.value, strict=True):
        x, y, shade = left + columns.index(str(a)) * side, TOP + rows.index(str(b)) * tall, abs(value) / top
        yield (f'<rect class="cell" x="{x:.1f}" y="{y:.1f}" width="{side - 1.5:.1f}" height="{tall - 1.5:.1f}" '
               f'fill-opacity="{0.04 + 0.96 * shade:.3f}"/>')
        if len(columns) <= MOST_WRITTEN and value:
            yield text(x + side / 2, y + tall / 2 + 4, f"{value:.2f}", css="on" if shade > 0.55 else "off")


def _under(columns: Sequence[str], left: float, side: float, bottom: float) -> tuple[list[str], float]:
    """Labels below the squares, slanted where they are too long, and how deep they reach."""
    middles = [left + side * (i + 0.5) for i in range(len(columns))]
    if width(columns) * 0.9 <= side:
        return [text(at, bottom + 16, c) for at, c in zip(middles, columns, strict=True)], 16.0
    y = bottom + 14
    slanted = [
        f'<text x="{at:g}" y="{y:g}" text-anchor="end" transform="rotate(-45 {at:g} {y:g})">'
        f"{escape(cut(c, SLANTED))}</text>"
        for at, c in zip(middles, columns, strict=True)
    ]
    return slanted, min(width(columns), SLANTED) * 0.75 + 16
