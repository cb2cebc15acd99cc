"""A chart whose axes are both numbers, moments, or names along a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from markupsafe import Markup

from assay.contract import Chart, Series
from assay.report.axes import Scale, as_number, cut, numbers, spanning, tick_labels, width
from assay.report.ink import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH, coloured, framed, has_words, order, x_axis, y_axis


def plane(chart: Chart) -> Markup:
    series = chart.series
    names = order(series, "x") if any(has_words(s.x) for s in series) else []
    bars = any(s.mark == "bar" for s in series)
    xs = [float(i) for i in range(len(names))] if names else numbers(v for s in series for v in s.x)
    ys = numbers(v for s in series for v in (*s.y, *s.low, *s.high))
    y = Scale(*spanning(ys, chart.y_range, log=False, zero=bars), HEIGHT - BOTTOM, TOP)
    left = width(tick_labels(y.ticks())) + (32 if chart.y else 14)
    log = chart.log_x and not names
    x = Scale(*spanning(xs, chart.x_range, log=log, zero=False), left, WIDTH - RIGHT, log)
    ticks, labels = _x_ticks(x, series, names)
    body = [*x_axis(x, HEIGHT - BOTTOM, chart.x, ticks, labels), *y_axis(y, left, chart.y)]
    for s, colour in sorted(coloured(chart), key=lambda sc: not sc[0].quiet):
        body += _drawn(s, colour, x, y, names)
    return framed(chart, HEIGHT, body)


def _x_ticks(x: Scale, series: Sequence[Series], names: list[str]) -> tuple[list[float], list[str]]:
    if names:
        return [float(i) for i in range(len(names))], [cut(n, 90) for n in names]
    ticks = x.ticks()
    if any(hasattr(v, "isoformat") for s in series for v in s.x[:1]):
        return ticks[::2], [_moment(t, x.high - x.low) for t in ticks[::2]]
    return ticks, tick_labels(ticks)


def _moment(seconds: float, span: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d" if span > 3 * 86_400 else "%d %b %H:%M")


def _points(s: Series, x: Scale, y: Scale, names: list[str]) -> list[tuple[float, float, int]]:
    """(px, py, position) of what can be placed."""
    out = []
    for i, (a, b) in enumerate(zip(s.x, s.y, strict=True)):
        at, up = (float(names.index(str(a))) if names else as_number(a)), as_number(b)
        if at is not None and up is not None and not (x.log and at <= 0):
            out.append((x.at(at), y.at(up), i))
    return out


def _drawn(s: Series, colour: int, x: Scale, y: Scale, names: list[str]) -> list[str]:
    css = "quiet" if s.quiet else f"c{colour}"
    points = _points(s, x, y, names)
    if s.mark == "point":
        size = "small" if len(points) > 200 else "large"
        dots = "".join(f"M{a} {b}h0" for a, b, _ in points)
        return [*_intervals(s, points, y, css), f'<path class="dot {size} {css}" d="{dots}"/>']
    if s.mark == "bar":
        return _bars(points, y, css) + _intervals(s, points, y, css)
    path = _path(points, step=s.mark == "step")
    return [*_band(s, points, y, css), f'<path class="line {css}" d="{path}"/>']


def _path(points: Sequence[tuple[float, float, int]], *, step: bool) -> str:
    if not points:
        return ""
    rest = "".join(f"H{b[0]}V{b[1]}" if step else f"L{b[0]} {b[1]}" for _, b in pairwise(points))
    return f"M{points[0][0]} {points[0][1]}{rest}"


def _ends(s: Series, points: Sequence[tuple[float, float, int]], y: Scale) -> list[tuple[float, float, float]]:
    """(px, low, high) where there are both bounds."""
    if not s.low or not s.high:
        return []
    bounds = [(a, as_number(s.low[i]), as_number(s.high[i])) for a, _, i in points]
    return [(a, y.at(low), y.at(high)) for a, low, high in bounds if low is not None and high is not None]


def _band(s: Series, points: Sequence[tuple[float, float, int]], y: Scale, css: str) -> list[str]:
    ends = _ends(s, points, y)
    if not ends:
        return []
    there = "L".join(f"{a} {high}" for a, _, high in ends)
    back = "L".join(f"{a} {low}" for a, low, _ in reversed(ends))
    return [f'<path class="band {css}" d="M{there}L{back}Z"/>']


def _intervals(s: Series, points: Sequence[tuple[float, float, int]], y: Scale, css: str) -> list[str]:
    ends = _ends(s, points, y)
    return [f'<path class="span {css}" d="{"".join(f"M{a} {low}V{high}" for a, low, high in ends)}"/>'] if ends else []


def _bars(points: Sequence[tuple[float, float, int]], y: Scale, css: str) -> list[str]:
    gaps = [b[0] - a[0] for a, b in pairwise(sorted(points)) if b[0] > a[0]]
    wide = min(min(gaps, default=40) * 0.85, 40)
    floor = y.at(min(max(0.0, y.low), y.high))
    bars = "".join(f"M{a - wide / 2:.1f} {floor}V{b}h{wide:.1f}V{floor}Z" for a, b, _ in points)
    return [f'<path class="fill {css}" d="{bars}"/>']
