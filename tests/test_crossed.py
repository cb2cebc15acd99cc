"""Crossed columns: what is found, that nothing leaks, that a row stands alone, what is saved and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.contract import TEST, Array, Context, Field, Table
from assay.errors import TamperedError
from assay.paradigms.supervised.encode import Encoder
from assay.paradigms.supervised.encode.crossed import Pair
from assay.paradigms.supervised.encode.crossing import Means, _ground, _means_of
from assay.paradigms.supervised.learner import Truth
from assay.paradigms.supervised.model import load
from assay.paradigms.supervised.recipes.catboost import CatBoost
from assay.paradigms.supervised.recipes.lightgbm import LightGBM
from assay.paradigms.supervised.recipes.xgboost import XGBoost
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem

FIELDS = (
    Field("length", "numeric", "float"), Field("width", "numeric", "float"),
    Field("city", "categorical", "string"), Field("shop", "categorical", "string"),
)


def rows(n: int = 2_000, seed: int = 0) -> tuple[Table, Array]:
    """What counts: waves of how long for its width, and how shop and city go together, which neither tells alone."""
    rng = np.random.default_rng(seed)
    length, width = np.exp(rng.normal(size=(2, n)))
    city, shop = rng.integers(0, 12, n), rng.integers(0, 12, n)
    kind = np.random.default_rng(7).normal(size=(12, 12))
    y = 2 * np.sin(3 * np.log(length / width)) + kind[city, shop] + rng.normal(size=n) / 4
    table = pl.DataFrame({
        "length": pl.Series(length).set(pl.Series(rng.random(n) < 0.05), None), "width": width,
        "city": [f"city {c}" for c in city], "shop": pl.Series([f"shop {s}" for s in shop]).set(
            pl.Series(rng.random(n) < 0.05), None),
    })
    return table, (y - y.mean()) / y.std()


def crossed(n: int = 2_000, **said: Any) -> tuple[Encoder, Array]:
    table, y = rows(n)
    return Encoder.fit_transform(table, FIELDS, "crossed", Truth("regression", y, 1, **said))


def test_what_was_planted_is_found() -> None:
    encoder, X = crossed()
    assert encoder.names[:4] == ("length", "width", "city", "shop")
    assert {"length / width", "width / length"} & set(encoder.names)
    assert "mean target in city and shop" in encoder.names or "mean target in shop and city" in encoder.names
    assert X.shape == (2_000, len(encoder.names)) == (2_000, len(encoder.sources))
    assert X.dtype == np.float32
    assert encoder.categorical == (2, 3)
    assert len(encoder.names) - 4 <= 30


def test_few_rows_or_very_many_columns_are_not_crossed() -> None:
    table, y = rows(200)
    assert len(Encoder.fit_transform(table, FIELDS, "crossed", Truth("regression", y, 1))[0].names) == 4
    wide = pl.DataFrame({f"x{i}": table["width"] for i in range(501)})
    fields = tuple(Field(c, "numeric", "float") for c in wide.columns)
    many, z = pl.concat([wide] * 2), np.concatenate([y, y])
    assert len(Encoder.fit_transform(many, fields, "crossed", Truth("regression", z, 1))[0].names) == 501


def test_inputs_that_are_to_stand_alone_are_not_crossed() -> None:
    encoder, _ = crossed(alone=frozenset({"width", "shop"}))
    assert not any(name.count("width") or name.count("shop") for name in encoder.names[4:])


def test_a_row_stands_alone_and_the_same_seed_gives_the_same() -> None:
    encoder, X = crossed()
    again, same = crossed()
    fresh, _ = rows(200, seed=1)
    fresh = fresh.with_columns(pl.when(pl.int_range(pl.len()) < 9).then(pl.lit("new")).otherwise("city").alias("city"))
    batch = encoder.transform(fresh)
    np.testing.assert_array_equal(np.concatenate([encoder.transform(fresh[i : i + 1]) for i in range(200)]), batch)
    np.testing.assert_array_equal(again.transform(fresh), batch)
    np.testing.assert_array_equal(same, X)
    assert np.isfinite(batch[:, [i for i, n in enumerate(encoder.names) if n.startswith("mean target")]]).all()


def test_saved_and_read_back(tmp_path: Path) -> None:
    encoder, _ = crossed()
    encoder.save(tmp_path)
    fresh, _ = rows(200, seed=1)
    again = Encoder.load(tmp_path)
    np.testing.assert_array_equal(again.transform(fresh), encoder.transform(fresh))
    assert (again.names, again.sources) == (encoder.names, encoder.sources)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("spoil", [
    lambda said: said.pop("crosses"),
    lambda said: said["crosses"].pop("known"),
    lambda said: said["crosses"]["pairs"][0].__setitem__(0, "os.system"),
    lambda said: said["crosses"]["pairs"][0].__setitem__(1, 99),
    lambda said: said["crosses"]["known"][0].update(columns=[0]),
    lambda said: said["crosses"]["known"][0].update(bases=[-3]),
    lambda said: said["crosses"]["known"][0].update(says=["one", "two"]),
    lambda said: said["crosses"]["known"][0].update(less=99),
    lambda said: said["inputs"].pop(),
])
def test_nonsense_is_refused(spoil: Any, tmp_path: Path) -> None:
    crossed()[0].save(tmp_path)
    path = tmp_path / "encoder.json"
    said = json.loads(path.read_text())
    spoil(said)
    path.write_text(json.dumps(said))
    with pytest.raises(TamperedError):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("change", [
    lambda array: array[::-1].copy(), lambda array: array[:-1], lambda array: array.astype("float32"),
])
@pytest.mark.parametrize("name", ["4.0.keys", "4.0.values"])
def test_spoiled_arrays_are_refused(change: Any, name: str, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    crossed()[0].save(tmp_path)
    arrays = load_file(tmp_path / "encoder.safetensors")
    spoiled = change(arrays[name])
    if name == "4.0.values" and spoiled.shape == arrays[name].shape and spoiled.dtype == arrays[name].dtype:
        spoiled[0] = np.nan
    save_file(arrays | {name: np.ascontiguousarray(spoiled)}, tmp_path / "encoder.safetensors")
    with pytest.raises(TamperedError):
        Encoder.load(tmp_path)


# --- nothing leaks ------------------------------------------------------------------------------------


def means(y: Array, unit: Array | None) -> tuple[Means, Array, Array]:
    X = np.repeat(np.arange(10), 30)[:, None].astype(np.float32)
    ground = _ground(X, (0,), Truth("regression", y, 1, unit=unit))
    made = _means_of(ground, (0,), (11,))
    return made, made.of(X, ground.fold), ground.fold


@pytest.mark.parametrize("unit", [None, np.arange(300) // 3])
def test_a_mean_never_holds_the_targets_of_its_own_fold(unit: Array | None) -> None:
    """Two targets of one fold and one category trade places with others of their fold: nothing they see changes."""
    y = np.random.default_rng(0).normal(size=300)
    _, seen, fold = means(y, unit)
    a = 0
    b = int(np.flatnonzero((fold == fold[a]) & (np.arange(300) // 30 != 0))[0])
    traded = y.copy()
    traded[[a, b]] = y[[b, a]]                       # the mean of all rows stays as it is
    _, after, same = means(traded, unit)
    np.testing.assert_array_equal(same, fold)
    shrinks = np.abs(after - seen)[fold == fold[a]].max()
    assert shrinks < 0.02                            # only by how far means are drawn together, one number for all
    if unit is not None:
        assert all(len(np.unique(fold[unit == u])) == 1 for u in range(100))


def noise(n: int, levels: int, seed: int) -> SupervisedTask:
    """A target that one number tells a little of, beside categories of many levels that tell nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    frame = pl.DataFrame({
        "x": x, **{f"c{i}": [f"v{v}" for v in rng.integers(0, levels, n)] for i in range(3)},
        "y": np.where(x + rng.logistic(size=n) > 0, "yes", "no"),
    })
    return PARADIGM.bind(problem(frame, target="y", metric="log_loss"), lambda _: None)


def test_categories_of_pure_noise_do_no_harm() -> None:
    """Log loss on cases held out, over three tables and two counts of levels, against LightGBM without crosses."""
    gaps = []
    for seed, levels in ((0, 60), (1, 60), (2, 400), (3, 400)):
        task = noise(2_500, levels, seed)
        cases = task.cases(TEST)
        plain, with_crosses = (task.metrics[0].fn(task.attempt(LightGBM(crossed=c).fit(task, Context()), cases))
                               for c in (False, True))
        gaps.append(with_crosses - plain)
    assert np.mean(gaps) < 0.003, gaps
    assert max(gaps) < 0.01, gaps


# --- in recipes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [LightGBM, XGBoost, CatBoost])
def test_boosters_learn_from_crosses(recipe: Any, tmp_path: Path) -> None:
    table, y = rows()
    task = PARADIGM.bind(problem(table.with_columns(pl.Series("y", y)), target="y"), lambda _: None)
    cases = task.cases(TEST)
    plain, made = (recipe(rounds=150, crossed=c).fit(task, Context()) for c in (False, True))
    assert task.metrics[0].fn(task.attempt(made, cases)) < 0.95 * task.metrics[0].fn(task.attempt(plain, cases))
    made.save(tmp_path)
    batch = task.inputs(cases).head(20)
    answers = made.predict(batch)
    assert load(tmp_path).predict(batch).equals(answers)
    assert pl.concat([made.predict(batch[i : i + 1]) for i in range(20)]).equals(answers)


def test_what_is_not_a_number_is_missing() -> None:
    X = np.array([[1.0, 0.0], [0.0, 0.0], [np.nan, 2.0], [3e38, 1e-30]], dtype=np.float32)
    np.testing.assert_allclose(Pair("/", 0, 1).of(X), [np.nan, np.nan, np.nan, 3e38])
