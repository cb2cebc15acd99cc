"""Two classes, one of them looked for.

Columns: target.positive, out.p (the probability of the positive class), out.positive (the answer
yes or no). Where a ratio has nothing beneath it, it is 0, as in scikit-learn.
"""

from __future__ import annotations

import numpy as np

from assay.contract import Array, Table
from assay.metrics.build import mean_of, mean_where, of_means, rank_of, ratio, share_of
from assay.stats.rank import average_precision_pseudo, roc_auc_pseudo

EPS = float(np.finfo(float).eps)
_P = "target.positive out.p"
_ANSWER = "target.positive out.positive"


def _truth(t: Table) -> Array:
    return t["target.positive"].to_numpy().astype(bool)


def _p(t: Table) -> Array:
    return t["out.p"].to_numpy().astype(float)


def _answer(t: Table) -> Array:
    return t["out.positive"].to_numpy().astype(bool)


# --- of the order ------------------------------------------------------------------------


def _roc_auc(t: Table) -> Array:
    return roc_auc_pseudo(_truth(t), _p(t))


def _average_precision(t: Table) -> Array:
    return average_precision_pseudo(_truth(t), _p(t))


ROC_AUC = rank_of(
    "roc_auc", _P, _roc_auc,
    says="The chance that a positive case is given a higher probability than a negative one; 0.5 is guessing.",
)
AVERAGE_PRECISION = rank_of(
    "average_precision", _P, _average_precision,
    says="The precision met on the way down the list of cases, most likely first, averaged over the positives.",
)


# --- of the probability --------------------------------------------------------------------


def _log_loss(t: Table) -> Array:
    """-log of the probability given to what happened, which is kept one rounding step from 0 and 1."""
    p = np.clip(_p(t), EPS, 1 - EPS)
    return np.asarray(-np.log(np.where(_truth(t), p, 1 - p)))


def _squared(t: Table) -> Array:
    return np.asarray((_p(t) - _truth(t)) ** 2)


LOG_LOSS = mean_of(
    "log_loss", _P, _log_loss, higher_is_better=False, unit="nats",
    says="How surprised the probabilities are by what happened; being sure and wrong costs most.",
)
BRIER = mean_of(
    "brier", _P, _squared, higher_is_better=False,
    says="The mean squared distance of the probability from the truth: 0 is perfect, always saying half makes 0.25.",
)


# --- of the answer -------------------------------------------------------------------------


def _right(t: Table) -> Array:
    return np.asarray(_truth(t) == _answer(t))


def _precision(t: Table) -> Array:
    return np.column_stack([_truth(t) & _answer(t), _answer(t)])


def _recall(t: Table) -> Array:
    return np.column_stack([_truth(t) & _answer(t), _truth(t)])


def _specificity(t: Table) -> Array:
    return np.column_stack([~_truth(t) & ~_answer(t), ~_truth(t)])


def _cells(t: Table) -> Array:
    """The four cells (n, 4): true positive, false positive, false negative, true negative."""
    truth, answer = _truth(t), _answer(t)
    return np.column_stack([truth & answer, ~truth & answer, truth & ~answer, ~truth & ~answer])


def _balanced(cells: Array) -> Array:
    sizes = np.stack([cells[..., 0] + cells[..., 2], cells[..., 3] + cells[..., 1]], axis=-1)
    return mean_where(ratio(cells[..., [0, 3]], sizes), sizes > 0)


def _f1(cells: Array) -> Array:
    tp, fp, fn = cells[..., 0], cells[..., 1], cells[..., 2]
    return ratio(2 * tp, 2 * tp + fp + fn)


def _mcc(cells: Array) -> Array:
    tp, fp, fn, tn = (cells[..., i] for i in range(4))
    return ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


ACCURACY = mean_of("accuracy", _ANSWER, _right, kind="proportion", says="The share of cases answered rightly.")
BALANCED_ACCURACY = of_means(
    "balanced_accuracy", _ANSWER, _cells, _balanced,
    says="The share answered rightly in each class, averaged over the classes, so that a rare class counts as much.",
)
PRECISION = share_of("precision", _ANSWER, _precision, says="Of the cases called positive, the share that are.")
RECALL = share_of("recall", _ANSWER, _recall, says="Of the positive cases, the share that are found.")
SPECIFICITY = share_of("specificity", _ANSWER, _specificity, says="Of the negative cases, the share left in peace.")
F1 = of_means("f1", _ANSWER, _cells, _f1, says="The harmonic mean of precision and recall: high only where both are.")
MCC = of_means(
    "mcc", _ANSWER, _cells, _mcc,
    says="The correlation of answer and truth: 1 is perfect, 0 is no better than chance, -1 is always wrong.",
)

METRICS = (
    ROC_AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER,
    ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, SPECIFICITY, F1, MCC,
)
