"""Metrics by the goal they serve, one family a file. Looking here loads nothing; asking for a family loads its file.

    FAMILIES["binary"]                 the metrics of a goal, in the order of reports
    lookup("binary", "auc")            one metric, by its name or by what people call it
    applicable(outcomes.columns)       every metric these columns allow
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from assay.contract import Metric
from assay.errors import UnknownName, nearest

GOALS = ("binary", "multiclass", "regression", "multilabel")

ALIASES = {
    "auc": "roc_auc", "auroc": "roc_auc", "rocauc": "roc_auc", "macro_auc": "macro_roc_auc",
    "ap": "average_precision", "pr_auc": "average_precision", "auprc": "average_precision",
    "aucpr": "average_precision",
    "map": "macro_average_precision", "logloss": "log_loss", "nll": "log_loss", "cross_entropy": "log_loss",
    "brier_score": "brier", "acc": "accuracy", "bal_acc": "balanced_accuracy", "bacc": "balanced_accuracy",
    "sensitivity": "recall", "tpr": "recall", "ppv": "precision", "tnr": "specificity", "f1_score": "f1",
    "f1_macro": "macro_f1", "f1_micro": "micro_f1", "matthews": "mcc", "top2": "top_2_accuracy",
    "root_mean_squared_error": "rmse", "mean_absolute_error": "mae", "r_squared": "r2", "r²": "r2",
    "mean_absolute_percentage_error": "mape", "median_absolute_error": "median_ae", "medae": "median_ae",
    "hamming": "hamming_loss", "exact_match": "subset_accuracy",
}
_ELSEWHERE = {
    ("multiclass", "roc_auc"): "macro_roc_auc", ("multiclass", "f1"): "macro_f1", ("multilabel", "f1"): "macro_f1",
    ("multilabel", "accuracy"): "subset_accuracy", ("multilabel", "average_precision"): "macro_average_precision",
}

if TYPE_CHECKING:
    FAMILIES: dict[str, tuple[Metric, ...]]


def __getattr__(name: str) -> Any:
    if name == "FAMILIES":
        return {goal: _family(goal, "METRICS") for goal in GOALS}
    raise AttributeError(f"module 'assay.metrics' has no attribute {name!r}")


@cache
def _family(goal: str, part: str) -> tuple[Metric, ...]:
    found: tuple[Metric, ...] = getattr(importlib.import_module(f"assay.metrics.{goal}"), part, ())
    return found


def known(goal: str) -> dict[str, Metric]:
    """Every metric of a goal by its name, those that are computed on request among them."""
    return {m.name: m for part in ("METRICS", "ON_REQUEST") for m in _family(goal, part)}


def lookup(goal: str, name: str) -> Metric:
    """The metric of a goal by its name, or by an alias such as auc, logloss, acc.

    Raises UnknownName, with the nearest name and all that fit the goal.

    >>> lookup("binary", "AUC").name, lookup("multiclass", "f1").name
    ('roc_auc', 'macro_f1')
    """
    if goal not in GOALS:
        raise UnknownName(f"there are no metrics for the goal {goal!r}. {nearest(goal, GOALS)}")
    there = known(goal)
    plain = name.strip().casefold().replace("-", "_").replace(" ", "_")
    plain = plain if plain in there else ALIASES.get(plain, plain)
    plain = plain if plain in there else _ELSEWHERE.get((goal, plain), plain)
    if plain in there:
        return there[plain]
    guess = nearest(plain, there)
    guess = f"{guess} " if guess.startswith("Did") else ""
    raise UnknownName(f"there is no metric {name!r} for {goal}. {guess}Those that fit: {', '.join(there)}.")


def applicable(columns: Sequence[str]) -> tuple[Metric, ...]:
    """All metrics whose needs the outcome columns meet; of two with one name the first in the order of GOALS.

    >>> [m.name for m in applicable(["target", "out.value"])]
    ['rmse', 'mae', 'r2', 'median_ae', 'mape']
    """
    fitting: dict[str, Metric] = {}
    for goal in GOALS:
        for metric in _family(goal, "METRICS"):
            if not metric.missing(columns):
                fitting.setdefault(metric.name, metric)
    return tuple(fitting.values())
