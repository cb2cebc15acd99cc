"""A chart with names down its side, a row each: bars, or dots with intervals."""

from __future__ import annotations

from markupsafe import Markup

from assay.contract import Chart, Series
from assay.report.axes import Scale, as_number, numbers, spanning, tick_labels, width
from assay.report.ink import BOTTOM, LINE, RIGHT, ROW, TOP, WIDTH, coloured, framed, label, order, wrapped, x_axis

WIDEST, WIDEST_WRAPPED = 172, 224


def rows(chart: Chart) -> Markup:
    named = [s for s in chart.series if not s.quiet] or list(chart.series)
    names = order(named, "y")
    bars = any(s.mark == "bar" for s in chart.series)
    lines = {n: wrapped(n, WIDEST) for n in names}
    tallest = max((len(said) for said in lines.values()), default=1)
    row, room = ROW + LINE * (tallest - 1), WIDEST if tallest == 1 else WIDEST_WRAPPED
    left = min(width(said for n in names for said in lines[n]), room) + 12
    xs = numbers(v for s in chart.series for v in (*s.x, *s.low, *s.high))
    x = Scale(*spanning(xs, chart.x_range, log=False, zero=bars), left, WIDTH - RIGHT)
    bottom = TOP + row * len(names)
    ticks = x.ticks()
    body = x_axis(x, bottom, chart.x, ticks, tick_labels(ticks))
    for i, name in enumerate(names):
        above = TOP + row * (i + 0.5) - LINE * (len(lines[name]) - 1) / 2
        body += [label(said, left, above + LINE * j) for j, said in enumerate(lines[name])]
    if x.low < 0 < x.high:
        body.append(f'<path class="zero" d="M{x.at(0)} {TOP}V{bottom}"/>')
    several = len(named)
    for s, colour in coloured(chart):
        if s.quiet:
            body += [f'<path class="line quiet" d="M{x.at(v)} {TOP}V{bottom}"/>' for v in dict.fromkeys(numbers(s.x))]
        else:
            shift = (named.index(s) - (several - 1) / 2) * (ROW * 0.7 / several) if several > 1 else 0.0
            middles = {name: TOP + row * (i + 0.5) + shift for i, name in enumerate(names)}
            body += _marks(s, f"c{colour}", x, middles, ROW * 0.62 / several)
    return framed(chart, bottom + BOTTOM, body)


def _marks(s: Series, css: str, x: Scale, middles: dict[str, float], thick: float) -> list[str]:
    bars, spans, dots = [], [], []
    zero = x.at(min(max(0.0, x.low), x.high))
    for i, (v, name) in enumerate(zip(s.x, s.y, strict=True)):
        at = as_number(v)
        if at is None:
            continue
        y = middles[str(name)]
        bars.append(f"M{zero} {y - thick / 2:.1f}H{x.at(at)}v{thick:.1f}H{zero}Z")
        dots.append(f"M{x.at(at)} {y:.1f}h0")
        low, high = (as_number(e[i]) if e else None for e in (s.low, s.high))
        if low is not None and high is not None:
            spans.append(f"M{x.at(low)} {y:.1f}H{x.at(high)}")
    if s.mark == "bar":
        return [f'<path class="fill {css}" d="{"".join(bars)}"/>', f'<path class="span over" d="{"".join(spans)}"/>']
    return [f'<path class="span {css}" d="{"".join(spans)}"/>', f'<path class="dot large {css}" d="{"".join(dots)}"/>']
