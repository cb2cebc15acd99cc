"""Nothing is lost, whoever writes at the same time, is killed, or runs out of disk."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import time
from pathlib import Path

import pytest

from assay.errors import StoreError
from assay.store import Store
from store_parts import files_at_most, said_by, started, trained


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / ".assay")


# --- killed ------------------------------------------------------------------------------------------


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
    while len(list(root.glob(f"ready-{turn}-*"))) < crowd:
        time.sleep(0.01)
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
