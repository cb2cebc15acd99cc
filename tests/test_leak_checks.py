"""Each kind of leak, planted in a real table, is found; its clean counterpart is not accused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.checks import afterwards, copies, duplicates, encoded, groups, order, pairs, period
from assay.checks.exhibits import Exhibits
from assay.checks.telling import score, truth_of
from assay.checks.twins import near_pairs
from assay.contract import Finding, Table
from stories import AMES, CHURN, as_cases, table

RNG = np.random.default_rng(3)
ROWS = table(CHURN)[RNG.permutation(7_043)[:3_000]]
LEFT = (ROWS["churn"] == "Yes").to_numpy()
HOUSES = table(AMES)
PRICE = HOUSES["Sale_Price"].cast(pl.Float64)
NUMBERS = [c for c in HOUSES.columns if HOUSES[c].dtype.is_numeric() and c != "Sale_Price"]
N = len(ROWS)


def churn(**more: Any) -> Exhibits:
    return Exhibits.plain(as_cases(CHURN, ROWS), ROWS.drop("churn").with_columns(**more))


def houses(**more: Any) -> Exhibits:
    return Exhibits.plain(as_cases(AMES, HOUSES), HOUSES.drop("Sale_Price").with_columns(**more))


def loud(found: Iterator[Finding]) -> list[Finding]:
    return [f for f in found if f.level in ("warn", "fail")]


# --- one column, two columns -------------------------------------------------------------------------


def test_a_leak_into_one_label_of_several_is_found() -> None:
    cases = pl.DataFrame({"case_id": range(N), "unit": range(N), "target.left": LEFT,
                          "target.partner": ROWS["partner"].cast(pl.String) == ROWS["partner"].cast(pl.String)[0]})
    inputs = ROWS.drop("churn", "partner").with_columns(k=pl.Series(~LEFT))
    (found,) = loud(copies.check(Exhibits.plain(cases, inputs)))
    assert (found.level, found.columns) == ("fail", ("k",))


def test_two_codes_that_say_the_target_only_together() -> None:
    a = RNG.integers(0, 6, N)
    (found,) = loud(pairs.check(churn(k1=pl.Series(a), k2=pl.Series(2 * RNG.integers(0, 4, N) + (a + LEFT) % 2))))
    assert found.level == "fail" and set(found.columns) == {"k1", "k2"} and found.numbers["alone"] < 0.6
    assert not loud(pairs.check(churn(k1=pl.Series(a), k2=pl.Series(RNG.integers(0, 8, N)))))


@pytest.mark.parametrize("made", [
    lambda y, a: {"k1": y - a, "k2": a}, lambda y, a: {"k1": y / a, "k2": a}, lambda y, a: {"k1": y * a, "k2": a},
], ids=["sum", "product", "ratio"])
def test_two_numbers_that_make_the_target(made: Any) -> None:
    a = pl.Series(np.exp(RNG.normal(size=len(PRICE)) + 11))
    (found,) = loud(pairs.check(houses(**made(PRICE, a))))
    assert found.level == "fail" and found.columns == ("k1", "k2") and found.numbers["score"] > 0.999


def test_no_pair_of_a_real_table_is_accused() -> None:
    assert not loud(pairs.check(churn())) and not loud(pairs.check(houses()))


# --- after the event ---------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [None, 0.0], ids=["missing", "nought"])
def test_a_value_that_is_there_only_after_the_event(blank: float | None) -> None:
    def filled(there: Any) -> pl.Series:
        return pl.Series([float(v) if t else blank for t, v in zip(there, RNG.exponential(90, N), strict=True)])

    (found,) = loud(afterwards.check(churn(refund=filled(LEFT & (RNG.random(N) < 0.6)))))
    assert found.columns == ("refund",) and "0.0% elsewhere" not in found.sentence and "100.0% there" in found.sentence
    assert not loud(afterwards.check(churn(refund=filled(RNG.random(N) < np.where(LEFT, 0.4, 0.2)))))


def test_the_time_between_two_moments_tells() -> None:
    opened = pl.Series(np.datetime64("2024-01-01", "us") + RNG.integers(0, int(9e12), N).astype("timedelta64[us]"))
    days = np.where(LEFT, RNG.uniform(1, 30, N), RNG.uniform(25, 400, N))
    closed = opened + pl.Series((days * 86_400e6).astype("timedelta64[us]"))
    (found,) = loud(afterwards.check(churn(opened=opened, closed=closed)))
    assert found.columns == ("closed",) and "time between" in found.sentence
    later = opened + pl.Series((RNG.uniform(1, 400, N) * 86_400e6).astype("timedelta64[us]"))
    assert not loud(afterwards.check(churn(opened=opened, closed=later)))


# --- the order of the rows ------------------------------------------------------------------------------


def test_a_file_sorted_by_the_target_is_a_note_and_a_number_that_counts_its_rows_a_doubt() -> None:
    rows = ROWS[np.argsort(LEFT + RNG.normal(size=N) * 0.3)]
    cases, inputs = as_cases(CHURN, rows), rows.drop("churn")
    (note,) = order.check(Exhibits.plain(cases, inputs))
    assert note.level == "note" and "no model sees it" in note.sentence
    ticket = pl.Series(5_000 + 3 * np.arange(N) + RNG.integers(0, 3, N))
    (found,) = order.check(Exhibits.plain(cases, inputs.with_columns(ticket=ticket)))
    assert found.level == "warn" and found.columns == ("ticket",) and "runs with the order" in found.sentence
    mixed = RNG.permutation(N)                  # the file is shuffled, the number still tells
    cases, inputs = as_cases(CHURN, rows[mixed]), inputs[mixed].with_columns(ticket=ticket[mixed])
    (found,) = order.check(Exhibits.plain(cases, inputs))
    assert found.level == "warn" and "never repeats" in found.sentence
    (quiet,) = order.check(churn(ticket=ticket))
    assert quiet.level == "ok"


# --- means of the target ----------------------------------------------------------------------------------


def _mean_by(key: Any, y: Any, prior: float = 0.0) -> pl.Series:
    by = pl.DataFrame({"key": key, "y": y}).with_columns(n=pl.len().over("key"), total=pl.col("y").sum().over("key"))
    return by.select((pl.col("total") + prior * by["y"].mean()) / (pl.col("n") + prior)).to_series()


@pytest.mark.parametrize("prior", [0.0, 5.0])
def test_a_mean_of_the_target_is_told_from_one_of_other_cases(prior: float) -> None:
    key, y = RNG.integers(0, N // 8, N), LEFT.astype(float)
    agent = pl.Series([f"agent {k}" for k in key])
    (found,) = loud(encoded.check(churn(agent=agent, rate=_mean_by(key, y, prior))))
    assert found.level == "fail" and found.columns == ("rate",) and found.numbers["inside"] > found.numbers["outside"]
    true = RNG.beta(2, 5, N // 8)               # the rate each agent really has, known from elsewhere
    fresh = (RNG.random(N) < true[key])
    cases = as_cases(CHURN, ROWS.with_columns(churn=pl.Series(np.where(fresh, "Yes", "No"))))
    assert not loud(encoded.check(Exhibits.plain(cases, pl.DataFrame({"agent": agent, "rate": true[key]}))))


def test_a_mean_taken_of_the_whole_table_is_found_in_its_training_part() -> None:
    key = RNG.integers(0, len(PRICE) // 6, len(PRICE))
    rate, kept = _mean_by(key, PRICE), RNG.random(len(PRICE)) < 0.8
    rows = HOUSES.with_columns(rate=rate).filter(pl.Series(kept))
    (found,) = loud(encoded.check(Exhibits.plain(as_cases(AMES, rows), rows.drop("Sale_Price"))))
    assert found.columns == ("rate",)


# --- the same case again -----------------------------------------------------------------------------------


def test_twins_with_jitter_are_found_and_neighbours_are_none() -> None:
    rows = HOUSES.select(NUMBERS)
    more = RNG.integers(0, len(rows), 600)
    moved = rows[more].with_columns(
        (pl.col(c) + pl.Series(RNG.normal(size=600)) * 0.01 * rows[c].std()) for c in NUMBERS
        if rows[c].n_unique() > 100)
    both = pl.concat([rows, moved], how="vertical_relaxed")
    pairs_ = near_pairs(both)
    right = {(int(m), len(rows) + i) for i, m in enumerate(more)}
    found = {(min(p), max(p)) for p in pairs_.tolist()}
    assert len(found & right) > 0.9 * len(right)
    assert len(near_pairs(rows)) == 0


def test_twins_across_the_split_belong_together() -> None:
    reviews = ROWS.select("tenure", "monthly_charges", "total_charges", "contract").with_columns(
        note=pl.Series([f"Customer {i} says: all well, no. {i % 97}" for i in range(N)]))
    test = reviews[:300].with_columns(pl.col("note").str.to_uppercase().str.replace("ALL WELL", "well  all"))
    seen = Exhibits.plain(as_cases(CHURN, ROWS), reviews, test)
    (found,) = duplicates.check(seen)
    assert found.level == "warn" and found.numbers["across"] == 300 and found.together is not None
    assert found.together["unit"].n_unique() == 300 and len(found.together) == 600


# --- the same customer, the same week ------------------------------------------------------------------------


def _visits() -> tuple[Table, Table]:
    who = np.arange(N) // 4 * 4
    own = ROWS.columns[1:11]
    left = ROWS["churn"].cast(pl.String).to_numpy()
    rows = ROWS.with_columns(ROWS[who].select(own)).with_columns(
        churn=pl.Series(np.where(RNG.random(N) < 0.8, left[who], left)))
    customer = pl.Series([f"C{w * 37 % 9973}" for w in who])
    return as_cases(CHURN, rows), rows.drop("churn").with_columns(customer=customer)


def test_the_group_column_is_guessed_among_the_inputs_and_among_those_left_out() -> None:
    cases, inputs = _visits()
    (found,) = loud(groups.check(Exhibits.plain(cases, inputs)))
    assert found.numbers["column"] == "customer" and found.together is not None and "--group" in found.sentence
    assert found.together["unit"].n_unique() == N // 4
    plain = Exhibits.plain(cases, inputs.drop("customer"))
    assert not loud(groups.check(plain))
    aside = Exhibits(**{**{f: getattr(plain, f) for f in plain.__dataclass_fields__ if not f.startswith("_")},
                        "set_aside": inputs.select("customer"), "test_set_aside": inputs.select("customer").clear()})
    (found,) = loud(groups.check(aside))
    assert "left out of the inputs" in found.sentence


def test_a_category_is_no_group() -> None:
    assert not loud(groups.check(houses())) and not loud(groups.check(churn()))


def test_weeks_in_which_the_target_leans_are_seen_and_moments_at_random_are_not() -> None:
    week = RNG.integers(0, 60, N)
    seconds = week * 7 * 86_400 + RNG.integers(0, 86_400, N)
    at = pl.Series(np.datetime64("2023-01-02", "us") + (seconds * 1_000_000).astype("timedelta64[us]"))
    left = ROWS["churn"].cast(pl.String).to_numpy()
    leans = np.where(np.sin(week) > 0.5, "Yes", np.where(np.sin(week) < -0.5, "No", left))
    cases = as_cases(CHURN, ROWS.with_columns(churn=pl.Series(leans)))
    (found,) = loud(period.check(Exhibits.plain(cases, ROWS.drop("churn").with_columns(at=at))))
    assert found.ordered is not None and "--time 'at'" in found.sentence
    (quiet,) = period.check(churn(at=at))
    assert quiet.level == "ok"


def test_a_column_is_scored_on_cases_it_was_not_learned_from() -> None:
    truth = truth_of(churn())
    assert truth is not None and truth.measure == "ROC AUC"
    noise = pl.Series([f"v{i}" for i in RNG.integers(0, 1_500, N)])
    assert abs(score(noise, truth) - 0.5) < 0.05
