"""Any number of labels at once.

Columns: target.<label> (yes or no), out.label.<label> (the answer), out.p.<label> (its probability).
"""

from __future__ import annotations

import numpy as np

from assay.contract import Array, Table
from assay.metrics.build import mean_of, of_means, rank_of, ratio
from assay.metrics.multiclass import macro_f1
from assay.stats.rank import average_precision_pseudo

_ANSWER = "target.* out.label.*"
_P = "target.* out.p.* out.label.*"


def _labels(t: Table) -> list[str]:
    return [c.removeprefix("out.label.") for c in t.columns if c.startswith("out.label.")]


def _read(t: Table, prefix: str) -> Array:
    """Booleans (n, L)."""
    return np.column_stack([t[f"{prefix}.{label}"].to_numpy().astype(bool) for label in _labels(t)])


def _met(t: Table) -> Array:
    """Booleans (n, 3 L): rightly given, given, due."""
    truth, answer = _read(t, "target"), _read(t, "out.label")
    return np.hstack([truth & answer, answer, truth])


def _totals(t: Table) -> Array:
    """Labels a case was rightly given, was given, was due: (n, 3)."""
    return np.column_stack([part.sum(axis=1) for part in np.split(_met(t), 3, axis=1)])


def _micro_f1(means: Array) -> Array:
    return ratio(2 * means[..., 0], means[..., 1] + means[..., 2])


def _wrong(t: Table) -> Array:
    return np.asarray((_read(t, "target") != _read(t, "out.label")).mean(axis=1))


def _all_right(t: Table) -> Array:
    return np.asarray((_read(t, "target") == _read(t, "out.label")).all(axis=1))


def _macro_average_precision(t: Table) -> Array:
    truth = _read(t, "target")
    judged = [(truth[:, i], t[f"out.p.{label}"].to_numpy().astype(float))
              for i, label in enumerate(_labels(t)) if truth[:, i].any()]
    if not judged:
        return np.full(t.height, np.nan)
    return np.asarray(np.mean([average_precision_pseudo(y, p) for y, p in judged], axis=0))


MACRO_F1 = of_means(
    "macro_f1", _ANSWER, _met, macro_f1,
    says="The F1 score of each label, averaged over the labels that occur: a rare label counts as much.",
)
MICRO_F1 = of_means(
    "micro_f1", _ANSWER, _totals, _micro_f1,
    says="The F1 score over all labels of all cases taken together: frequent labels count more.",
)
HAMMING_LOSS = mean_of(
    "hamming_loss", _ANSWER, _wrong, higher_is_better=False,
    says="The share of all yes-or-no answers, one a label and case, that are wrong.",
)
SUBSET_ACCURACY = mean_of(
    "subset_accuracy", _ANSWER, _all_right, kind="proportion",
    says="The share of cases with every label right.",
)
MACRO_AVERAGE_PRECISION = rank_of(
    "macro_average_precision", _P, _macro_average_precision,
    says="How far up the list of cases each label's true cases stand, averaged over the labels that occur.",
)

METRICS = (MACRO_F1, MICRO_F1, HAMMING_LOSS, SUBSET_ACCURACY, MACRO_AVERAGE_PRECISION)
