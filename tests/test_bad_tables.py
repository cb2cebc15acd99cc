"""What cannot be used is refused in one sentence that names the file, the place and the mend."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pytest

import assay.table as tables
from assay.contract import Field, Signature
from assay.errors import DataError, SchemaError


def refused(tmp_path, name, content, *words, **said):
    """The message with which a file of this content is refused; it names the file and holds the words."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as wrong:
        tables.read(path, **said)
    message = str(wrong.value)
    assert name in message or "types" in said
    assert "\n" not in message
    assert all(word in message for word in words), message
    with pytest.raises(DataError):
        tables.read_raw(path) if not said else tables.read(path, **said)
    return message


BAD_FILES = {
    "empty": ("t.csv", "", ["is empty"]),
    "blank": ("t.csv", "\n \n", ["is empty"]),
    "header only": ("t.csv", "a,b,c\n", ["no rows"]),
    "too many fields": ("t.csv", "a,b\n1,2\n3,4,5\n6,7\n", ["line 3 has 3 fields", "has 2", "quotes"]),
    "too few fields": ("t.csv", "a,b,c\n1,2,3\n4,5\n6,7,8\n", ["line 3 has 2 fields", "has 3"]),
    "too few fields after a field of two lines": ("t.csv", 'a,b,c\n"1\n1",2,3\n4,5\n', ["line 4 has 2 fields"]),
    "unquoted commas": ("t.csv", "text\ngood, really\nbad\n", ["line 2 has 2 fields", "has 1"]),
    "open quote": ("t.csv", 'a,b\n1,2\n"x,2\n3,4\n', ["line 3", "never closed"]),
    "binary": ("t.csv", bytes(range(256)) * 20, ["not text", "binary"]),
    "utf-16 without its mark": ("t.csv", "a,b\n1,2\n".encode("utf-16-le"), ["not text"]),
    "picture": ("t.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), ["a picture"]),
    "parquet named csv": ("t.csv", b"PAR1" + bytes(100), ["Parquet"]),
    "duplicate names": ("t.csv", "a,b,a\n1,2,3\n", ["more than one column", "'a'", "Rename"]),
    "no header": ("t.csv", "5.1,3.5\n4.9,3.0\n", ["line 1 holds data", "column names"]),
    "damaged gzip": ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 100)[:-12], ["gzip", "cannot be unpacked"]),
    "not gzip": ("t.csv.gz", "a,b\n1,2\n", ["not compressed"]),
    "damaged parquet": ("t.parquet", b"PAR1" + bytes(100), ["cannot be read as Parquet"]),
    "damaged excel": ("t.xlsx", b"PK\x03\x04" + bytes(100), ["cannot be read as an Excel workbook"]),
    "damaged arrow": ("t.feather", b"ARROW1" + bytes(100), ["cannot be read as Arrow"]),
    "damaged json": ("t.json", '[{"a": 1}, {"a"', ["cannot be read as JSON"]),
    "json that is no table": ("t.json", '{"a": 1}', ["not a table"]),
    "json numbers": ("t.json", "[1, 2]", ["not a table"]),
    "json of lists": ("t.json", '[{"a": [1, 2]}, {"a": [3]}]', ["column 'a' holds lists"]),
    "json of records": ("t.jsonl", '{"a": {"b": 1}}\n{"a": {"b": 2}}\n', ["column 'a' holds records"]),
    "a bad json line": ("t.jsonl", '{"a": 1}\n{"a": 2\n', ["line 2 is not JSON"]),
    "a json line that is no record": ("t.jsonl", '{"a": 1}\n7\n', ["line 2", "not a record"]),
    "json in Latin-1": ("t.json", '[{"a": "é"}]'.encode("latin-1"), ["not UTF-8"]),
    "unknown suffix": ("t.docx", "words", [".docx cannot be read", ".csv"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(case, tmp_path):
    name, content, words = BAD_FILES[case]
    if "column '" in words[0]:                      # read raw, then refused by its kind
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=words[0]):
            tables.read(tmp_path / name)
    else:
        refused(tmp_path, name, content, *words)


def test_a_zip_of_two_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "x\n1\n")
    with pytest.raises(DataError, match="holds 2 files, wanted one"):
        tables.read(tmp_path / "t.zip")


def test_a_workbook_with_two_columns_of_one_name(tmp_path):
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    with pytest.raises(DataError, match="more than one column is called 'a'"):
        tables.read(tmp_path / "t.xlsx")


def test_places_without_a_file(tmp_path):
    (tmp_path / "churn.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"there is no file .*chrun.csv. Did you mean 'churn.csv'\?"):
        tables.read(tmp_path / "chrun.csv")
    with pytest.raises(DataError, match="is a folder, wanted a file"):
        tables.read(tmp_path)
    with pytest.raises(DataError, match="no file matches"):
        tables.read(str(tmp_path / "x*.csv"))
    with pytest.raises(DataError, match=r"no folder .* either"):
        tables.read(tmp_path / "nowhere" / "churn.csv")
    with pytest.raises(DataError, match="Download it first"):
        tables.read("https://example.org/churn.csv")


def test_files_that_do_not_fit_together(tmp_path):
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "p2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match=r"p2.csv lacks \['b'\] and has in addition \['c'\]"):
        tables.read(str(tmp_path / "p*.csv"))


@pytest.mark.parametrize(("frame", "words"), [
    (7, "got a int, which is not a table"),
    ([], "got an empty list"),
    (np.zeros((2, 2)), "got a ndarray"),
    ({"a": [1, 2], "b": [1]}, "'b' has 1 values, 'a' has 2"),
    ({"a": 1}, "'a' of the dict is a single value"),
    ({"a": []}, "holds no rows"),
    (pl.DataFrame(), "holds no columns"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column is called 'a'"),
    (pd.DataFrame({"a": [[1], [2]]}), "column 'a' holds lists"),
    (pd.DataFrame({"a": [{1}, "x"]}), "column 'a' holds objects"),
    (pl.DataFrame({"a": [b"x", b"y"]}), "column 'a' holds bytes"),
])
def test_frames_that_are_no_tables(frame, words):
    with pytest.raises(DataError, match=words):
        tables.typed(frame)


@pytest.mark.parametrize(("types", "words"), [
    ({"agee": "numeric"}, "has no column 'agee', whose type was given. Did you mean 'age'?"),
    ({"city": "numeric"}, "column 'city' cannot be read as numeric: row 1 is 'Rome'. Mend"),
    ({"city": "datetime"}, "column 'city' cannot be read as datetime: row 1 is 'Rome'"),
    ({"age": "boolean"}, "column 'age' cannot be read as boolean: row 2 is 31"),
    ({"seen": "numeric"}, "column 'seen' cannot be read as numeric: row 1 is '2024-01-02'"),
])
def test_types_that_cannot_be(types, words):
    frame = {"age": [1, 31, 0], "city": ["Rome", "Oslo", "Rome"], "seen": ["2024-01-02", "2024-01-03", None]}
    with pytest.raises(DataError) as wrong:
        tables.typed(frame, types=types)
    assert words in str(wrong.value)


def test_a_file_cannot_be_written_by_an_unknown_suffix(tmp_path):
    with pytest.raises(DataError, match=r"suffix '\.doc' is not known"):
        tables.write(pl.DataFrame({"a": [1]}), tmp_path / "t.doc")
    with pytest.raises(DataError, match="cannot write"):
        tables.write(pl.DataFrame({"a": [[1]]}), tmp_path / "t.csv")
    assert not list(tmp_path.iterdir())


# --- batches ----------------------------------------------------------------------------------------

SIGNATURE = Signature((
    Field("age", "numeric", "int", example=31), Field("city", "categorical", "string", levels=("Rome", "Oslo")),
    Field("seen", "datetime", "datetime", example="2024-01-02"), Field("member", "boolean", "bool"),
), (), ignored=("customer",))
GOOD = {"age": 31, "city": "Rome", "seen": "2024-01-02", "member": "yes"}


def test_ignored_columns_are_no_strangers():
    assert tables.conform(tables.to_table([{**GOOD, "customer": 9}]), SIGNATURE, what="b").columns == list(GOOD)


@pytest.mark.parametrize(("change", "words"), [
    ({"age": "old"}, "b.csv: column 'age' wants a number such as 31; row 2 is 'old'. Mend the value, or"),
    ({"seen": "soon"}, "column 'seen' wants a moment such as '2024-01-02'; row 2 is 'soon'"),
    ({"member": "maybe"}, "column 'member' wants yes or no; row 2 is 'maybe'"),
    ({"Age ": 3}, "has the column 'Age ', which the model was not trained on. Did you mean 'age'?"),
])
def test_bad_batches(change, words):
    with pytest.raises(SchemaError) as wrong:
        tables.conform(tables.to_table([GOOD, {**GOOD, **change}]), SIGNATURE, what="b.csv")
    assert words in str(wrong.value)


@pytest.mark.parametrize("column", [
    pl.Series("age", [True, None]).cast(pl.String), pl.Series("age", [[1], [2]]), pl.Series("seen", [1.5, 2.5]),
    pl.Series("member", [2, 3]), pl.Series("city", [["x"], ["y"]]), pl.Series("age", ["2024-01-02"] * 2).str.to_date(),
])
def test_columns_of_another_type(column):
    batch = tables.to_table([GOOD, GOOD]).with_columns(column)
    with pytest.raises(SchemaError, match=f"column '{column.name}' wants .* row 1 is"):
        tables.conform(batch, SIGNATURE, what="b.csv")


def test_missing_columns():
    batch = tables.to_table([{"ages": 3, "city": "Rome", "seen": None, "member": None}])
    with pytest.raises(SchemaError, match=r"lacks the column 'age', which .* Did you mean 'ages'\? Rename it."):
        tables.conform(batch, SIGNATURE, what="b.csv")
    with pytest.raises(SchemaError, match="lacks the columns 'age', 'city', 'seen'"):
        tables.conform(pl.DataFrame({"member": [True]}), SIGNATURE, what="b.csv")
