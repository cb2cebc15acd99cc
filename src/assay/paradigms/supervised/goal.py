"""What kind of question a target column asks, and which of its rows can be asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.contract import Array, Table
from assay.errors import ProblemError, nearest
from assay.paradigms.supervised.learner import Goal
from assay.paradigms.supervised.target import Target, Words

FEWEST_ROWS = 20
FEWEST_OF_TWO = 5                               # rows of each class of a binary target
MOST_CLASSES = 500
FEW_NUMBERS = 20                                # so many distinct whole numbers, and 5 % of the rows, may be classes
YES = ("yes", "true", "1", "y", "t", "positive", "pos")
GOALS: dict[str, Goal | None] = {
    "regression": "regression", "binary": "binary", "multiclass": "multiclass", "multilabel": "multilabel",
    "classification": None, "supervised": None,
}


@dataclass(frozen=True)
class Asked:
    """A target, and the rows that can be asked.

    kept     positions (m,) of the rows, ascending
    answers  (m rows) the target's columns: text for classes, Float64 for a number, Boolean for labels
    """

    target: Target
    kept: Array
    answers: Table
    why: str
    notes: tuple[str, ...] = ()


def ask(answers: Table, *, task: str | None = None, positive: str | None = None) -> Asked:
    """Tell the goal apart from the target's columns and set aside the rows that cannot be asked.

    Raises ProblemError: all missing, infinite, one class, too few rows, a task that does not fit."""
    if task is not None and task not in GOALS:
        raise ProblemError(f"there is no task {task!r} for a table with a target. {nearest(task, GOALS)}")
    kept, notes = _present(answers)
    answers = answers[kept]
    if answers.width > 1 or task == "multilabel":
        return _labels(answers, kept, task, notes)
    values = answers.to_series()
    _refuse_infinite(values)
    goal, why = _overruled(values, *_told_apart(values), task)
    if goal == "regression":
        target = Target("regression", (values.name,))
        return Asked(target, kept, pl.DataFrame([values.cast(pl.Float64)]), why, notes)
    return _classes(values, kept, goal, why, positive, notes)


def as_words(values: pl.Series) -> tuple[pl.Series, Words]:
    """Classes as text, and what they were: whole floats are whole numbers, dates and the rest are text."""
    if values.dtype == pl.Boolean:
        return values.cast(pl.String), "bool"
    if values.dtype.is_float() and _whole(values):
        values = values.cast(pl.Int64)
    return values.cast(pl.String), "int" if values.dtype.is_integer() else "string"


# --- rows -----------------------------------------------------------------------------------


def _present(answers: Table) -> tuple[Array, tuple[str, ...]]:
    """Positions of the rows whose target is not missing, and what is to be said of the others."""
    known = pl.DataFrame([c.fill_nan(None) if c.dtype.is_float() else c for c in answers.get_columns()])
    kept = np.flatnonzero(~known.select(pl.any_horizontal(pl.all().is_null())).to_series().to_numpy())
    names = " or ".join(repr(c) for c in answers.columns[:3])
    if not len(kept):
        raise ProblemError(f"the target {names} is missing in all {len(answers)} rows. Name another --target.")
    if len(kept) < FEWEST_ROWS:
        have = "1 row has" if len(kept) == 1 else f"{len(kept)} rows have"
        raise ProblemError(f"{have} a target ({names}); wanted at least {FEWEST_ROWS}.")
    missing = len(answers) - len(kept)
    share = f"{missing:,} of {len(answers):,} rows ({missing / len(answers):.1%}) have no target and are left out"
    return kept, (share,) if missing else ()


def _refuse_infinite(values: pl.Series) -> None:
    if values.dtype.is_float() and (wrong := values.is_infinite()).any():
        raise ProblemError(f"the target {values.name!r} is infinite in {int(wrong.sum())} rows. Mend or drop them.")


# --- one target -----------------------------------------------------------------------------


def _whole(values: pl.Series) -> bool:
    return values.dtype.is_integer() or (values.dtype.is_float() and bool((values == values.floor()).all()))


def _told_apart(values: pl.Series) -> tuple[Goal, str]:
    distinct, n = values.n_unique(), len(values)
    if distinct == 1:
        raise ProblemError(f"the target {values.name!r} has one value only, {values[0]!r}. "
                           "Wanted at least two: name another --target.")
    if values.dtype.is_temporal():
        raise ProblemError(f"the target {values.name!r} is a date or time. Turn it into a number or classes first.")
    if distinct == 2:
        return "binary", f"{values.name!r} has two values"
    if not values.dtype.is_numeric():
        return "multiclass", f"{values.name!r} has {distinct} values that are words"
    if not _whole(values):
        return "regression", f"{values.name!r} holds numbers with fractions"
    if distinct <= FEW_NUMBERS and distinct <= 0.05 * n:
        return "multiclass", f"{values.name!r} has only {distinct} different whole numbers; --task regression overrules"
    return "regression", f"{values.name!r} holds {distinct:,} different numbers"


def _overruled(values: pl.Series, goal: Goal, why: str, task: str | None) -> tuple[Goal, str]:
    """What the problem says the task is, where the values allow it."""
    distinct = values.n_unique()
    if task == "classification" and goal == "regression":
        return "multiclass", "the problem says so"
    said = GOALS[task] if task else None
    if said is None or said == goal:
        return goal, why if said is None else "the problem says so"
    if said == "regression" and not values.dtype.is_numeric():
        raise ProblemError(f"regression wants numbers; the target {values.name!r} holds words such as {values[0]!r}. "
                           "Leave out --task, or name another --target.")
    if said == "binary":
        raise ProblemError(f"binary wants two classes; {values.name!r} has {distinct}. Say --task multiclass.")
    if said == "multiclass" and distinct == 2:
        return "binary", "two classes are binary"
    return said, "the problem says so"


def _classes(
    values: pl.Series, kept: Array, goal: Goal, why: str, positive: str | None, notes: tuple[str, ...]
) -> Asked:
    text, dtype = as_words(values)
    count = text.value_counts(name="n")
    many = min(MOST_CLASSES, max(len(text) // 3, 2))
    if len(count) > many:
        raise ProblemError(f"the target {values.name!r} has {len(count):,} different values in {len(text):,} rows, "
                           f"too many to be classes (at most {many}). Name another --target, or a coarser column.")
    single = count.filter(pl.col("n") == 1)[values.name]
    if goal == "multiclass" and len(single):
        left = np.flatnonzero(~text.is_in(single.to_list()).to_numpy())
        said = f"left out {len(single)} rows that are the only one of their class: {_shown(sorted(single))}"
        text, kept, notes = text[left], kept[left], (*notes, said)
        if text.n_unique() < 2:
            raise ProblemError(f"the target {values.name!r} has no two classes with two rows each.")
        goal = "binary" if text.n_unique() == 2 else goal
    classes = _ordered(text, dtype, positive, goal)
    if goal == "binary" and (few := min((text == c).sum() for c in classes)) < FEWEST_OF_TWO:
        rare = min(classes, key=lambda c: int((text == c).sum()))
        raise ProblemError(f"the class {rare!r} of the target {values.name!r} has {few} row{'s' * (few > 1)}; "
                           f"wanted at least {FEWEST_OF_TWO} of each class.")
    return Asked(Target(goal, (values.name,), classes, dtype), kept, pl.DataFrame([text]), why, notes)


def _ordered(text: pl.Series, dtype: Words, positive: str | None, goal: Goal) -> tuple[str, ...]:
    """Classes in order; of two, the one looked for is last."""
    classes = sorted(text.unique(), key=int) if dtype == "int" else sorted(text.unique())
    if positive is None or goal != "binary":
        if positive is not None:
            raise ProblemError(f"--positive is for two classes; the target {text.name!r} is {goal}.")
        return tuple(classes) if goal != "binary" else _positive_last(text, classes)
    folded = {c.casefold(): c for c in classes}
    chosen = positive if positive in classes else folded.get(positive.casefold())
    if chosen is None:
        raise ProblemError(f"the target {text.name!r} has no class {positive!r}. {nearest(positive, classes)}")
    return (*(c for c in classes if c != chosen), chosen)


def _positive_last(text: pl.Series, classes: list[str]) -> tuple[str, ...]:
    """A word for yes is looked for; else the rarer class; else the last by name."""
    yes = [c for c in classes if c.casefold() in YES]
    chosen = yes[0] if len(yes) == 1 else min(reversed(classes), key=lambda c: int((text == c).sum()))
    return (*(c for c in classes if c != chosen), chosen)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# --- several targets --------------------------------------------------------------------------


def _labels(answers: Table, kept: Array, task: str | None, notes: tuple[str, ...]) -> Asked:
    if task not in (None, "multilabel", "supervised", "classification"):
        raise ProblemError(f"{task} wants one target; got {answers.width}: {_shown(answers.columns)}.")
    if answers.width == 1:
        raise ProblemError("multilabel wants two or more target columns, each yes or no: --target sunny,windy,cold")
    labels = pl.DataFrame([label(answers[c]) for c in answers.columns])
    constant = [c for c in labels.columns if labels[c].n_unique() == 1]
    if len(constant) == labels.width:
        raise ProblemError(f"none of the targets {_shown(constant)} varies: there is nothing to predict.")
    if constant:
        notes = (*notes, f"targets with one value only, answered by it: {_shown(constant)}")
    target = Target("multilabel", tuple(labels.columns), dtype="bool")
    return Asked(target, kept, labels, f"{labels.width} target columns, each yes or no", notes)


def label(values: pl.Series) -> pl.Series:
    """A column of yes and no as Boolean. Raises ProblemError for any other."""
    if values.dtype == pl.Boolean:
        return values
    text, _ = as_words(values)
    found = {str(c).casefold() for c in text.unique()}
    if not found <= {*YES, "no", "false", "0", "n", "f", "negative", "neg"}:
        raise ProblemError(f"several targets must each be yes or no; {values.name!r} holds {_shown(sorted(found))}. "
                           "Name one --target, or train one model for each.")
    return text.str.to_lowercase().is_in(list(YES))
