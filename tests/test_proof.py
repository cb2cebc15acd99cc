"""The optimism of choosing the best of many: in the story, in words, for scripts, on the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.cli.told import story_lines, story_value
from assay.contract import Estimate, Finding, Metric, Table
from assay.metrics import lookup
from assay.report.page import render
from assay.report.story import Choosing, Story, story_from_json, story_to_json
from assay.search.verdict import Verdict
from assay.stages.choosing import choosing
from assay.stats.intervals import estimate
from stories import CHURN, story

AUC, RMSE = lookup("binary", "roc_auc"), lookup("regression", "rmse")
TEST = Estimate(0.7, 0.65, 0.75, 400, "DeLong, logit")


def verdict(scores: dict[str, Table], chosen: str) -> Verdict:
    return Verdict((), {chosen: 1.0}, chosen, "", None, (0,), scores)


def equals(m: int, n: int, seed: int = 0) -> dict[str, Table]:
    """Answers of m recipes that are all as good."""
    draw = np.random.default_rng(seed)
    y = draw.random(n) < 0.3
    return {f"r{i}": pl.DataFrame({"case_id": range(n), "target.positive": y, "out.p": draw.normal(size=n) + 0.7 * y})
            for i in range(m)}


def best(metric: Metric, scores: dict[str, Table]) -> str:
    return max(scores, key=lambda name: metric.goodness(metric.fn(scores[name])))


def test_the_best_of_many_equals_is_told_what_luck_gave_it() -> None:
    scores = equals(12, 300)
    found = choosing(AUC, verdict(scores, best(AUC, scores)), TEST, 0)
    assert found is not None and found.among == 12
    assert 0.005 < found.raw.value - found.corrected.value < 0.08
    assert found.raw.high - found.raw.low == pytest.approx(found.corrected.high - found.corrected.low)
    for said in ("Having chosen it among 12 adds 0.0", "of optimism, which leaves", "the test part says 0.700"):
        assert said in found.sentence


def test_where_less_is_better_the_corrected_error_is_larger() -> None:
    draw = np.random.default_rng(1)
    y = draw.normal(size=200)
    scores = {f"r{i}": pl.DataFrame({"case_id": range(200), "target": y, "out.value": y + draw.normal(size=200)})
              for i in range(8)}
    found = choosing(RMSE, verdict(scores, best(RMSE, scores)), TEST, 0)
    assert found is not None and found.corrected.value > found.raw.value
    assert "ROC AUC" not in found.sentence and "RMSE" in found.sentence


def test_one_that_is_far_ahead_owes_little_to_luck() -> None:
    scores = equals(5, 2_000)
    y = scores["r0"]["target.positive"].to_numpy()
    draw = np.random.default_rng(9)
    scores["ensemble"] = scores["r0"].with_columns(pl.Series("out.p", draw.normal(size=2_000) + 2 * y))
    found = choosing(AUC, verdict(scores, "ensemble"), TEST, 0)
    assert found is not None and found.raw.value - found.corrected.value < 0.002
    assert "Having chosen it among 6 adds less than 0.0" in found.sentence


def test_a_cheaper_one_than_the_best_keeps_its_own_score() -> None:
    scores = equals(6, 300)
    other = next(name for name in scores if name != best(AUC, scores))
    found = choosing(AUC, verdict(scores, other), TEST, 0)
    assert found is not None and found.raw == estimate(AUC, scores[other])
    assert found.corrected.value < found.raw.value


def test_where_nothing_was_chosen_nothing_is_said() -> None:
    assert choosing(AUC, verdict(equals(1, 100), "r0"), TEST, 0) is None


def told() -> Story:
    found = choosing(AUC, verdict(equals(12, 300), "r0"), TEST, 0)
    assert found is not None
    return replace(story(CHURN), choosing=found)


def test_the_story_tells_it_to_people_scripts_and_readers_of_the_page(tmp_path: Path) -> None:
    one = told()
    assert isinstance(one.choosing, Choosing)
    assert one.choosing.sentence in list(story_lines(one))
    curve = Finding("learning_curve", "note", "Twice the cases would probably bring 0.004 to 0.012 ROC AUC.")
    assert curve.sentence in list(story_lines(replace(one, test=replace(one.test, findings=(curve,)))))
    value = story_value(one)["choosing"]
    assert value["among"] == 12 and value["raw"]["value"] > value["corrected"]["value"]
    assert "of optimism, which leaves" in render(one).replace('<a class="term" href="#word-optimism">optimism</a>',
                                                              "optimism")
    story_to_json(one, tmp_path)
    assert story_from_json(tmp_path).choosing == one.choosing


def test_a_story_from_before_it_was_told_still_loads(tmp_path: Path) -> None:
    story_to_json(told(), tmp_path)
    path = tmp_path / "story.json"
    old = json.loads(path.read_text())
    del old["story"]["choosing"]
    path.write_text(json.dumps(old))
    back = story_from_json(tmp_path)
    assert back.choosing is None and story_value(back)["choosing"] is None
    assert "optimism, which leaves" not in render(back)
