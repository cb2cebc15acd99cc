"""A number. Columns: target, out.value."""

from __future__ import annotations

import math

import numpy as np

from assay.contract import Array, Metric, Table
from assay.metrics.build import first, mean_of, of_means, ratio

_NEEDS = "target out.value"
OF_TARGET = "target's unit"


def _truth(t: Table) -> Array:
    return t["target"].to_numpy().astype(float)


def _value(t: Table) -> Array:
    return t["out.value"].to_numpy().astype(float)


def _absolute(t: Table) -> Array:
    return np.asarray(np.abs(_truth(t) - _value(t)))


def _squared(t: Table) -> Array:
    return np.asarray((_truth(t) - _value(t)) ** 2)[:, None]


def _root(means: Array) -> Array:
    return np.sqrt(first(means))


def _spread(t: Table) -> Array:
    """Target and its square, counted from the median so that nothing cancels, and the squared error: (n, 3)."""
    y = _truth(t)
    y = y - np.median(y)
    return np.column_stack([y, y**2, _squared(t)])


def _r2(means: Array) -> Array:
    """1 - error / variance; where the target does not vary, 1 if there is no error and 0 if there is."""
    variance, error = means[..., 1] - means[..., 0] ** 2, means[..., 2]
    share = ratio(error, np.maximum(variance, 0.0), empty=1.0)
    return np.asarray(np.where((variance <= 0) & (error == 0), 1.0, 1 - share))


def _relative(t: Table) -> Array:
    """|error / target| where the target is not 0, and whether it is not: (n, 2)."""
    y = _truth(t)
    return np.column_stack([ratio(_absolute(t), np.abs(y)), y != 0])


def _mape(means: Array) -> Array:
    return ratio(means[..., 0], means[..., 1], empty=math.nan)


def _squared_log(t: Table) -> Array:
    y, value = _truth(t), _value(t)
    if (y < 0).any() or (value < 0).any():
        return np.full((len(y), 1), np.nan)
    return np.asarray((np.log1p(y) - np.log1p(value)) ** 2)[:, None]


def _median_absolute(t: Table) -> float:
    return float(np.median(_absolute(t))) if t.height else math.nan


RMSE = of_means(
    "rmse", _NEEDS, _squared, _root, higher_is_better=False, unit=OF_TARGET,
    says="The size of a typical error, large errors weighing more: the root of the mean squared error.",
)
MAE = mean_of(
    "mae", _NEEDS, _absolute, higher_is_better=False, unit=OF_TARGET, says="The mean size of an error.",
)
R2 = of_means(
    "r2", _NEEDS, _spread, _r2,
    says="The share of the target's variance that is explained: 1 is perfect, 0 is what always saying the mean gives.",
)
MEDIAN_AE = Metric(
    "median_ae", _median_absolute, frozenset(_NEEDS.split()), higher_is_better=False, unit=OF_TARGET,
    says="Half of the errors are smaller than this.",
)
MAPE = of_means(
    "mape", _NEEDS, _relative, _mape, higher_is_better=False, unit="share of the target",
    says="The mean size of an error as a share of the target; cases whose target is 0 are left out.",
)
RMSLE = of_means(
    "rmsle", _NEEDS, _squared_log, _root, higher_is_better=False,
    says="The root mean squared error of log(1 + value): errors by ratio; undefined where anything is negative.",
)

METRICS = (RMSE, MAE, R2, MEDIAN_AE, MAPE)
ON_REQUEST = (RMSLE,)
