"""Who runs: every registered recipe that can learn the task, baselines first, then what pays early.

A recipe's module brings its library with it, seconds of imports in all. So `describe` is asked in a worker,
which needs those libraries anyhow; the main process knows recipes by their descriptions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay import registry
from assay.capabilities import Recommends, Suggestion, Tunes
from assay.contract import Paradigm, Recipe, Task
from assay.errors import AssayError, ProblemError, UnknownName, UserError, nearest


@dataclass(frozen=True)
class Entrant:
    """A recipe with its settings, under the name by which the leaderboard knows it."""

    name: str                                   # "lightgbm", and "lightgbm 2" for other settings
    registered: str                             # "supervised.lightgbm"
    settings: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""                              # the recipe's repr
    baseline: bool = False
    order: float = 50.0
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    refuses: str | None = None                  # why it cannot learn this task, or which library it lacks
    first_s: float | None = None                # what the first fold is expected to cost, where evidence says so
    next_s: float | None = None
    memory_mb: float = 0.0

    @property
    def recipe(self) -> str:
        """The recipe's plain name, as the user says it."""
        return self.registered.partition(".")[2]

    def varied(self, name: str, settings: Mapping[str, Any]) -> Entrant:
        """The same recipe with some settings changed."""
        all_ = {**self.settings, **settings}
        said = f"{self.said.partition('(')[0]}({', '.join(f'{k}={v!r}' for k, v in all_.items())})"
        return dataclasses.replace(self, name=name, settings=all_, said=said)


def describe(task: Task, paradigm: str, only: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Every registered recipe of a paradigm, and each of its settings that evidence speaks for, as JSON can hold it.

    Imports them all. Settings from the paradigm's portfolio come as entrants of their own, in its order. only: names
    of recipes; of the others nothing is said, and nothing is imported."""
    if only:
        return [_described(f"{paradigm}.{name}", task) for name in only]
    plain = {d["name"]: d for d in (_described(n, task) for n in registry.names("assay.recipes", f"{paradigm}."))}
    house: Paradigm = registry.load("assay.paradigms", paradigm)
    if not isinstance(house, Recommends):
        return list(plain.values())
    listed: list[dict[str, Any]] = []
    for place, pick in enumerate(house.portfolio(task)):
        found = plain.get(pick.recipe)
        if found is not None and "settings" in found and not found["refuses"] and not found["baseline"]:
            listed.append(_suggested(found, pick, place, task))
    named = {d["name"] for d in listed}
    return [*listed, *(d for d in plain.values() if d["name"] not in named)]


def _suggested(found: Mapping[str, Any], pick: Suggestion, place: int, task: Task) -> dict[str, Any]:
    recipe: Recipe = registry.load("assay.recipes", found["registered"])(**pick.settings)
    entrant = Entrant(**found).varied(pick.name, pick.settings) if pick.settings else Entrant(**found)
    known = {"first_s": pick.first_s, "next_s": pick.next_s, "memory_mb": pick.memory_mb}
    # between what must run and the recipes that nothing is known of
    return {**dataclasses.asdict(entrant), **known, "name": pick.name, "order": 2 + place / 1000,
            "refuses": recipe.refuses(task)}


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

    `asked` names the recipes wanted, with all settings that evidence speaks for, the first settings of each first;
    baselines run all the same. `trials` cuts the field to that many besides the baselines.
    Raises ProblemError where a recipe asked for cannot learn the task, AssayError where none can."""
    all_ = [Entrant(**d) for d in described]
    for entrant in all_:
        if entrant.recipe in asked and entrant.refuses:
            raise ProblemError(f"recipe {entrant.recipe!r} was asked for, but {entrant.refuses.rstrip('.')}. "
                               "Name another, or leave out --recipes for all that fit.")
    able = [e for e in all_ if not e.refuses and (e.baseline or not asked or e.recipe in asked)]
    if not able:
        names = ", ".join(e.name for e in all_) or "none"
        raise AssayError(f"no recipe can learn this task ({task.name}). Registered: {names}.")
    nth: dict[str, int] = {}                    # of its recipe
    for entrant in (in_order := sorted(able, key=lambda e: (not e.baseline, e.order))):
        nth[entrant.name] = sum(e.recipe == entrant.recipe for e in in_order[: in_order.index(entrant)])
    field_ = sorted(in_order, key=lambda e: (not e.baseline, nth[e.name] if asked else 0))
    baselines = sum(e.baseline for e in field_)
    return tuple(field_ if trials is None else field_[: baselines + trials])
