"""What to try on a table, in the order that pays: settings chosen by evidence on other tables, and what they will cost.

The evidence is benchmarks/portfolio/results.csv; `python benchmarks/portfolio/choose.py` writes portfolio.json from it.
"""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

from assay.capabilities import Suggestion
from assay.contract import Split
from assay.paradigms.supervised.task import SupervisedTask

ORDER_OF = {"binary": "binary", "multiclass": "multiclass", "regression": "regression", "multilabel": "binary"}
BYTES_A_CELL = {"catboost": 60.0, "xgboost": 30.0, "lightgbm": 40.0}
"""Memory of a fit beside the process itself, for each number it learns from: estimates, not yet measured."""

OTHER_BYTES = 60.0


@cache
def _made() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(files(__package__).joinpath("portfolio.json").read_text(encoding="utf-8"))
    return made


def portfolio(task: SupervisedTask) -> tuple[Suggestion, ...]:
    """The configurations for this goal, in their order, with the seconds and megabytes that a fold will take.

    A recipe's first configuration is called by the recipe's name where it is the recipe as it comes, the others are
    numbered in the order of the whole portfolio."""
    made = _made()
    names = _named(made["entries"])
    rows = len(task.plan.rows(Split("fit", 0)))
    size = (math.log(max(rows, 1)), math.log(max(_width(task), 1)), math.log(max(task.outputs, 2) / 2))
    found = []
    for key in made["orders"][ORDER_OF[task.goal]]:
        entry = made["entries"][key]
        labels = task.outputs if task.goal == "multilabel" else 1
        first, following = (labels * _seconds(entry[law], size) for law in ("first_s", "next_s"))
        cells = BYTES_A_CELL.get(entry["recipe"], OTHER_BYTES) * rows * _width(task)
        found.append(Suggestion(entry["recipe"], names[key], entry["settings"], first, following, cells / 2**20))
    return tuple(found)


def _named(entries: dict[str, Any]) -> dict[str, str]:
    names: dict[str, str] = {}
    number: dict[str, int] = {}
    for key, entry in entries.items():
        recipe = entry["recipe"]
        if entry["settings"]:
            number[recipe] = number.get(recipe, 1) + 1
        names[key] = f"{recipe} {number[recipe]}" if entry["settings"] else recipe
    return names


def _seconds(law: list[float], size: tuple[float, float, float]) -> float:
    """exp(a) rows^b columns^c (outputs / 2)^d."""
    return math.exp(law[0] + sum(power * log for power, log in zip(law[1:], size, strict=True)))


def _width(task: SupervisedTask) -> int:
    """Columns that measure and add, about: a category counts as its levels, 50 at most."""
    return sum(min(max(len(f.levels), 1), 50) if f.kind == "categorical" else 1 for f in task.signature.inputs)
