"""How often intervals and sets hold the truth, on every open table, against what they promise.

    python benchmarks/conformal.py [--only churn,ames] [--recipe lightgbm] [--rows 2500] [--cases 40000]

Each table is split at random again and again; on the training part a recipe is fitted fold by fold, its fold models are
averaged and finished by their out-of-fold outcomes, as in a run. Splits go on until the test parts together hold
`--cases` cases, 4 splits at least and 40 at most; the standard error is over splits. Coverage of sets is told twice: by
the bound alone, and with the answer itself always in, as they are given. APS is what sets would be that add
classes, most probable first, until their sum is enough (Romano, Sesia & Candès 2020, no randomisation).
For classes the log loss on the test parts before and after the chosen calibrator stands beside it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from open_tables import TABLES

from assay import registry
from assay.contract import TEST, TRAIN, Context, Split, Table
from assay.metrics import lookup
from assay.paradigms.supervised.finish import Finished
from assay.paradigms.supervised.task import PARADIGM, SupervisedTask
from assay.problem import problem
from assay.search.blend import Blend
from assay.stages.finish import ALIKE
from assay.stats.conformal import bound

LEVELS = (0.8, 0.9, 0.95)
FOLDS = 5
QUICK = {"lightgbm": {"learning_rate": 0.1, "num_leaves": 16, "rounds": 150}}


@dataclass
class Told:
    """What the splits of one table showed: name -> one number a split."""

    task: str = ""
    numbers: dict[str, list[float]] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)

    def add(self, name: str, value: float) -> None:
        self.numbers.setdefault(name, []).append(float(value))

    def mean(self, name: str) -> float:
        return float(np.mean(self.numbers.get(name, [np.nan])))

    def error(self, name: str) -> float:
        found = self.numbers[name]
        return float(np.std(found, ddof=1) / np.sqrt(len(found)))


def finished(task: SupervisedTask, recipe: str, seed: int, averaged: bool) -> tuple[Blend, Finished]:
    """The average of the fold models, and the same finished by their out-of-fold outcomes."""
    made = registry.load("assay.recipes", f"supervised.{recipe}")(**QUICK.get(recipe, {}))
    models, held = [], []
    for fold in range(FOLDS):
        models.append(made.fit(task, Context(seed=seed + fold, split=Split("fit", fold), budget_s=20)))
        held.append(task.attempt(models[-1], task.cases(Split("held", fold))))
    blend = Blend(tuple(models), (1 / FOLDS,) * FOLDS, "supervised")
    few = task.cases(TRAIN)[:ALIKE]
    alike = [task.attempt(m, few) for m in models] if averaged else []
    model, _ = PARADIGM.finished(blend, pl.concat(held), task.metrics[0], seed, alike=alike)
    assert isinstance(model, Finished)
    return blend, model


def numbers(told: Told, task: SupervisedTask, model: Finished, cases: Table) -> None:
    y = cases["target"].to_numpy()
    answers = model.predict(task.inputs(cases))["value"].to_numpy()
    for level in LEVELS:
        low, high = model.conformity.around(answers, level)
        told.add(f"{level}", ((low <= y) & (y <= high)).mean())
        told.add(f"size {level}", (high - low).mean() / y.std())
    told.taken.append("scaled" if len(model.conformity.scale.x) else "plain")


def classes(told: Told, task: SupervisedTask, blend: Blend, model: Finished, cases: Table) -> None:
    answers, names = model.predict(task.inputs(cases)), list(task.target.classes)
    p, each = answers.select(f"p.{c}" for c in names).to_numpy(), np.arange(len(cases))
    truth = np.searchsorted(names, cases["target"].to_numpy()) if names == sorted(names) else np.array(
        [names.index(c) for c in cases["target"]])
    told.add("accuracy", (p.argmax(axis=1) == truth).mean())
    for level in LEVELS:
        alone = 1 - p <= bound(model.conformity.scores, level, model.conformity.units)
        given = model.conformity.probable(p, level)
        told.add(f"{level}", alone[each, truth].mean())
        told.add(f"given {level}", given[each, truth].mean())
        told.add(f"size {level}", given.sum(axis=1).mean())
    loss = lookup(task.goal, "log_loss")
    told.add("before", loss.fn(task.attempt(blend, cases)))
    told.add("after", loss.fn(task.attempt(model, cases)))
    told.taken.append(model.calibrator.method if model.calibrator else "none")


def aps(told: Told, task: SupervisedTask, blend: Blend, held: Table, cases: Table, level: float = 0.9) -> None:
    """Adaptive sets of the uncalibrated probabilities, at one level, for comparison."""
    names = list(task.target.classes)

    def running(outcomes: Table) -> tuple[np.ndarray, np.ndarray]:
        p = outcomes.select(f"out.p.{c}" for c in names).to_numpy()
        order = np.argsort(-p, axis=1)
        total = np.empty_like(p)
        np.put_along_axis(total, order, np.cumsum(np.take_along_axis(p, order, 1), 1), 1)
        return total, np.array([names.index(c) for c in outcomes["target"]])

    total, truth = running(held)
    q = bound(np.sort(total[np.arange(len(total)), truth]), level)
    total, truth = running(task.attempt(blend, cases))
    told.add("aps", (total <= q)[np.arange(len(total)), truth].mean())
    told.add("aps size", np.maximum((total <= q).sum(axis=1), 1).mean())


def study(name: str, recipe: str, rows: int, cases: int, averaged: bool) -> Told:
    target, load = TABLES[name]
    whole, told, seen, split = load(), Told(), 0, 0
    while split < 4 or (seen < cases and split < 40):
        table = whole.sample(min(len(whole), 3 * rows), random_state=split)
        task = PARADIGM.bind(problem(table.reset_index(drop=True), target=target, seed=split, folds=FOLDS,
                                     test=max(0.3, 1 - rows / len(table))), lambda _: None)
        told.task = task.name
        blend, model = finished(task, recipe, split, averaged)
        test = task.cases(TEST)
        if task.goal == "regression":
            numbers(told, task, model, test)
        else:
            classes(told, task, blend, model, test)
            held = pl.concat([task.attempt(m, task.cases(Split("held", k))) for k, m in enumerate(blend.models)])
            aps(told, task, blend, held, test)
        seen, split = seen + len(test), split + 1
    return told


def line(name: str, told: Told) -> str:
    cells = [name, told.task, str(len(told.taken))]
    for level in LEVELS:
        cells += [f"{told.mean(f'{level}'):.3f} ± {told.error(f'{level}'):.3f}", f"{told.mean(f'given {level}'):.3f}",
                  f"{told.mean(f'size {level}'):.2f}"]
    taken = " ".join(f"{told.taken.count(t)} {t}" for t in sorted(set(told.taken)))
    cells += [f"{told.mean('accuracy'):.3f}", f"{told.mean('aps'):.3f}, {told.mean('aps size'):.2f}",
              f"{told.mean('before'):.4f}", f"{told.mean('after'):.4f}", taken]
    return "| " + " | ".join(cells).replace("nan", "-") + " |"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", default=",".join(TABLES))
    asked.add_argument("--recipe", default="lightgbm")
    asked.add_argument("--rows", type=int, default=2500)
    asked.add_argument("--cases", type=int, default=40_000)
    asked.add_argument("--single", action="store_true", help="scores as single fold models have them")
    said, began, off = asked.parse_args(), time.monotonic(), []
    warnings.simplefilter("ignore")
    heads = ["table", "task", "splits"]
    for level in LEVELS:
        heads += [f"{level:.0%} held", "given", "size"]
    heads += ["accuracy", "APS 90%: held, size", "log loss before", "after", "taken"]
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
    for name in said.only.split(","):
        told = study(name, said.recipe, said.rows, said.cases, not said.single)
        print(line(name, told), flush=True)
        off += [abs(told.mean(f"{level}") - level) for level in LEVELS]
    print(f"\n{sum(o <= 0.015 for o in off)} of {len(off)} within 1.5 points, the farthest {max(off) * 100:.1f}; "
          f"sizes of intervals in standard deviations of the target. {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
