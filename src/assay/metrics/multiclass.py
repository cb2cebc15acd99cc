"""One of several classes.

Columns: target and out.label (text), out.p.<class> (a probability each). Classes are those met in
the truth or the answers; a class that a mean over classes cannot judge is left out of it.
"""

from __future__ import annotations

import numpy as np

from assay.contract import Array, Table
from assay.metrics.binary import EPS
from assay.metrics.build import mean_of, mean_where, of_means, one_hot, rank_of, ratio
from assay.stats.rank import roc_auc_pseudo

_ANSWER = "target out.label"
_P = "target out.p.*"


def _known(t: Table) -> list[str]:
    return [c.removeprefix("out.p.") for c in t.columns if c.startswith("out.p.")]


def _scores(t: Table) -> tuple[Array, Array, list[str]]:
    """Probabilities (n, K) and truth (n, K) by the classes that have a probability."""
    known = _known(t)
    return t.select(f"out.p.{c}" for c in known).to_numpy().astype(float), one_hot(t, "target", known), known


# --- of the answer -------------------------------------------------------------------------


def _right(t: Table) -> Array:
    return np.asarray((t["target"].cast(str) == t["out.label"].cast(str)).fill_null(False).to_numpy())


def _met(t: Table) -> Array:
    """Booleans (n, 3 K): answered rightly as k, answered as k, truly k."""
    met = {*t["target"].cast(str).unique(), *t["out.label"].cast(str).unique()} - {None}
    classes = sorted(met) or [""]
    truth, answer = one_hot(t, "target", classes), one_hot(t, "out.label", classes)
    return np.hstack([truth & answer, answer, truth])


def _balanced(means: Array) -> Array:
    hit, _, true = np.split(means, 3, axis=-1)
    return mean_where(ratio(hit, true), true > 0)


def macro_f1(means: Array) -> Array:
    """The mean F1 over the classes met: (..., 3 K) -> (...)."""
    hit, said, true = np.split(means, 3, axis=-1)
    return mean_where(ratio(2 * hit, said + true), said + true > 0)


def _mcc(means: Array) -> Array:
    hit, said, true = np.split(means, 3, axis=-1)
    spread = (1 - (said**2).sum(axis=-1)) * (1 - (true**2).sum(axis=-1))
    return ratio(hit.sum(axis=-1) - (said * true).sum(axis=-1), np.sqrt(np.where(spread > 1e-15, spread, 0.0)))


ACCURACY = mean_of("accuracy", _ANSWER, _right, kind="proportion", says="The share of cases answered rightly.")
BALANCED_ACCURACY = of_means(
    "balanced_accuracy", _ANSWER, _met, _balanced,
    says="The share answered rightly in each class, averaged over the classes, so that a rare class counts as much.",
)
MACRO_F1 = of_means(
    "macro_f1", _ANSWER, _met, macro_f1,
    says="The F1 score of each class, averaged over the classes: high only where each is found and not overcalled.",
)
MCC = of_means(
    "mcc", _ANSWER, _met, _mcc,
    says="The correlation of answer and truth over all classes: 1 is perfect, 0 is no better than chance.",
)


# --- of the probabilities ------------------------------------------------------------------


def _log_loss(t: Table) -> Array:
    """-log of the probability given to the true class; a class the model never met was given none."""
    p, truth, _ = _scores(t)
    return np.asarray(-np.log(np.clip((p * truth).sum(axis=1), EPS, 1 - EPS)))


def _squared(t: Table) -> Array:
    p, truth, _ = _scores(t)
    return np.asarray(((p - truth) ** 2).sum(axis=1) + ~truth.any(axis=1))


def _top_2(t: Table) -> Array:
    """Whether at most one class is more probable than the true one."""
    p, truth, _ = _scores(t)
    own = (p * truth).sum(axis=1)
    return np.asarray(((p > own[:, None]).sum(axis=1) < 2) & truth.any(axis=1))


def _macro_roc_auc(t: Table) -> Array:
    p, truth, known = _scores(t)
    judged = [k for k in range(len(known)) if 0 < truth[:, k].sum() < len(truth)]
    if not judged:
        return np.full(len(truth), np.nan)
    return np.asarray(np.mean([roc_auc_pseudo(truth[:, k], p[:, k]) for k in judged], axis=0))


LOG_LOSS = mean_of(
    "log_loss", _P, _log_loss, higher_is_better=False, unit="nats",
    says="How surprised the probabilities are by what happened; being sure and wrong costs most.",
)
BRIER = mean_of(
    "brier", _P, _squared, higher_is_better=False,
    says="The squared distance of the probabilities from the truth, summed over the classes: 0 is perfect, 2 is worst.",
)
TOP_2_ACCURACY = mean_of(
    "top_2_accuracy", _P, _top_2, kind="proportion",
    says="The share of cases whose true class is among the two most probable.",
)
MACRO_ROC_AUC = rank_of(
    "macro_roc_auc", _P, _macro_roc_auc,
    says="How well each class is ranked above the rest, averaged over the classes; 0.5 is guessing.",
)

METRICS = (ACCURACY, BALANCED_ACCURACY, MACRO_F1, LOG_LOSS, BRIER, MCC, MACRO_ROC_AUC, TOP_2_ACCURACY)
