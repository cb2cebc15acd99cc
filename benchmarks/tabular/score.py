"""Answers of a contestant -> a table of outcomes, as assay's own metrics read them -> losses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from assay.contract import Metric
from assay.metrics import lookup

LOSSES = {"binary": ("roc_auc", "log_loss", "brier", "accuracy"), "multiclass": ("log_loss", "accuracy"),
          "regression": ("rmse", "mae", "r2")}


def outcomes(answers: pd.DataFrame, truth: pd.Series, task: str) -> pl.DataFrame:
    """One row a test row. Probabilities are made to add up to 1; the second class in the alphabet is the positive one.

    Raises ValueError, in a sentence, where the answers do not fit."""
    if len(answers) != len(truth):
        raise ValueError(f"{len(answers):,} answers to {len(truth):,} rows")
    cases = pl.DataFrame({"case_id": np.arange(len(truth))})
    if task == "regression":
        value = answers["value"].to_numpy(dtype=float)
        _finite(value)
        return cases.with_columns(pl.Series("target", truth.to_numpy(dtype=float)), pl.Series("out.value", value))
    classes = sorted(truth.unique())
    missing = [c for c in classes if f"p.{c}" not in answers]
    if missing:
        raise ValueError(f"no probability of {', '.join(missing[:3])}")
    known = [c.removeprefix("p.") for c in answers.columns if c.startswith("p.")]
    p = answers[[f"p.{c}" for c in known]].to_numpy(dtype=float)
    _finite(p)
    p = p / p.sum(axis=1, keepdims=True)
    said = pl.Series([known[i] for i in p.argmax(axis=1)])
    if task == "binary":
        positive = classes[1]
        return cases.with_columns(
            pl.Series("target.positive", (truth == positive).to_numpy()),
            pl.Series("out.p", p[:, known.index(positive)]), (said == positive).alias("out.positive"))
    return cases.with_columns(pl.Series("target", truth.tolist()), said.alias("out.label"),
                              *(pl.Series(f"out.p.{c}", p[:, i]) for i, c in enumerate(known)))


def losses(found: pl.DataFrame, task: str) -> dict[str, float]:
    """metric -> its value, turned where higher is better, so that less is better: roc_auc stands as 1 - roc_auc."""
    return {name: loss(lookup(task, name), found) for name in LOSSES[task]}


def loss(metric: Metric, found: pl.DataFrame) -> float:
    value = float(metric.fn(found))
    return 1 - value if metric.higher_is_better else value


def _finite(numbers: np.ndarray) -> None:
    if not np.isfinite(numbers).all():
        raise ValueError(f"{int((~np.isfinite(numbers)).sum()):,} answers that are no numbers")
