"""What is to be predicted: told apart from its values, written as arrays, read back as answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import polars as pl

from assay.contract import Array, Field, Table
from assay.errors import TamperedError
from assay.paradigms.supervised.learner import Goal

Words = Literal["string", "int", "bool"]
_DTYPES: dict[str, Any] = {"string": pl.String, "int": pl.Int64, "bool": pl.Boolean}


@dataclass(frozen=True)
class Target:
    """The words of the question.

    columns   the target's column, or the label columns of a multilabel goal
    classes   as text: negative before positive (binary), sorted (multiclass), empty otherwise
    dtype     what the classes were before they became text
    costs     costs[i][j], of answering class j where i is true, as declared; empty where the likeliest is answered
    """

    goal: Goal
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    dtype: Words = "string"
    costs: tuple[tuple[float, ...], ...] = ()

    @property
    def positive(self) -> str | None:
        """The class looked for, of two."""
        return self.classes[1] if self.goal == "binary" else None

    @property
    def names(self) -> tuple[str, ...]:
        """What has a probability: classes, or labels."""
        return self.columns if self.goal == "multilabel" else self.classes

    def truth(self, rows: Table) -> Table:
        """The target columns of an outcome table: target, target.positive, or target.<label>."""
        if self.goal == "multilabel":
            return rows.select(pl.col(c).cast(pl.Boolean).alias(f"target.{c}") for c in self.columns)
        if self.goal == "regression":
            return rows.select(pl.col(self.columns[0]).cast(pl.Float64).alias("target"))
        text = rows.select(pl.col(self.columns[0]).cast(pl.String).alias("target"))
        if self.positive is None:
            return text
        return text.with_columns((pl.col("target") == self.positive).alias("target.positive"))

    def outputs(self) -> tuple[Field, ...]:
        """The fields a model of this target answers with."""
        if self.goal == "regression":
            return (Field("value", "numeric", "float", optional=False),)
        p = tuple(Field(f"p.{c}", "numeric", "float", optional=False, low=0.0, high=1.0) for c in self.names)
        if self.goal == "multilabel":
            return (*(Field(f"label.{c}", "boolean", "bool", optional=False) for c in self.columns), *p)
        kind: Literal["boolean", "categorical"] = "boolean" if self.dtype == "bool" else "categorical"
        return (Field("label", kind, self.dtype, optional=False, levels=self.classes[:100]), *p)

    def answer(self, p_NK: Array, cut: float | None = None) -> Array:
        """Which class to answer, (N,) codes: that of least expected cost (Elkan 2001, IJCAI), else the likeliest; of
        two classes, with `cut`, the one looked for from that probability on.

        The expected cost of answering j is sum over i of p_i costs[i][j]."""
        if cut is not None:
            return (p_NK[:, 1] >= cut).astype(np.int64)
        return np.asarray((p_NK @ np.asarray(self.costs)).argmin(axis=1) if self.costs else p_NK.argmax(axis=1))

    def labels(self, codes: Array) -> pl.Series:
        """Class codes (n,) as the target wrote them: text, whole numbers or booleans."""
        return pl.Series("label", spoken(self.classes, self.dtype), dtype=_DTYPES[self.dtype]).gather(codes)


def spoken(classes: Sequence[str], dtype: str) -> list[Any]:
    """Classes kept as text, in their own type.

    >>> spoken(["false", "true"], "bool"), spoken(["0", "1"], "int")
    ([False, True], [0, 1])
    """
    if dtype == "bool":
        return [c == "true" for c in classes]
    return [int(c) for c in classes] if dtype == "int" else list(classes)


@dataclass(frozen=True)
class Coder:
    """A target as arrays, for the rows it was fitted on.

    present   positions in `target.names` of the classes met, or of the labels that vary
    share     (len(target.names),) how often each was met
    mean, sd  of a number; a lesson's y is (target - mean) / sd
    """

    target: Target
    present: tuple[int, ...] = ()
    share: tuple[float, ...] = ()
    mean: float = 0.0
    sd: float = 1.0

    @classmethod
    def fit(cls, target: Target, cases: Table) -> Self:
        if target.goal == "regression":
            y = cases["target"].to_numpy()
            return cls(target, mean=float(y.mean()), sd=float(y.std()) or 1.0)
        if target.goal == "multilabel":
            share = cases.select(pl.col(f"target.{c}").mean() for c in target.columns).row(0)
            return cls(target, tuple(i for i, p in enumerate(share) if 0 < p < 1), share)
        count = np.bincount(_codes(target, cases), minlength=len(target.classes))
        return cls(target, tuple(np.flatnonzero(count).tolist()), tuple((count / len(cases)).tolist()))

    @property
    def goal(self) -> Goal:
        return self.target.goal

    @property
    def k(self) -> int:
        """Columns of a learner's scores; 0 where nothing varies."""
        if self.goal == "regression":
            return 1
        return len(self.present) if self.goal == "multilabel" or len(self.present) > 1 else 0

    def encode(self, cases: Table) -> Array:
        """y of the lesson: (n,) float64 or int64, or (n, k) float64 for labels."""
        if self.goal == "regression":
            return (cases["target"].to_numpy() - self.mean) / self.sd
        if self.goal == "multilabel":
            columns = [f"target.{self.target.columns[i]}" for i in self.present]
            return np.ascontiguousarray(cases.select(pl.col(columns).cast(pl.Float64)).to_numpy())
        return np.searchsorted(np.asarray(self.present), _codes(self.target, cases))

    def strata(self, y: Array) -> Array:
        """What to spread evenly over parts, (n,) int64: the class, the rarest label held, or the tenth of a number."""
        if self.goal == "regression":
            cuts = np.unique(np.quantile(y, np.linspace(0.1, 0.9, 9)))
            return np.searchsorted(cuts, y, side="right")
        if self.goal == "multilabel":
            return rarest_label(y)
        return y

    def answers(self, scores: Array) -> Table:
        """A learner's scores as the columns a model gives."""
        return self.shown(self.numbers(scores))

    def lists(self, numbers: Array) -> dict[str, list[Any]]:
        """The same as `shown`, as a list of plain values a column."""
        if self.goal == "regression":
            return {"value": numbers.tolist()}
        return answer_lists(self.target, numbers)

    def shown(self, numbers: Array) -> Table:
        """What `numbers` gives, or a mean of such, as the columns a model gives."""
        return pl.DataFrame({"value": numbers}) if self.goal == "regression" else answer_columns(self.target, numbers)

    def numbers(self, scores: Array) -> Array:
        """A learner's scores in the target's own units, (n,), or as probabilities of all its names, (n, names)."""
        if self.goal == "regression":
            return np.asarray(scores.reshape(len(scores)) * self.sd + self.mean)
        p = np.empty((len(scores), len(self.target.names)))
        p[:] = self.share if self.goal == "multilabel" or self.k == 0 else 0.0
        if self.k:
            p[:, list(self.present)] = scores
        return p


def _codes(target: Target, cases: Table) -> Array:
    return cases["target"].cast(pl.Enum(list(target.classes))).to_physical().to_numpy().astype(np.int64)


def rarest_label(y: Array) -> Array:
    """The rarest label each row holds, as 1 + its position; 0 for rows that hold none. y (n, k) of 0 and 1."""
    order = np.argsort(y.sum(axis=0), kind="stable")
    held = y[:, order] > 0
    return np.where(held.any(axis=1), 1 + order[held.argmax(axis=1)], 0) if len(order) else np.zeros(len(y), np.int64)


def answer_columns(target: Target, p: Array, cut: float | None = None) -> Table:
    """Probabilities (n, classes or labels) as label and p columns. Two classes are cut at 0.5, or where `cut` says."""
    shown = {f"p.{c}": np.ascontiguousarray(p[:, i]) for i, c in enumerate(target.names)}
    if target.goal == "multilabel":
        return pl.DataFrame({**{f"label.{c}": p[:, i] >= 0.5 for i, c in enumerate(target.columns)}, **shown})
    return pl.DataFrame([target.labels(target.answer(p, cut)), *(pl.Series(n, v) for n, v in shown.items())])


def answer_lists(target: Target, p: Array, cut: float | None = None) -> dict[str, list[Any]]:
    """The same as `answer_columns`, as a list of plain values a column."""
    shown = {f"p.{name}": column for name, column in zip(target.names, p.T.tolist(), strict=True)}
    if target.goal == "multilabel":
        labels = (p >= 0.5).T.tolist()
        return {**{f"label.{name}": column for name, column in zip(target.columns, labels, strict=True)}, **shown}
    said = spoken(target.classes, target.dtype)
    return {"label": [said[code] for code in target.answer(p, cut).tolist()], **shown}


def outcome_columns(target: Target, answers: Table) -> Table:
    """A model's answers as the columns of an outcome table: out.*, and for two classes out.p and out.positive.

    Without probabilities, as another tool may answer, there is no out.p."""
    named = answers.rename({c: f"out.{c}" for c in answers.columns})
    if "out.label" in named.columns:
        named = named.with_columns(pl.col("out.label").cast(pl.String))
    if (positive := target.positive) is None:
        return named
    p = [pl.col(f"out.p.{positive}").alias("out.p")] if f"out.p.{positive}" in named.columns else []
    return named.with_columns(*p, (pl.col("out.label") == positive).alias("out.positive"))


def target_from(said: Any) -> Target:
    """A target from JSON; one that was written before there were costs has none."""
    costs = tuple(tuple(float(c) for c in row) for row in said.get("costs", ()))
    return Target(said["goal"], tuple(said["columns"]), tuple(said["classes"]), said["dtype"], costs)


def coder_from(said: dict[str, Any]) -> Coder:
    """A coder from JSON. Raises TamperedError where positions or lengths do not fit."""
    try:
        t = said["target"]
        target = target_from(t)
        coder = Coder(target, tuple(said["present"]), tuple(said["share"]), float(said["mean"]), float(said["sd"]))
        spoken(target.classes, target.dtype)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise TamperedError(f"the model's target cannot be read: {wrong!r}") from None
    names = len(target.names) if target.goal != "regression" else 0
    fits = target.goal in ("regression", "binary", "multiclass", "multilabel") and target.dtype in _DTYPES
    fits = fits and (not target.costs or [len(row) for row in target.costs] == [names] * names)
    if not fits or len(coder.share) != names or not all(isinstance(i, int) and 0 <= i < names for i in coder.present):
        raise TamperedError("the model's target is not whole: its classes and their positions do not fit together")
    return coder
