"""What a fitted model promises, and how its task confronts it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from assay.contract import Metric, Table
from assay.errors import SchemaError
from assay.table.conform import DTYPES
from assay.table.rows import Reader, answered
from assay.testing.compare import must, raises, same
from assay.testing.process import answers_of_a_fresh_process, memory_of_a_fresh_process
from assay.testing.subject import HELD0, Subject, promise

MEMORY_MULTIPLE, MEMORY_FLOOR = 10, 64 * 2**20
"""Predicting may take, at its peak, 10 times what the batch and the answers weigh, and 64 MB besides."""


@promise("model")
def predict_is_pure(subject: Subject) -> None:
    batch = subject.batch()
    before = batch.clone().rechunk()
    first = subject.model.predict(batch)
    same(first, subject.model.predict(batch), "two calls of predict with the same batch", exact=True)
    same(before, batch, "the batch before and after predict", exact=True)


@promise("model")
def rows_are_aligned(subject: Subject) -> None:
    batch = subject.batch()
    answers = subject.model.predict(batch)
    must(answers.height == batch.height, f"{batch.height} rows in, {answers.height} answers out")
    order = np.random.default_rng(subject.seed).permutation(batch.height)
    same(answers[order], subject.model.predict(batch[order]), "answers permuted, and answers to permuted rows")


@promise("model")
def rows_are_independent(subject: Subject) -> None:
    batch = subject.batch()
    together = subject.model.predict(batch)
    for row in range(0, batch.height, max(1, batch.height // 5)):
        same(together[row:row + 1], subject.model.predict(batch[row:row + 1]), f"row {row} among others and alone")
    same(together[:0], subject.model.predict(batch[:0]), "no answers, and the answers to a batch of no rows")


@promise("model")
def few_rows_need_no_frame(subject: Subject) -> None:
    """Rows of plain values get, to the bit, the answers that a table of them gets; see `capabilities.AnswersRows`."""
    signature = subject.model.signature
    for many in (1, 3):
        batch = subject.batch(many)
        told = pl.DataFrame(answered(subject.model, batch.rows()), {f.name: DTYPES[f.dtype] for f in signature.outputs})
        same(subject.model.predict(batch), told, f"the answers to a table of {many} and to as many rows", exact=True)
        read = Reader(signature)(batch)
        must(read == [list(row) for row in batch.rows()], f"{many} rows of the model's own inputs were read as {read}")


@promise("model")
def answers_as_its_signature_says(subject: Subject) -> None:
    answers = subject.model.predict(subject.batch())
    wanted = [field.name for field in subject.model.signature.outputs]
    must(answers.columns == wanted, f"the signature names the outputs {wanted}; predict gave {answers.columns}")
    for field in subject.model.signature.outputs:
        got = answers.schema[field.name]
        must(_is(got, field.dtype), f"output {field.name!r} is {got}; the signature says {field.dtype}")


@promise("model")
def missing_cells_are_answered(subject: Subject) -> None:
    """A row in which every input that may be missing is missing has an answer."""
    batch = subject.batch(3)
    optional = [field.name for field in subject.model.signature.inputs if field.optional]
    empty = batch.with_columns(pl.lit(None, dtype=batch.schema[name]).alias(name) for name in optional)
    _all_answered(subject.model.predict(empty), "optional inputs are missing")


@promise("model")
def categories_never_met_are_answered(subject: Subject) -> None:
    batch = subject.batch(3)
    inputs = [f for f in subject.model.signature.inputs if f.kind == "categorical" and f.dtype == "string"]
    strange = batch.with_columns(pl.lit("a category nobody met").alias(field.name) for field in inputs)
    _all_answered(subject.model.predict(strange), "a category is new")


@promise("model")
def columns_are_found_by_name(subject: Subject) -> None:
    batch = subject.batch()
    turned = subject.model.predict(batch.select(reversed(batch.columns)))
    same(subject.model.predict(batch), turned, "answers, and answers to the same columns in another order")


@promise("model")
def wrong_columns_are_refused_in_words(subject: Subject) -> None:
    batch = subject.batch(5)
    name = batch.columns[0]
    if batch.width > 1:
        without = batch.drop(name)
        raises(SchemaError, f"predicting without column {name!r}", lambda: subject.model.predict(without), name)
    stranger = batch.with_columns(pl.lit(1.0).alias("nobody_knows_me"))
    raises(SchemaError, "predicting with an unknown column", lambda: subject.model.predict(stranger), "nobody_knows_me")


@promise("model")
def loads_in_a_fresh_process_without_running_code(subject: Subject) -> None:
    """Saved, and read where nothing may be unpickled, compiled, executed or started: the answers are the same."""
    from assay.store.package import load_model, save_model

    batch = subject.batch()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        save_model(subject.model, folder, lineage={})
        answers = answers_of_a_fresh_process(folder, batch)
        loaded = load_model(folder)
    same(subject.model.predict(batch), answers, "answers before saving, and after loading in a fresh process")
    must(loaded.signature == subject.model.signature, "the loaded model has another signature")


@promise("model")
def memory_is_bounded(subject: Subject) -> None:
    from assay.store.package import save_model

    batch = subject.batch()
    rows = 200_000
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        save_model(subject.model, folder, lineage={})
        grew, weight = memory_of_a_fresh_process(folder, batch, rows)
    most = MEMORY_MULTIPLE * weight + MEMORY_FLOOR
    must(grew < most, f"predicting {rows:,} rows took {grew / 2**20:.0f} MB at its peak; batch and answers weigh "
                       f"{weight / 2**20:.0f} MB, which allows {most / 2**20:.0f} MB. Work through the rows in parts.")


@promise("model")
def attempt_keeps_the_order_of_cases(subject: Subject) -> None:
    cases = subject.task.cases(HELD0)
    outcomes = subject.task.attempt(subject.model, cases)
    must(outcomes["case_id"].equals(cases["case_id"]), "outcomes are not one row a case in the order of the cases")
    must("unit" in outcomes.columns, f"outcomes have no column 'unit'; they have {outcomes.columns}")
    backwards = subject.task.attempt(subject.model, cases.reverse())
    same(outcomes.reverse(), backwards, "outcomes reversed, and outcomes of the reversed cases")


@promise("model")
def attempt_feeds_every_metric(subject: Subject) -> None:
    outcomes = subject.task.attempt(subject.model, subject.task.cases(HELD0))
    for metric in subject.task.metrics:
        lacks = metric.missing(outcomes.columns)
        must(not lacks, f"metric {metric.name!r} needs {lacks}; the outcomes have {outcomes.columns}")
        must(not math.isinf(metric.fn(outcomes)), f"metric {metric.name!r} is infinite")
        _means_agree(metric, outcomes)
    first = subject.task.metrics[0]
    must(math.isfinite(first.fn(outcomes)), f"metric {first.name!r}, which decides, is not a number")


def _all_answered(answers: Table, where: str) -> None:
    for column in answers.get_columns():
        must(column.null_count() == 0, f"output {column.name!r} is empty where {where}")
        finite = not column.dtype.is_float() or bool(column.is_finite().all())
        must(finite, f"output {column.name!r} is not a finite number where {where}")


def _means_agree(metric: Metric, outcomes: Table) -> None:
    """fn(t) == link(terms(t).mean(axis=0)), where the metric has terms."""
    if metric.terms is None or metric.link is None:
        return
    direct, by_means = metric.fn(outcomes), float(metric.link(metric.terms(outcomes).mean(axis=0)))
    must(bool(np.isclose(direct, by_means, rtol=1e-9, atol=1e-12, equal_nan=True)),
          f"metric {metric.name!r} is {direct}, but {by_means} by its terms")


_DTYPES: dict[str, Callable[[pl.DataType], bool]] = {
    "float": lambda t: t.is_float(),
    "int": lambda t: t.is_integer(),
    "bool": lambda t: t == pl.Boolean,
    "string": lambda t: t in (pl.String, pl.Categorical, pl.Enum),
    "datetime": lambda t: t.is_temporal(),
}


def _is(got: pl.DataType, said: str) -> bool:
    return _DTYPES[said](got)
