"""Numbers as a reader wants them: a value and its interval with the same decimals, no more digits than are known."""

from __future__ import annotations

import math
from typing import Any

from assay.contract import Estimate


def decimals(estimate: Estimate) -> int:
    """Decimals that show the interval's half width to two digits; those of four digits where there is none."""
    half = (estimate.high - estimate.low) / 2
    if not math.isfinite(half) or half <= 0:
        return places(estimate.value, 4)
    return max(0, min(6, 1 - math.floor(math.log10(half))))


def places(value: float, digits: int) -> int:
    """Decimals that show `value` to `digits` significant digits."""
    if not math.isfinite(value) or value == 0:
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def number(value: float, places_: int) -> str:
    """With so many decimals, thousands apart, a real minus.

    >>> number(-1234.5, 1), number(math.nan, 2)
    ('−1,234.5', 'not defined')
    """
    if math.isnan(value):
        return "not defined"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.{places_}f}"
    return text.lstrip("-") if not float(text.replace(",", "")) else text.replace("-", "−")


def interval(estimate: Estimate) -> str:
    """The bounds alone.

    >>> interval(Estimate(0.84512, 0.8233, 0.8655, 1409, "bootstrap"))
    '0.823 to 0.866'
    """
    d = decimals(estimate)
    return f"{number(estimate.low, d)} to {number(estimate.high, d)}"


def level(estimate: Estimate) -> str:
    """Of its interval.

    >>> level(Estimate(0.8, 0.7, 0.9, 50, "bootstrap", 1 - 0.05 / 3))
    '98.3%'
    """
    return f"{100 * estimate.level:.3g}%"


def value(estimate: Estimate) -> str:
    """The value with the decimals of its interval."""
    return number(estimate.value, decimals(estimate))


def signed(estimate: Estimate) -> str:
    text = value(estimate)
    return text if text.startswith("−") or estimate.value <= 0 else f"+{text}"


def plain(any_value: Any) -> str:
    """One cell of a table: counts whole, other numbers to four digits, nothing for nothing."""
    if any_value is None or (isinstance(any_value, float) and math.isnan(any_value)):
        return ""
    if isinstance(any_value, bool):
        return "yes" if any_value else "no"
    if isinstance(any_value, int):
        return f"{any_value:,}".replace("-", "−")
    if isinstance(any_value, float):
        tiny = 0 < abs(any_value) < 1e-4
        return f"{any_value:.1e}".replace("-", "−") if tiny else number(any_value, min(places(any_value, 4), 6))
    return str(any_value)


def short(v: float) -> str:
    """Three significant digits, never in powers of ten.

    >>> short(9532.1), short(0.04567)
    ('9,530', '0.0457')
    """
    return number(float(f"{v:.3g}"), min(places(v, 3), 9))


def p_value(p: float) -> str:
    """p < 0.001 for what is smaller."""
    if math.isnan(p):
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def seconds(s: float) -> str:
    """A span as people say it.

    >>> seconds(0.42), seconds(7.3), seconds(75), seconds(4000)
    ('0.4 s', '7.3 s', '75 s', '1 h 7 min')
    """
    if s < 10:
        return f"{s:.1f} s"
    if s < 120:
        return f"{s:.0f} s"
    return f"{s / 60:.0f} min" if s < 3600 else f"{s // 3600:.0f} h {s % 3600 / 60:.0f} min"


def said(name: str) -> str:
    """A metric's name in a sentence.

    >>> said("roc_auc"), said("log_loss")
    ('ROC AUC', 'log loss')
    """
    return METRICS.get(name, name.replace("_", " "))


METRICS = {
    "roc_auc": "ROC AUC", "average_precision": "average precision", "f1": "F1", "mcc": "MCC", "brier": "Brier score",
    "log_loss": "log loss", "macro_f1": "macro F1", "micro_f1": "micro F1", "macro_roc_auc": "macro ROC AUC",
    "macro_average_precision": "macro average precision", "hamming_loss": "Hamming loss",
    "rmse": "RMSE", "mae": "MAE", "median_ae": "median absolute error", "r2": "R²", "mape": "MAPE", "rmsle": "RMSLE",
    "smape": "sMAPE", "mase": "MASE",
}
