"""`assay train`: the flags are a Problem, the run is told as it goes, and the end says what to type next."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from assay.cli.common import Common
from assay.cli.progress import listening
from assay.cli.told import story_lines, story_value
from assay.errors import ProblemError

if TYPE_CHECKING:
    from assay.problem import Problem
    from assay.stages.train import Trained


def train(
    data: str | None = None,
    /,
    *,
    target: str | None = None,
    task: str | None = None,
    name: str | None = None,
    budget: str | None = None,
    trials: int | None = None,
    max_latency: str | None = None,
    metric: str | None = None,
    recipes: str | None = None,
    type: Annotated[list[str] | None, Parameter(alias="--types")] = None,
    drop: str | None = None,
    group: str | None = None,
    time: str | None = None,
    positive: str | None = None,
    sensitive: str | None = None,
    weights: str | None = None,
    balance: bool = False,
    monotone: str | None = None,
    costs: str | None = None,
    test: float | None = None,
    test_data: str | None = None,
    folds: int | None = None,
    workers: int | None = None,
    seed: int | None = None,
    allow_leaks: bool = False,
    resume: bool = False,
    quiet: bool = False,
    common: Common = Common(),
    **options: str,
) -> None:
    """Race recipes on the data, prove the best one on cases it never saw, and record the run.

    Whatever is not said is inferred, and the report says what was inferred.

    Parameters
    ----------
    data
        A file (CSV, Parquet, Excel, JSON lines ...), a glob of such files, or a problem.yaml. With --resume: a run.
    target
        The column to predict; several with commas.
    task
        The kind of question: binary, multiclass, regression, multilabel; inferred.
    name
        What the model is registered as; the data's name.
    budget
        Wall-clock time for the whole run: 60, 60s, 5m, 2h; 60 s if not said.
    trials
        Stop after so many recipes with their settings instead of by time; the result is then the same every time.
    max_latency
        What one row may take to answer, like 1ms: what is chosen keeps to it, measured on this machine.
    metric
        The metric that decides, or a function of yours: ./metrics.py:profit or module:function; chosen by the data.
    recipes
        Only these recipes, with commas; all that fit.
    type
        A column's kind where the inferred one is wrong: zip=categorical. May be repeated.
    drop
        Columns to leave out, with commas.
    group
        The column whose values must stay on one side of a split: customer, patient.
    time
        The column of time: the test part is the latest.
    positive
        The class looked for, of two; a word for yes, else the rarer one.
    sensitive
        Columns by which the errors are shown apart, with commas.
    weights
        The column that says how much each row counts in learning; scores count every case once.
    balance
        Let every class count as much in learning, however rare it is.
    monotone
        Numbers with which the answer may only rise or fall: age=+,price=-.
    costs
        A YAML file that says what each answer costs by the truth, such as {sick: {well: 5}, well: {sick: 1}}.
    test
        The share of cases locked away as the test part, of a table at most 50,000; 0.2 if not said.
    test_data
        A file of labelled rows that were kept apart: they are the test part, and all of DATA is learned from.
    folds
        Folds of the race; by the number of cases.
    workers
        Processes of the race; by the number of cores.
    seed
        Where every draw of chance begins; 0 if not said.
    allow_leaks
        Go on although a check is sure of a leak.
    resume
        Go on with an interrupted run: the latest, or the one named in place of DATA.
    quiet
        Print no progress.
    options
        Any other --key value is passed on to the paradigm.
    """
    said: dict[str, Any] = {
        "target": target, "task": task, "name": name, "budget": budget, "trials": trials, "metric": metric,
        "max_latency": max_latency,
        "recipes": recipes, "types": _kinds(type or []), "drop": drop, "group": group, "time": time,
        "positive": positive, "sensitive": sensitive, "weights": weights, "balance": balance or None,
        "monotone": monotone, "costs": costs, "test": test, "test_data": test_data,
        "folds": folds, "workers": workers, "seed": seed,
        "allow_leaks": allow_leaks or None, "options": _options(options),
    }
    said = {key: value for key, value in said.items() if value not in (None, {})}
    trained = _resumed(data, said, common, quiet) if resume else _trained(data, said, common, quiet)
    common.say(story_value(trained.story, report=trained.report, folder=trained.run.folder), _ending(trained, common))


def _trained(data: str | None, said: dict[str, Any], common: Common, quiet: bool) -> Trained:
    from assay.problem import problem

    declared = problem(data, **said)
    store = common.named_store(due=True)
    with listening(_budget(declared), quiet=quiet or common.json) as listen:
        from assay.stages.train import train as run

        return run(declared, store=store, listen=listen)


def _resumed(ref: str | None, said: Mapping[str, Any], common: Common, quiet: bool) -> Trained:
    if said:
        flags = ", ".join(_flag(key) for key in said)
        raise ProblemError(f"--resume goes on with a run as it was declared, so leave out {flags}; or start a new run "
                           "without --resume.")
    with listening(None, quiet=quiet or common.json) as listen:
        from assay.stages.train import resume

        return resume(ref, store=common.named_store(), listen=listen)


def _budget(declared: Problem) -> float | None:
    return declared.budget_s if declared.trials is None else None


def _kinds(said: list[str]) -> dict[str, str]:
    """["zip=categorical"] -> {"zip": "categorical"}."""
    found = {}
    for word in said:
        column, equals, kind = word.rpartition("=")
        if not equals:
            raise ProblemError(f"--type got {word!r}; wanted a column and its kind, such as --type zip=categorical")
        found[column] = kind
    return found


def _options(said: Mapping[str, str]) -> dict[str, Any]:
    """What only a paradigm understands, with numbers and true or false read as such.

    A word that looks like a flag of ours mistyped is refused: a misspelt --target must not be passed on in silence."""
    said = {key.replace("-", "_"): value for key, value in said.items()}
    flags = [*inspect.signature(train).parameters, *(f.name for f in fields(Common))]
    for key in said:
        close = difflib.get_close_matches(key, flags, n=1, cutoff=0.75)
        if close:
            raise ProblemError(f"assay train has no option {_flag(key)}. Did you mean {_flag(close[0])}?")
    return {key: _value(value) for key, value in said.items()}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _ending(trained: Trained, common: Common) -> Iterator[str]:
    """The story, where the report is, and what to type next."""
    story = trained.story
    yield from story_lines(story)
    yield ""
    yield f"report: {_near(trained.report)}"
    yield f"run:    {story.run}   model: {story.name}:{story.version}"
    yield "next:"
    store = f" --store {common.store}" if common.store else ""
    for command in (f"predict {story.name} new.csv -o out.csv", f"evaluate {story.name} labelled.csv",
                    f"report {story.run} --open", f"promote {story.name} {story.version} champion"):
        yield f"  assay {command}{store}"


def _near(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
