"""What a paradigm and its tasks promise."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from assay import registry
from assay.capabilities import Blends, Probes, Regroups
from assay.contract import TEST, TRAIN, Split
from assay.errors import LockedError, ProblemError
from assay.files import write_json
from assay.testing.compare import must, raises, same, same_task
from assay.testing.subject import HELD0, Subject, promise


@promise("paradigm")
def name_is_registered(subject: Subject) -> None:
    found = registry.load("assay.paradigms", subject.paradigm.name)
    must(found is subject.paradigm, f"the registered {subject.paradigm.name!r} is {found!r}, not {subject.paradigm!r}")


@promise("paradigm")
def claims_its_problem(subject: Subject) -> None:
    claim = subject.paradigm.claims(subject.problem)
    must(0 < claim <= 1, f"claims says {claim} of a problem it can bind; wanted more than 0 and at most 1")


@promise("paradigm")
def binds_alike_twice(subject: Subject) -> None:
    again = subject.paradigm.bind(subject.problem, lambda _: None)
    same_task(subject.task, again, (TRAIN, TEST))


@promise("paradigm")
def rebinds_a_model_to_all_cases(subject: Subject) -> None:
    task = subject.paradigm.rebind(subject.model, subject.problem.data)
    must(task.cases(TEST).height > 0, "rebind gave a task whose test part is empty")
    must(task.cases(TRAIN).height == 0, "rebind gave a task with training cases; all of the data is its test part")
    outcomes = task.attempt(subject.model, task.cases(TEST))
    must(math.isfinite(task.metrics[0].fn(outcomes)), f"{task.metrics[0].name} on the rebound task is not a number")


@promise("paradigm")
def blending_a_model_with_itself_changes_nothing(subject: Subject) -> None:
    if not isinstance(subject.paradigm, Blends):
        return
    answers = subject.model.predict(subject.batch())
    same(answers, subject.paradigm.blend([answers, answers], [0.25, 0.75]), "answers, and their blend with themselves")


@promise("task")
def cases_have_unique_ids_and_units(subject: Subject) -> None:
    cases = pl.concat([subject.task.cases(TRAIN), subject.task.cases(TEST)])
    for column in ("case_id", "unit"):
        must(column in cases.columns, f"cases have no column {column!r}; they have {cases.columns}")
        must(cases[column].null_count() == 0, f"{column!r} is empty in some cases")
    must(cases["case_id"].is_unique().all(), "two cases have the same case_id")
    planned = len(subject.task.plan.roles)
    must(cases.height == planned, f"{cases.height} cases, and {planned} in the plan")


@promise("task")
def folds_share_no_unit(subject: Subject) -> None:
    def units(split: Split) -> set[Any]:
        return set(subject.task.cases(split)["unit"].to_list())

    must(not units(TRAIN) & units(TEST), "a unit is in the training part and in the test part")
    train = subject.task.cases(TRAIN)["case_id"].sort()
    for fold in range(subject.task.plan.folds):
        fit, held = Split("fit", fold), Split("held", fold)
        must(not units(fit) & units(held), f"fold {fold}: a unit is fitted on and held out")
        both = pl.concat([subject.task.cases(fit)["case_id"], subject.task.cases(held)["case_id"]]).sort()
        must(both.equals(train), f"fold {fold}: fitted and held-out cases together are not the training part")


@promise("task")
def a_share_of_a_split_is_nested(subject: Subject) -> None:
    def ids(share: float) -> set[Any]:
        return set(subject.task.cases(Split("train", share=share))["case_id"].to_list())

    must(ids(0.3) < ids(0.7) < ids(1.0), "a smaller share of the training part is not within a larger one")


@promise("task")
def a_probe_answers_for_what_is_held_out(subject: Subject) -> None:
    if not isinstance(subject.task, Probes):
        return
    train = subject.task.cases(TRAIN)
    fit, held = train[: len(train) // 2], train[len(train) // 2:]
    outcomes = subject.task.probe(fit, held)
    must(outcomes["case_id"].equals(held["case_id"]), "a probe's outcomes are not of the cases held out, in order")
    must(math.isfinite(subject.task.metrics[0].fn(outcomes)), f"{subject.task.metrics[0].name} of a probe is no number")
    same(outcomes, subject.task.probe(fit, held), "a probe's outcomes, asked for twice")


@promise("task")
def regrouped_cases_stay_together(subject: Subject) -> None:
    if not isinstance(subject.task, Regroups):
        return
    everyone = pl.concat([subject.task.cases(TRAIN), subject.task.cases(TEST)])["case_id"].sort()
    units = pl.DataFrame({"case_id": everyone, "unit": [f"pair {i // 2}" for i in range(len(everyone))]})
    try:
        fresh = subject.task.regrouped(units, "to see whether it can")
    except ProblemError:
        return                                  # it says that it cannot, as it may
    parts = [fresh.cases(part).select("case_id") for part in (TRAIN, TEST)]
    must(pl.concat(parts)["case_id"].sort().equals(everyone), "regrouped, the task has other cases")
    train, test = (set(units.join(p, on="case_id", how="semi")["unit"].to_list()) for p in parts)
    must(not train & test, "a unit that was to stay together is in the training part and in the test part")


@promise("task")
def facts_are_plain_data(subject: Subject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_json(Path(folder) / "facts.json", dict(subject.task.facts()))


@promise("task")
def opens_as_it_was_saved(subject: Subject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subject.task.save(Path(folder))
        same_task(subject.task, subject.paradigm.open(Path(folder), test=True), (TRAIN, TEST))


@promise("task")
def opened_without_its_test_part_it_is_locked(subject: Subject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subject.task.save(Path(folder))
        locked = subject.paradigm.open(Path(folder), test=False)
        same_task(subject.task, locked, (TRAIN, HELD0))
        raises(LockedError, "asking a locked task for its test cases", lambda: locked.cases(TEST))


@promise("task")
def test_part_lies_in_files_of_its_own(subject: Subject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subject.task.save(Path(folder))
        files = [f for f in sorted(Path(folder).rglob("*")) if f.is_file()]
        kept_apart = [f for f in files if _opens_without(subject, Path(folder), f)]
        must(bool(kept_apart), "no file can be taken away without `open(test=False)` failing")
        for file in kept_apart:
            file.unlink()
        same_task(subject.task, subject.paradigm.open(Path(folder), test=False), (TRAIN,))
        raises(Exception, "opening with a test part that is gone",
                lambda: subject.paradigm.open(Path(folder), test=True).cases(TEST))


def _opens_without(subject: Subject, folder: Path, file: Path) -> bool:
    aside = file.rename(file.with_name(file.name + ".aside"))
    try:
        subject.paradigm.open(folder, test=False).cases(TRAIN)
    except Exception:  # noqa: BLE001 - a paradigm may miss its file in any way
        return False
    finally:
        aside.rename(file)
    return True
