"""Models under a name: a reference means one folder, and nothing typed leads out of the store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from assay.errors import StoreError, TamperedError, UnknownName, UserError
from assay.files import read_json
from assay.store import Store
from assay.store.package import manifest, save_model
from assay.store.store import locate
from store_parts import Constant, trained


@pytest.fixture(autouse=True)
def no_store_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_STORE", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path / ".assay")


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
