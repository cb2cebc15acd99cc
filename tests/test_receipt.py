"""The receipt: any byte of a run that changes is told, and what the run says can be computed again."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import assay
from assay.errors import GateError, StoreError, UserError
from assay.store import looks, receipt, signing
from assay.store.store import Store

TREE = {"recipes": "decision_tree", "trials": 1, "workers": 1, "folds": 2, "seed": 3}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_table: Callable[[str], tuple[Path, list[str]]]) -> Path:
    """A store with one finished run."""
    store = tmp_path_factory.mktemp("receipts") / "store"
    table, target = small_table("binary")
    assay.train(str(table), target=target, name="credit", store=store, **TREE)
    return store


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """The folder of the run, in a copy of the store that a test may spoil."""
    shutil.copytree(finished, tmp_path / "copy")
    return next((tmp_path / "copy" / "runs").iterdir())


def store_of(run: Path) -> Path:
    return run.parent.parent


def test_a_run_is_what_its_receipt_says(run: Path) -> None:
    found = assay.verify(run.name, store=store_of(run))
    said = json.loads((run / "receipt.json").read_text())
    assert found.look == 1 and found.signer is None and found.notes == ()
    assert found.files == len([p for p in run.rglob("*") if p.is_file()])
    assert found.cases == len(pl.read_parquet(run / "evidence" / "test.parquet"))
    assert found.metrics["roc_auc"].value == said["metrics"]["roc_auc"]["value"]
    assert set(said["data"]) == {"task/train.parquet", "task/test.parquet", "task/task.json"}
    assert set(said["plan"]) == {"task/plan.parquet"}
    assert said["environment"]["packages"]["numpy"] == np.__version__
    assert said["model"] == json.loads((run / "model" / "assay.json").read_text())["digest"]


def test_it_can_be_carried_away_and_checked_there(run: Path, tmp_path: Path) -> None:
    there = shutil.copytree(run, tmp_path / "mail" / "the-run")
    found = assay.verify(there)
    assert "log of looks" in found.notes[0]


def test_one_flipped_bit_anywhere_is_told(run: Path) -> None:
    """Every file, one bit at a random place, the bytes that vouch among them."""
    rng = np.random.default_rng(0)
    for path in sorted(p for p in run.rglob("*") if p.is_file() and p.stat().st_size):
        whole = path.read_bytes()
        for _ in range(3):
            spoiled = bytearray(whole)
            spoiled[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
            path.write_bytes(spoiled)
            with pytest.raises(GateError, match="verifying run") as told:
                assay.verify(run.name, store=store_of(run))
            assert told.value.exit_code == 3
        path.write_bytes(whole)
    assay.verify(run.name, store=store_of(run))


@pytest.mark.parametrize("spoil", [
    lambda run: (run / "report.html").unlink(),
    lambda run: (run / "note.txt").write_text("added"),
    lambda run: (run / "receipt.sig").write_text("{}\n"),
    lambda run: (run / "model" / "card.md").write_text("another"),
    lambda run: ((run / "report.html").unlink(), (run / "report.html").symlink_to("story.json")),
    lambda run: (run / "run.json").write_text((run / "run.json").read_text().replace("  ", " ")),
    lambda run: (run.parent.parent / "looks.jsonl").write_text(""),
    lambda run: (run.parent.parent / "looks.jsonl").write_text(
        (run.parent.parent / "looks.jsonl").read_text().replace('"look": 1', '"look": 2')),
], ids=["removed", "added", "signature", "changed", "link", "spaces", "looks gone", "looks changed"])
def test_what_was_spoiled_is_named(run: Path, spoil: Callable[[Path], object]) -> None:
    spoil(run)
    with pytest.raises(GateError, match=r"report\.html|note\.txt|receipt\.sig|card\.md|run\.json|looks\.jsonl"):
        assay.verify(run.name, store=store_of(run))


def test_numbers_that_the_data_do_not_give_are_told_though_every_hash_fits(run: Path) -> None:
    """Someone who makes the receipt anew over better numbers is found by computing them."""
    def forged(metric: str, part: str, value: float) -> None:
        said = json.loads((run / "receipt.json").read_text())
        said["metrics"][metric][part] = value
        said["seal"] = receipt._sealed(said)
        data = receipt._canonical(said)
        (run / "receipt.json").write_bytes(data)
        (run / "run.json").write_bytes(receipt._written({**said["run"], "receipt": hashlib.sha256(data).hexdigest()}))

    whole = [(run / name).read_bytes() for name in ("receipt.json", "run.json")]
    for metric, part in (("roc_auc", "value"), ("brier", "low"), ("accuracy", "high")):
        forged(metric, part, 0.987)
        with pytest.raises(GateError, match=rf"{metric}: its {part} was recorded as 0\.987"):
            assay.verify(run.name, store=store_of(run))
        for name, data in zip(("receipt.json", "run.json"), whole, strict=True):
            (run / name).write_bytes(data)


def test_a_run_without_a_receipt_says_so(run: Path) -> None:
    (run / "receipt.json").unlink()
    with pytest.raises(StoreError, match="has no receipt"):
        assay.verify(run.name, store=store_of(run))


# --- signatures ------------------------------------------------------------------------------------------


def keys(folder: Path, name: str) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    public.write_bytes(key.public_key().public_bytes(*form))
    return private, public


def test_a_signed_receipt(
    tmp_path: Path, small_table: Callable[[str], tuple[Path, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, public = keys(tmp_path, "mine")
    _, other = keys(tmp_path, "other")
    monkeypatch.setenv(signing.VARIABLE, str(mine))
    table, target = small_table("regression")
    trained = assay.train(str(table), target=target, store=tmp_path / "store", **TREE)
    folder = trained.run.folder
    found = assay.verify(folder, key=public)
    assert found.signer == signing.short(signing.read_public(str(public)))
    with pytest.raises(GateError, match=r"not with the key .*other\.pub"):
        assay.verify(folder, key=other)
    kept = (folder / "receipt.sig").read_text()
    for at in range(0, len(kept), 7):
        (folder / "receipt.sig").write_text(kept[:at] + chr(ord(kept[at]) ^ 1) + kept[at + 1:])
        with pytest.raises(GateError, match=r"receipt\.sig"):
            assay.verify(folder, key=public)
    (folder / "receipt.sig").unlink()
    with pytest.raises(GateError, match=r"receipt\.sig is missing"):
        assay.verify(folder)


def test_an_unsigned_receipt_is_refused_where_a_key_was_asked_for(run: Path, tmp_path: Path) -> None:
    _, public = keys(tmp_path, "mine")
    with pytest.raises(GateError, match="is not signed"):
        assay.verify(run.name, key=public, store=store_of(run))
    with pytest.raises(UserError, match="which cannot be read"):
        signing.read_public(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="is not an Ed25519 public key"):
        signing.read_public(str(run / "run.json"))


def test_a_key_that_is_none_stops_before_the_race(
    tmp_path: Path, small_table: Callable[[str], tuple[Path, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("no key")
    monkeypatch.setenv(signing.VARIABLE, str(tmp_path / "key"))
    table, target = small_table("binary")
    with pytest.raises(UserError, match="is not an Ed25519 private key"):
        assay.train(str(table), target=target, store=tmp_path / "store", **TREE)
    assert Store.at(tmp_path / "store").runs() == []


# --- looks -----------------------------------------------------------------------------------------------


def test_the_second_look_at_the_same_labels_is_counted_and_widens(
    tmp_path: Path, small_table: Callable[[str], tuple[Path, list[str]]]
) -> None:
    table, target = small_table("binary")
    store = tmp_path / "store"
    first, second = (assay.train(str(table), target=target, store=store, **TREE) for _ in range(2))
    other = assay.train(str(table), target=target, store=store, **{**TREE, "seed": 4})
    assert [t.story.looks for t in (first, second, other)] == [1, 2, 1]
    assert [t.story.other_looks for t in (first, second, other)] == [0, 0, 2]
    assert "tested 2 times on other test parts" in other.report.read_text(encoding="utf-8")
    a, b = (t.evidence.metrics["roc_auc"] for t in (first, second))
    assert a.value == b.value and (a.level, b.level) == (0.95, 0.975)
    assert b.low < a.low and b.high > a.high
    assert second.story.comparisons[0].difference.level >= 0.975
    page = second.report.read_text(encoding="utf-8")
    assert "look number 2" in page and "97.5%" in page
    lines = looks.looks(store)
    assert [line["look"] for line in lines] == [1, 2, 1] and all(line["who"] and line["when"] for line in lines)
    assert "looked at 1 time since" in " ".join(assay.verify(first.run.id, store=store).notes)
    assert assay.verify(second.run.id, store=store).metrics["roc_auc"].level == 0.975


def test_evaluating_counts_models_not_repeats(finished: Path, tmp_path: Path, run: Path) -> None:
    store = store_of(run)
    rows = pl.read_parquet(run / "task" / "train.parquet").drop(" row").head(100)
    before = len(looks.looks(store))
    levels = [assay.evaluate("credit", rows, store=store).metrics["accuracy"].level for _ in range(2)]
    assert levels == [0.95, 0.95] and len(looks.looks(store)) == before + 1


def test_a_ledger_that_lost_a_line_is_broken(tmp_path: Path) -> None:
    for number in range(4):
        looks.record(tmp_path, "labels", run=f"run {number}", what="a test")
    assert looks.broken(tmp_path) is None
    lines = (tmp_path / "looks.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "looks.jsonl").write_text("".join(lines[:1] + lines[2:]))
    assert looks.broken(tmp_path) == 2


def test_looks_from_many_processes_are_all_counted(tmp_path: Path) -> None:
    code = ("import sys; from pathlib import Path; from assay.store import looks\n"
            "for i in range(5): looks.record(Path(sys.argv[1]), 'labels', run=f'{sys.argv[2]}-{i}', what='a test')")
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(i)]) for i in range(4)]
    assert [p.wait() for p in started] == [0] * 4
    assert sorted(line["look"] for line in looks.looks(tmp_path)) == list(range(1, 21))
    assert looks.broken(tmp_path) is None


def test_the_seal_knows_the_labels_and_not_their_order() -> None:
    cases = pl.DataFrame({"case_id": [3, 1, 2], "target": ["a", "b", None], "slice.x": ["u", "v", "w"]})
    assert looks.seal(cases) == looks.seal(cases.reverse().drop("slice.x"))
    assert looks.seal(cases) != looks.seal(cases.with_columns(target=pl.Series(["a", "b", "c"])))


def test_the_command_says_what_was_compared_and_ends_with_3_at_a_difference(run: Path) -> None:
    words = [sys.executable, "-m", "assay", "verify", "last", "--store", str(store_of(run))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is what its receipt says" in done.stdout and "nobody signed it" in done.stdout
    (run / "workers.log").write_text("another")
    spoiled = subprocess.run([*words, "--json"], capture_output=True, text=True, check=False)
    assert spoiled.returncode == 3
    said = json.loads(spoiled.stdout)["error"]
    assert said["kind"] == "GateError" and "workers.log has changed" in said["message"]
