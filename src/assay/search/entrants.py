"""Who runs: every registered recipe that can learn the task, baselines first, then what pays early.

A recipe's module brings its library with it, seconds of imports in all. So `describe` is asked in a worker,
which needs those libraries anyhow; the main process knows recipes by their descriptions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay import registry
from assay.capabilities import Tunes
from assay.contract import Recipe, Task
from assay.errors import AssayError, ProblemError, UnknownName, UserError, nearest


@dataclass(frozen=True)
class Entrant:
    """A recipe with its settings, under the name by which the leaderboard knows it."""

    name: str                                   # "lightgbm", and "lightgbm 2" for a variant
    registered: str                             # "supervised.lightgbm"
    settings: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""                              # the recipe's repr
    baseline: bool = False
    order: float = 50.0
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    refuses: str | None = None                  # why it cannot learn this task, or which library it lacks


def describe(task: Task, paradigm: str) -> list[dict[str, Any]]:
    """Every registered recipe of a paradigm, as JSON can hold it. Imports them all."""
    return [_described(name, task) for name in registry.names("assay.recipes", f"{paradigm}.")]


def _described(registered: str, task: Task) -> dict[str, Any]:
    name = registered.partition(".")[2]
    try:
        recipe: Recipe = registry.load("assay.recipes", registered)()
    except UserError as missing:
        return {"name": name, "registered": registered, "refuses": str(missing)}
    fields = dataclasses.fields(recipe)  # type: ignore[arg-type]  # a dataclass by contract
    return {
        "name": name, "registered": registered, "settings": {f.name: getattr(recipe, f.name) for f in fields},
        "said": repr(recipe), "baseline": recipe.baseline, "order": recipe.order,
        "space": dict(recipe.space()) if isinstance(recipe, Tunes) else {}, "refuses": recipe.refuses(task),
    }


def known(paradigm: str, asked: Sequence[str]) -> None:
    """Raises UnknownName where a recipe was asked for that nobody registered for this paradigm."""
    names = [n.partition(".")[2] for n in registry.names("assay.recipes", f"{paradigm}.")]
    for name in asked:
        if name not in names:
            raise UnknownName(f"there is no recipe called {name!r} for this task. {nearest(name, names)}")


def entrants(
    described: Sequence[Mapping[str, Any]], task: Task, asked: Sequence[str] = (), *, trials: int | None = None
) -> tuple[Entrant, ...]:
    """The field, in running order.

    `asked` names the recipes wanted; baselines run all the same. `trials` cuts the field or, with variants drawn
    from the recipes' spaces, fills it to that many besides the baselines.
    Raises ProblemError where a recipe asked for cannot learn the task, AssayError where none can."""
    all_ = [Entrant(**d) for d in described]
    for entrant in all_:
        if entrant.name in asked and entrant.refuses:
            raise ProblemError(f"recipe {entrant.name!r} was asked for, but {entrant.refuses.rstrip('.')}. "
                               "Name another, or leave out --recipes for all that fit.")
    able = [e for e in all_ if not e.refuses and (not asked or e.name in asked or e.baseline)]
    if not able:
        names = ", ".join(e.name for e in all_) or "none"
        raise AssayError(f"no recipe can learn this task ({task.name}). Registered: {names}.")
    return tuple(_of_size(sorted(able, key=lambda e: (not e.baseline, e.order)), trials, task.seed))


def _of_size(field_: list[Entrant], trials: int | None, seed: int) -> list[Entrant]:
    if trials is None:
        return field_
    baselines, others = [e for e in field_ if e.baseline], [e for e in field_ if not e.baseline]
    tunable = [e for e in others if e.space]
    if tunable:
        others += [variant(tunable[i % len(tunable)], i // len(tunable) + 2, seed) for i in range(trials - len(others))]
    return baselines + others[:trials]


def variant(entrant: Entrant, number: int, seed: int) -> Entrant:
    """The entrant with settings drawn from its recipe's space; the same draw for the same name, number and seed."""
    rng = np.random.default_rng([seed, number, *entrant.registered.encode()])
    drawn = {name: draw(rng, span) for name, span in entrant.space.items()}
    settings = {**entrant.settings, **drawn}
    said = f"{entrant.said.partition('(')[0]}({', '.join(f'{k}={v!r}' for k, v in settings.items())})"
    return dataclasses.replace(entrant, name=f"{entrant.name} {number}", settings=settings, said=said)


def draw(rng: np.random.Generator, span: Sequence[Any]) -> Any:
    """One value of a span, as `capabilities.Tunes` describes them."""
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
