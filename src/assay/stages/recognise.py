"""Which family a problem belongs to: asked by name, or the one that claims it most surely."""

from __future__ import annotations

from collections.abc import Sequence

from assay import registry
from assay.capabilities import Honours, NamesTasks
from assay.contract import Paradigm
from assay.errors import ProblemError, nearest
from assay.problem import HONOURED, Problem


def recognise(problem: Problem) -> tuple[str, Paradigm]:
    """(registered name, paradigm). Raises ProblemError where none claims the problem, or the one that does cannot
    honour what it declares."""
    name, paradigm = _claimed(problem)
    honoured = paradigm.honours() if isinstance(paradigm, Honours) else frozenset()
    refused = [s for s in problem.declared() if s in HONOURED and s not in honoured]
    if refused:
        flags = ", ".join(f"--{s}" for s in refused).replace("_", "-")
        raise ProblemError(f"{flags} cannot be honoured for {name}. Leave it out.")
    return name, paradigm


def _claimed(problem: Problem) -> tuple[str, Paradigm]:
    known = registry.names("assay.paradigms")
    if problem.task in known:
        return problem.task, registry.load("assay.paradigms", problem.task)
    claims = {name: registry.load("assay.paradigms", name).claims(problem) for name in known}
    name = max(claims, key=lambda n: claims[n])
    if claims[name] > 0:
        return name, registry.load("assay.paradigms", name)
    if problem.task is not None:
        raise ProblemError(f"there is no task {problem.task!r}. {nearest(problem.task, _words(known))}")
    raise ProblemError(f"cannot tell what kind of problem {problem.data!r} is. Name the column to predict (--target), "
                       f"or the kind of task (--task), one of: {', '.join(known)}.")


def _words(known: Sequence[str]) -> list[str]:
    """What --task can say: the tasks that the paradigms name, and the paradigms' own names."""
    loaded = [registry.load("assay.paradigms", name) for name in known]
    return list(dict.fromkeys([*(task for p in loaded if isinstance(p, NamesTasks) for task in p.tasks()), *known]))
