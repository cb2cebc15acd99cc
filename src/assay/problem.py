"""The declared problem. `problem.yaml`, the command line's flags and keyword arguments are three spellings of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from assay.contract import Kind
from assay.errors import ProblemError, nearest

_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d)?\s*$")
_UNIT_S = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, None: 1}


def seconds(span: float | str) -> float:
    """A span of time in seconds; a bare number is seconds already.

    >>> seconds("5m"), seconds("1.5h"), seconds(90)
    (300.0, 5400.0, 90.0)
    """
    if isinstance(span, int | float) and not isinstance(span, bool):
        return float(span)
    match = _SPAN.match(str(span))
    if not match:
        raise ValueError(f"{span!r} is not a span of time; write it like 90, 60s, 5m or 2h")
    return float(match[1]) * _UNIT_S[match[2]]


def _listed(value: Any) -> Any:
    """One name, names with commas, or a list of names: always a list."""
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value)


_SIGN = {"+": 1, "+1": 1, "1": 1, "-": -1, "-1": -1}


def _signed(value: Any) -> Any:
    """"age=+,price=-", or a mapping to +, -, 1 or -1: always column -> 1 or -1."""
    if isinstance(value, str):
        parts = [part.rpartition("=") for part in _listed(value)]
        if not all(column and equals for column, equals, _ in parts):
            raise ValueError("write a column and a sign, such as age=+,price=-")
        value = {column.strip(): sign for column, _, sign in parts}
    if not isinstance(value, dict):
        raise ValueError("write a column and a sign, such as age=+,price=-")
    return {str(column): _SIGN.get(str(sign).strip(), sign) for column, sign in value.items()}


def _worded(value: Any) -> Any:
    """Classes as text, also where YAML read yes and no as true and false."""
    if not isinstance(value, dict):
        raise ValueError("write what answering costs by the truth, such as {sick: {well: 5}, well: {sick: 1}}")
    return {_word(truth): {_word(answer): cost for answer, cost in row.items()} if isinstance(row, dict) else row
            for truth, row in value.items()}


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


Span = Annotated[float, BeforeValidator(seconds)]
Names = Annotated[list[str], BeforeValidator(_listed)]
Signs = Annotated[dict[str, Literal[1, -1]], BeforeValidator(_signed)]
Costs = Annotated[dict[str, dict[str, float]], BeforeValidator(_worded)]

HONOURED = ("weights", "balance", "monotone", "costs", "test_data")
"""Settings that a paradigm must say it honours (capabilities.Honours): elsewhere they are refused, never ignored."""


class Problem(BaseModel):
    """This data, that target, so much time. Unsaid fields are inferred, and the report says what was inferred.

    `options` holds what only one paradigm understands; it checks them itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    data: Any = Field(description="a file, a glob, a folder, an environment's id, or a frame in memory")
    target: Names = Field(default=[], description="the column or columns to predict")
    task: str | None = Field(default=None, description="binary, multiclass, regression, multilabel, ... ; inferred")
    name: str | None = Field(default=None, description="what the model is registered as; from the data's name")
    budget_s: Span = Field(default=60.0, gt=0, description="wall-clock time for the whole run, like 60, 5m, 2h")
    trials: int | None = Field(default=None, ge=1, description="stop after so many recipes instead of by time")
    max_latency_s: Span | None = Field(default=None, gt=0, description="what one row may take to answer, like 1ms")
    metric: str | None = Field(default=None, description="the metric that decides, or a function of yours as "
                               "./metrics.py:profit or module:function; chosen by the data")
    recipes: Names = Field(default=[], description="only these recipes; all that fit")
    types: dict[str, Kind] = Field(default={}, description="column -> kind, where the inferred kind is wrong")
    drop: Names = Field(default=[], description="columns to leave out")
    group: str | None = Field(default=None, description="the column whose rows must stay together: customer, patient")
    time: str | None = Field(default=None, description="the column of time: the test part is the latest")
    positive: str | None = Field(default=None, description="the class looked for, of two; a yes, else the rarer")
    sensitive: Names = Field(default=[], description="columns by which the errors are shown apart")
    weights: str | None = Field(default=None, description="the column that says how much each row counts in learning")
    balance: bool = Field(default=False, description="let every class count as much in learning, however rare it is")
    monotone: Signs = Field(default={}, description="column -> + or -: the answer may only rise, or fall, with it")
    costs: Costs = Field(default={}, description="truth -> answer -> what that answer costs, or a file that says so")
    test_data: Any = Field(default=None, description="rows kept apart, as a file or a frame: they are the test part")
    test: float = Field(default=0.2, gt=0, lt=0.9, description="the share of cases locked away as the test part")
    folds: int | None = Field(default=None, ge=1, le=20, description="folds of the race; by the number of cases")
    workers: int | None = Field(default=None, ge=1, description="processes of the race; by the number of cores")
    seed: int = Field(default=0, ge=0)
    allow_leaks: bool = Field(default=False, description="go on although a check is sure of a leak")
    options: dict[str, Any] = Field(default={}, description="what only this paradigm understands")

    @field_validator("positive", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return None if value is None else str(value)

    def declared(self) -> dict[str, Any]:
        """What was said, as JSON can hold it: a frame in memory becomes a word for it."""
        said = self.model_dump(exclude={"data", "test_data"}, exclude_defaults=True)
        given = {} if self.test_data is None else {"test_data": _in_words(self.test_data)}
        return {"data": _in_words(self.data), **given, **said}


def _in_words(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else f"<{type(data).__module__.split('.')[0]} frame>"


def problem(source: Any = None, /, **said: Any) -> Problem:
    """A Problem from keywords, or from a `problem.yaml` that the keywords overrule.

    Raises ProblemError with one sentence a mistake."""
    if isinstance(source, Problem):
        if not said:
            return source
        kept = source.model_dump(exclude={"data", "test_data"}, exclude_unset=True)
        said = {"data": source.data, "test_data": source.test_data, **kept, **said}
    elif isinstance(source, str | Path) and str(source).endswith((".yaml", ".yml")):
        said = {**_from_yaml(Path(source)), **said}
    elif source is not None:
        said["data"] = source
    for plain, field_ in (("budget", "budget_s"), ("max_latency", "max_latency_s")):
        if plain in said:
            said[field_] = said.pop(plain)
    if isinstance(said.get("costs"), str | Path):
        said["costs"] = _yaml(Path(said["costs"]))
    if said.get("test_data") is not None and said.get("test") is not None:
        raise ProblemError("test_data names the test part, so no share of the data is locked away beside it. Leave out "
                           "test, or test_data.")
    if "data" not in said:
        raise ProblemError("no data was named. Say which file, folder or environment, as in: assay train churn.csv")
    try:
        return Problem(**said)
    except ValidationError as wrong:
        raise ProblemError("; ".join(_sentence(e) for e in wrong.errors())) from None


def _from_yaml(path: Path) -> dict[str, Any]:
    """What a problem.yaml says; files that it names are looked for beside it."""
    said = _yaml(path)
    for key in ("data", "test_data", "costs", "metric"):
        named = said.get(key)
        if isinstance(named, str) and not Path(named).is_absolute():
            file, colon, function = named.rpartition(":") if key == "metric" else (named, "", "")
            if file and (path.parent / file).exists():
                said[key] = f"{path.parent / file}{colon}{function}"
    return said


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProblemError(f"{path}: there is no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as wrong:
        raise ProblemError(f"{path} is not readable YAML: {' '.join(str(wrong).split())}") from None
    if not isinstance(said, dict):
        raise ProblemError(f"{path}: wanted a mapping such as 'data: churn.csv', got {type(said).__name__}")
    return said


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"a problem has no setting {where!r}. {nearest(where, [*Problem.model_fields, 'budget', 'max_latency'])}"
    said, got = error["msg"].removeprefix("Value error, "), repr(error["input"])
    wanted = said.replace("Input should be", "wanted")
    guess = nearest(str(error["input"]), get_args(Kind)) if error["loc"][0] == "types" else ""
    return f"{where.removesuffix('_s')}: {wanted if got in said else f'got {got}; {wanted}'}. {guess}".rstrip()


