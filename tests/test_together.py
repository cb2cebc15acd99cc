"""Models answering as one: the same as averaging what each answers, in threads or not, for one row or many."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay import registry
from assay.contract import TEST, Context, Split, Table
from assay.errors import SchemaError
from assay.paradigms.supervised import together
from assay.paradigms.supervised.encode import Encoder
from assay.paradigms.supervised.model import SupervisedModel
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.paradigms.supervised.together import Together, joined
from assay.problem import problem
from assay.search.blend import Blend, load_blend
from everything import TABLES, table

BOOSTERS = ("lightgbm", "xgboost", "catboost")
WEIGHTS = (0.3, 0.1, 0.2, 0.15, 0.0, 0.25)


@cache
def task(name: str) -> SupervisedTask:
    return PARADIGM.bind(problem(str(table(name)), target=TABLES[name][2], task=name), lambda _: None)


@cache
def models(name: str, recipes: tuple[str, ...] = BOOSTERS) -> tuple[SupervisedModel, ...]:
    made = (registry.load("assay.recipes", f"supervised.{r}") for r in recipes)
    quick = [r(rounds=20) if r.title in ("LightGBM", "XGBoost", "CatBoost") else r() for r in made]
    return tuple(r.fit(task(name), Context(split=Split("fit", k), budget_s=20)) for r in quick for k in range(2))


def batch(name: str) -> Table:
    rows = task(name).inputs(task(name).cases(TEST))
    odd = rows.with_columns(pl.lit("Atlantis").alias(c) for c, t in rows.schema.items() if t == pl.String)
    empty = rows.head(3).with_columns(pl.lit(None, t).alias(c) for c, t in rows.schema.items())
    return pl.concat([rows, odd, empty])


def averaged(models: tuple[SupervisedModel, ...], weights: tuple[float, ...], rows: Table) -> Table:
    return PARADIGM.blend([m.predict(rows) for m in models], weights)


@pytest.mark.parametrize("name", list(TABLES))
def test_the_same_to_the_bit_as_the_average_of_boosters(name: str) -> None:
    recipes = BOOSTERS if name != "regression" else (*BOOSTERS[:2], "extra_trees")
    parts, rows = models(name, recipes), batch(name)
    blend = Blend(parts, WEIGHTS, "supervised")
    answers = blend.predict(rows)
    assert answers.equals(averaged(parts, WEIGHTS, rows))
    assert answers.schema == averaged(parts, WEIGHTS, rows).schema
    one_by_one = pl.concat([blend.predict(rows[i : i + 1]) for i in range(0, len(rows), 7)])
    assert one_by_one.equals(answers.gather_every(7))
    assert blend.predict(rows.head(0)).schema == answers.schema


def test_every_kind_of_learner_joins() -> None:
    parts, rows = models("multiclass", ("logistic", "knn", "prior", "naive_bayes")), batch("multiclass")
    weights = (1.0,) * len(parts)
    ours, theirs = joined(parts, weights), averaged(parts, weights, rows)
    assert ours is not None
    numbers = [c for c in theirs.columns if c.startswith("p.")]
    np.testing.assert_allclose(ours(rows).select(numbers).to_numpy(), theirs.select(numbers).to_numpy(), atol=1e-12)


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.concat([batch("binary")] * 5)
    blend = Blend(models("binary"), WEIGHTS, "supervised")
    whole = blend.predict(rows)
    monkeypatch.setattr(together, "CHUNK", 50)
    monkeypatch.setattr(together.os, "cpu_count", lambda: 4)
    assert blend.predict(rows).equals(whole)
    monkeypatch.setattr(together, "MOST_THREADS", 1)
    assert blend.predict(rows).equals(whole)


def test_equal_encoders_are_one_and_no_weight_is_no_work() -> None:
    made = joined(models("binary"), WEIGHTS)
    assert isinstance(made, Together)
    assert len(made.encoders) == 1                      # codes are the same for all folds
    means = joined(models("binary", ("logistic", "knn")), (1.0,) * 4)
    assert isinstance(means, Together) and len(means.encoders) == 2     # means and spreads are each fold's own
    assert len(made.members) == 5
    assert sum(m.share for m in made.members) == pytest.approx(1.0)


def test_content_tells_encoders_apart(tmp_path: Path) -> None:
    first, second = (m.encoder for m in models("binary", ("logistic",)))
    first.save(tmp_path)
    assert Encoder.load(tmp_path).content == first.content != second.content


def test_what_cannot_be_joined_is_averaged() -> None:
    first, other = models("binary")[0], models("multiclass")[0]
    assert joined((first, other), (0.5, 0.5)) is None
    nested = Blend((first,), (1.0,), "supervised")
    rows = batch("binary")
    assert joined((first, nested), (0.5, 0.5)) is None
    assert Blend((first, nested), (0.5, 0.5), "supervised").predict(rows).equals(first.predict(rows))
    stranger = replace(first, signature=replace(first.signature, ignored=("other",)))
    assert joined((first, stranger), (0.5, 0.5)) is None


def test_saved_and_read_back(tmp_path: Path) -> None:
    blend, rows = Blend(models("binary"), WEIGHTS, "supervised"), batch("binary")
    blend.save(tmp_path)
    assert load_blend(tmp_path).predict(rows).equals(blend.predict(rows))


def test_a_batch_that_does_not_fit_is_refused_once() -> None:
    with pytest.raises(SchemaError, match="the batch lacks"):
        Blend(models("binary"), WEIGHTS, "supervised").predict(batch("binary").drop("Age"))


