"""A target column of a table: what its cases are, and how a model is confronted with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from assay.capabilities import Suggestion
from assay.contract import TEST, Array, Finding, Metric, Model, Signature, Split, Table, Task
from assay.errors import DataError, LockedError, StoreError, TamperedError
from assay.files import read_json, replacing, write_json
from assay.paradigms.supervised.encode import Encoder
from assay.paradigms.supervised.learner import Encoding, Goal, Truth
from assay.paradigms.supervised.slices import Slice
from assay.paradigms.supervised.target import Coder, Target, outcome_columns, target_from
from assay.problem import Problem
from assay.splits import Plan

REMEMBERED = 256 << 20                          # bytes of encoded arrays that are kept for the next recipes


@dataclass(frozen=True)
class Question:
    """What was understood of the data, as JSON can hold it.

    columns   one record a column of the source, for reports
    metric    the name of the metric that decides
    weights   the column that says how much each row counts in learning
    balance   whether every class counts as much in learning, however rare
    monotone  column -> 1 or -1: the answer may only rise, or fall, with it
    judge     where the user's own function stands that decides, and its hash (metrics/custom.py)
    """

    title: str
    target: Target
    signature: Signature
    metric: str
    why_metric: str
    why_goal: str
    seed: int = 0
    group: str | None = None
    time: str | None = None
    sensitive: tuple[str, ...] = ()
    slices: tuple[Slice, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    columns: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    weights: str | None = None
    balance: bool = False
    monotone: Mapping[str, int] = field(default_factory=dict)
    judge: Mapping[str, str] | None = None


@dataclass(frozen=True, eq=False)
class SupervisedTask:
    """A question bound to its rows.

    ids    (m,) the row numbers of `data`, ascending: all cases, or those of the training part
    order  (n,) the row numbers of all cases, ascending, as `plan` orders them
    """

    question: Question
    data: Table
    ids: Array
    order: Array
    plan: Plan
    metrics: tuple[Metric, ...]
    _remembered: dict[tuple[bytes, Encoding], tuple[Encoder, Array]] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.goal

    @property
    def title(self) -> str:
        return self.question.title

    @property
    def why_metric(self) -> str:
        return self.question.why_metric

    @property
    def unit_of_resampling(self) -> str:
        return self.question.group or "row"

    @property
    def seed(self) -> int:
        return self.question.seed

    @property
    def goal(self) -> Goal:
        return self.question.target.goal

    @property
    def target(self) -> Target:
        return self.question.target

    @property
    def outputs(self) -> int:
        """Classes, labels, or 1 for a number."""
        return len(self.target.columns) if self.goal == "multilabel" else max(len(self.target.classes), 1)

    @property
    def signature(self) -> Signature:
        return self.question.signature

    # --- cases ------------------------------------------------------------------------------

    def cases(self, split: Split, /) -> Table:
        """case_id (the row number in the source, from 0), unit, moment under --time, target columns, slice columns.

        Raises LockedError for TEST on a task opened without its test part."""
        wanted = self.order[self.plan.rows(split)]
        if split.part == TEST.part and not np.isin(wanted, self.ids).all():
            raise LockedError(f"the test part of {self.title!r} is locked: this task was opened without it")
        rows = self.data[np.searchsorted(self.ids, wanted)]
        named = pl.DataFrame({"case_id": wanted, "unit": self._units(rows, wanted, self.plan.rows(split))})
        if self.question.time:
            named = named.with_columns(rows[self.question.time].to_physical().alias("moment"))
        slices = [s.of(rows) for s in self.question.slices]
        return pl.concat([named, self.target.truth(rows), pl.DataFrame(slices)], how="horizontal")

    def _units(self, rows: Table, ids: Array, at: Array) -> pl.Series:
        if self.plan.units is not None:
            return pl.Series("unit", self.plan.units[at])
        return pl.Series("unit", ids) if not self.question.group else grouped(rows[self.question.group], ids)

    def inputs(self, cases: Table, /) -> Table:
        """The features of these cases, aligned."""
        return self.data[self._rows(cases)].select(f.name for f in self.signature.inputs)

    def set_aside(self, cases: Table, /) -> Table:
        """The columns that are kept and are neither features nor targets, aligned: ids, a group, a time."""
        features = {f.name for f in self.signature.inputs} | {self.question.weights}
        return self.data[self._rows(cases)].select(
            c for c in self.data.columns if c not in features and c not in self.target.columns)

    def weights(self, cases: Table) -> Array | None:
        """What these cases count in learning, (n,) as it stands in the data; None without --weights."""
        column = self.question.weights
        return None if column is None else self.data[self._rows(cases)][column].cast(pl.Float64).to_numpy()

    def _rows(self, cases: Table) -> Array:
        wanted = cases["case_id"].to_numpy()
        rows = np.searchsorted(self.ids, wanted)
        there = self.ids[np.minimum(rows, len(self.ids) - 1)] == wanted
        if not there.all():
            raise DataError(f"{self.title!r} holds no case {wanted[~there][0]}, or it is of the locked test part")
        return rows

    def encoded(self, cases: Table, encoding: Encoding) -> tuple[Encoder, Array]:
        """An encoder fitted on these cases, and what they become for learning: not to be changed, for both are kept
        for whoever asks next. Beyond `REMEMBERED` bytes what was asked for least lately is forgotten."""
        key = hashlib.sha256(cases["case_id"].to_numpy().tobytes()).digest(), encoding
        made = self._remembered.pop(key, None) or Encoder.fit_transform(
            self.inputs(cases), self.signature.inputs, encoding, self._truth(cases), calendar_only=self.question.time)
        self._remembered[key] = made
        while sum(X.nbytes for _, X in self._remembered.values()) > REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        return made

    def _truth(self, cases: Table) -> Truth:
        coder = Coder.fit(self.target, cases)
        return Truth(self.goal, coder.encode(cases), coder.k, self.seed, units(cases),
                     alone=frozenset(self.question.monotone))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_remembered": {}}

    # --- confronting ------------------------------------------------------------------------

    def attempt(self, model: Model, cases: Table, /) -> Table:
        """The outcomes: the cases' own columns, then what the model answered as out.*"""
        return self._outcomes(model, cases, self.inputs(cases))

    def _outcomes(self, model: Model, cases: Table, inputs: Table) -> Table:
        return pl.concat([cases, outcome_columns(self.target, model.predict(inputs))], how="horizontal")

    def inputs_that_vary(self) -> tuple[str, ...]:
        """The features with more than one value among the rows at hand."""
        return tuple(f.name for f in self.signature.inputs if self.data[f.name].n_unique() > 1)

    def attempt_without(self, model: Model, cases: Table, name: str, seed: int, /) -> Table:
        """The outcomes when input `name` is shuffled among these cases."""
        inputs = self.inputs(cases)
        shuffled = inputs[name].gather(np.random.default_rng(seed).permutation(len(inputs)))
        return self._outcomes(model, cases, inputs.with_columns(shuffled))

    # --- by which metric -----------------------------------------------------------------------

    def raced(self) -> SupervisedTask:
        """This task, its first metric read as recipes are fairly compared by (cut.py)."""
        from assay.paradigms.supervised.cut import raced

        return replace(self, metrics=(raced(self.metrics[0], self.target), *self.metrics[1:]))

    def judged_by(self, metric: str, /) -> SupervisedTask:
        """This task, another metric first: one of ours, or a function of the user's."""
        from assay.paradigms.supervised.binding import metrics_for

        metrics, why, judge = metrics_for(self.target, metric)
        question = replace(self.question, metric=metrics[0].name, why_metric=why, judge=judge)
        return replace(self, question=question, metrics=metrics)

    # --- what the court asks ---------------------------------------------------------------------

    def probe(self, fit: Table, held: Table, without: Sequence[str] = (), /) -> Table:
        """The outcomes on `held` of a quick model that learned from `fit`, of all inputs but `without`."""
        from assay.paradigms.supervised.probe import probe

        return probe(self, fit, held, without)

    def regrouped(self, units: Table, why: str, /) -> SupervisedTask:
        """The same question with a new plan that keeps each unit of `units` (case_id, unit) on one side."""
        from assay.paradigms.supervised.binding import regroup

        return regroup(self, units, why)

    # --- saying and saving --------------------------------------------------------------------

    def facts(self) -> Mapping[str, Any]:
        q = self.question
        return {
            "rows": len(self.order), "features": len(q.signature.inputs), "target": list(q.target.columns),
            "goal": q.target.goal, "why_goal": q.why_goal, "classes": dict(q.classes), "positive": q.target.positive,
            "unit": self.unit_of_resampling, "group": q.group, "time": q.time, "sensitive": list(q.sensitive),
            "weights": q.weights, "balance": q.balance, "monotone": dict(q.monotone),
            "costs": [list(row) for row in q.target.costs], "judge": dict(q.judge) if q.judge else None,
            "notes": list(q.notes), "columns": [dict(c) for c in q.columns],
        }

    def save(self, folder: Path, /) -> None:
        """train.parquet, test.parquet, plan.parquet and task.json, which holds a seal of the test part's truth."""
        test = self.order[self.plan.rows(TEST)]
        for part, chosen in (("train", ~np.isin(self.ids, test)), ("test", np.isin(self.ids, test))):
            _write_rows(folder / f"{part}.parquet", self.data.filter(chosen), self.ids[chosen])
        plan = pl.DataFrame({"role": self.plan.roles} | ({} if self.plan.units is None else {"unit": self.plan.units}))
        _write_rows(folder / "plan.parquet", plan, self.order)
        write_json(folder / "task.json", {
            "format": 1, "question": asdict(self.question), "seal": self.seal(),
            "plan": {"folds": self.plan.folds, "method": self.plan.method, "why": self.plan.why}
            | ({"given": True} if self.plan.given else {}),
        })

    def seal(self) -> str:
        """A hash of the test part's row numbers and truth."""
        cases = self.cases(TEST)
        return seal_of(cases.select(c for c in cases.columns if c == "case_id" or c.startswith("target")))


def units(cases: Table) -> Array | None:
    """Whole numbers (n,) int64, equal where cases are of one unit; None where each is its own."""
    if cases["unit"].n_unique() == len(cases):
        return None
    return np.unique(cases["unit"].to_numpy(), return_inverse=True)[1]


def grouped(values: pl.Series, ids: Array) -> pl.Series:
    """The group of each row as text; a row without one is a group of its own."""
    alone = pl.Series([f"row {i}" for i in ids.tolist()] if values.null_count() else [None] * len(ids), dtype=pl.String)
    return values.cast(pl.String).zip_with(values.is_not_null(), alone).alias("unit")


def seal_of(truth: Table) -> str:
    digest = hashlib.sha256()
    for column in truth.get_columns():
        digest.update(column.name.encode() + b"\0")
        digest.update("\0".join(column.cast(pl.String).fill_null("").to_list()).encode())
    return digest.hexdigest()


def _write_rows(path: Path, rows: Table, ids: Array) -> None:
    with replacing(path) as beside:
        rows.insert_column(0, pl.Series(ROW, ids)).write_parquet(beside, compression="zstd", compression_level=1)


def _read_rows(path: Path) -> tuple[Table, Array]:
    try:
        rows = pl.read_parquet(path)
        return rows.drop(ROW), rows[ROW].to_numpy()
    except (OSError, pl.exceptions.PolarsError) as wrong:
        raise StoreError(f"{path} cannot be read: {str(wrong).partition(chr(10))[0]}") from None


ROW = " row"                                    # no column name begins with a blank once read


class Supervised:
    """The paradigm: a table with a target."""

    name: ClassVar[str] = "supervised"

    def claims(self, problem: Problem, /) -> float:
        from assay.paradigms.supervised.binding import claims

        return claims(problem)

    def tasks(self) -> tuple[str, ...]:
        from assay.paradigms.supervised.goal import GOALS

        return tuple(GOALS)

    def honours(self) -> frozenset[str]:
        return frozenset(("weights", "balance", "monotone", "costs", "test_data"))

    def bind(self, problem: Problem, progress: Callable[[str], None], /) -> SupervisedTask:
        from assay.paradigms.supervised.binding import bind

        return bind(problem, progress)

    def open(self, folder: Path, /, *, test: bool) -> SupervisedTask:
        """Raises StoreError where files are missing, TamperedError where the test part is not what was sealed."""
        return open_task(folder, test=test)

    def rebind(self, model: Model, data: Any, /) -> SupervisedTask:
        from assay.paradigms.supervised.binding import rebind

        return rebind(model, data)

    def blend(self, answers: Sequence[Table], weights: Sequence[float], /) -> Table:
        from assay.paradigms.supervised.model import blend

        return blend(answers, weights)

    def opening(self) -> tuple[str, ...]:
        return "additive", "one_column", "prior"

    def portfolio(self, task: Task, /) -> Sequence[Suggestion]:
        from assay.paradigms.supervised.portfolio import portfolio

        return portfolio(task) if isinstance(task, SupervisedTask) else ()

    def joined(self, models: Sequence[Model], weights: Sequence[float], /) -> Callable[[Table], Table] | None:
        from assay.paradigms.supervised.together import joined

        return joined(models, weights)

    def finished(
        self, model: Model, outcomes: Table, metric: Metric, seed: int, /, alike: Sequence[Table] = ()
    ) -> tuple[Model, tuple[Finding, ...]]:
        from assay.paradigms.supervised.finish import finished

        return finished(model, outcomes, metric, seed, alike)


def open_task(folder: Path, *, test: bool) -> SupervisedTask:
    from assay.paradigms.supervised.binding import metrics_of

    try:
        said = read_json(folder / "task.json")
    except (OSError, ValueError) as wrong:
        raise StoreError(f"{folder / 'task.json'} cannot be read: {wrong}") from None
    question = question_from(said["question"])
    roles, order = _read_rows(folder / "plan.parquet")
    units = roles["unit"].to_numpy() if "unit" in roles.columns else None
    plan = Plan(roles["role"].to_numpy(), **said["plan"], units=units)
    data, ids = _read_rows(folder / "train.parquet")
    if test:
        more, more_ids = _read_rows(folder / "test.parquet")
        together = np.concatenate([ids, more_ids])
        sorting = np.argsort(together, kind="stable")
        data, ids = pl.concat([data, more])[sorting], together[sorting]
    metrics = metrics_of(question)
    task = SupervisedTask(question, data, ids, order, plan, metrics)
    if test and task.seal() != said["seal"]:
        raise TamperedError(f"the test part in {folder} is not what was sealed when the task was made")
    return task


def question_from(said: dict[str, Any]) -> Question:
    from assay.paradigms.supervised.model import signature_from

    return Question(**{
        **said, "target": target_from(said["target"]),
        "signature": signature_from(said["signature"]), "sensitive": tuple(said["sensitive"]),
        "slices": tuple(Slice(s["column"], tuple(s["levels"]), tuple(s["cuts"])) for s in said["slices"]),
        "columns": tuple(said["columns"]), "notes": tuple(said["notes"]),
    })


PARADIGM = Supervised()
