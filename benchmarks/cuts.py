"""How the cut of two classes is best chosen, and when 0.5 is best left: what is gained on fresh cases.

    python benchmarks/cuts.py [TABLES]

Truths are drawn from known probabilities, right as they are or made too sure by 1.5 on the logit. Printed for each
size, base rate and metric is what is gained on fresh cases over cutting at 0.5, in thousandths of the metric: by
the cut that is best on the table, by the smoothed one, by the expected one; and by the rule of the model
(cut.answer) where it leaves 0.5 always, for any gain on cases that did not choose, for one of more than a standard
error, and for one beyond the 95 % interval.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import polars as pl

from assay.metrics import lookup
from assay.paradigms.supervised import cut
from assay.paradigms.supervised.target import Target, answer_columns, outcome_columns
from assay.stats.paired import compare

TARGET = Target("binary", ("y",), ("no", "yes"))
METRICS = ("f1", "mcc", "balanced_accuracy", "accuracy")


def drawn(n: int, seed: int, base: float, too_sure: float) -> Any:
    rng = np.random.default_rng(seed)
    logit = base + 1.5 * rng.normal(size=n)
    y = rng.random(n) < 1 / (1 + np.exp(-logit))
    p = 1 / (1 + np.exp(-too_sure * logit))
    cases = pl.DataFrame({"case_id": range(n), "unit": range(n), "target": np.where(y, "yes", "no"),
                          "target.positive": y})
    answers = answer_columns(TARGET, np.column_stack([1 - p, p]))
    return pl.concat([cases, outcome_columns(TARGET, answers)], how="horizontal")


def gains(name: str, n: int, base: float, too_sure: float, tables: int) -> dict[str, float]:
    metric, fresh = lookup("binary", name), drawn(30_000, 10**6, base, too_sure)
    p, found = fresh["out.p"].to_numpy(), []

    def worth(at: float) -> float:
        return metric.fn(cut.answered(fresh, TARGET, p >= at)) - metric.fn(fresh)

    for seed in range(tables):
        t = drawn(n, seed, base, too_sure)
        sides = cut._sides(metric.terms, TARGET, t)
        cuts, honest = cut._chosen(metric, TARGET, t, 0)
        gain, one = (compare(metric, honest, t, level=level).estimate for level in (0.95, cut.ONE_ERROR))
        chosen = worth(float(np.median(cuts)))
        found.append([worth(cut._best(metric, t["out.p"].to_numpy(), sides)), worth(cut.best_cut(metric, TARGET, t)),
                      worth(cut.best_cut(metric, TARGET, t, "expected")), chosen, chosen * (gain.value > 0),
                      chosen * (one.low > 0), chosen * (gain.low > 0)])
    names = ("best", "smoothed", "expected", "always", "any gain", "one error", "95 %")
    return dict(zip(names, np.mean(found, axis=0), strict=True))


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    for n in (300, 1_500):
        for base in (-2.5, -1.0):
            for too_sure in (1.0, 1.5):
                for name in METRICS:
                    said = "  ".join(f"{k} {1000 * v:6.1f}" for k, v in gains(name, n, base, too_sure, many).items())
                    print(f"{n:5} {base:5} {too_sure:4} {name:18} {said}", flush=True)
