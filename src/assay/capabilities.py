"""What only some can do: one-method protocols, each with a fallback where there is one. It imports nothing heavy.

A task, a paradigm, a model or a recipe has a capability by having its method; nothing is declared. Whoever asks for
one (`isinstance(task, Perturbs)`) says what is done without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from assay.contract import Finding, Metric, Model, Table, Task


@runtime_checkable
class NamesTasks(Protocol):
    """A paradigm that tells several tasks apart. Without it, its own name is the one word for `--task`."""

    def tasks(self) -> tuple[str, ...]: ...


@runtime_checkable
class Honours(Protocol):
    """A paradigm that honours some of `problem.HONOURED`. Without it a problem that declares any of them is refused."""

    def honours(self) -> frozenset[str]: ...


@runtime_checkable
class Blends(Protocol):
    """A paradigm whose models' answers can be averaged. Without it the best single recipe is refitted."""

    def blend(self, answers: Sequence[Table], weights: Sequence[float], /) -> Table:
        """The weighted mean of what several models predicted, or attempted, for the same rows."""
        ...


@runtime_checkable
class Races(Protocol):
    """A task that recipes are to be compared on by another reading of the metric that decides, such as labels cut
    where they serve it best. Without it they are compared by the metric itself."""

    def raced(self) -> Task:
        """The same question with the same cases, for the race alone: its first metric has the same name."""
        ...


@runtime_checkable
class JudgedBy(Protocol):
    """A task that can be judged by another metric than its own: one that is known, or a function of the user's."""

    def judged_by(self, metric: str, /) -> Task:
        """The same question, this metric first. Raises UnknownName or ProblemError for one that cannot be had."""
        ...


@runtime_checkable
class Joins(Protocol):
    """A paradigm that lets several of its models answer as one, sharing what they have in common. Without it each
    answers alone, and `Blends.blend` averages."""

    def joined(self, models: Sequence[Model], weights: Sequence[float], /) -> Callable[[Table], Table] | None:
        """What answers a batch as the blend of these models does, bit for bit; None where they share nothing."""
        ...


@runtime_checkable
class Perturbs(Protocol):
    """A task whose inputs can be shuffled one at a time: explains any model of any paradigm."""

    def inputs_that_vary(self) -> tuple[str, ...]: ...

    def attempt_without(self, model: Model, cases: Table, name: str, seed: int, /) -> Table:
        """The outcomes when input `name` is replaced by draws from other cases."""
        ...


@runtime_checkable
class Inspects(Protocol):
    """A task that can show its training cases as one table of inputs for the data checks."""

    def inputs(self, cases: Table, /) -> Table: ...


@runtime_checkable
class SetsAside(Protocol):
    """A task that can show what it learns nothing from: ids, the group, the time."""

    def set_aside(self, cases: Table, /) -> Table:
        """The columns of the source that are no inputs, the names of cases say; rows aligned."""
        ...


@runtime_checkable
class Probes(Protocol):
    """A task that can be tried out quickly: the court prices with it what it finds."""

    def probe(self, fit: Table, held: Table, without: Sequence[str] = (), /) -> Table:
        """The outcomes on the training cases `held` of a quick, sound model that learned from the training cases
        `fit`, of all inputs but `without`. The same question gives the same answer."""
        ...


@runtime_checkable
class Regroups(Protocol):
    """A task whose split can be made anew with more cases kept together."""

    def regrouped(self, units: Table, why: str, /) -> Task:
        """The same question with a new plan that keeps each unit of `units` (case_id, unit) on one side; a case not
        named there keeps its own unit. Raises ProblemError where too few units are left to split."""


@runtime_checkable
class Finishes(Protocol):
    """A paradigm that can mend a model's answers, and bound them, by what it answered for cases held out."""

    def finished(
        self, model: Model, outcomes: Table, metric: Metric, seed: int, /, alike: Sequence[Table] = ()
    ) -> tuple[Model, tuple[Finding, ...]]:
        """The model, wrapped: its probabilities calibrated where that helps out of fold, its answers bounded
        (`Bounds`); and what was found while choosing. outcomes: of the same model, or of the fold models that it
        averages, for training cases that they did not learn from; `metric` decides. alike: outcomes of each of
        those fold models for the same few training cases; what they differ by, their average is better by."""
        ...


@runtime_checkable
class AnswersRows(Protocol):
    """A model that can answer a few rows of plain values without a frame. Without it they are made into one."""

    def answer_rows(self, rows: Sequence[Sequence[Any]], /) -> Mapping[str, list[Any]]:
        """What `predict` answers, to the bit, as a list of plain values a column.

        rows: at least one; each has a value an input of the signature, in its order, of the input's own type or
        None; a whole number may stand for a float. Such rows are not checked again."""
        ...


@runtime_checkable
class Bounds(Protocol):
    """A model that can say how far its answers may be off."""

    def predict_within(self, batch: Table, level: float, /) -> Table:
        """What `predict` answers and beside it where the truth lies with probability `level`, over all cases alike:
        columns `low` and `high` for a number, `set` (a list of classes) for a class. Pure, rows aligned."""


@runtime_checkable
class Tunes(Protocol):
    """A recipe that can be varied."""

    def space(self) -> Mapping[str, tuple[Any, ...]]:
        """Field -> a span: ("uniform" | "log" | "int" | "int_log", low, high), or ("choice", *values)."""
        ...


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A recipe with settings that evidence speaks for, and what fitting it on one fold will cost on one core of the
    machine that the evidence comes from: seconds of the first fit, of the next ones (`Settles`), and megabytes."""

    recipe: str
    name: str                                   # as the leaderboard is to call it
    settings: Mapping[str, Any] = field(default_factory=dict)
    first_s: float = 1.0
    next_s: float = 1.0
    memory_mb: float = 0.0


@runtime_checkable
class Recommends(Protocol):
    """A paradigm that knows which settings of its recipes pay early. Without it recipes run in their own order."""

    def portfolio(self, task: Task, /) -> Sequence[Suggestion]:
        """What to try, in that order: each lowers the expected loss most for its seconds, given those before it."""
        ...


@runtime_checkable
class Opens(Protocol):
    """A paradigm with recipes that need no library but those it always needs. Without it nothing is fitted before the
    libraries of all its recipes have been imported."""

    def opening(self) -> tuple[str, ...]:
        """Names of these recipes, baselines among them: the first to be fitted."""
        ...


@runtime_checkable
class Settles(Protocol):
    """A recipe whose fitting searches for settings that hold for other folds of the same cases as well."""

    def settled(self, model: Model, /) -> Mapping[str, Any]:
        """Settings found while `model` was fitted, such as the number of rounds: with them, the next fit is cheaper."""
        ...


@runtime_checkable
class Indexes(Protocol):
    """A task whose models search in texts: the court looks for its questions among them."""

    def index(self) -> Table:
        """A row a passage, the passage in the column `text`."""
        ...
