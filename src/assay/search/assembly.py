"""The model that carries out a verdict: fold models averaged, or recipes fitted again on all training cases."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from assay.capabilities import Blends
from assay.contract import Model, Paradigm
from assay.search.blend import Blend
from assay.search.latency import prices
from assay.search.left import LEAST_REFIT
from assay.search.race import Race
from assay.search.runner import Runner
from assay.search.verdict import ROOM, Verdict
from assay.store.package import load_model


def assemble(race: Race, verdict: Verdict, paradigm: Paradigm, paradigm_name: str, folder: Path) -> Model:
    """The model of the verdict: its recipes' fold models averaged, or, where answers cannot be averaged, a single fold
    left cases unused or a row would take too long, a refit on all training cases if there is time for it."""
    by_name = {r.entrant.name: r for r in race.runners}
    members = [by_name[n] for n in verdict.weights]
    lean = _lean(race, members, verdict)
    one_model = lean or len(verdict.scope) == 1 or not isinstance(paradigm, Blends)
    refits = _refit(race, members, folder) if one_model else {}
    models: list[Model] = []
    weights: list[float] = []
    for runner in members:
        name = runner.entrant.name
        of_folds = _fold_models(race, runner, verdict, paradigm)
        places = [refits[name]] if name in refits else of_folds[:1] if lean else of_folds
        models += [load_model(place) for place in places]
        weights += [verdict.weights[name] / len(places)] * len(places)
    return models[0] if len(models) == 1 else Blend(tuple(models), tuple(weights), paradigm_name)


def _lean(race: Race, members: list[Runner], verdict: Verdict) -> bool:
    """Whether one row would take too long if each member were the mean of its fold models."""
    price = prices(members)
    return len(verdict.scope) * sum(price.values()) > ROOM * race.most_row_s


def rival(race: Race, runner: Runner, verdict: Verdict, paradigm: Paradigm, paradigm_name: str) -> Model:
    """What a recipe would have been, had it been chosen, but for a refit: else the winner's folds alone would win."""
    models = tuple(load_model(place) for place in _fold_models(race, runner, verdict, paradigm))
    return models[0] if len(models) == 1 else Blend(models, (1 / len(models),) * len(models), paradigm_name)


def by_fold(model: Model, verdict: Verdict) -> tuple[Model, ...]:
    """What `model`, made by `assemble` or `rival`, would be of one fold's models alone, for each fold in turn.

    Empty where it is made of other models, such as refits, or of a single fold's."""
    folds = len(verdict.scope)
    if not isinstance(model, Blend) or folds < 2 or len(model.models) % folds:
        return ()
    return tuple(Blend(model.models[k::folds], model.weights[k::folds], model.paradigm) for k in range(folds))


def _fold_models(race: Race, runner: Runner, verdict: Verdict, paradigm: Paradigm) -> list[Path]:
    folds = verdict.scope if isinstance(paradigm, Blends) else verdict.scope[:1]
    return [race.model_folder(runner, fold) for fold in folds]


def _refit(race: Race, members: list[Runner], folder: Path) -> dict[str, Path]:
    """Recipes fitted again on all training cases, where their first fold says that the time is enough."""
    done: dict[str, Path] = {}
    waiting = [r for r in members if LEAST_REFIT * r.fit_s <= race.left]
    asked = 0
    while (waiting and race.workers.idle) or asked:
        while waiting and race.workers.idle:
            runner = waiting.pop(0)
            place = folder / f"refit-{members.index(runner)}"
            job: dict[str, Any] = {
                "id": f"refit/{runner.entrant.name}", "recipe": runner.entrant.registered,
                "settings": {**runner.entrant.settings, **runner.settled}, "fold": None, "seed": race.task.seed,
                "budget_s": max(1.0, race.left), "folder": str(place),
            }
            race.workers.submit(job, time.monotonic() + max(0.1, race.left))
            asked += 1
        answer = race.workers.wait(1.0)
        if answer is not None and answer[0]["id"].startswith("refit/"):
            asked -= 1
            if answer[1]["state"] == "done":
                done[answer[0]["id"].removeprefix("refit/")] = Path(answer[0]["folder"]) / "model"
    return done
