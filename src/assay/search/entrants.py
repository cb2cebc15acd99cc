"""Who runs: every registered recipe that can learn the task, baselines first, then what pays early."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay import registry
from assay.contract import Recipe, Task, Tunes
from assay.errors import AssayError, ProblemError, UnknownName, UserError, nearest


@dataclass(frozen=True)
class Entrant:
    """A recipe with its settings, under the name by which the leaderboard knows it."""

    name: str                                   # "lightgbm", and "lightgbm 2" for a variant
    registered: str                             # "supervised.lightgbm"
    recipe: Recipe

    @property
    def settings(self) -> dict[str, Any]:
        fields = dataclasses.fields(self.recipe)  # type: ignore[arg-type]  # a dataclass by contract
        return {f.name: getattr(self.recipe, f.name) for f in fields}

    @property
    def baseline(self) -> bool:
        return self.recipe.baseline


def entrants(task: Task, paradigm: str, asked: Sequence[str] = (), *, trials: int | None = None) -> tuple[
    tuple[Entrant, ...], tuple[str, ...]
]:
    """The field, in running order, and a sentence for each recipe that was left out.

    `asked` names the recipes wanted; baselines run all the same. `trials` cuts or, with variants drawn from
    the recipes' spaces, fills the field to that many besides the baselines.
    Raises UnknownName for a name nobody registered, ProblemError where a recipe asked for cannot learn the task."""
    known = {n.partition(".")[2]: n for n in registry.names("assay.recipes", f"{paradigm}.")}
    for name in asked:
        if name not in known:
            raise UnknownName(f"there is no recipe called {name!r} for this task. {nearest(name, known)}")
    field, left_out = [], []
    for name, registered in known.items():
        try:
            recipe = registry.load("assay.recipes", registered)()
        except UserError as missing:
            if name in asked:
                raise
            left_out.append(str(missing))
            continue
        why = recipe.refuses(task)
        if why is not None and name in asked:
            raise ProblemError(f"recipe {name!r} was asked for, but {why}")
        if why is None and (not asked or name in asked or recipe.baseline):
            field.append(Entrant(name, registered, recipe))
    field.sort(key=lambda e: (not e.baseline, e.recipe.order))
    if not field:
        raise AssayError(f"no recipe can learn this task ({task.name}). Registered: {', '.join(known) or 'none'}.")
    return tuple(_of_size(field, trials, task.seed)), tuple(left_out)


def _of_size(field: list[Entrant], trials: int | None, seed: int) -> list[Entrant]:
    baselines = [e for e in field if e.baseline]
    others = [e for e in field if not e.baseline]
    if trials is None:
        return field
    tunable = [e for e in others if isinstance(e.recipe, Tunes) and e.recipe.space()]
    if tunable:
        others += [variant(tunable[i % len(tunable)], i // len(tunable) + 2, seed) for i in range(trials - len(others))]
    return baselines + others[:trials]


def variant(entrant: Entrant, number: int, seed: int) -> Entrant:
    """The entrant with settings drawn from its recipe's space; the same draw for the same name, number and seed."""
    assert isinstance(entrant.recipe, Tunes)  # noqa: S101 - the caller chose it so
    rng = np.random.default_rng([seed, number, *entrant.registered.encode()])
    drawn = {name: draw(rng, span) for name, span in entrant.recipe.space().items()}
    recipe: Recipe = dataclasses.replace(entrant.recipe, **drawn)  # type: ignore[type-var]  # a dataclass by contract
    return Entrant(f"{entrant.name} {number}", entrant.registered, recipe)


def draw(rng: np.random.Generator, span: Sequence[Any]) -> Any:
    """One value of a span, as `contract.Tunes` describes them."""
    kind, *ends = span
    if kind == "choice":
        return ends[int(rng.integers(len(ends)))]
    low, high = ends
    if kind in ("log", "int_log"):
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    elif kind in ("uniform", "int"):
        value = rng.uniform(low, high)
    else:
        kinds = ["uniform", "log", "int", "int_log", "choice"]
        raise AssayError(f"a recipe's space has a span of kind {kind!r}. {nearest(kind, kinds)}")
    return round(value) if kind.startswith("int") else value


