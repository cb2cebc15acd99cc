"""From a problem to a task: read, choose the features, tell the goal apart, choose the metric, make the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contract import TEST, TRAIN, Array, Field, Metric, Model, Signature, Table
from assay.errors import ProblemError, nearest
from assay.paradigms.supervised import slices
from assay.paradigms.supervised.declared import costs_of, declared, try_out
from assay.paradigms.supervised.goal import GOALS, Asked, as_words, ask, label
from assay.paradigms.supervised.model import coder_of
from assay.paradigms.supervised.target import Coder, Target
from assay.paradigms.supervised.task import Question, SupervisedTask, grouped
from assay.problem import Problem
from assay.splits import TEST_ROLE, Plan, around, group_plan, random_plan, time_plan

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".json", ".jsonl", ".ndjson",
            ".xlsx", ".xls", ".xlsb", ".ods", ".csv.gz", ".tsv.gz", ".csv.zip", ".zip", ".gz", ".zst")
MOST_TESTED = 50_000
FEWEST_TRAINED = 16


def claims(problem: Problem) -> float:
    """1 where the task says so; high for a table with a target; low for a table alone; 0 for all else."""
    if problem.task is not None:
        return 1.0 if problem.task in GOALS else 0.0
    tabular = not isinstance(problem.data, str | Path) or str(problem.data).lower().endswith(SUFFIXES)
    if problem.target:
        return 0.9 if tabular else 0.3
    return 0.2 if tabular else 0.0


def bind(problem: Problem, progress: Callable[[str], None]) -> SupervisedTask:
    """Read the data, infer what was not said, make the split plan. Raises DataError, ProblemError."""
    typed, learned = _read(problem, progress)
    targets = _named(problem, typed.table.columns)
    words = {c.name: c.levels for c in typed.columns}
    answers = typed.table.select(targets)
    if len(targets) == 1:
        answers = pl.DataFrame([worded(answers.to_series(), words[targets[0]])])
    asked = ask(answers, task=problem.task, positive=problem.positive)
    rows = typed.table[asked.kept].with_columns(asked.answers)
    rows, kept, notes = _with_moments(rows, asked.kept, problem.time)
    target = replace(asked.target, costs=costs_of(problem.costs, asked.target))
    records, used = _chosen(typed.columns, problem, targets, rows)
    if not used:
        raise ProblemError(f"no column of {problem.declared()['data']} is left to predict {targets[0]!r} from. "
                           "Say --types for a column that was taken for an id.")
    plan = _plan(rows, kept, problem, target, _given(kept, learned, problem))
    train = rows[plan.rows(TRAIN)]
    signature = Signature(tuple(_field(c, train) for c in used), target.outputs(),
                          tuple(r["name"] for r in records if not r["used"]))
    metrics, why_metric, judge = metrics_for(target, problem.metric, train)
    more = declared(problem, rows, target, signature)
    question = Question(
        title=f"{' and '.join(targets[:3])} in {_called(problem.data)}", target=target, signature=signature,
        metric=metrics[0].name, why_metric=why_metric, why_goal=asked.why, seed=problem.seed, group=problem.group,
        time=problem.time, sensitive=tuple(problem.sensitive), classes=_counts(asked), columns=tuple(records),
        slices=slices.choose(train, signature.inputs, problem.sensitive),
        **{**more, "notes": (*typed.notes, *asked.notes, *notes, *more["notes"])}, judge=judge,
    )
    names = {c.name for c in typed.columns if c.kind == "id" and c.name not in problem.drop}    # the court reads them
    needed = {*targets, *(f.name for f in signature.inputs), *problem.sensitive, problem.group, problem.time,
              problem.weights, *names}
    return SupervisedTask(question, rows.select(c for c in rows.columns if c in needed), kept, kept, plan, metrics)


def _read(problem: Problem, progress: Callable[[str], None]) -> tuple[Any, int]:
    """The data, test rows that were given below the others; and how many rows are those others."""
    from assay.table import read, read_together

    if problem.test_data is not None:
        return read_together(problem.data, problem.test_data, types=problem.types, progress=progress)
    typed = read(problem.data, types=problem.types, progress=progress)
    return typed, len(typed.table)


def regroup(task: SupervisedTask, units: Table, why: str) -> SupervisedTask:
    """The same question with a new plan of whole units.

    Raises ProblemError where the split is by time, or where too few units are left to split."""
    if task.question.time:
        raise ProblemError(f"the split is by {task.question.time!r}, and cases cannot be moved against time")
    plan = task.plan
    own = pl.concat([task.cases(TRAIN), task.cases(TEST)]).select("case_id", own=pl.col("unit").cast(pl.String))
    joined = own.join(units.select("case_id", "unit"), on="case_id", how="left", maintain_order="left").sort("case_id")
    named = joined.select(pl.coalesce("unit", "own")).to_series().to_numpy()
    held = plan.roles == TEST_ROLE
    if plan.given:
        if np.isin(named[held], named[~held]).any():
            raise ProblemError("the test part was given, and cases of it belong together with cases learned from")
        fresh = around(held, group_plan(named[~held], test=0.0, folds=plan.folds, seed=task.seed, name="unit"))
    else:
        fresh = group_plan(named, test=float(held.mean()), folds=plan.folds, seed=task.seed, name="unit")
    return replace(task, plan=replace(fresh, why=why, units=named), _remembered={})


def rebind(model: Model, data: Any) -> SupervisedTask:
    """A task whose test part is all rows of `data` that have a target, for a model that was saved.

    Raises ProblemError where the target is not in the data or holds what training never met; SchemaError
    where the inputs do not fit."""
    from assay.table import conform, read_raw, typed

    target, called = coder_of(model).target, _called(data)
    raw = read_raw(data)
    gone = [c for c in target.columns if c not in raw.columns]
    if gone:
        raise ProblemError(f"{called} has no column {gone[0]!r}, the model's target. {nearest(gone[0], raw.columns)}")
    found = typed(raw.select(target.columns))
    answers = pl.DataFrame([_as_target(worded(found.table[c.name], c.levels), target) for c in found.columns])
    kept = np.flatnonzero(~answers.select(pl.any_horizontal(pl.all().is_null())).to_series().to_numpy())
    if not len(kept):
        raise ProblemError(f"the target {target.columns[0]!r} is missing in all rows of {called}.")
    rows = pl.concat([conform(raw, model.signature, what=called, extra="drop"), answers], how="horizontal")[kept]
    metrics, why, _ = metrics_for(target, None)
    left = len(raw) - len(kept)
    question = Question(
        title=f"{' and '.join(target.columns[:3])} in {called}", target=target, signature=model.signature,
        metric=metrics[0].name, why_metric=why, why_goal="the model's target",
        slices=slices.choose(rows, model.signature.inputs, ()),
        notes=(f"{left:,} rows have no target and are left out",) if left else (),
    )
    plan = Plan(np.full(len(kept), TEST_ROLE), 1, "all", "every row is tested")
    return SupervisedTask(question, rows, kept, kept, plan, metrics)


def worded(values: pl.Series, levels: Sequence[str]) -> pl.Series:
    """Yes and no as the data wrote them ("No", "Yes"), where the reader made booleans of them."""
    if values.dtype != pl.Boolean or len(levels) != 2 or levels[1].casefold() in ("true", "1"):
        return values
    words = pl.select(pl.when(values).then(pl.lit(levels[1])).when(~values).then(pl.lit(levels[0])))
    return words.to_series().alias(values.name)


def _as_target(values: pl.Series, target: Target) -> pl.Series:
    """Labelled values as a known target holds them. Raises ProblemError for a class that training never met."""
    if target.goal == "regression":
        return values.cast(pl.Float64, strict=False).fill_nan(None)
    if target.goal == "multilabel":
        return label(values)
    text, _ = as_words(values)
    known = {c.casefold(): c for c in target.classes} | {c: c for c in target.classes}
    read = {word: known.get(word) or known.get(word.casefold()) for word in text.drop_nulls().unique()}
    new = [word for word, meant in read.items() if meant is None]
    if new:
        raise ProblemError(f"{values.name!r} holds {new[0]!r}, which training never met; "
                           f"the model knows {', '.join(target.classes[:8])}.")
    return text.replace_strict(read, return_dtype=pl.String) if read else text.cast(pl.String)


# --- what is named ------------------------------------------------------------------------------


def _named(problem: Problem, columns: Sequence[str]) -> list[str]:
    """The target columns. Raises ProblemError for any name that the data does not have."""
    if not problem.target:
        raise ProblemError(f"no target was named. Say which column to predict with --target: {', '.join(columns[:30])}"
                           + (f" and {len(columns) - 30} more" if len(columns) > 30 else ""))
    said: list[tuple[str, str | None]] = [("target", c) for c in problem.target]
    said += [("sensitive", c) for c in problem.sensitive] + [("drop", c) for c in problem.drop]
    said += [("group", problem.group), ("time", problem.time), ("weights", problem.weights)]
    said += [("monotone", c) for c in problem.monotone]
    for what, column in said:
        if column is not None and column not in columns:
            raise ProblemError(f"--{what} names {column!r}, which is not a column of {_called(problem.data)}. "
                               f"{nearest(column, columns)}")
    for column in problem.target:
        if column in (problem.group, problem.time, problem.weights) or column in problem.drop:
            raise ProblemError(f"{column!r} is named as the target and as something else; a column has one role.")
    return list(dict.fromkeys(problem.target))


def _called(data: Any) -> str:
    return Path(data).name if isinstance(data, str | Path) else f"a {type(data).__module__.split('.')[0]} frame"


def _chosen(
    columns: Sequence[Any], problem: Problem, targets: Sequence[str], rows: Table
) -> tuple[list[dict[str, Any]], list[Any]]:
    """One record a column for reports, and the columns that are features."""
    records, used = [], []
    for column in columns:
        role = _role(column, problem, targets, rows)
        records.append({
            "name": column.name, "kind": column.kind, "dtype": column.dtype, "why": role or column.why,
            "missing": column.missing, "distinct": column.distinct, "example": _plain(column.example),
            "used": role == "",
        })
        if not role:
            used.append(column)
    return records, used


def _role(column: Any, problem: Problem, targets: Sequence[str], rows: Table) -> str:
    """Why a column is no feature; empty if it is one."""
    if column.name in targets:
        return "the target"
    if column.name in problem.drop:
        return "left out, as asked"
    said = {problem.group: "says which rows belong together; not learned from",
            problem.weights: "says how much each row counts in learning; not learned from"}
    if column.kind != "datetime":
        said[problem.time] = "says when; not learned from, since later values were never met"
    if column.name in said:
        return said[column.name]
    if column.kind in ("id", "constant"):
        return f"left out: {column.why}"
    return "left out: no value where the target is known" if rows[column.name].null_count() == len(rows) else ""


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _field(column: Any, train: Table) -> Field:
    """The field of a feature, with the levels and range of the training rows."""
    values = train[column.name]
    levels: tuple[str, ...] = ()
    low = high = None
    if column.kind == "categorical":
        count = values.drop_nulls().cast(pl.String).alias("level").value_counts(name="n")
        levels = tuple(count.sort(["n", "level"], descending=[True, False])["level"].head(100).to_list())
    elif column.kind == "numeric":
        known = values.cast(pl.Float64).to_numpy()
        known = known[np.isfinite(known)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
    example = _plain(column.example)
    return Field(column.name, column.kind, column.dtype, levels=levels, low=low, high=high, example=example)


def _counts(asked: Asked) -> dict[str, int]:
    if asked.target.goal == "regression":
        return {}
    if asked.target.goal == "multilabel":
        return {c: int(asked.answers[c].sum()) for c in asked.answers.columns}
    text = asked.answers.to_series()
    return {c: int((text == c).sum()) for c in asked.target.classes}


# --- which metric decides -----------------------------------------------------------------------


def metrics_for(
    target: Target, chosen: str | None, train: Table | None = None
) -> tuple[tuple[Metric, ...], str, dict[str, str] | None]:
    """All metrics of the target, the one that decides first; why it does; and where it stands, if it is the user's.

    train: rows that hold the target's columns. Raises UnknownName, ProblemError."""
    from assay.metrics.custom import custom, is_custom

    if chosen and is_custom(chosen):
        own, judge = custom(chosen, target.goal)
        if train is not None:
            try_out(own, target, train)
        return _all(target, own), f"it is the problem's own: {chosen}", judge
    name, why = (chosen, "the problem says so") if chosen else _fitting(target, train)
    return _all(target, _named_metric(target, name)), why, None


def metrics_of(question: Question) -> tuple[Metric, ...]:
    """The metrics of a question that was saved. Raises as `metrics.custom.again` where one is the user's."""
    from assay.metrics.custom import again

    target = question.target
    own = again(question.judge, target.goal) if question.judge else None
    return _all(target, own or _named_metric(target, question.metric))


def _named_metric(target: Target, name: str) -> Metric:
    from assay.metrics import lookup
    from assay.metrics.costs import cost_metric

    return cost_metric(target.classes, target.costs) if name == "cost" and target.costs else lookup(target.goal, name)


def _all(target: Target, first: Metric) -> tuple[Metric, ...]:
    from assay.metrics import FAMILIES
    from assay.metrics.costs import cost_metric

    family = FAMILIES[target.goal] + ((cost_metric(target.classes, target.costs),) if target.costs else ())
    return (first, *(m for m in family if m.name != first.name))


USUAL = {
    "multiclass": ("log_loss", "it asks for probabilities that can be trusted for every class"),
    "multilabel": ("macro_average_precision", "every label counts the same, however rare"),
}


def _fitting(target: Target, train: Table | None) -> tuple[str, str]:
    if target.costs:
        return "cost", "the problem says what each answer costs"
    if target.goal in USUAL:
        return USUAL[target.goal]
    if target.goal == "binary":
        rare = _rare_share(train[target.columns[0]], target) if train is not None else 0.5
        if rare < 0.1:
            return "average_precision", f"the rarer class is {rare:.1%} of the rows; ROC AUC is kind to many easy rows"
        return "roc_auc", "it judges the order of the cases, whatever the cut between yes and no"
    tail = _tail(train[target.columns[0]]) if train is not None else 0.0
    if tail > HEAVY:
        return "mae", (f"the target has heavy tails (kurtosis {tail:.0f}, 0 for a normal), "
                       "and squared errors would hang on a few rows")
    return "rmse", "large errors weigh more than small ones"


HEAVY = 30.0                                    # excess kurtosis


def _rare_share(truth: pl.Series, target: Target) -> float:
    share = int((truth == target.positive).sum()) / len(truth)
    return min(share, 1 - share)


def _tail(truth: pl.Series) -> float:
    found = truth.cast(pl.Float64).kurtosis()
    return found if isinstance(found, float) else 0.0


# --- the plan -------------------------------------------------------------------------------------


def _with_moments(rows: Table, kept: Array, time: str | None) -> tuple[Table, Array, tuple[str, ...]]:
    """Without the rows whose time is missing. Raises ProblemError where the column is neither moments nor numbers."""
    if time is None:
        return rows, kept, ()
    if not (rows[time].dtype.is_temporal() or rows[time].dtype.is_numeric()):
        raise ProblemError(f"--time names {time!r}, which holds text such as {rows[time].drop_nulls().first()!r}. "
                           "Wanted dates, times or numbers.")
    there = np.flatnonzero(rows[time].is_not_null().to_numpy())
    gone = len(rows) - len(there)
    notes = (f"{gone:,} rows without {time!r} are left out",) if gone else ()
    return rows[there], kept[there], notes


def _given(kept: Array, learned: int, problem: Problem) -> Array | None:
    """Which of the rows that are kept were given as the test part, (n,). Raises ProblemError where none is left."""
    if problem.test_data is None:
        return None
    given: Array = kept >= learned
    if not given.any() or given.all():
        called = _called(problem.data if given.all() else problem.test_data)
        raise ProblemError(f"{called} has no row with a value in {problem.target[0]!r}, the target. Both the data and "
                           "the test data want rows whose answer is known.")
    return given


def _plan(rows: Table, ids: Array, problem: Problem, target: Target, given: Array | None) -> Plan:
    if given is not None:
        return around(given, _drawn(rows.filter(~given), ids[~given], problem, target, test=0.0))
    n = len(rows)
    test = max(min(problem.test, MOST_TESTED / n, 1 - FEWEST_TRAINED / n), 1 / n)
    return _drawn(rows, ids, problem, target, test=test)


def _drawn(rows: Table, ids: Array, problem: Problem, target: Target, *, test: float) -> Plan:
    n = len(rows)
    if problem.time:
        return time_plan(rows[problem.time].to_physical().to_numpy(), test=test, name=problem.time)
    codes = _strata(rows, target)
    folds = problem.folds or _folds(n * (1 - test), codes, target)
    if problem.group:
        groups = grouped(rows[problem.group], ids).to_numpy()
        return group_plan(groups, test=test, folds=folds, seed=problem.seed, name=problem.group)
    plan = random_plan(n, test=test, folds=folds, seed=problem.seed, strata=codes)
    why = {"regression": "the range of the target is spread evenly over the parts",
           "multilabel": "rows with the rarest labels are spread evenly over the parts"}
    return replace(plan, why=why.get(target.goal, plan.why))


def _strata(rows: Table, target: Target) -> Array:
    truth = target.truth(rows)
    coder = Coder.fit(target, truth)
    return coder.strata(coder.encode(truth))


def _folds(trained: float, codes: Array, target: Target) -> int:
    """5 up to 20,000 training rows, 3 up to 60,000, then one holdout; at most one a row of the rarer of two classes."""
    by_size = 5 if trained <= 20_000 else 3 if trained <= 60_000 else 1
    rarest = int(np.bincount(codes).min()) if target.goal == "binary" else by_size
    return max(min(by_size, int(rarest * 0.8)), 2) if by_size > 1 and target.goal == "binary" else by_size
