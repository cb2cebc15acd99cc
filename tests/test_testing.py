"""The contract checks catch those who break the contract: each cheat here works, but for one thing."""

from __future__ import annotations

import dataclasses
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from assay import registry
from assay.contract import TEST, TRAIN, Context, Field, Signature
from assay.errors import LockedError
from assay.testing import Subject, contract_checks
from everything import subject_of

CHECKS = dict(contract_checks())


@pytest.fixture(scope="module")
def honest() -> Subject:
    return subject_of("cartpole.cross_entropy", "CartPole-v1")


class Cheat:
    """The honest model, with one method changed by a subclass."""

    def __init__(self, model: Any) -> None:
        self.model, self.signature, self.calls = model, model.signature, 0

    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        return self.model.predict(batch)


class Drifts(Cheat):
    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        self.calls += 1
        return pl.DataFrame({"action": (self.model.predict(batch)["action"] + self.calls) % 2})


class LooksAtItsNeighbours(Cheat):
    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        return self.model.predict(batch.select(pl.all() - pl.all().mean()))


class Sorts(Cheat):
    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        return self.model.predict(batch.sort("position"))


class TakesAnyColumn(Cheat):
    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        return self.model.predict(batch.select([f.name for f in self.signature.inputs if f.name in batch.columns]))


class SaysFloat(Cheat):
    def predict(self, batch: pl.DataFrame, /) -> pl.DataFrame:
        return self.model.predict(batch).cast(pl.Float64)


@pytest.mark.parametrize(("cheat", "promise", "words"), [
    (Drifts, "predict_is_pure", "two calls of predict"),
    (LooksAtItsNeighbours, "rows_are_independent", "among others and alone"),
    (Sorts, "rows_are_aligned", "answers to permuted rows"),
    (TakesAnyColumn, "wrong_columns_are_refused_in_words", "unknown column raised nothing"),
    (SaysFloat, "answers_as_its_signature_says", "'action' is Float64; the signature says int"),
])
def test_a_model_that_breaks_a_promise_is_told_which(
    honest: Subject, cheat: type[Cheat], promise: str, words: str
) -> None:
    CHECKS[f"model.{promise}"](honest)
    with pytest.raises(AssertionError, match=words):
        CHECKS[f"model.{promise}"](dataclasses.replace(honest, model=cheat(honest.model)))


@dataclasses.dataclass(frozen=True)
class Peeks:
    """Picks, of two policies, the one that does better on the cases of a split it was not given."""

    split: Any
    baseline = False
    order = 1.0

    def refuses(self, _task: Any, /) -> str | None:
        return None

    def fit(self, task: Any, _ctx: Context, /) -> Any:
        honest = subject_of("cartpole.cross_entropy", "CartPole-v1").model
        task.attempt(honest, task.cases(self.split))
        return honest


def test_a_recipe_that_reads_the_test_part_meets_a_lock(honest: Subject) -> None:
    with pytest.raises(LockedError):
        CHECKS["recipe.training_never_reads_the_test_part"](dataclasses.replace(honest, recipe=Peeks(TEST)))


def test_a_recipe_that_reads_beyond_its_fold_is_caught(honest: Subject) -> None:
    with pytest.raises(AssertionError, match="also read train"):
        CHECKS["recipe.learns_from_its_split_alone"](dataclasses.replace(honest, recipe=Peeks(TRAIN)))


def test_a_recipe_that_takes_any_task_is_caught(honest: Subject) -> None:
    with pytest.raises(AssertionError, match="wanted a sentence"):
        CHECKS["recipe.refuses_in_words"](dataclasses.replace(honest, recipe=Peeks(TRAIN)))


def test_an_exemption_is_a_skip_with_its_reason(honest: Subject) -> None:
    class Excused(Drifts):
        exempt: ClassVar = {"model.predict_is_pure": "it is a clock"}

    with pytest.raises(unittest.SkipTest, match="Excused: it is a clock"):
        CHECKS["model.predict_is_pure"](dataclasses.replace(honest, model=Excused(honest.model)))


EVIL = '''
import pickle, subprocess, numpy as np, polars as pl
from assay.contract import Field, Signature

class Model:
    signature = Signature((Field("x", "numeric", "float"),), (Field("y", "numeric", "float"),))
    def __init__(self, way): self.way, self.loader = way, f"evil-{way}"
    def predict(self, batch):
        if self.way == "greedy":
            np.ones((len(batch), 100)).sum()
        return batch.select(pl.col("x").cast(pl.Float64).alias("y"))
    def save(self, folder): (folder / "model.bin").write_bytes(pickle.dumps(self))

def unpickles(folder): return pickle.loads((folder / "model.bin").read_bytes())
def evaluates(folder): return Model(eval("'evaluates'"))
def starts(folder): subprocess.run(["true"]); return Model("starts")
def hides(folder):
    try: return evaluates(folder)
    except Exception: return Model("hides")
def greedy(folder): return Model("greedy")
'''


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package whose loaders do what they must not, found through entry points as any other."""
    ways = ("unpickles", "evaluates", "starts", "hides", "greedy")
    about = tmp_path / "evil-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[assay.loaders]\n" + "".join(f"evil-{w} = evil:{w}\n" for w in ways))
    (tmp_path / "evil.py").write_text(EVIL)
    monkeypatch.syspath_prepend(tmp_path)
    registry._listed.cache_clear()
    import evil  # type: ignore[import-not-found]

    yield evil.Model
    registry._listed.cache_clear()


@pytest.mark.parametrize(("way", "event"), [
    ("unpickles", "pickle.find_class"), ("evaluates", "compile"), ("starts", "subprocess.Popen"), ("hides", "compile"),
])
def test_a_loader_that_runs_code_is_caught_even_if_it_hides_it(
    honest: Subject, evil: Any, way: str, event: str
) -> None:
    with pytest.raises(AssertionError, match=event):
        CHECKS["model.loads_in_a_fresh_process_without_running_code"](dataclasses.replace(honest, model=evil(way)))


def test_a_model_that_takes_memory_by_the_row_is_caught(honest: Subject, evil: Any) -> None:
    with pytest.raises(AssertionError, match="Work through the rows in parts"):
        CHECKS["model.memory_is_bounded"](dataclasses.replace(honest, model=evil("greedy")))


def test_inputs_are_drawn_as_a_signature_says(honest: Subject) -> None:
    class Described:
        signature = Signature((
            Field("c", "categorical", "string", levels=("a", "b")), Field("i", "numeric", "int", low=3, high=4),
            Field("f", "numeric", "float", low=10.0, high=11.0), Field("b", "boolean", "bool"),
            Field("t", "text", "string"), Field("d", "datetime", "datetime"),
        ), ())

    batch = dataclasses.replace(honest, model=Described()).batch(50)  # type: ignore[arg-type]  # only described
    assert batch.schema == {"c": pl.String, "i": pl.Int64, "f": pl.Float64, "b": pl.Boolean, "t": pl.String,
                            "d": pl.Datetime("us")}
    assert set(batch["c"]) == {"a", "b"}
    assert set(batch["i"]) == {3, 4}
    assert np.all((batch["f"].to_numpy() >= 10) & (batch["f"].to_numpy() <= 11))
