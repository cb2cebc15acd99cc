"""A model folder: it comes back as it was saved, or it is refused in words."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from assay import registry
from assay.contract import Field, Model, Signature
from assay.errors import StoreError, TamperedError, UserError
from assay.files import read_json, write_json
from assay.nested import load_parts, save_parts
from assay.store import package
from assay.store.package import (
    load_model,
    manifest,
    save_model,
    signature_from_json,
    signature_to_json,
)
from store_parts import files_at_most

SIGNATURE = Signature(
    inputs=(Field("x", "numeric", "float", low=-1.5, high=2e300, example=0.1),
            Field("Größe", "categorical", "string", optional=False, levels=("klein", "groß"), example="groß")),
    outputs=(Field("value", "numeric", "float"),),
    ignored=("id",),
)


@dataclass(frozen=True)
class Times:
    """value = factor * x."""

    factor: float
    padding: int = 0
    signature: Signature = SIGNATURE
    loader: ClassVar[str] = "times"

    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        return batch.select(value=pl.col("x") * self.factor)

    def save(self, folder: Path, /) -> None:
        write_json(folder / "factor.json", self.factor)
        (folder / "padding").mkdir()
        (folder / "padding" / "zeros.bin").write_bytes(bytes(self.padding))


@dataclass(frozen=True)
class Total:
    """The sum of what its models say."""

    models: tuple[Model, ...]
    loader: ClassVar[str] = "total"

    @property
    def signature(self) -> Signature:
        return SIGNATURE

    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        return pl.select(value=sum((m.predict(batch)["value"] for m in self.models), pl.zeros(len(batch), eager=True)))

    def save(self, folder: Path, /) -> None:
        for i, model in enumerate(self.models):
            save_parts(model, folder / str(i))


def load_times(folder: Path) -> Times:
    return Times(read_json(folder / "factor.json"), (folder / "padding" / "zeros.bin").stat().st_size)


def load_total(folder: Path) -> Total:
    return Total(tuple(load_parts(part) for part in sorted(folder.iterdir())))


@pytest.fixture(autouse=True)
def loaders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry.BUILT_IN["assay.loaders"], "times", f"{__name__}:load_times")
    monkeypatch.setitem(registry.BUILT_IN["assay.loaders"], "total", f"{__name__}:load_total")
    registry._listed.cache_clear()
    yield
    registry._listed.cache_clear()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(Total((Times(2.0), Total((Times(0.5, padding=100),)))), tmp_path / "model", lineage={"run": "r1"})
    return tmp_path / "model"


def every_file(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# --- what is saved comes back ------------------------------------------------------------------------


def test_a_model_of_models_comes_back_and_answers_the_same(saved: Path) -> None:
    model = load_model(saved)
    assert model.predict(pl.DataFrame({"x": [1.0, -2.0]}))["value"].to_list() == [2.5, -5.0]
    assert model.signature == SIGNATURE


def test_the_manifest_says_what_the_model_is(saved: Path) -> None:
    said = manifest(saved)
    assert (said["format"], said["loader"], said["lineage"]) == (1, "total", {"run": "r1"})
    assert said["versions"]["polars"] == pl.__version__
    assert signature_from_json(said["signature"]) == SIGNATURE
    hashed = {f"{path.relative_to(saved).as_posix()}" for path in every_file(saved)} - {"assay.json"}
    assert set(said["files"]) == hashed
    card = (saved / "card.md").read_text(encoding="utf-8")
    assert "- Größe: categorical" in card and "- run: r1" in card


def test_the_same_model_has_the_same_digest_and_another_model_another(tmp_path: Path) -> None:
    same = {save_model(Times(2.0), tmp_path / name, lineage={}) for name in "ab"}
    assert len(same) == 1
    assert manifest(tmp_path / "a")["digest"] in same
    assert save_model(Times(2.1), tmp_path / "c", lineage={}) not in same
    assert save_model(Times(2.0), tmp_path / "d", lineage={"run": "other"}) not in same


def test_files_beside_the_parts_are_vouched_for(tmp_path: Path) -> None:
    def reference(folder: Path) -> None:
        pl.DataFrame({"x": [1.0]}).write_parquet(folder / "reference.parquet")

    save_model(Times(2.0), tmp_path / "m", lineage={}, beside=reference)
    assert "reference.parquet" in manifest(tmp_path / "m")["files"]
    load_model(tmp_path / "m")


@pytest.mark.parametrize(("example", "kept"), [
    (None, None), (1, 1), (0.1, 0.1), ("text", "text"), (True, True), (float("nan"), None), (float("inf"), None),
    (date(2026, 11, 22), "2026-11-22"),
])
def test_a_signature_survives_json(example: object, kept: object) -> None:
    said = signature_to_json(Signature((Field("a", "text", "string", example=example),), ()))
    back = signature_from_json(json.loads(json.dumps(said, allow_nan=False)))
    assert back == Signature((Field("a", "text", "string", example=kept),), ())


@pytest.mark.parametrize("broken", [
    {"levels": None}, {"code": "1"}, {"kind": "evil"}, {"kind": ["numeric"]}, {"name": 3}, {"dtype": "object"},
])
def test_what_is_no_field_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="not a signature"):
        signature_from_json({"inputs": [X | broken], "outputs": [], "ignored": []})


@pytest.mark.parametrize("broken", [{}, {"inputs": [], "outputs": []}, {"inputs": 1, "outputs": [], "ignored": []}])
def test_what_is_no_signature_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="not a signature"):
        signature_from_json(broken)


# --- a folder of format 1 as it was written once -------------------------------------------------------

X = {"name": "x", "kind": "numeric", "dtype": "float", "optional": True, "levels": [], "low": None, "high": None,
     "example": None}
SPECIMEN = {
    "format": 1, "loader": "times", "signature": {"inputs": [X], "outputs": [], "ignored": []},
    "versions": {"assay": "0.1.0"}, "lineage": {}, "made": "2026-11-22T21:30:45.000000+00:00",
    "files": {
        "card.md": "4e9dd1980a87de13b37f97c8b87686f75bb68be49cdce97239a1e0883bd27b77",
        "parts/factor.json": "66e4c000f2000eb1cca164f97c441e14d438ca2599c8e79f4de6ecade0de8b32",
        "parts/padding/zeros.bin": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    },
    "digest": "9d9a677b5b25e9b3223a5a7b0256cd857126493dc3f23b78aa5fbf6a79ed40e3",
    "seal": "de805a499c4fe00429f4f172582dd73b5f8fcc63304d36266a924c7b36d76bc9",
}


def test_a_folder_of_format_1_stays_loadable(tmp_path: Path) -> None:
    (tmp_path / "parts" / "padding").mkdir(parents=True)
    (tmp_path / "parts" / "padding" / "zeros.bin").touch()
    (tmp_path / "parts" / "factor.json").write_text("3.0\n")
    (tmp_path / "card.md").write_text("# A model saved by assay\n")
    (tmp_path / "assay.json").write_text(json.dumps(SPECIMEN))
    assert load_model(tmp_path) == Times(3.0)


# --- what was changed is refused -------------------------------------------------------------------------


def test_a_change_of_any_file_is_refused(saved: Path) -> None:
    for path in every_file(saved):
        whole = path.read_bytes()
        for changed in (whole + b"x", whole[:-2] or b"x", whole.replace(b"a", b"b") + b"\n\0"):
            path.write_bytes(changed)
            with pytest.raises(TamperedError):
                load_model(saved)
        path.write_bytes(whole)
    load_model(saved)


def test_every_value_in_the_manifest_is_vouched_for(saved: Path) -> None:
    said = read_json(saved / "assay.json")
    for key in said:
        write_json(saved / "assay.json", {**said, key: "x"})
        with pytest.raises(TamperedError, match=r"assay\.json has changed"):
            load_model(saved)
        write_json(saved / "assay.json", {k: v for k, v in said.items() if k != key})
        with pytest.raises(TamperedError, match=r"assay\.json has changed"):
            load_model(saved)


def test_missing_and_added_files_are_named(saved: Path) -> None:
    (saved / "parts" / "extra.py").write_text("print()")
    with pytest.raises(TamperedError, match=r"parts/extra\.py was added"):
        load_model(saved)
    (saved / "parts" / "extra.py").unlink()
    (saved / "card.md").unlink()
    with pytest.raises(TamperedError, match=r"card\.md is missing\. Restore it"):
        load_model(saved)


def test_links_and_pipes_are_refused(saved: Path, tmp_path: Path) -> None:
    card, outside = saved / "card.md", tmp_path / "outside"
    outside.mkdir()
    shutil.copy(card, outside / "card.md")
    card.unlink()
    card.symlink_to(outside / "card.md")            # the same content, by way of a link
    with pytest.raises(TamperedError, match=r"card\.md is a link"):
        load_model(saved)
    card.unlink()
    shutil.copy(outside / "card.md", card)
    load_model(saved)
    (saved / "folder").symlink_to(outside)
    with pytest.raises(TamperedError, match="folder is a link"):
        load_model(saved)
    (saved / "folder").unlink()
    os.mkfifo(saved / "pipe")
    with pytest.raises(TamperedError, match="no plain file"):
        load_model(saved)


def forge(folder: Path, **changes: object) -> None:
    """A manifest that contradicts nothing: what somebody writes who knows the format."""
    said = {**read_json(folder / "assay.json"), **changes}
    said["digest"] = package._digest(said)
    said["seal"] = package._seal(said)
    write_json(folder / "assay.json", said)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "parts/../../secret.txt", "C:\\secret.txt", ""])
def test_a_forged_name_leads_nowhere(saved: Path, name: str) -> None:
    secret = saved.parent / "secret.txt"
    secret.write_text("secret")
    forge(saved, files={**manifest(saved)["files"], name: hashlib.sha256(b"secret").hexdigest()})
    with pytest.raises(TamperedError, match="is missing"):
        load_model(saved)


@pytest.mark.parametrize("loader", ["os:system", "builtins.exec", "../times", "", None, ["times"]])
def test_only_registered_loaders_are_called(saved: Path, loader: object) -> None:
    forge(saved, loader=loader)
    with pytest.raises(UserError, match="there is no loader called"):
        load_model(saved)


def test_a_forged_file_list_is_refused(saved: Path) -> None:
    forge(saved, files=["card.md"])
    with pytest.raises(TamperedError, match="has changed"):
        load_model(saved)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 200_000])
def test_nonsense_in_place_of_the_manifest_is_told(saved: Path, content: bytes) -> None:
    (saved / "assay.json").write_bytes(content)
    with pytest.raises(TamperedError, match="not the JSON that was written"):
        load_model(saved)


def test_a_huge_manifest_is_not_read(saved: Path) -> None:
    with (saved / "assay.json").open("r+b") as file:
        file.truncate(10**12)                       # sparse: takes no room
    with pytest.raises(TamperedError, match="too large"):
        load_model(saved)


def test_a_newer_format_says_upgrade(saved: Path) -> None:
    write_json(saved / "assay.json", {**read_json(saved / "assay.json"), "format": 2})
    with pytest.raises(StoreError, match=r"newer assay \(format 2; this one reads 1\)"):
        load_model(saved)


def test_a_folder_that_is_no_model_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match="is not a saved model"):
            load_model(folder)


# --- at once and whole, or not at all ---------------------------------------------------------------------


def test_an_earlier_model_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    save_model(Times(1.0), tmp_path / "m", lineage={})
    save_model(Times(2.0), tmp_path / "m", lineage={})
    assert load_model(tmp_path / "m") == Times(2.0)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(StoreError, match="something else"):
        save_model(Times(1.0), tmp_path / "thesis", lineage={})
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "thesis"]


def test_a_full_disk_leaves_the_earlier_model_and_no_litter(tmp_path: Path) -> None:
    save_model(Times(1.0), tmp_path / "m", lineage={})
    with files_at_most(50_000), pytest.raises(StoreError, match=r"^no space left .*while writing .*m\. Free some"):
        save_model(Times(2.0, padding=100_000), tmp_path / "m", lineage={})
    assert load_model(tmp_path / "m") == Times(1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_model_that_cannot_be_saved_leaves_no_litter(tmp_path: Path) -> None:
    class Broken(Times):
        def save(self, folder: Path, /) -> None:
            super().save(folder)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        save_model(Broken(1.0), tmp_path / "m", lineage={})
    assert list(tmp_path.iterdir()) == []


def test_a_model_too_wide_to_load_again_is_refused_when_saved(tmp_path: Path) -> None:
    levels = tuple(f"level {i:06d} of a very long column" for i in range(100))
    wide = Signature(tuple(Field(f"c{i}", "categorical", "string", levels=levels) for i in range(2_500)), ())
    with pytest.raises(StoreError, match="too many columns or levels"):
        save_model(Times(1.0, signature=wide), tmp_path / "m", lineage={})
    assert list(tmp_path.iterdir()) == []
