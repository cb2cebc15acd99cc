"""What any threshold would give: ROC and precision-recall curves."""

from __future__ import annotations

import numpy as np

from assay.checks import lacked
from assay.checks.columns import binary
from assay.contract import Array, Chart, Finding, Metric, Series, Table

CHECK = "outcomes.curves"
POINTS = 200
WHOLE = (0.0, 1.0)


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:  # noqa: ARG001 - the signature of all checks
    """The share of positives found against false alarms, and the precision it costs."""
    pair = binary(outcomes)
    if pair is None:
        return lacked(CHECK, "a probability of the class looked for (out.p and target.positive)")
    p_N, y_N = pair
    if len(np.unique(y_N)) < 2:
        return lacked(CHECK, "cases of both classes")
    caught_T, alarms_T = _counts(p_N, y_N)
    found_T, false_T = caught_T / y_N.sum(), alarms_T / (1 - y_N).sum()
    precision_T = caught_T / (caught_T + alarms_T)
    rate = float(y_N.mean())
    at = int(np.searchsorted(found_T, 0.8))
    numbers = {
        "base_rate": rate,
        "precision_at_80_recall": float(precision_T[at]),
        "false_alarms_at_80_recall": float(false_T[at]),
    }
    sentence = (
        f"Finding 80% of the class looked for means a false alarm for {false_T[at]:.0%} of the others; "
        f"{precision_T[at]:.0%} of what is then called positive is so (base rate {rate:.0%})."
    )
    return Finding(CHECK, "ok", sentence, numbers, charts=(_roc(false_T, found_T), _pr(found_T, precision_T, rate)))


def _counts(p_N: Array, y_N: Array) -> tuple[Array, Array]:
    """(caught_T, alarms_T): true and false positives when everything at or above each distinct p is called positive."""
    order = np.argsort(-p_N, kind="stable")
    p, y = p_N[order], y_N[order]
    last = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    caught = np.cumsum(y)[last]
    return caught, last + 1 - caught


def _thinned(x_T: Array, y_T: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """At most `POINTS` points, evenly along x and y together, first and last kept."""
    if len(x_T) > POINTS:
        way = np.concatenate([[0], np.cumsum(np.abs(np.diff(x_T)) + np.abs(np.diff(y_T)))])
        kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], POINTS)).clip(0, len(x_T) - 1))
        x_T, y_T = x_T[kept], y_T[kept]
    return tuple(np.round(x_T, 5).tolist()), tuple(np.round(y_T, 5).tolist())


def _roc(false_T: Array, found_T: Array) -> Chart:
    x, y = _thinned(np.append(0.0, false_T), np.append(0.0, found_T))
    return Chart(
        "ROC curve", "share of false alarms", "share found (recall)",
        (Series("chance", WHOLE, WHOLE, quiet=True), Series("model", x, y)), x_range=WHOLE, y_range=WHOLE,
    )


def _pr(found_T: Array, precision_T: Array, rate: float) -> Chart:
    x, y = _thinned(found_T, precision_T)
    return Chart(
        "Precision and recall", "recall (share found)", "precision (share right)",
        (Series("base rate", WHOLE, (rate, rate), quiet=True), Series("model", x, y)), x_range=WHOLE, y_range=WHOLE,
    )
