"""Where the store is, what a run keeps, and an index that is only a cache."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import StoreError, UnknownName
from assay.files import read_json
from assay.store import Store, index
from store_parts import trained


@pytest.fixture(autouse=True)
def no_store_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_STORE", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / ".assay")


# --- where the store is -------------------------------------------------------------------------------


def test_the_store_is_found_upwards_and_made_only_when_asked(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"no assay store in .* or above it"):
        Store.find(deep)
    assert list(deep.iterdir()) == []
    made = Store.find(tmp_path, create=True)
    assert made.folder == tmp_path / ".assay"
    assert Store.find(deep) == Store.find(deep, create=True) == made
    assert (made.folder / ".gitignore").read_text() == "*\n"
    assert read_json(made.folder / "assay-store.json")["format"] == 1


def test_assay_store_overrides_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.find(tmp_path, create=True)
    monkeypatch.setenv("ASSAY_STORE", str(tmp_path / "elsewhere"))
    with pytest.raises(StoreError, match="nothing was trained"):
        Store.find(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    assert Store.find(tmp_path, create=True).folder == tmp_path / "elsewhere"


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match=r"is not an assay store: it holds thesis\.txt"):
        Store.at(tmp_path)
    with pytest.raises(StoreError, match="but a file"):
        Store.at(tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    Store.find(tmp_path, create=True)
    with pytest.raises(StoreError, match=r"Did you mean .*\.assay\?"):
        Store.at(tmp_path)


@pytest.mark.parametrize("mark", ['{"format": 2}', "{", "[]", ""])
def test_a_store_of_another_format_is_refused(store: Store, mark: str) -> None:
    (store.folder / "assay-store.json").write_text(mark)
    with pytest.raises(StoreError, match=r"is not an assay store that this version reads"):
        Store.at(store.folder)


def test_an_empty_folder_and_one_left_half_made_become_a_store(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Store.at(tmp_path / "empty").new_run("a", {})
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / ".gitignore").write_text("*\n")
    (tmp_path / "half" / ".assay-store.json.123-abc").write_text("{")
    Store.at(tmp_path / "half").new_run("a", {})


# --- runs ------------------------------------------------------------------------------------------------


def test_a_run_keeps_what_it_is_told(store: Store) -> None:
    run = store.new_run("churn", {"data": "churn.csv", "budget_s": 60.0})
    run.emit("stage", name="race", score=np.float32(0.5), lost=float("nan"), shape=np.array([1, 2]), word="größer")
    run.update(paradigm="supervised")
    assert run.info()["status"] == "running"
    run.finish("done", {"auc": np.float64(0.84), "worst": float("-inf")})
    again = store.run(run.id)
    info = again.info()
    assert (info["name"], info["status"], info["paradigm"]) == ("churn", "done", "supervised")
    assert info["declared"] == {"data": "churn.csv", "budget_s": 60.0}
    assert info["summary"] == {"auc": 0.84, "worst": None}
    assert info["started"] < info["ended"]
    event = again.events()[0]
    assert abs(event.pop("t") - time.time()) < 60
    assert event == {"kind": "stage", "name": "race", "score": 0.5, "lost": None, "shape": [1, 2], "word": "größer"}


def test_a_listener_that_fails_is_dropped_with_one_warning(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    run, heard = store.new_run("churn", {}), []

    def breaks(event: dict[str, Any]) -> None:
        raise ConnectionError("the server is away")

    run.subscribe(breaks)
    run.subscribe(lambda event: heard.append(event["kind"]))
    run.emit("a")
    run.emit("b")
    assert [record.getMessage().partition(" and will")[0].split(".")[-1] for record in caplog.records] == [
        "breaks failed on 'a'"]
    assert sorted(heard) == ["a", "b", "listener_dropped"]
    assert [event["kind"] for event in run.events()] == ["a", "listener_dropped", "b"]


def test_runs_are_listed_newest_first_and_found_by_part_of_their_id(store: Store) -> None:
    runs = [store.new_run(name, {}) for name in ("a", "b", "c")]
    assert [info["name"] for info in store.runs()] == ["c", "b", "a"]
    assert [info["name"] for info in store.runs(limit=2)] == ["c", "b"]
    assert store.run("last").id == runs[2].id
    assert store.run(runs[0].id[:-2]).id == store.run(runs[0].id[-7:]).id == runs[0].id
    with pytest.raises(UnknownName, match="could mean 3 runs"):
        store.run("20")
    with pytest.raises(UnknownName, match=f"Did you mean '{runs[1].id}'"):
        store.run(runs[1].id[:-1] + "!")


@pytest.mark.parametrize("ref", ["", "..", "../runs", "/etc", "*", "last"])
def test_what_names_no_run_is_told_and_leads_nowhere(store: Store, ref: str) -> None:
    with pytest.raises(UnknownName, match=r"There are none\."):
        store.run(ref)


# --- the index is only a cache --------------------------------------------------------------------------------


def spoil_text(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def spoil_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def spoil_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[100:8000] = b"\x5a" * 7900
    file.write_bytes(content)


def spoil_schema(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA user_version = {index.SCHEMA}")


def spoil_newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


def spoil_cells(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("UPDATE run SET info = x'00ff'")


def spoil_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("spoil", [
    spoil_text, spoil_half, spoil_middle, spoil_schema, spoil_newer, spoil_cells, spoil_folder, Path.unlink,
])
def test_a_spoiled_index_changes_nothing(store: Store, spoil: Callable[[Path], None]) -> None:
    for i in range(40):
        store.new_run("a", {"i": i, "text": "x" * 200}).finish("done", {})
    before = store.runs()
    file = store.folder / "index.sqlite"
    spoil(file)
    assert store.runs() == before and len(before) == 40
    assert store.runs() == before
    if file.is_file():
        with closing(sqlite3.connect(file)) as db:      # and it is whole again
            assert db.execute("SELECT count(*) FROM run").fetchone() == (40,)
            assert db.execute("PRAGMA user_version").fetchone() == (index.SCHEMA,)


def test_a_busy_index_is_passed_by(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_BUSY_S", 0.05)
    first = store.new_run("a", {})
    store.runs()
    with closing(sqlite3.connect(store.folder / "index.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        second = store.new_run("b", {})
        assert [info["id"] for info in store.runs()] == [second.id, first.id]
        other.execute("ROLLBACK")
        other.execute("BEGIN IMMEDIATE")                # may be read, not written
        assert [info["id"] for info in store.runs()] == [second.id, first.id]


def test_the_index_follows_the_folders(store: Store) -> None:
    one, two = trained(store, "one"), trained(store, "two")
    store.runs()
    shutil.rmtree(one.folder)
    copied = two.folder.with_name(two.id[:-4] + "copy")
    shutil.copytree(two.folder, copied)
    (store.folder / "runs" / "no-run").mkdir()
    assert {info["id"] for info in store.runs()} == {two.id, copied.name}
    info = read_json(two.folder / "run.json")
    (two.folder / "run.json").write_text(json.dumps({**info, "summary": {"auc": 0.5, "edited": "by hand"}}))
    assert store.run(two.id).info() in store.runs()
    (store.folder / "index.sqlite").unlink()
    store.runs()
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as db:
        assert {row[0] for row in db.execute("SELECT id FROM run")} == {two.id, copied.name}


def test_listing_a_thousand_runs_takes_no_time(store: Store) -> None:
    run = trained(store)
    said = read_json(run.folder / "run.json")
    for i in range(1000):
        folder = store.folder / "runs" / f"20200101-000000-many-{i:04d}"
        folder.mkdir()
        long = {**said, "id": folder.name, "started": "2020", "declared": {"x": "y" * 500}}
        (folder / "run.json").write_text(json.dumps(long))
    assert len(store.runs()) == 1001
    began = time.process_time()
    assert store.runs(limit=1)[0]["id"] == run.id
    assert time.process_time() - began < 0.25
