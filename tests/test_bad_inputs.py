"""What a user can get wrong at the command line: one sentence with place and mend, an exit code, nothing spoilt.

Each case starts a process of its own, as a user does. Refused words and data end with 2, failed work with 1,
a gate with 3; a refusal makes no run and leaves the store as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.report.axes import spanning
from assay.store.store import Store

ROWS = 120
QUICK = ("--recipes", "naive_bayes", "--trials", "1", "--folds", "1", "--workers", "1", "--quiet")
CHURN = ("--target", "churn", *QUICK)


def assay(folder: Path, *words: str, **more: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ASSAY_STORE": str(folder / "store")}
    return subprocess.run([sys.executable, "-m", "assay", *words], cwd=folder, env=env, capture_output=True, text=True,
                          timeout=300, check=False, **more)  # type: ignore[call-overload]  # only preexec_fn is given


def customers() -> pl.DataFrame:
    """x tells half of the story of churn, z and city nothing."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, ROWS)).round(3)
    churn = np.where(x + rng.normal(size=ROWS) > 0, "yes", "no")
    return pl.DataFrame({"x": x, "z": z, "city": rng.choice(["Rome", "Oslo"], ROWS), "churn": churn})


def with_cell(frame: pl.DataFrame, column: str, cells: dict[int, str]) -> pl.DataFrame:
    """The frame with a few cells of a column written over, all of it as text."""
    values = [cells.get(i, str(v)) for i, v in enumerate(frame[column])]
    return frame.with_columns(pl.Series(column, values))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files, most of them bad, and a store with one model called good."""
    folder = tmp_path_factory.mktemp("place")
    good = customers()
    _write_tables(folder, good)
    _write_bytes(folder, (folder / "good.csv").read_text())
    good.with_columns(tags=pl.Series([["a", "b"]] * ROWS)).write_parquet(folder / "lists.parquet")
    (folder / "lists.jsonl").write_text("\n".join(json.dumps({**row, "tags": ["a"]}) for row in good.to_dicts()))
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.txt").write_text("not a store")
    done = assay(folder, "train", "good.csv", *CHURN)
    assert done.returncode == 0, done.stderr
    return folder


def _write_tables(folder: Path, good: pl.DataFrame) -> None:
    new = good.drop("churn").head(10)
    tables = {
        "good": good, "one_row": good.head(1), "new": new, "lacking": new.drop("z"),
        "unlabelled": good.with_columns(churn=pl.lit(None, pl.String)),
        "one_class": good.with_columns(churn=pl.lit("yes")), "same": good.with_columns(price=pl.lit(3.5)),
        "endless": with_cell(good, "z", {3: "inf", 9: "-inf"}),
        "two_groups": good.with_columns(customer=pl.Series(["a", "b"] * (ROWS // 2))),
        "extra": new.with_columns(shoes=pl.lit(1)), "words": with_cell(new, "x", {6: "abc"}),
        "leak": pl.concat([good] * 3).with_columns(left=pl.col("churn").replace({"yes": "gone", "no": "here"})),
    }
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv")


def _write_bytes(folder: Path, good: str) -> None:
    lines = good.splitlines()
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_text(lines[0] + "\n")
    (folder / "ragged.csv").write_text("\n".join([*lines[:3], lines[3] + ",9", *lines[4:]]))
    (folder / "junk.csv").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "twice.csv").write_text("x,x" + good[3:])


# --- refused words and data ---------------------------------------------------------------------------

REFUSED: dict[str, tuple[Sequence[str], int, Sequence[str]]] = {
    "missing file": (("train", "goood.csv", *CHURN), 2, ["no file goood.csv", "Did you mean 'good.csv'?"]),
    "folder": (("train", "foreign", *CHURN), 2, ["foreign is a folder, wanted a file", "foreign/*.csv"]),
    "empty file": (("train", "empty.csv", *CHURN), 2, ["empty.csv is empty"]),
    "header only": (("train", "header.csv", *CHURN), 2, ["header.csv", "no rows", "Wanted at least one row"]),
    "ragged rows": (("train", "ragged.csv", *CHURN), 2, ["ragged.csv: line 4 has 5 fields", "has 4", "Mend the line"]),
    "binary junk": (("train", "junk.csv", *CHURN), 2, ["junk.csv is not text", "Parquet"]),
    "two columns of one name": (("train", "twice.csv", *CHURN), 2, ["twice.csv", "called 'x'", "Rename"]),
    "lists in Parquet": (("train", "lists.parquet", *CHURN), 2, ["lists.parquet", "'tags' holds lists", "Spread it"]),
    "lists in JSON lines": (("train", "lists.jsonl", *CHURN), 2, ["lists.jsonl", "'tags' holds lists", "Spread it"]),
    "no target": (("train", "good.csv", *QUICK), 2, ["no target was named", "--target: x, z, city, churn"]),
    "wrong target": (("train", "good.csv", "--target", "chrun", *QUICK), 2,
                     ["'chrun', which is not a column of good.csv", "Did you mean 'churn'?"]),
    "target all missing": (("train", "unlabelled.csv", *CHURN), 2, ["'churn' is missing in all 120", "Name another"]),
    "one class": (("train", "one_class.csv", *CHURN), 2, ["'churn' has one value only, 'yes'", "at least two"]),
    "constant number": (("train", "same.csv", "--target", "price", *QUICK), 2, ["'price' has one value only, 3.5"]),
    "one row": (("train", "one_row.csv", *CHURN), 2, ["1 row has a target ('churn')", "at least 20"]),
    "infinite target": (("train", "endless.csv", "--target", "z", "--task", "regression", *QUICK), 2,
                        ["'z' is infinite in 2 rows", "Mend or drop"]),
    "regression on words": (("train", "good.csv", *CHURN, "--task", "regression"), 2,
                            ["regression wants numbers", "'churn' holds words such as 'yes'"]),
    "unknown task": (("train", "good.csv", *CHURN, "--task", "clasification"), 2, ["Did you mean 'classification'?"]),
    "two groups": (("train", "two_groups.csv", *CHURN, "--group", "customer"), 2,
                   ["--group names 'customer'", "2 distinct values", "at least 3", "another --group, or none"]),
    "wrong group": (("train", "two_groups.csv", *CHURN, "--group", "custmer"), 2, ["Did you mean 'customer'?"]),
    "wrong drop": (("train", "good.csv", *CHURN, "--drop", "citty"), 2, ["--drop names 'citty'", "'city'?"]),
    "wrong class": (("train", "good.csv", *CHURN, "--positive", "yess"), 2, ["no class 'yess'", "'yes'?"]),
    "budget": (("train", "good.csv", *CHURN, "--budget", "soon"), 2, ["budget: 'soon' is not a span", "60s, 5m or 2h"]),
    "share": (("train", "good.csv", *CHURN, "--test", "1.5"), 2, ["test: got 1.5; wanted less than 0.9"]),
    "kind": (("train", "good.csv", *CHURN, "--type", "x=numerical"), 2, ["types.x", "Did you mean 'numeric'?"]),
    "metric": (("train", "good.csv", *CHURN, "--metric", "roc_acu"), 2, ["'roc_acu'", "Did you mean 'roc_auc'?"]),
    "recipe": (("train", "good.csv", "--target", "churn", "--recipes", "lightgbn"), 2,
               ["no recipe called 'lightgbn'", "Did you mean 'lightgbm'?"]),
    "flag": (("train", "good.csv", "--taget", "churn"), 2, ["no option --taget", "Did you mean --target?"]),
    "nothing to resume": (("train", "--resume"), 2, ["no unfinished run to resume", "assay train churn.csv"]),
    "a store that is not ours": (("train", "good.csv", *CHURN, "--store", "foreign"), 1,
                                 ["foreign is not an assay store", "thesis.txt", "Name an empty or a new folder"]),
    "unknown model": (("predict", "godo", "new.csv"), 2, ["called 'godo'", "Did you mean 'good'?"]),
    "column missing": (("predict", "good", "lacking.csv"), 2, ["lacking.csv lacks the column 'z'", "Add it"]),
    "column unknown": (("predict", "good", "extra.csv"), 2, ["extra.csv has the column 'shoes'", "--ignore-extra"]),
    "words for a number": (("predict", "good", "words.csv"), 2,
                           ["words.csv: column 'x' wants a number", "row 7 is 'abc'", "Mend the value"]),
    "nothing to predict": (("predict", "good", "nwe.csv"), 2, ["no file nwe.csv", "Did you mean 'new.csv'?"]),
}


def is_one_sentence(said: str) -> str:
    """The message, which is one line of exact words and no traceback."""
    lines = [line for line in said.splitlines() if not line.startswith("read: ")]
    assert len(lines) == 1, said
    assert lines[0].startswith("assay: ")
    assert lines[0].endswith((".", "?", "*.csv", "churn", "2h")), said
    assert "Traceback" not in said and "did not expect" not in said and "  " not in said
    return lines[0]


def contents(folder: Path) -> dict[str, str]:
    """Every file below, hashed, but for the index, which is a cache."""
    files = (f for f in sorted(folder.rglob("*")) if f.is_file() and not f.name.startswith("index.sqlite"))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence_and_nothing_left_behind(case: str, place: Path) -> None:
    words, code, parts = REFUSED[case]
    before = contents(place)
    done = assay(place, *words)
    sentence = is_one_sentence(done.stderr)
    assert done.returncode == code, sentence
    assert done.stdout == ""
    assert [part for part in parts if part not in sentence] == [], sentence
    assert contents(place) == before


@pytest.mark.parametrize("case", ["ragged rows", "wrong target", "budget", "flag", "a store that is not ours",
                                  "words for a number"])
def test_a_script_gets_the_same_as_one_json_object(case: str, place: Path) -> None:
    words, code, parts = REFUSED[case]
    done = assay(place, *words, "--json")
    assert (done.returncode, done.stderr) == (code, "")
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"kind", "message"}
    assert all(part in error["message"] for part in parts)


def test_a_store_is_not_even_begun_for_what_cannot_be_read(place: Path, tmp_path: Path) -> None:
    done = assay(place, "train", "ragged.csv", *CHURN, "--store", str(tmp_path / "fresh"))
    assert done.returncode == 2
    assert not (tmp_path / "fresh").exists()


def test_unknown_columns_are_left_out_if_one_says_so(place: Path) -> None:
    done = assay(place, "predict", "good", "extra.csv", "--ignore-extra")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == assay(place, "predict", "good", "new.csv").stdout
    assert len(done.stdout.splitlines()) == 11


# --- odd, but good enough -------------------------------------------------------------------------------


def test_what_was_odd_in_the_data_is_said_wherever_the_run_is_told(tmp_path: Path) -> None:
    """A file in Latin-1 with infinities, a column of numbers and words, and 40 % of the target missing."""
    churn = pl.Series([None if i % 5 < 2 else v for i, v in enumerate(customers()["churn"])])
    mixed = pl.Series([str(i) if i % 3 else "none yet" for i in range(ROWS)])
    table = with_cell(customers(), "z", {3: "inf", 9: "-inf"}).with_columns(churn=churn, seen=mixed)
    text = table.write_csv().replace("Oslo", "Tromsø")
    (tmp_path / "odd.csv").write_bytes(text.encode("latin-1"))
    done = assay(tmp_path, "train", "odd.csv", *CHURN)
    assert done.returncode == 0, done.stderr
    shown, page = assay(tmp_path, "show", "last").stdout, next(tmp_path.glob("store/runs/*/report.html")).read_text()
    told = json.loads(assay(tmp_path, "show", "last", "--json").stdout)["notes"]
    for note in ("read as Windows-1252", "column 'z' holds 2 infinite values",
                 "column 'seen' mixes numbers with words such as 'none yet'; all were read as words",
                 "48 of 120 rows (40.0%) have no target and are left out"):
        assert note in told
        assert f"note: {note}" in shown and f"note: {note}" in done.stdout
        assert note in page.replace("&#39;", "'")


def test_ten_thousand_columns_are_learned_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wide = pl.DataFrame(rng.normal(size=(60, 10_000)).round(2), schema=[f"f{i}" for i in range(10_000)])
    wide.with_columns(churn=pl.Series(["yes", "no"] * 30)).write_csv(tmp_path / "wide.csv")
    done = assay(tmp_path, "train", "wide.csv", *CHURN)
    assert done.returncode == 0, done.stderr
    assert "48 cases to learn from" in done.stdout


def test_a_chart_of_nothing_but_zeros_has_an_axis() -> None:
    """As the importance of every input is where nothing could be learned."""
    assert spanning([0.0, 0.0], None, log=False, zero=True) == (0.0, 1.0)


# --- gates, tampering, a full disk ------------------------------------------------------------------------


def test_a_copy_of_the_target_stops_the_run_until_it_is_dropped_or_allowed(place: Path, tmp_path: Path) -> None:
    stopped = assay(place, "train", "leak.csv", *CHURN, "--store", str(tmp_path / "s"))
    assert stopped.returncode == 3
    sentence = is_one_sentence(stopped.stderr)
    assert all(part in sentence for part in ("'left' alone predicts the target", "--drop 'left'", "--allow-leaks"))
    as_json = assay(place, "train", "leak.csv", *CHURN, "--store", str(tmp_path / "s"), "--json")
    assert as_json.returncode == 3
    assert json.loads(as_json.stdout)["error"] == {"kind": "GateError", "message": sentence.removeprefix("assay: ")}
    allowed = assay(place, "train", "leak.csv", *CHURN, "--store", str(tmp_path / "s"), "--allow-leaks")
    assert allowed.returncode == 0, allowed.stderr
    assert "fail: 'left' alone predicts the target" in allowed.stdout


def test_a_tampered_model_is_refused(place: Path, tmp_path: Path) -> None:
    """By whoever wants to use it, and the doctor says so."""
    model = Store.at(place / "store").resolve("good")
    part = next(f for f in sorted(model.rglob("*.json")) if f.name != "assay.json")
    original = part.read_bytes()
    try:
        part.write_bytes(original.replace(b"0", b"1", 1))
        done = assay(place, "predict", "good", "new.csv")
        doctor = json.loads(assay(place, "doctor", "--json").stdout)
    finally:
        part.write_bytes(original)
    assert (done.returncode, done.stdout) == (1, "")
    assert part.name in is_one_sentence(done.stderr)
    assert not doctor["sound"]
    assert [s["state"] for s in doctor["seen"] if s["what"] == "good:1"] == ["broken"]
    assert assay(place, "predict", "good", "new.csv").returncode == 0


@contextmanager
def little_space(folder: Path) -> Iterator[tuple[dict[str, Callable[[], None]], Callable[[], None]]]:
    """How to start a process that runs out of space in this folder, and what makes space.

    A small file system of its own where one may be mounted, else a limit on the size of files."""
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (14 << 10, 14 << 10))

    mounted = os.geteuid() == 0 and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(folder)], capture_output=True, check=False).returncode
    if not mounted:
        yield {"preexec_fn": limit}, lambda: None
        return
    try:
        yield {}, lambda: subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True) and None
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_space_lets_it_go_on(place: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with little_space(disk) as (starved, make_space):
        store = str(disk / "store")
        done = assay(place, "train", "good.csv", *CHURN, "--store", store, **starved)
        assert done.returncode == 1
        sentence = is_one_sentence(done.stderr)
        assert "no space left" in sentence and store in sentence and "Free some space" in sentence
        runs = json.loads(assay(place, "runs", "--json", "--store", store).stdout)
        assert [run["status"] for run in runs] == ["interrupted"]
        make_space()
        resumed = assay(place, "train", "--resume", "--quiet", "--store", store)
        assert resumed.returncode == 0, resumed.stderr
        assert assay(place, "predict", "good", "new.csv", "--store", store).returncode == 0


def test_after_all_of_this_the_store_is_sound(place: Path) -> None:
    done = assay(place, "doctor", "--json")
    seen = {s["what"]: s["state"] for s in json.loads(done.stdout)["seen"]}
    assert seen["store"] == "ok"
    assert "good:1" not in seen                         # a version is listed only where it cannot be used
    assert [run["status"] for run in Store.at(place / "store").runs()] == ["done"]
