"""Encodings: what columns become, that a row stands alone, that nothing is learned from rows that were not given."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.contract import Field, Split, Table
from assay.errors import TamperedError
from assay.paradigms.supervised.encode import Encoder
from assay.paradigms.supervised.encode.categories import MOST_CODES, Coded, OneHot
from assay.paradigms.supervised.encode.numbers import Moment, Plain, Scaled
from assay.paradigms.supervised.encode.text import Topics
from assay.paradigms.supervised.learner import Encoding
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem

KINDS: tuple[Field, ...] = (
    Field("amount", "numeric", "float"), Field("count", "numeric", "int"), Field("member", "boolean", "bool"),
    Field("city", "categorical", "string"), Field("when", "datetime", "datetime"), Field("note", "text", "string"),
)
WORDS = ("late", "early", "broken", "fine", "again", "never", "box", "driver", "call", "refund")


def rows(n: int = 300, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    amount = np.exp(rng.normal(size=n) * 2)
    begin = datetime.datetime(2024, 1, 1)
    made = pl.DataFrame({
        "amount": amount, "count": rng.integers(0, 9, n), "member": rng.random(n) < 0.3,
        "city": rng.choice(["Rome", "Oslo", "Lima", "Bonn"], n, p=[0.5, 0.3, 0.15, 0.05]),
        "when": [begin + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9000, n)],
        "note": [" ".join(rng.choice(WORDS, rng.integers(3, 9))) for _ in range(n)],
    })
    gap = pl.Series(rng.random(n) < 0.1)
    gaps = (pl.when(gap).then(None).otherwise(pl.col(c)).alias(c) for c in ("amount", "city", "note"))
    table: Table = made.with_columns(gaps)
    return table


@pytest.mark.parametrize("encoding", ["codes", "numbers"])
def test_shape_type_and_names(encoding: Encoding) -> None:
    table = rows()
    encoder = Encoder.fit(table, KINDS, encoding)
    X = encoder.transform(table)
    assert X.shape == (300, len(encoder.names)) == (300, len(encoder.sources))
    assert X.flags.c_contiguous
    assert X.dtype == (np.float32 if encoding == "codes" else np.float64)
    assert len(set(encoder.names)) == len(encoder.names)
    assert np.isnan(X).any() == (encoding == "codes")
    assert [encoder.names[i] for i in encoder.categorical] == (["city"] if encoding == "codes" else [])


@pytest.mark.parametrize("encoding", ["codes", "numbers"])
def test_a_row_stands_alone(encoding: Encoding) -> None:
    encoder, fresh = Encoder.fit(rows(), KINDS, encoding), rows(50, seed=1)
    X = encoder.transform(fresh)
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(encoder.transform(fresh[order]), X[order])
    one_by_one = np.concatenate([encoder.transform(fresh[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(one_by_one, X, atol=1e-6)


def test_few_rows_become_what_they_do_among_many() -> None:
    """Few are encoded cell by cell, many column by column."""
    values = {
        "amount": [0.1, None, float("inf"), float("nan"), -1e300, 7.0] * 50, "count": [1, None, 2**53, -3, 0, 5] * 50,
        "member": [True, False, None, True, False, True] * 50, "city": ["Rome", None, "new", "", "Oslo", "Lima"] * 50,
        "same": [datetime.datetime(2024, 1, 1)] * 300,
    }
    table = pl.DataFrame(values, strict=False)
    fields = (*KINDS[:4], Field("same", "datetime", "datetime"))
    many = pl.concat([table, table.with_columns(city=pl.Series([f"v{i}" for i in range(300)]))] * 5)
    encoder = Encoder.fit(many, fields, "codes")
    X = encoder.transform(table)
    assert X.shape[1] == 4
    few = np.concatenate([encoder.transform(table[i : i + 1]) for i in range(6)])
    np.testing.assert_array_equal(few, X[:6])
    lists = table.with_columns(city=pl.Series([1] * 300))       # not the type it was fitted on: as among many
    np.testing.assert_array_equal(encoder.transform(lists[:1]), encoder.transform(lists)[:1])


@pytest.mark.parametrize("encoding", ["codes", "numbers"])
def test_saved_and_read_back(encoding: Encoding, tmp_path: Path) -> None:
    encoder = Encoder.fit(rows(), KINDS, encoding)
    encoder.save(tmp_path)
    again = Encoder.load(tmp_path)
    np.testing.assert_array_equal(again.transform(rows(seed=2)), encoder.transform(rows(seed=2)))
    assert again.names == encoder.names
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("spoil", [
    lambda said: said["inputs"][3].update(block="os.system"),
    lambda said: said["inputs"][3].pop("levels"),
    lambda said: said["inputs"][3].update(levels=["Rome", "Rome"]),
    lambda said: said["inputs"][3].update(wide=99),
    lambda said: said["inputs"][5].update(grams=["one"]),
    lambda said: said.update(encoding="pickle"),
])
def test_nonsense_is_refused(spoil: Any, tmp_path: Path) -> None:
    Encoder.fit(rows(), KINDS, "numbers").save(tmp_path)
    path = tmp_path / "encoder.json"
    said = json.loads(path.read_text())
    spoil(said)
    path.write_text(json.dumps(said))
    with pytest.raises(TamperedError):
        Encoder.load(tmp_path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    Encoder.fit(rows(), KINDS, "numbers").save(tmp_path)
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TamperedError, match="not whole"):
        Encoder.load(tmp_path)


def test_numbers_for_trees_stay_as_they_are() -> None:
    x = pl.Series([1.5, None, float("inf"), -7.0])
    np.testing.assert_array_equal(Plain.fit(x).transform(x)[:, 0], [1.5, np.nan, np.nan, -7.0])


def test_large_whole_numbers_keep_their_differences() -> None:
    x = pl.Series([1_700_000_000, 1_700_000_001, 1_700_000_002])
    assert np.diff(Plain.fit(x).transform(x).astype(np.float32)[:, 0]).tolist() == [1.0, 1.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(width=64)), min_size=1, max_size=40))
def test_scaled_numbers_are_always_finite_and_small(values: list[float | None]) -> None:
    x = pl.Series(values, dtype=pl.Float64)
    X = Scaled.fit(x).transform(x)
    assert np.isfinite(X).all()
    assert np.abs(X).max() <= 4.0


def test_scaled_numbers_have_about_unit_spread() -> None:
    rng = np.random.default_rng(0)
    for draw in (rng.normal(50, 9, 5000), np.exp(rng.normal(size=5000) * 2), rng.integers(0, 2, 5000).astype(float)):
        z = Scaled.fit(pl.Series(draw)).transform(pl.Series(draw))[:, 0]
        assert abs(np.median(z)) < 1.01
        assert 0.6 < z.std() < 1.2


def test_categories_are_coded_in_their_order() -> None:
    block = Coded.fit(pl.Series(["b 10", "a", "a", None, "b 9", "a", "b 10"]))
    codes = block.transform(pl.Series(["a", "b 9", "b 10", "new", None]))[:, 0]
    np.testing.assert_array_equal(codes, [0, 1, 2, np.nan, np.nan])
    told = Coded.fit(pl.Series(["b", "b"]), ["c", "a", "b"])            # all levels are known, whatever the rows hold
    np.testing.assert_array_equal(told.transform(pl.Series(["a", "b", "c"]))[:, 0], [0, 1, 2])


def test_beyond_so_many_levels_the_rare_ones_share_a_code() -> None:
    levels = [f"v{i}" for i in range(MOST_CODES + 500)]
    block = Coded.fit(pl.Series([*levels, *levels[-MOST_CODES:]]))
    codes = block.transform(pl.Series([levels[-1], "v0", "v-new", None]))[:, 0]
    np.testing.assert_array_equal(codes, [MOST_CODES - 1, MOST_CODES, MOST_CODES, np.nan])


def test_the_folds_of_one_task_share_their_codes() -> None:
    """So a batch is encoded once for all their models. The levels are those that the signature tells."""
    frame = pl.DataFrame({"c": [f"l{i % 7}" for i in range(210)], "x": np.arange(210.0), "y": ["no", "yes", "no"] * 70})
    task = PARADIGM.bind(problem(frame, target="y"), lambda _: None)
    made = {task.encoded(task.cases(Split("fit", k)), "codes")[0].content for k in range(task.plan.folds)}
    assert len(made) == 1


def test_rare_unknown_and_missing_levels_have_their_columns() -> None:
    block = OneHot.fit(pl.Series(["a"] * 9 + ["b"] * 5 + ["c"] + [None]))
    assert block.names == (" = a", " = b", " = another", " is missing")
    X = block.transform(pl.Series(["b", "c", "new", None]))
    np.testing.assert_array_equal(X, [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_many_levels_add_their_frequency() -> None:
    levels = [f"v{i}" for i in range(300) for _ in range(i + 1)]
    block = OneHot.fit(pl.Series(levels))
    assert len(block.names) == 50 + 1 + 1
    top, low, never = block.transform(pl.Series(["v299", "v9", "new"]))[:, -1]
    assert (top, never) == (1.0, -1.0)
    assert -1 < low < 1


def test_moments_become_days_and_calendar() -> None:
    when = pl.Series([datetime.datetime(2024, 1, 1, 6), datetime.datetime(2024, 2, 3, 18), None])
    block = Moment.fit(when, smooth=False, calendar_only=False)
    assert block.names == (" days", " month", " day", " weekday", " hour")
    X = block.transform(when)
    np.testing.assert_allclose(X[:2], [[0, 0, 0, 0, 6], [33.5, 1, 2, 5, 18]])
    assert np.isnan(X[2]).all()
    smooth = Moment.fit(when, smooth=True, calendar_only=False).transform(when)
    assert np.abs(smooth).max() <= 1.0
    assert smooth[2].tolist() == [0.0] * (smooth.shape[1] - 1) + [1.0]


def test_texts_of_one_kind_lie_together() -> None:
    rng = np.random.default_rng(0)
    sea, land = ("wave", "boat", "harbour", "tide", "sail"), ("field", "plough", "barn", "harvest", "hedge")
    texts = [" ".join(rng.choice(sea if i % 2 else land, 8)) for i in range(200)]
    X = Topics.fit(pl.Series(texts), rank=4).transform(pl.Series(texts))[:, :4]
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    alike = unit @ unit.T
    assert alike[0, 2::2].mean() > alike[0, 1::2].mean() + 0.3
    assert np.isfinite(Topics.fit(pl.Series(["", None, "!"]), rank=4).transform(pl.Series([None, "boat"]))).all()


def test_quick_for_many_rows_and_for_one() -> None:
    table = pl.concat([rows(1000)] * 200).select("amount", "count", "member", "city", "when")
    began = time.process_time()
    for encoding in ("codes", "numbers"):
        encoder = Encoder.fit(table, KINDS[:5], encoding)
        encoder.transform(table)
    assert time.process_time() - began < 5
    one = table[:1]
    encoder.transform(one)
    spent = []
    for _ in range(20):
        began = time.perf_counter()
        encoder.transform(one)
        spent.append(time.perf_counter() - began)
    assert min(spent) < 0.002


@pytest.mark.parametrize("encoding", ["codes", "numbers"])
def test_a_few_rows_become_to_the_bit_what_many_become(encoding: Encoding) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_cauchy(400) * 10 ** rng.uniform(-3, 6, 400)
    odd = [None, float("inf"), float("nan"), -1e300, 1e300, 0.0]
    frame = pl.DataFrame({
        "tail": [*odd, *x[6:]], "plain": [*rng.normal(size=399), 3.0], "whole": pl.Series(rng.integers(0, 9, 400)),
        "flag": pl.Series(rng.random(400) < 0.3), "word": [None, "new", *(f"w{i}" for i in rng.integers(0, 6, 398))],
        "many": [f"m{i}" for i in rng.geometric(0.01, 400)],
    })
    kinds = {"word": "categorical", "many": "categorical", "flag": "boolean"}
    fields = tuple(Field(c, kinds.get(c, "numeric"), "float") for c in frame.columns)
    encoder = Encoder.fit(frame[5:], fields, encoding)
    whole = encoder.transform(frame)
    for at in range(0, 400, 5):
        np.testing.assert_array_equal(encoder.transform(frame[at : at + 5]), whole[at : at + 5])
