"""What a recipe promises."""

from __future__ import annotations

import ast
import copy
import dataclasses
import math
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from assay import registry
from assay.capabilities import Tunes
from assay.contract import Context, Metric, Model, Split, Table, Task
from assay.errors import AssayError, PairingError, UserError
from assay.search.tuning import draw
from assay.splits import Plan
from assay.testing.compare import must, raises, same
from assay.testing.subject import FIT0, Subject, promise


@promise("recipe")
def is_a_frozen_record(subject: Subject) -> None:
    recipe: Any = subject.recipe
    must(dataclasses.is_dataclass(recipe), f"{type(recipe).__name__} is not a dataclass")
    must(type(recipe).__dataclass_params__.frozen, f"{type(recipe).__name__} is not frozen")
    must(dataclasses.replace(recipe) == recipe, f"dataclasses.replace({recipe}) is not equal to it")
    must(isinstance(recipe.baseline, bool), f"baseline is {recipe.baseline!r}; wanted True or False")
    must(math.isfinite(recipe.order), f"order is {recipe.order!r}; wanted a number")


@promise("recipe")
def repr_says_everything(subject: Subject) -> None:
    """The fields read from repr, as literals and without eval, make an equal recipe."""
    call = ast.parse(repr(subject.recipe), mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
        raise AssertionError(f"repr is {subject.recipe!r}; wanted Name(field=value, ...)")
    fields = {word.arg or "": ast.literal_eval(word.value) for word in call.keywords}
    must(type(subject.recipe)(**fields) == subject.recipe, f"{subject.recipe!r} does not make an equal recipe")


@promise("recipe")
def recipe_name_is_registered(subject: Subject) -> None:
    kind = type(subject.recipe).__name__
    must(bool(_registered(subject)), f"{kind} is not in 'assay.recipes' as {subject.paradigm.name}.<name>")


@promise("recipe")
def varies_within_its_space(subject: Subject) -> None:
    """Where it can be varied: what is drawn from its space is a recipe like it, and the first draw can be fitted."""
    if not (isinstance(subject.recipe, Tunes) and subject.recipe.space()):
        return
    rng = np.random.default_rng(subject.seed)
    drawn: list[Any] = [_varied(subject.recipe, rng) for _ in range(6)]
    for recipe in drawn:
        repr_says_everything(dataclasses.replace(subject, recipe=recipe))
        must(recipe.refuses(subject.task) is None, f"the variant {recipe!r} refuses the task")
    must(any(recipe != subject.recipe for recipe in drawn), "six draws from its space are all the recipe as it was")
    drawn[0].fit(subject.task, Context(seed=subject.seed))


@promise("recipe")
def refuses_in_words(subject: Subject) -> None:
    must(subject.recipe.refuses(subject.task) is None, "the recipe refuses the task it was fitted on")
    why_not = subject.recipe.refuses(_Riddle())
    must(isinstance(why_not, str) and len(why_not.split()) > 3,
          f"refuses said {why_not!r} of a task of another kind; wanted a sentence")
    raises(PairingError, "fitting a task of another kind", lambda: subject.recipe.fit(_Riddle(), Context()))


@promise("recipe")
def same_seed_same_model(subject: Subject) -> None:
    again = subject.recipe.fit(subject.task, Context(seed=subject.seed))
    batch = subject.batch()
    same(subject.model.predict(batch), again.predict(batch), "two models of one recipe and one seed")


@promise("recipe")
def training_never_reads_the_test_part(subject: Subject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subject.task.save(Path(folder))
        locked = subject.paradigm.open(Path(folder), test=False)
        model = subject.recipe.fit(locked, Context(seed=subject.seed))
    batch = subject.batch()
    same(subject.model.predict(batch), model.predict(batch), "models fitted with the test part there and without it")


@promise("recipe")
def learns_from_its_split_alone(subject: Subject) -> None:
    asked: list[Split] = []
    subject.recipe.fit(_watched(subject.task, asked), Context(seed=subject.seed, split=FIT0))
    others = {str(split) for split in asked if (split.part, split.fold) != (FIT0.part, FIT0.fold)}
    must(not others, f"told to learn from {FIT0}, the recipe also read {', '.join(sorted(others))}")


class _Riddle:
    """A task of a kind that nobody knows: what every recipe must refuse."""

    name, title = "riddle", "what walks on four legs"
    metrics: tuple[Metric, ...] = ()
    why_metric, unit_of_resampling, seed = "", "riddle", 0
    plan = Plan(np.zeros(1, dtype=np.int64), 1, "none", "there is one case")

    def cases(self, split: Split, /) -> Table:
        raise AssayError(f"a recipe that should have refused asked a riddle for its {split} cases")

    def attempt(self, _model: Model, _cases: Table, /) -> Table:
        raise AssayError("nobody can attempt a riddle")

    def facts(self) -> dict[str, Any]:
        return {}

    def save(self, _folder: Path, /) -> None:
        raise AssayError("a riddle cannot be saved")


def _varied(recipe: Any, rng: np.random.Generator) -> Any:
    return dataclasses.replace(recipe, **{name: draw(rng, span) for name, span in recipe.space().items()})


def _registered(subject: Subject) -> str:
    """The name under which the recipe is registered; empty if it is not."""
    for name in registry.names("assay.recipes", f"{subject.paradigm.name}."):
        with suppress(UserError):               # another recipe whose library is missing
            if registry.load("assay.recipes", name) is type(subject.recipe):
                return name
    return ""


def _watched(task: Task, asked: list[Split]) -> Task:
    """A copy of the task, of a class derived from its own, that notes which splits it is asked for."""
    kind: Any = type(task)

    def cases(self: Any, split: Split, /) -> Table:
        asked.append(split)
        found: Table = kind.cases(self, split)
        return found

    watched = copy.copy(task)
    object.__setattr__(watched, "__class__", type(kind.__name__, (kind,), {"cases": cases, "__slots__": ()}))
    return watched
