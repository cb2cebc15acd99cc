"""The contract: every name the house hangs on, on one page. It imports nothing heavy.

Three things differ between paradigms, and only these: what a *case* is, how a model is
*confronted* with a case, and how one *gets* a model. A `Task` says the first two, a `Recipe`
the third. Everything else, in stages/, search/, checks/ and report/, is a function over one
table of *outcomes*: one row a case, columns named by their role.

    case_id          what the case is called; unique
    unit             what is independent of what: resampling and splitting keep a unit whole
    moment           when it happened, a number, where cases are taken in the order of time
    target           the truth, where there is one (target.<label> for several)
    target.positive  the truth as yes or no, where one of two classes is the one looked for
    slice.<name>     a group that the case belongs to, as text
    out.<name>       what the model answered: out.label, out.p, out.p.<class>, out.value, out.return;
                     out.low and out.high, or out.set: where the truth lies with probability out.level

What only some tasks, paradigms, models or recipes can do is in capabilities.py, a protocol of one method each.

`Table` is a polars DataFrame: no index, so rows are aligned by position and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from assay.problem import Problem
    from assay.splits import Plan

    Table = pl.DataFrame
    Array = np.ndarray[Any, np.dtype[Any]]
else:
    Table = Array = Any

# --- what a model takes and gives ---------------------------------------------------------

Kind = Literal["numeric", "boolean", "categorical", "datetime", "text", "id", "constant"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a signature. `levels` are the categories met in training, at most 100."""

    name: str
    kind: Kind
    dtype: Literal["float", "int", "bool", "string", "datetime"]
    optional: bool = True                       # may be missing in a row
    levels: tuple[str, ...] = ()
    low: float | None = None                    # range met in training, numbers only
    high: float | None = None
    example: Any = None


@dataclass(frozen=True, slots=True)
class Signature:
    """Typed inputs and outputs: makes the HTTP schema, the form and the checks of a batch."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    ignored: tuple[str, ...] = ()               # columns known from training and not used

    def places(self, names: Sequence[str]) -> tuple[int, ...]:
        """Where each of these inputs stands among the inputs."""
        place = {field.name: at for at, field in enumerate(self.inputs)}
        return tuple(place[name] for name in names)


class Model(Protocol):
    """Something fitted. `predict` is pure: rows aligned, the batch unchanged, no hidden state."""

    @property
    def signature(self) -> Signature: ...

    def predict(self, batch: Table, /) -> Table: ...

    def save(self, folder: Path, /) -> None:
        """Write the parts in safe formats. `store.package` adds what says how to load them."""
        ...

    loader: ClassVar[str]                       # the registered name of the loader that reads `folder` back


# --- numbers and their doubt ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its doubt: an interval at `level` over `n` independent units, made by `method`."""

    value: float
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


MetricKind = Literal["proportion", "mean", "rank", "statistic", "pairwise"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number computed from outcomes. Its `kind` decides which interval fits it (stats/intervals.py).

    Where the metric is a function of means over cases (all but the rank and pairwise kinds),
    `terms` gives the per-case columns (n, k) and `link` maps their k means to the value:
    `fn(t) == link(terms(t).mean(axis=0))`. Resampling is then a matrix product.
    `needs` names outcome columns; one that ends in `*` asks for at least one column so begun.
    """

    name: str
    fn: Callable[[Table], float]
    needs: frozenset[str]
    higher_is_better: bool = True
    kind: MetricKind = "statistic"
    unit: str = ""
    terms: Callable[[Table], Array] | None = None
    link: Callable[[Array], Array] | None = None    # (..., k) -> (...)
    says: str = ""                                  # one sentence for reports

    def missing(self, columns: Sequence[str]) -> list[str]:
        """Which of `needs` the columns lack, sorted."""
        def there(need: str) -> bool:
            return any(c.startswith(need[:-1]) for c in columns) if need.endswith("*") else need in columns

        return sorted(n for n in self.needs if not there(n))

    def goodness(self, value: float) -> float:
        """The value, signed so that more is better; one that is undefined is worse than any other."""
        return -math.inf if math.isnan(value) else value if self.higher_is_better else -value


# --- cases ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Split:
    """Which cases are meant: all of a part, or what a fold fits on, or what it holds out.

    `share` below 1 is a fixed random part of them, nested: a smaller share is within a larger (learning curves)."""

    part: Literal["train", "test", "fit", "held"]
    fold: int | None = None
    share: float = 1.0

    def __str__(self) -> str:
        return self.part if self.fold is None else f"{self.part} {self.fold}"


TRAIN, TEST = Split("train"), Split("test")


@dataclass(frozen=True)
class Context:
    """What a recipe is told besides its task. Grows by field, never by parameter."""

    seed: int = 0
    budget_s: float = math.inf                  # a recipe stops by itself before this, with the best it has
    split: Split = TRAIN                        # the cases that may be learned from
    progress: Callable[[str], None] = lambda _: None
    workdir: Path | None = None                 # scratch space, gone afterwards
    device: str = "cpu"
    threads: int = 1
    rough: bool = False                         # the fit only compares: what it would take to be used can be left out


class Task(Protocol):
    """A question bound to its data, and how to put it to a model."""

    name: str                                   # "binary", "cartpole": what kind of question
    title: str                                  # "churn in churn.csv": this question
    metrics: tuple[Metric, ...]                 # the first decides
    why_metric: str                             # one sentence: why that one decides
    unit_of_resampling: str                     # what is independent, in words: "row", "customer", "episode"
    plan: Plan                                  # case_id -> role, saved with the run
    seed: int

    def cases(self, split: Split, /) -> Table:
        """One row a case: case_id, unit, slice.* columns, perhaps target.

        Raises LockedError for TEST on a task opened without its test part."""
        ...

    def attempt(self, model: Model, cases: Table, /) -> Table:
        """Confront the model with the cases: the outcomes, one row a case, in the same order."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What was understood of the data, for reports: JSON-able; `columns` may hold a list of records."""
        ...

    def save(self, folder: Path, /) -> None:
        """Write the task so that `Paradigm.open` can read it: the test part in files of its own."""
        ...


class Recipe(Protocol):
    """How to get a model: a frozen dataclass whose fields are its settings; repr says everything."""

    baseline: ClassVar[bool]                    # always run first, never dropped
    order: ClassVar[float]                      # the race starts recipes from low to high: what pays early first

    def refuses(self, task: Task, /) -> str | None:
        """Why this recipe cannot learn this task, in words; None if it can.

        Where it could, but for something that the problem declares, the words name the flag: --monotone."""
        ...

    def fit(self, task: Task, ctx: Context, /) -> Model:
        """Learn from `task.cases(ctx.split)` and nothing else. Raises PairingError where it refuses."""
        ...


class Paradigm(Protocol):
    """One family of problems: how to recognise one and how to bind it to its data."""

    name: str

    def claims(self, problem: Problem, /) -> float:
        """How surely this problem is of this family, 0 to 1, without reading the data whole."""
        ...

    def bind(self, problem: Problem, progress: Callable[[str], None], /) -> Task:
        """Read the data, infer what was not said, make the split plan."""
        ...

    def open(self, folder: Path, /, *, test: bool) -> Task:
        """A task that was saved. Without `test` its test part is not read and stays locked."""
        ...

    def rebind(self, model: Model, data: Any, /) -> Task:
        """A task whose test part is all of `data`: for evaluating a saved model on labelled cases."""
        ...


# --- what is found ---------------------------------------------------------------------------

Level = Literal["ok", "note", "warn", "fail", "skipped"]


@dataclass(frozen=True, slots=True)
class Series:
    """One mark of a chart. Unused channels stay empty; `low` and `high` draw a band or an interval."""

    name: str
    x: tuple[Any, ...]
    y: tuple[Any, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    mark: Literal["line", "point", "bar", "step", "cell"] = "line"
    value: tuple[float, ...] = ()               # cell only: what the shade says
    quiet: bool = False                         # drawn thin and grey: a reference


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture said in data: the report draws it as SVG and prints its table beneath."""

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    note: str = ""
    log_x: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Optimism:
    """What a leak adds to a metric: a quick model with it and without it, on the same training cases held out.

    `points` is the difference, signed so that positive means the leak makes the score look better."""

    metric: str
    leaky: Estimate
    honest: Estimate
    points: Estimate


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw. A skipped check says in its sentence what it lacked.

    columns    the inputs at fault: without them the fault is gone
    together   case_id, unit: cases that belong on one side of every split, the test part's among them
    ordered    case_id, moment: training cases that a split should take in this order
    """

    check: str
    level: Level
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    table: Table | None = None
    charts: tuple[Chart, ...] = ()
    columns: tuple[str, ...] = ()
    together: Table | None = None
    ordered: Table | None = None
    optimism: Optimism | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that later stages read of a model put to a test."""

    task: str
    split: str
    metrics: Mapping[str, Estimate]
    outcomes: Table
    findings: tuple[Finding, ...] = ()
