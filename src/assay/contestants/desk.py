"""The folder that a contestant works in, and what lies in it: the training part, the test inputs, the question."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.capabilities import Inspects
from assay.contract import TEST, TRAIN, Field, Table, Task
from assay.errors import ProblemError
from assay.files import write_json

ANSWERS = "predictions.parquet"
_OF_OUR_OWN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH")


@dataclass(frozen=True)
class Papers:
    """What every contestant is given. question: becomes problem.json."""

    train: Table
    test: Table
    question: Mapping[str, Any]

    def lay(self, desk: Path) -> None:
        """Write train.parquet, test.parquet and problem.json into `desk`."""
        self.train.write_parquet(desk / "train.parquet")
        self.test.write_parquet(desk / "test.parquet")
        write_json(desk / "problem.json", self.question)
        (desk / "tmp").mkdir()


def papers(task: Task, outputs: Sequence[Field], *, budget_s: float, cores: int) -> Papers:
    """The task as files can say it: inputs and truth of the training part, inputs alone of the test part.

    Raises ProblemError where the task shows no table of inputs."""
    if not isinstance(task, Inspects):
        raise ProblemError(f"{task.title!r} cannot be judged: a {task.name} task shows no table of inputs that another "
                           "tool could learn from.")
    facts, fit, held = task.facts(), task.cases(TRAIN), task.cases(TEST)
    targets = list(facts.get("target") or ())
    truth = {"target": targets[0]} if "target" in fit.columns else {f"target.{name}": name for name in targets}
    train, test = _with_keys(task.inputs(fit), fit, facts), _with_keys(task.inputs(held), held, facts)
    kinds = {c["name"]: c["kind"] for c in facts.get("columns") or ()}
    metric = task.metrics[0]
    return Papers(
        train.hstack(fit.select(list(truth)).rename(truth)), test,
        {
            "title": task.title, "task": task.name, "target": targets, "metric": metric.name,
            "higher_is_better": metric.higher_is_better, "seed": task.seed, "budget_s": budget_s, "cores": cores,
            "classes": list(facts.get("classes") or ()), "positive": facts.get("positive"),
            "group": facts.get("group"), "time": facts.get("time"),
            "inputs": [{"name": n, "kind": kinds.get(n)} for n in task.inputs(held[:0]).columns],
            "answers": [{"name": f.name, "dtype": f.dtype} for f in outputs],
        },
    )


def _with_keys(inputs: Table, cases: Table, facts: Mapping[str, Any]) -> Table:
    """The inputs, and the columns of the group and of time where they are no inputs themselves."""
    keys = {"unit": facts.get("group"), "moment": facts.get("time")}
    more = [cases[role].alias(name) for role, name in keys.items()
            if name and name not in inputs.columns and role in cases.columns]
    return inputs.hstack(more)


def surroundings(desk: Path, store: Path, *, own: bool) -> dict[str, str]:
    """The environment variables of a contestant: none that names the store; none of our Python where it has its own."""
    kept = {name: value for name, value in os.environ.items()
            if str(store) not in value and not name.startswith(("ASSAY_", "COV_", "COVERAGE_"))
            and name not in ("PWD", "OLDPWD") and not (own and name in _OF_OUR_OWN)}
    return {**kept, "TMPDIR": str(desk / "tmp"), "PYTHONUNBUFFERED": "1"}
