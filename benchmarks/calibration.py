"""Does the calibrator that a run would choose help on fresh cases, and never hurt by more than noise?

    python benchmarks/calibration.py [--only churn,credit] [--recipes naive_bayes,linear_svm] [--splits 6]

For each table of classes and each recipe: fold models on the training part of a random split, averaged and finished by
their out-of-fold outcomes, as in a run. The log loss on the test part before and after is compared case by case; a line
tells the mean over the splits, and in how many splits it surely fell or surely rose (95 % interval, paired).
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from conformal import finished
from open_tables import TABLES

from assay.contract import TEST
from assay.metrics import lookup
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem
from assay.stats.paired import compare

CLASSES = ("churn", "credit", "attrition", "health_insurance", "lending_club", "mortgages", "flights", "diamonds_cut")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", default=",".join(CLASSES))
    asked.add_argument("--recipes", default="naive_bayes,linear_svm,random_forest,lightgbm")
    asked.add_argument("--splits", type=int, default=6)
    asked.add_argument("--rows", type=int, default=2000)
    said, began, worse, tried = asked.parse_args(), time.monotonic(), 0, 0
    warnings.simplefilter("ignore")
    print("| table | recipe | log loss before | after | fell, rose | taken |\n| --- | --- | --- | --- | --- | --- |")
    for name in said.only.split(","):
        target, load = TABLES[name]
        whole = load()
        for recipe in said.recipes.split(","):
            before, after, fell, rose, taken = [], [], 0, 0, []
            for split in range(said.splits):
                table = whole.sample(min(len(whole), 2 * said.rows), random_state=split).reset_index(drop=True)
                task = PARADIGM.bind(problem(table, target=target, seed=split, folds=5, test=0.5), lambda _: None)
                blend, model = finished(task, recipe, split, averaged=False)
                loss, cases = lookup(task.goal, "log_loss"), task.cases(TEST)
                raw, mended = task.attempt(blend, cases), task.attempt(model, cases)
                gap = compare(loss, mended, raw)
                before.append(loss.fn(raw))
                after.append(loss.fn(mended))
                fell, rose = fell + (gap.estimate.low > 0), rose + (gap.estimate.high < 0)
                taken.append(model.calibrator.method if model.calibrator else "none")
            worse, tried = worse + rose, tried + said.splits
            which = " ".join(f"{taken.count(t)} {t}" for t in sorted(set(taken)))
            means = f"{np.mean(before):.4f} | {np.mean(after):.4f}"
            print(f"| {name} | {recipe} | {means} | {fell}, {rose} | {which} |", flush=True)
    print(f"\nsurely worse in {worse} of {tried} splits; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
