"""What a paradigm that finishes its models promises, and what a model that bounds its answers does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from assay.capabilities import Bounds, Finishes
from assay.contract import Context, Model, Table
from assay.errors import UserError
from assay.testing.compare import must, raises, same
from assay.testing.subject import FIT0, HELD0, Subject, promise

LOW, HIGH = 0.5, 0.8
"""Levels that a few cases held out allow."""


@promise("paradigm")
def finishing_keeps_what_models_promise(subject: Subject) -> None:
    """The finished model answers the same rows in the same columns, alike twice, and after it was saved."""
    from assay.store.package import load_model, save_model

    if not isinstance(subject.paradigm, Finishes):
        return
    model = _finished(subject, subject.paradigm)
    batch = subject.batch()
    plain, answers = subject.model.predict(batch), model.predict(batch)
    must(plain.schema == answers.schema, f"finished, a model answers {answers.schema}; before it was {plain.schema}")
    must(answers.height == batch.height, f"{batch.height} rows in, {answers.height} answers out")
    again = _finished(subject, subject.paradigm)
    same(answers, again.predict(batch), "answers of two models finished by the same outcomes and seed", exact=True)
    must(model.signature == subject.model.signature, "the finished model has another signature")
    with tempfile.TemporaryDirectory() as scratch:
        save_model(model, Path(scratch) / "model", lineage={})
        loaded = load_model(Path(scratch) / "model")
    same(answers, loaded.predict(batch), "answers of a finished model before saving and after loading")
    if isinstance(model, Bounds) and isinstance(loaded, Bounds) and _can(model, batch):
        same(model.predict_within(batch, HIGH), loaded.predict_within(batch, HIGH), "bounds before and after saving")
        _keeps_bounds(model, batch)


@promise("model")
def bounds_hold_the_answer_and_widen(subject: Subject) -> None:
    if isinstance(subject.model, Bounds) and _can(subject.model, subject.batch()):
        _keeps_bounds(subject.model, subject.batch())


def _finished(subject: Subject, paradigm: Finishes) -> Model:
    model = subject.recipe.fit(subject.task, Context(seed=subject.seed, split=FIT0))
    outcomes = subject.task.attempt(model, subject.task.cases(HELD0))
    return paradigm.finished(model, outcomes, subject.task.metrics[0], subject.seed)[0]


def _can(model: Bounds, batch: Table) -> bool:
    """Whether it bounds this kind of answer at all: several labels at once have no bounds."""
    try:
        model.predict_within(batch, HIGH)
    except UserError:
        return False
    return True


def _keeps_bounds(model: Any, batch: Table) -> None:
    answers, narrow, wide = model.predict(batch), *(model.predict_within(batch, level) for level in (LOW, HIGH))
    same(answers, wide.select(answers.columns), "answers of predict and of predict_within", exact=True)
    same(wide, model.predict_within(batch, HIGH), "two calls of predict_within", exact=True)
    same(wide[3:4], model.predict_within(batch[3:4], HIGH), "bounds of a row among others and alone")
    same(wide[:0], model.predict_within(batch[:0], HIGH), "bounds of no rows")
    for level in (0.0, 1.0, -0.1, 90.0):
        raises(UserError, f"asking for level {level}", lambda level=level: model.predict_within(batch, level))  # type: ignore[misc]
    _wider(answers, narrow, wide)


def _wider(answers: Table, narrow: Table, wide: Table) -> None:
    if "set" in wide.columns:
        label = answers["label"]
        held = pl.select(wide["set"].list.contains(label)).to_series().all()
        grown = (narrow["set"].list.set_difference(wide["set"]).list.len() == 0).all()
        must(bool(held), "a set does not hold the label that the model answers")
        must(bool(grown), f"at level {HIGH} a set lacks a class that it has at {LOW}")
        return
    first = answers[answers.columns[0]]
    must(bool(((wide["low"] <= first) & (first <= wide["high"])).all()), "an answer lies outside its own interval")
    inside = (wide["low"] <= narrow["low"]) & (narrow["high"] <= wide["high"])
    must(bool(inside.all()), f"an interval at level {HIGH} is narrower than at {LOW}")
