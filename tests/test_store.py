"""The store: nothing is lost, whoever writes at the same time, is killed, or runs out of disk."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from assay.contract import Signature
from assay.errors import StoreError, TamperedError, UnknownName, UserError
from assay.files import read_json
from assay.store import Run, Store, index
from assay.store.package import manifest, save_model
from assay.store.store import locate

TOY = """
import json, os, sys, time
from pathlib import Path
from assay.contract import Signature
from assay.errors import StoreError
from assay.store import Store, index
from assay.store.package import save_model

class Constant:
    loader, signature = "constant", Signature((), ())
    def __init__(self, value): self.value = value
    def save(self, folder): (folder / "value.json").write_text(json.dumps(self.value))
"""


class Constant:
    """Enough of a model to be saved."""

    loader: ClassVar[str] = "constant"
    signature = Signature((), ())

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, batch: Any, /) -> Any:
        return batch

    def save(self, folder: Path, /) -> None:
        (folder / "value.json").write_text(json.dumps(self.value))


@pytest.fixture(autouse=True)
def no_store_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_STORE", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / ".assay")


def trained(store: Store, name: str = "churn", value: float = 1.0) -> Run:
    """A run that is done and has a model."""
    run = store.new_run(name, {"data": "churn.csv"})
    save_model(Constant(value), run.folder / "model", lineage={"run": run.id})
    run.finish("done", {"auc": value})
    return run


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TOY + script, *map(str, arguments)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


def said_by(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each printed; none may have failed."""
    ends = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert [error for (_, error), code in ends if code or error] == []
    return [out for (out, _), _ in ends]


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """A disk that is full as soon as a file has `size` bytes, without the right to mount one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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


def test_looks_are_counted(store: Store) -> None:
    run = store.new_run("churn", {})
    assert [run.look("assay train", "the winner"), run.look("ada", "again")] == [1, 2]
    assert [(look["who"], look["what"]) for look in run.looks()] == [("assay train", "the winner"), ("ada", "again")]


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


def test_a_killed_run_is_told_as_interrupted_and_can_be_claimed(store: Store) -> None:
    child = started("""
run = Store.at(sys.argv[1]).new_run("killed", {})
if os.fork() == 0:                       # a worker that outlives it holds nothing up
    os.close(1); os.close(2)
    time.sleep(5); os._exit(0)
print(run.id, flush=True); time.sleep(60)
""", store.folder)
    assert child.stdout is not None
    run = store.run(child.stdout.readline().strip())
    assert run.info()["status"] == store.runs()[0]["status"] == "running"
    assert store.unfinished() == []
    with pytest.raises(StoreError, match=f"being worked on by process {child.pid}"):
        run.claim()
    child.kill()
    child.communicate()
    assert run.info()["status"] == store.runs()[0]["status"] == "interrupted"
    assert [unfinished.id for unfinished in store.unfinished()] == [run.id]
    run.claim()
    run.claim()                                     # it is ours already
    assert (run.info()["status"], run.info()["pid"]) == ("running", os.getpid())
    with pytest.raises(StoreError, match="two at once would spoil it"):
        store.run(run.id).claim()                   # a second one in this process, as in the studio
    run.finish("done", {})
    with pytest.raises(StoreError, match="is done"):
        store.run(run.id).claim()


def test_of_many_that_resume_a_run_at_once_one_does(store: Store) -> None:
    run = store.new_run("race", {})
    run.finish("interrupted", {})
    tries = [started("""
run = Store.at(sys.argv[1]).run(sys.argv[2])
try: run.claim(); print("claimed", flush=True)
except StoreError as refused: print(refused, flush=True)
sys.stdin.read()
""", store.folder, run.id) for _ in range(6)]
    first_lines = [process.stdout.readline() for process in tries if process.stdout]
    said_by(tries)
    assert first_lines.count("claimed\n") == 1
    assert sum("being worked on by process" in line for line in first_lines) == 5


def test_a_kill_in_the_middle_of_writing_leaves_whole_lines(store: Store) -> None:
    for attempt in range(4):
        child = started("""
run = Store.at(sys.argv[1]).new_run("killed", {})
print(run.id, flush=True)
for i in range(10**9): run.emit("step", i=i, text="x" * 5000); run.update(i=i)
""", store.folder)
        assert child.stdout is not None
        run = store.run(child.stdout.readline().strip())
        while len(run.events()) < 20 + attempt:
            time.sleep(0.003)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        steps = [event["i"] for event in run.events()]
        assert steps == list(range(len(steps)))
        assert steps[-1] - 1 <= run.info()["i"] <= steps[-1]
        run.emit("after")
        assert [event["kind"] for event in run.events()].count("after") == 1


# --- many at once ------------------------------------------------------------------------------------------

CROWD = """
root, crowd, rounds, me = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for turn in range(rounds):
    (root / f"ready-{turn}-{me}").touch()
    while sum((root / f"ready-{turn}-{other}").exists() for other in range(crowd)) < crowd:
        time.sleep(0.002)
    store = Store.at(root / f"store-{turn}")
    run = store.new_run("crowd", {"me": me})
    run.emit("hello", me=me)
    save_model(Constant(me), run.folder / "model", lineage={"run": run.id})
    version = store.register("crowd", run)
    store.promote("crowd", version, "champion", str(me), "newest")
    run.finish("done", {"version": version})
    assert run.id in {info["id"] for info in store.runs()}
    assert store.resolve(f"crowd:{version}") == run.folder / "model"
"""


def test_sixteen_processes_on_an_empty_store(tmp_path: Path) -> None:
    crowd, rounds = 16, 3
    said_by([started(CROWD, tmp_path, crowd, rounds, me) for me in range(crowd)])
    for turn in range(rounds):
        store = Store.at(tmp_path / f"store-{turn}", create=False)
        versions = store.versions("crowd")
        assert [version["version"] for version in versions] == list(range(1, crowd + 1))
        assert len({version["run"] for version in versions}) == crowd
        assert len({version["digest"] for version in versions}) == crowd
        assert sorted(info["declared"]["me"] for info in store.runs()) == list(range(crowd))
        assert {info["status"] for info in store.runs()} == {"done"}
        moves = store.promotions("crowd")
        assert sorted(move["version"] for move in moves) == list(range(1, crowd + 1))
        assert [move["from"] for move in moves] == [None, *(move["version"] for move in moves[:-1])]
        assert store.aliases("crowd") == {"champion": moves[-1]["version"]}


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
    store.rebuild_index()
    with closing(sqlite3.connect(store.folder / "index.sqlite")) as db:
        assert {row[0] for row in db.execute("SELECT id FROM run")} == {two.id, copied.name}


# --- a disk that will not take it --------------------------------------------------------------------------------


def test_a_full_disk_is_told_in_one_sentence(store: Store) -> None:
    run = store.new_run("full", {})
    (run.folder / "events.jsonl").symlink_to("/dev/full")
    with pytest.raises(StoreError, match=r"^no space left while writing .*events\.jsonl\. Free some") as told:
        run.emit("a")
    assert "\n" not in str(told.value)


def test_a_line_cut_short_by_a_full_disk_costs_no_other_line(store: Store) -> None:
    run = store.new_run("full", {})
    run.emit("first")
    with files_at_most(3000), pytest.raises(StoreError, match=r"^no space left"):
        for _ in range(100):
            run.emit("second", text="x" * 100)
    seen = len(run.events())
    run.emit("third")
    kinds = [event["kind"] for event in run.events()]
    assert kinds == ["first", *["second"] * (seen - 1), "third"] and seen > 10


def test_a_full_disk_loses_no_record(store: Store) -> None:
    run = trained(store)
    store.register("churn", run)
    before = {path: path.read_bytes() for path in store.folder.rglob("*.json*")}
    with files_at_most(10):
        for attempt in (
            lambda: run.update(text="x" * 1000),
            lambda: run.finish("failed", {}),
            lambda: store.register("other", run),
            lambda: store.promote("churn", 1, "champion", "ada", "it is good"),
            lambda: store.new_run("another", {}),
        ):
            with pytest.raises(StoreError, match=r"^no space left"):
                attempt()
        assert store.runs()[0]["id"] == run.id
    for path, content in before.items():
        assert path.read_bytes() == content
    assert store.names() == ["churn"] and store.aliases("churn") == {}
    assert store.register("other", run) == 1
    store.promote("churn", 1, "champion", "ada", "it is good")
    assert store.aliases("churn") == {"champion": 1}
    assert not [path for path in store.folder.rglob(".*") if path.name != ".gitignore"]


def test_a_store_that_may_only_be_read_can_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.at(Path(folder) / "store")
        run = trained(store)
        store.register("churn", run)
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            out = said_by([started("""
if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = Store.at(sys.argv[1], create=False)
print([info["status"] for info in store.runs()], store.resolve("churn").name, store.resolve("last").name)
for write in (lambda: store.new_run("a", {}), lambda: store.run("last").emit("a"), lambda: Store.at(sys.argv[1] + "2"),
              lambda: store.promote("churn", 1, "champion", "ada", "")):
    try: write(); print("written")
    except StoreError as refused: print(str(refused).partition(" while writing")[0])
""", store.folder)])
        finally:
            for path in (Path(folder), *Path(folder).rglob("*")):
                path.chmod(stat.S_IRWXU)
    assert out[0].splitlines() == ["['done'] model model", *["permission denied"] * 4]


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_reference_means_what_it_says(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = [trained(store, value=i) for i in range(3)]
    folders = [run.folder / "model" for run in runs]
    assert [store.register("churn", run) for run in runs] == [1, 2, 3]
    assert store.resolve("churn") == folders[2]                     # the newest
    store.promote("churn", 1, "champion", "ada", "best on the test part")
    store.promote("churn", 2, "shadow", "ada", "")
    assert store.resolve("churn") == store.resolve("churn@champion") == folders[0]
    assert store.resolve("churn@shadow") == store.resolve("churn:2") == folders[1]
    assert store.resolve("last") == folders[2]
    assert store.resolve(runs[1].id) == store.resolve(runs[1].id[-6:]) == folders[1]
    assert store.resolve(folders[1]) == store.resolve(runs[1].folder) == locate(folders[1]) == folders[1]
    monkeypatch.chdir(tmp_path)
    assert locate("churn") == folders[0]
    assert locate(".assay/runs/" + runs[1].id).samefile(folders[1])
    store.promote("churn", 3, "champion", "grace", "newer data")
    moves = [(move["who"], move["alias"], move["from"], move["version"]) for move in store.promotions("churn")]
    assert moves == [("ada", "champion", None, 1), ("ada", "shadow", None, 2), ("grace", "champion", 1, 3)]


@pytest.mark.parametrize(("ref", "sentence"), [
    ("chrun", "no model or run called 'chrun' in .*Did you mean 'churn'"),
    ("churn@champion", "'churn' has no alias 'champion'. It has none yet"),
    ("churn:7", "'churn' has no version 7; there is 1 to 1"),
    ("churn:x", "names no version; wanted a number"),
    ("churn:-1", "names no version; wanted a number"),
    ("nothing:1", "no model or run called 'nothing'"),
    ("", "no model or run called ''"),
    ("..", "neither a saved model nor a run"),
    ("../../etc", "neither a saved model nor a run"),
    ("runs/../models", "neither a saved model nor a run"),
])
def test_what_names_no_model_is_told(store: Store, ref: str, sentence: str) -> None:
    store.register("churn", trained(store))
    with pytest.raises(UnknownName, match=sentence):
        store.resolve(ref)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../a", "/a", "a\\b", "a\0b", ".hidden", "-flag", "a b",
                                  "a" * 65, "a\n", "ä", "last", "a:b", "a@b", "a."])
def test_no_name_escapes_the_store(store: Store, name: str) -> None:
    run = trained(store)
    store.register("churn", run)
    before = sorted(store.folder.parent.rglob("*"))
    for attempt in (lambda: store.register(name, run), lambda: store.new_run(name, {}),
                    lambda: store.promote("churn", 1, name, "ada", ""), lambda: store.promote(name, 1, "a", "ada", "")):
        with pytest.raises(UserError, match=r"cannot name a|no model or run called"):
            attempt()
    assert sorted(store.folder.parent.rglob("*")) == before


def test_a_version_is_the_model_that_was_registered_or_nothing(store: Store) -> None:
    run, other = trained(store, value=1.0), trained(store, value=2.0)
    store.register("churn", run)
    assert store.register("churn", run) == 1                         # the same model of a resumed run
    save_model(Constant(3.0), run.folder / "model", lineage={"run": run.id})
    assert store.register("churn", run) == 2
    with pytest.raises(TamperedError, match="not the model that was registered as version 1"):
        store.resolve("churn:1")
    store.register("churn", other, summary={"auc": 0.9})
    assert [version["summary"] for version in store.versions("churn")] == [{"auc": 1.0}, {"auc": 1.0}, {"auc": 0.9}]
    assert store.versions("churn")[2]["digest"] == manifest(other.folder / "model")["digest"]
    shutil.rmtree(other.folder)
    with pytest.raises(StoreError, match=f"version 3 was made by run {other.id}, which is gone"):
        store.resolve("churn:3")
    record = store.folder / "models" / "churn" / "versions" / "2.json"
    record.write_text(json.dumps({**read_json(record), "folder": "../../outside"}))
    with pytest.raises(TamperedError, match="points out of the store"):
        store.resolve("churn:2")


def test_a_version_left_unfinished_by_a_kill_keeps_its_number_to_itself(store: Store) -> None:
    run = trained(store)
    store.register("churn", run)
    (store.folder / "models" / "churn" / "versions" / "2.json").touch()
    (store.folder / "models" / "ghost" / "versions").mkdir(parents=True)
    (store.folder / "models" / "ghost" / "versions" / "1.json").write_text('{"version": 1, "ru')
    assert store.resolve("churn") == run.folder / "model"
    assert store.names() == ["churn"]
    assert store.register("churn", trained(store, value=2.0)) == 3
    assert [version["version"] for version in store.versions("churn")] == [1, 3]
    with pytest.raises(UnknownName, match="has no version 2"):
        store.promote("churn", 2, "champion", "ada", "")


def test_a_run_without_a_model_says_so(store: Store) -> None:
    run = store.new_run("early", {})
    with pytest.raises(StoreError, match="not a saved model"):
        store.register("early", run)
    with pytest.raises(StoreError, match="has no model: it did not get so far"):
        store.resolve(run.id)
    with pytest.raises(UnknownName, match="no run is done yet"):
        store.resolve("last")
    assert store.names() == []


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
