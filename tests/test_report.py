"""What the page promises: whole, self-contained, nobody's name can break it, and every number carries its doubt."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contract import Chart, Estimate, Finding, Report, Series
from assay.errors import StoreError
from assay.report import axes, charts, figures
from assay.report.ink import WIDTH
from assay.report.leaderboard import leaderboard_lines
from assay.report.page import render
from assay.report.sentences import careful, difference
from assay.report.story import Comparison, Entry, Story, story_from_json, story_to_json
from stories import AMES, CHURN, PENGUINS, story

VOID = {"meta", "br", "rect", "path", "img", "link", "hr"}
HOSTILE = "<script>alert('x')</script>\"&{{ 7*7 }}"


class Page(HTMLParser):
    """A page read strictly: every tag closed in order, ids and links noted, text kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: dict[str, int] = {}
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        said = dict(attrs)
        assert not [a for a in said if a.startswith("on") or a in ("src", "srcset", "xlink:href")]
        self.ids += [v for v in [said.get("id")] if v]
        self.links += [v for v in [said.get("href")] if v]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data


# --- the page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [CHURN, AMES, PENGUINS], ids=lambda a: a.item)
def test_the_page_is_whole_and_needs_nothing_else(asked: Any) -> None:
    told = story(asked)
    text = render(told)
    page = Page(text)
    assert "script" not in page.tags and "link" not in page.tags and "img" not in page.tags
    assert not re.search(r"https?://|@import|url\(", text)
    assert len(text.encode()) < 1_500_000
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    main = told.test.metrics[told.metric]
    assert figures.value(main) in page.words and figures.interval(main) in page.words
    assert page.tags["figure"] == text.count("The data of this chart") == page.tags["figcaption"] > 1


def test_every_recipe_metric_and_finding_is_on_the_page() -> None:
    told = story(CHURN)
    words = " ".join(Page(render(told)).words.split())
    for entry in told.leaderboard:
        assert entry.recipe in words
    for name, e in told.test.metrics.items():
        assert f"{figures.said(name)}" in words and figures.interval(e) in words
    for f in (*told.court, *told.test.findings):
        assert f.sentence.replace("roc_auc", "ROC AUC") in words
    for named in ("assay predict wa_churn:2", 'assay.load("wa_churn:2")', "assay verify 20261122-210000-abcd", "41 s"):
        assert named in words


def test_no_name_can_break_the_page() -> None:
    told = story(PENGUINS)
    columns = [{"name": HOSTILE, "kind": HOSTILE, "why": HOSTILE, "missing": 3, "distinct": 2, "used": True}]
    table = pl.DataFrame({HOSTILE: [HOSTILE, "</table></svg>"]})
    marks: tuple[Any, ...] = ("bar", "point", "line", "step")
    names = (HOSTILE, "b")
    quiet = Series("quiet" + HOSTILE, names, (1.0, 1.0), quiet=True)
    lines = tuple(Series(HOSTILE, names, (1.0, 2.0), mark=m) for m in marks)
    drawn = tuple(Chart(HOSTILE, HOSTILE, HOSTILE, (line, quiet), HOSTILE) for line in lines)
    cells = Chart(HOSTILE, HOSTILE, HOSTILE, (Series(HOSTILE, names, names, value=(1.0, 0.5), mark="cell"),))
    finding = Finding(HOSTILE, "fail", HOSTILE, {HOSTILE: HOSTILE}, table, (*drawn, cells))
    outcomes = replace(finding, check="outcomes." + HOSTILE)
    entry = Entry(HOSTILE, HOSTILE, HOSTILE, Estimate(0.5, 0.4, 0.6, 99, HOSTILE), note=HOSTILE)
    text = render(replace(
        told, run=HOSTILE, name=HOSTILE, title=HOSTILE, task=HOSTILE, declared={"data": HOSTILE, HOSTILE: HOSTILE},
        facts={"rows": 3, HOSTILE: HOSTILE, "columns": columns, "classes": {HOSTILE: 3}, "notes": [HOSTILE]},
        plan={"why": HOSTILE}, why_metric=HOSTILE, units={told.metric: HOSTILE}, metric_says={told.metric: HOSTILE},
        court=(finding, replace(finding, level="skipped")), leaderboard=(entry,), chosen=HOSTILE, why_chosen=HOSTILE,
        test=replace(told.test, findings=(finding, outcomes)), importance=finding, spent={HOSTILE: 3.0}, cut=(HOSTILE,),
        comparisons=(Comparison(HOSTILE, HOSTILE, told.metric, Estimate(0.1, 0.0, 0.2, 9, ""), 0.1, HOSTILE),),
        versions={HOSTILE: HOSTILE}, made=HOSTILE,
    ))
    page = Page(text)
    assert "script" not in page.tags and page.tags["svg"] >= 10
    assert "49" not in page.words and page.words.count(HOSTILE) > 30
    assert "<script" not in text


def test_the_abstract_says_what_how_sure_and_against_what() -> None:
    told = story(CHURN)
    words = " ".join(Page(render(told)).words.split())
    main, gap = told.test.metrics["roc_auc"], told.comparisons[-1].difference
    assert (f"On 1,761 test cases that nothing was learned from, its ROC AUC is {figures.value(main)}; the data allow "
            f"{figures.interval(main)} (95% interval).") in words
    assert (f"{told.chosen} is better than the best baseline (prior) by {figures.value(gap)} ROC AUC "
            f"({figures.interval(gap)}, p < 0.001).") in words


def test_what_speaks_against_the_numbers_is_listed_worst_first() -> None:
    told = story(PENGUINS)
    weak = Comparison("lightgbm", "prior", "log_loss", Estimate(0.1, -0.1, 0.3, 86, ""), 0.3, "")
    leak = Finding("data.copies", "fail", "'x' is the target under other names.")
    listed = careful(replace(told, looks=3, comparisons=(weak,), court=(leak,), declared={"allow_leaks": True}))
    assert [level for level, _ in listed] == ["fail", "fail", "warn", "warn", "warn", "note"]
    text = " ".join(sentence for _, sentence in listed)
    for named in ("under other names", "Leaks were allowed", "small (86", "look number 3", "surely better than prior"):
        assert named in text
    assert careful(replace(told, court=(), cut=(), test=replace(told.test, findings=()))) == [
        ("warn", "The test part is small (86 independent units), so the intervals are wide.")]


def test_a_difference_is_said_in_its_own_direction() -> None:
    def between(value: float, low: float, high: float, p: float) -> str:
        return difference(Comparison("a", "b", "log_loss", Estimate(value, low, high, 99, ""), p, ""))

    assert between(0.2, 0.1, 0.3, 0.0002) == "a is better than b by 0.20 log loss (0.10 to 0.30, p < 0.001)."
    assert between(-0.2, -0.3, -0.1, 0.02) == "a is worse than b by 0.20 log loss (0.10 to 0.30, p = 0.020)."
    assert between(0.1, -0.1, 0.3, 0.31) == "a is not told apart from b (+0.10 log loss, −0.10 to 0.30, p = 0.31)."


def test_a_page_without_much_to_say_still_stands() -> None:
    told = story(AMES)
    bare = replace(told, facts={}, plan={}, court=(), leaderboard=(), comparisons=(), importance=None, cut=(),
                   version=None, spent={}, versions={}, metric_says={}, units={}, test=replace(told.test, findings=()))
    words = Page(render(bare)).words
    assert "Where it errs" not in words and "What it looks at" not in words and "No check raised a doubt" in words


# --- charts -------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 1)
ODD = {
    "nothing": Series("s", (), ()),
    "one point": Series("s", (1.0,), (1.0,)),
    "all equal": Series("s", (1.0, 1.0), (2.0, 2.0), mark="point"),
    "holes": Series("s", (1.0, math.nan, 3.0, None), (math.inf, 2.0, math.nan, 1.0)),
    "holes in bounds": Series("s", (1.0, 2.0), (1.0, 2.0), (math.nan, 1.0), (2.0, math.inf)),
    "huge": Series("s", (1e12, 3e15), (-1e300, 1e300)),
    "tiny": Series("s", (1e-12, 3e-12), (1e-9, 2e-9)),
    "moments": Series("s", tuple(NOW + timedelta(days=i) for i in range(9)), tuple(range(9))),
    "days": Series("s", tuple(date(2026, 1, i) for i in range(1, 9)), tuple(range(8))),
    "names": Series("s", ("a", "b", "c"), (1.0, 2.0, 3.0)),
    "yes and no": Series("s", (True, False), (1.0, 2.0), mark="bar"),
    "negative bars": Series("s", (-1.0, 2.0), ("a", "b"), mark="bar"),
    "histogram": Series("s", tuple(range(20)), tuple(range(20)), mark="bar"),
    "many cells": Series("s", tuple(str(i % 30) for i in range(900)), tuple(str(i // 30) for i in range(900)),
                         value=tuple(i / 900 for i in range(900)), mark="cell"),
    "cells of nothing": Series("s", ("a",), ("b",), value=(0.0,), mark="cell"),
}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("what", ODD)
def test_any_chart_is_drawn_inside_its_frame(what: str, log: bool) -> None:
    chart = Chart(what, "x", "y", (ODD[what],), log_x=log)
    picture = str(charts.svg(chart))
    assert "nan" not in picture and "inf" not in picture
    if what == "nothing":
        assert picture == ""
        return
    height = float(re.findall(r'viewBox="0 0 \d+ ([\d.]+)"', picture)[0])
    for x, y in re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)"', picture):
        assert -1 <= float(x) <= WIDTH and 0 <= float(y) <= height
    assert charts.rows_of(chart)[1]


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    high = low + max(span, abs(low) * 1e-6)
    ticks = axes.round_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low - (high - low) * 1e-6 <= t <= high + (high - low) * 1e-6 for t in ticks)
    step = ticks[1] - ticks[0]
    assert f"{step:.3e}"[0] in "1259" and len(set(axes.tick_labels(ticks))) == len(ticks)


def test_names_along_x_become_rows() -> None:
    bars = Series("s", ("age", "income"), (0.2, 0.5), mark="bar")
    turned = str(charts.svg(Chart("t", "feature", "weight", (bars,))))
    assert re.search(r'text-anchor="end">age<', turned) and ">weight<" in turned


# --- numbers --------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_value_and_bounds_have_the_same_decimals(value: float, half: float) -> None:
    e = Estimate(value, value - half, value + half, 10, "")
    texts = [figures.value(e), *figures.interval(e).split(" to ")]
    assert len({len(t.partition(".")[2]) for t in texts if t != "0"}) <= 1
    read = float(texts[0].replace(",", "").replace("−", "-"))
    assert read == pytest.approx(value, abs=max(half / 10, 1e-3 * abs(value)) + 1e-6)


def test_the_leaderboard_is_aligned_and_says_ties() -> None:
    told = story(CHURN)
    tied = replace(told.leaderboard[1], status="tied")
    lines = leaderboard_lines(replace(told, leaderboard=(told.leaderboard[0], tied, *told.leaderboard[2:])))
    at = lines[0].index("95% interval")
    for line, entry in zip(lines[1:], told.leaderboard, strict=False):
        shown = figures.interval(entry.score) if entry.score else entry.note
        assert line.index(shown) == at and entry.recipe in line
    assert " tied " in lines[2] and lines[1].startswith("* ")
    assert lines[-2] == "score: ROC AUC on held-out cases, higher is better; * chosen"
    assert lines[-1].startswith("tied: ") and "Holm" in lines[-1]


# --- to a folder and back -----------------------------------------------------------------------------------


def same(a: Any, b: Any) -> bool:
    if isinstance(a, pl.DataFrame):
        return a.equals(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__)
    return bool(a == b) or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@pytest.mark.parametrize("asked", [CHURN, AMES, PENGUINS], ids=lambda a: a.item)
def test_a_story_survives_its_folder(asked: Any, tmp_path: Path) -> None:
    told: Story = story(asked)
    nowhere = Estimate(math.nan, -math.inf, math.inf, 0, "nothing was known")
    told = replace(told, leaderboard=(*told.leaderboard, Entry("x", "X()", "failed", nowhere)), importance=None)
    story_to_json(told, tmp_path)
    back = story_from_json(tmp_path)
    assert same(told, back) and isinstance(back.test, Report)
    assert render(back) == render(told)


def test_a_story_that_is_not_there_or_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="reading the story in"):
        story_from_json(tmp_path)
    story_to_json(story(PENGUINS), tmp_path)
    path = tmp_path / "story.json"
    whole = path.read_text()
    elsewhere = whole.replace('"table": 0', '"table": "../../x"')
    for spoiled in (whole[: len(whole) // 2], elsewhere, "[]", '{"format": 1, "story": 3}'):
        path.write_text(spoiled)
        with pytest.raises(StoreError, match="reading the story in"):
            story_from_json(tmp_path)
    path.write_text(whole.replace('"format": 1', '"format": 99'))
    with pytest.raises(StoreError, match="has format 99"):
        story_from_json(tmp_path)
