"""What a problem declares about its table, checked in words, and brought to the recipes: weights, balance, monotone
columns, costs, and whose function decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract import Array, Metric, Signature, Table
from assay.errors import ProblemError, nearest
from assay.paradigms.supervised.target import Coder, Target, answer_columns, outcome_columns
from assay.problem import Problem

if TYPE_CHECKING:
    from assay.paradigms.supervised.encode import Encoder
    from assay.paradigms.supervised.task import SupervisedTask

TRIED = 500                                     # cases that a function of the user's is tried on


def declared(problem: Problem, rows: Table, target: Target, signature: Signature) -> dict[str, Any]:
    """The fields of a Question that say what was declared; what they mean for this run is under `notes`.

    Raises ProblemError for what this data, or this kind of target, cannot honour."""
    notes = []
    if problem.weights:
        _check_weights(problem.weights, rows)
        notes.append(f"each row counts in learning as much as {problem.weights!r} says; every score counts each case "
                     "once")
    if problem.balance:
        _require_classes("--balance", target)
        notes.append("every class counts as much in learning, however rare; probabilities are calibrated back to how "
                     "often each is met where there are cases enough, and every score counts each case once")
    if problem.monotone:
        _check_monotone(problem.monotone, target, signature)
        ways = [f"{'rise' if sign > 0 else 'fall'} with {c!r}" for c, sign in problem.monotone.items()]
        notes.append(f"the answer may only {' and only '.join(ways)}; recipes that cannot keep to it are left out")
    return {"weights": problem.weights, "balance": problem.balance, "monotone": dict(problem.monotone),
            "notes": tuple(notes)}


def _require_classes(flag: str, target: Target) -> None:
    if target.goal not in ("binary", "multiclass"):
        what = "a number" if target.goal == "regression" else "several labels at once"
        raise ProblemError(f"{flag} is for one target of classes; {target.columns[0]!r} is {what} ({target.goal}). "
                           "Leave it out.")


# --- weights ----------------------------------------------------------------------------------------


def _check_weights(column: str, rows: Table) -> None:
    values = rows[column]
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise ProblemError(f"--weights names {column!r}, which holds text such as {values.drop_nulls().first()!r}. "
                           "Wanted numbers, none of them below 0.")
    w = values.cast(pl.Float64)
    for wrong, what in ((~w.is_finite().fill_null(False), "is missing or no number"), (w < 0, "is negative")):
        if wrong.any():
            raise ProblemError(f"--weights names {column!r}, which {what} in {int(wrong.sum())} of {len(w):,} rows. "
                               "Mend or drop them: every row that is learned from needs a weight of 0 or more.")
    if not (w > 0).any():
        raise ProblemError(f"--weights names {column!r}, which is 0 in every row: nothing would be learned from.")


def counted(task: SupervisedTask, cases: Table) -> Table:
    """The cases whose weight is not 0: nothing is learned from the others."""
    raw = task.weights(cases)
    if raw is None or (raw > 0).all():
        return cases
    if not (raw > 0).any():
        raise ProblemError(f"every case to learn from has a weight of 0 in {task.question.weights!r}.")
    return cases[np.flatnonzero(raw > 0)]


def weight_of(task: SupervisedTask, cases: Table) -> Array | None:
    """What each case counts (n,), mean one; None where all count the same.

    The declared weight, and with --balance n / (k n_c) times it: every class sums to the same."""
    w = task.weights(cases)
    if task.question.balance:
        w = np.ones(len(cases)) if w is None else w
        code = Coder.fit(task.target, cases).encode(cases)
        w = w / np.bincount(code, w)[code]
    return None if w is None else w / w.mean()


# --- monotone columns ---------------------------------------------------------------------------------


def _check_monotone(monotone: Mapping[str, int], target: Target, signature: Signature) -> None:
    if target.goal not in ("regression", "binary"):
        raise ProblemError(f"--monotone is for a number or two classes; {target.columns[0]!r} is {target.goal}. "
                           "Leave it out.")
    kinds = {f.name: f.kind for f in signature.inputs}
    for column in monotone:
        if column not in kinds:
            why = "which is left out of the inputs" if column in signature.ignored else "which is no input"
            raise ProblemError(f"--monotone names {column!r}, {why}. {nearest(column, kinds)}")
        if kinds[column] != "numeric":
            raise ProblemError(f"--monotone names {column!r}, which is {kinds[column]}; only numbers rise and fall. "
                               f"If it is one, say --type {column}=numeric.")


def signs(encoder: Encoder, monotone: Mapping[str, int]) -> tuple[int, ...]:
    """A sign for each column of the encoded array; empty where none is declared."""
    if not monotone:
        return ()
    return tuple(monotone.get(encoder.inputs[source], 0) for source in encoder.sources)


# --- costs --------------------------------------------------------------------------------------------


def costs_of(said: Mapping[str, Mapping[str, float]], target: Target) -> tuple[tuple[float, ...], ...]:
    """costs[i][j] of answering class j where i is true. A right answer that is not named costs 0, a wrong one 1."""
    if not said:
        return ()
    _require_classes("--costs", target)
    k = len(target.classes)
    costs = 1.0 - np.eye(k)
    for truth, row in said.items():
        for answer, cost in row.items():
            i, j = _class_named(truth, target), _class_named(answer, target)
            if not 0 <= cost < np.inf:
                raise ProblemError(f"--costs: answering {target.classes[j]!r} where {target.classes[i]!r} is true "
                                   f"costs {cost}; wanted a number of 0 or more.")
            costs[i, j] = cost
    above = costs - np.diag(costs)[:, None]
    for at in np.flatnonzero((above < 0).any(axis=1) | (above == 0).all(axis=1)):
        raise ProblemError(f"--costs: where {target.classes[at]!r} is true the right answer costs more than a wrong "
                           "one, or as much as all. Wanted mistakes that cost more than being right.")
    return tuple(tuple(row) for row in costs.tolist())


def _class_named(word: str, target: Target) -> int:
    """The position of a class by its name in any case; true and false stand for yes and no, as YAML reads them."""
    folded = [c.casefold() for c in target.classes]
    for name in (word.casefold(), {"true": "yes", "false": "no"}.get(word, word)):
        if word in target.classes:
            return target.classes.index(word)
        if name in folded:
            return folded.index(name)
    raise ProblemError(f"--costs names {word!r}, which is no class of {target.columns[0]!r}. "
                       f"{nearest(word, target.classes)}")


# --- whose function decides ------------------------------------------------------------------------------


def try_out(metric: Metric, target: Target, rows: Table) -> None:
    """Put a function of the user's to answers that are made up: half of each is some other row's truth.

    Raises ProblemError where it raises, or tells no finite number."""
    from assay.metrics.custom import tried

    truth = target.truth(rows.head(TRIED))
    other = np.random.default_rng(0).permutation(len(truth))
    if target.goal == "regression":
        answers = pl.DataFrame({"value": truth["target"].gather(other)})
    else:
        answers = answer_columns(target, _made_up(target, truth, other))
    tried(metric, pl.concat([truth, outcome_columns(target, answers)], how="horizontal"))


def _made_up(target: Target, truth: Table, other: Sequence[int] | Array) -> Array:
    if target.goal == "multilabel":
        y = truth.select(pl.all().cast(pl.Float64)).to_numpy()
    else:
        y = truth.select((pl.col("target") == c).cast(pl.Float64).alias(c) for c in target.classes).to_numpy()
    return np.asarray(0.5 * y[other] + 0.5 * y.mean(axis=0))
