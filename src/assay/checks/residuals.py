"""How far predicted numbers are from the truth, and where along the scale."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.columns import quantile_bins, values
from assay.contract import Array, Chart, Finding, Metric, Series, Table
from assay.report.figures import short

CHECK = "outcomes.residuals"
MOST_POINTS = 1_500
BINS = 10


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:  # noqa: ARG001 - the signature of all checks
    """Predicted against true, and the spread of the residuals (true minus predicted) along the prediction."""
    pair = values(outcomes)
    if pair is None:
        return lacked(CHECK, "a number answered and a true number (out.value and target)")
    said_N, true_N = pair
    if len(said_N) < 20:
        return lacked(CHECK, f"at least 20 cases; there are {len(said_N)}")
    left_N = true_N - said_N
    bins = _binned(said_N, left_N)
    bias, se = float(left_N.mean()), float(left_N.std(ddof=1) / np.sqrt(len(left_N)))
    numbers = {
        "bias": bias, "bias_se": se, "half_within": float(np.quantile(np.abs(left_N), 0.5)),
        "nine_in_ten_within": float(np.quantile(np.abs(left_N), 0.9)), "spread_ratio": _widening(bins),
        "n": len(left_N),
    }
    return Finding(CHECK, "ok", _sentence(numbers), numbers, bins, (_scatter(said_N, true_N), _spread(bins)))


def _binned(said_N: Array, left_N: Array) -> Table:
    rows = pl.DataFrame({"bin": quantile_bins(said_N, BINS), "said": said_N, "left": left_N})
    quantiles = {"q10": 0.1, "median": 0.5, "q90": 0.9}
    return rows.group_by("bin").agg(
        pl.col("said").mean().alias("predicted"), pl.len().alias("n"),
        *(pl.col("left").quantile(q, "linear").alias(name) for name, q in quantiles.items()),
    ).sort("bin").drop("bin")


def _widening(bins: Table) -> float:
    """Width of the middle 80 % in the last bin over that in the first."""
    width = (bins["q90"] - bins["q10"]).to_numpy()
    return float(width[-1] / width[0]) if width[0] > 0 else float("inf")


def _sentence(numbers: dict[str, float]) -> str:
    said = (f"Half of the predictions are within {short(numbers['half_within'])} of the truth, nine in ten within "
            f"{short(numbers['nine_in_ten_within'])}.")
    if abs(numbers["bias"]) > 3 * numbers["bias_se"]:
        said += f" On average they are {short(abs(numbers['bias']))} too {'low' if numbers['bias'] > 0 else 'high'}."
    if numbers["spread_ratio"] > 2:
        said += " Errors grow with the predicted value."
    return said


def _scatter(said_N: Array, true_N: Array) -> Chart:
    kept = np.random.default_rng(0).permutation(len(said_N))[:MOST_POINTS]
    low, high = float(min(said_N.min(), true_N.min())), float(max(said_N.max(), true_N.max()))
    note = f"{MOST_POINTS:,} of {len(said_N):,} cases, drawn at random." if len(said_N) > MOST_POINTS else ""
    return Chart(
        "Predicted and true", "predicted", "true",
        (Series("cases", tuple(_short(said_N[kept])), tuple(_short(true_N[kept])), mark="point"),
         Series("predicted = true", (low, high), (low, high), quiet=True)), note=note,
    )


def _spread(bins: Table) -> Chart:
    x, y, low, high = (tuple(bins[c].to_list()) for c in ("predicted", "median", "q10", "q90"))
    return Chart(
        "What is left over", "predicted", "true minus predicted",
        (Series("none", (x[0], x[-1]), (0.0, 0.0), quiet=True), Series("median, and the middle 80%", x, y, low, high)),
        note="In tenths of the cases, by predicted value.",
    )


def _short(values_N: Array) -> list[float]:
    """Five significant digits: what a picture can show."""
    return [float(f"{v:.5g}") for v in values_N.tolist()]
