"""The court as a whole: leaks priced, the gate that stops a run, the split made anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import assay
from assay.checks.court import Court, hold_court, mended, merged
from assay.checks.exhibits import Exhibits
from assay.contract import TEST, TRAIN, Task
from assay.errors import GateError
from assay.problem import problem
from assay.report.story import story_from_json
from assay.stages.recognise import recognise

RNG = np.random.default_rng(5)


def signal(n: int, noise: float = 0.25) -> pl.DataFrame:
    """Eight numbers and a class that follows three of them, wrong in a quarter of the rows."""
    X = RNG.normal(size=(n, 8))
    y = (X[:, 0] + 0.8 * X[:, 1] - 0.6 * X[:, 2] > 0) ^ (RNG.random(n) < noise)
    return pl.DataFrame({f"x{i}": X[:, i] for i in range(8)} | {"y": np.where(y, "yes", "no")})


@pytest.fixture(scope="module")
def twice() -> pl.DataFrame:
    """900 rows and 600 of them again: the table that fools."""
    rows = signal(900)
    both = pl.concat([rows, rows[RNG.choice(900, 600, replace=False)]])
    return both[RNG.permutation(len(both))]


def bound(rows: pl.DataFrame, **said: Any) -> Task:
    asked = problem(rows, target="y", **said)
    return recognise(asked)[1].bind(asked, lambda _: None)


def test_a_copy_is_priced_and_named(twice: pl.DataFrame) -> None:
    court = hold_court(bound(twice.with_columns(code=pl.col("y").replace_strict({"yes": 7, "no": 3}))))
    assert court.columns == ("code",)
    price = next(f.optimism for f in court.sure)
    assert price is not None and price.leaky.value > 0.99 and price.honest.value < 0.95
    assert 0 < price.points.low <= price.points.value == pytest.approx(price.leaky.value - price.honest.value)
    assert court.all_leaks is not None and court.all_leaks.honest.value < price.honest.value    # without the twins too


def test_what_is_shown_of_the_test_part_is_not_its_truth(twice: pl.DataFrame) -> None:
    seen = Exhibits.of(bound(twice))
    assert seen is not None
    assert seen.test_cases.columns == ["case_id", "unit"] and "y" not in seen.test_inputs.columns
    assert len(seen.cases) + len(seen.test_cases) == len(twice)


def test_a_mended_split_keeps_together_what_belongs_together(tmp_path: Path, twice: pl.DataFrame) -> None:
    task = bound(twice)
    court = hold_court(task)
    assert court.together is not None
    fresh, said = mended(task, court)
    assert fresh.plan.method == "group" and any("made anew" in f.sentence for f in said.findings)
    inputs = [fresh.inputs(fresh.cases(part)).hash_rows() for part in (TRAIN, TEST)]      # type: ignore[attr-defined]
    assert not set(inputs[0]) & set(inputs[1])
    fresh.save(tmp_path)
    again = recognise(problem(twice, target="y"))[1].open(tmp_path, test=True)
    assert again.cases(TEST).equals(fresh.cases(TEST)) and again.plan.why == fresh.plan.why
    assert hold_court(again).together is None       # mended once, there is nothing left to mend


def test_by_time_nothing_is_moved(twice: pl.DataFrame) -> None:
    task = bound(twice.with_columns(day=pl.Series(range(len(twice)))), time="day")
    court = hold_court(task)
    units = pl.DataFrame({"case_id": [0, 1], "unit": ["a", "a"]})
    same, said = mended(task, Court(court.findings, units))
    assert same is task
    assert all("made anew" not in f.sentence for f in said.findings)


def test_what_any_table_puts_together_is_together() -> None:
    a = pl.DataFrame({"case_id": [1, 2, 7], "unit": ["a", "a", "b"]})
    b = pl.DataFrame({"case_id": [2, 3, 4, 5], "unit": ["a", "a", "b", "b"]})
    unit = dict(merged([a, b]).iter_rows())
    assert unit[1] == unit[2] == unit[3] != unit[4] == unit[5] and len(set(unit.values())) == 3


def test_the_gate_shows_both_figures_and_the_two_ways_on(tmp_path: Path, twice: pl.DataFrame) -> None:
    leaky = twice.with_columns(code=(pl.col("y") == "yes").cast(pl.Int64))
    asked: dict[str, Any] = {"target": "y", "store": tmp_path, "trials": 1, "recipes": "logistic", "workers": 1}
    with pytest.raises(GateError) as stopped:
        assay.train(leaky, **asked)
    said = str(stopped.value)
    assert stopped.value.exit_code == 3 and "--drop 'code'" in said and "--allow-leaks" in said
    assert "ROC AUC 1.0" in said and "without" in said
    run = assay.train(leaky, allow_leaks=True, **asked)
    page = run.report.read_text(encoding="utf-8")
    assert 'class="alarm"' in page and "Leaks were allowed" in page
    kept = story_from_json(run.run.folder)
    assert kept.leaks == run.story.leaks is not None and kept.leaks.honest.value < 0.85
    assert kept.plan["method"] == "group"           # he went on, and the twins were kept together
