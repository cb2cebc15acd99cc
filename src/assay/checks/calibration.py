"""Does 0.8 mean eight times in ten? Reliability diagram, calibration error with chance taken out, Brier taken apart."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.columns import binary, classes, quantile_bins
from assay.contract import Array, Chart, Finding, Metric, Series, Table
from assay.stats.calibration import brier_decomposition, calibration_error
from assay.stats.intervals import wilson
from assay.stats.resample import unit_codes

CHECK = "outcomes.calibration"
BINS, IN_A_BIN = 10, 25
FEWEST = 50
DRAWS = 2_000
FEWEST_OF_A_CLASS = 20


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:  # noqa: ARG001 - the signature of all checks
    """Probabilities against what happened, in bins of equal counts.

    The expected calibration error is the mean over cases of |mean said - share seen| of their bin
    (Naeini, Cooper & Hauskrecht 2015, with quantile bins). It is above zero for a perfect model too, so it is
    held against errors drawn as if each p were true (consistency resampling, Bröcker & Smith 2007). Beside it stand
    the debiased root mean square error with its interval, the Brier score taken apart (stats/calibration.py), and
    for several classes, which are judged by the class answered, the class that is furthest off."""
    pair, what = binary(outcomes), "of the class looked for"
    if pair is None:
        pair, what = _top_label(outcomes), "that the model gave to its answer"
    if pair is None:
        return lacked(CHECK, "probabilities and the true class (out.p with target.positive, or out.p.<class>)")
    p_N, hit_N = pair
    if len(p_N) < FEWEST:
        return lacked(CHECK, f"at least {FEWEST} cases with a probability; there are {len(p_N)}")
    known = outcomes.height == len(p_N)
    unit_N, units = unit_codes(outcomes) if known else (np.arange(len(p_N)), len(p_N))
    more = _taken_apart(p_N, hit_N, None if units == len(p_N) else unit_N)
    worst = _furthest_off(outcomes) if "target.positive" not in outcomes.columns else {}
    return _finding(_binned(p_N, hit_N), p_N, what, {**more, **worst})


def _top_label(outcomes: Table) -> tuple[Array, Array] | None:
    """(p_N, hit_N): the largest probability of each case, and whether that class was the true one."""
    p_NK, names = classes(outcomes)
    if not names or "target" not in outcomes.columns:
        return None
    top = p_NK.argmax(axis=1)
    hit = np.array(names)[top] == outcomes["target"].cast(pl.String).to_numpy()
    return p_NK[np.arange(len(top)), top], hit.astype(float)


def _bins(p_N: Array) -> Array:
    return quantile_bins(p_N, max(2, min(BINS, len(p_N) // IN_A_BIN)))


def _taken_apart(p_N: Array, hit_N: Array, unit_N: Array | None) -> dict[str, Any]:
    """The debiased error with its interval, and the parts of the Brier score."""
    error, brier = calibration_error(p_N, hit_N, _bins(p_N), unit_N), brier_decomposition(p_N, hit_N, _bins(p_N))
    return {"rms_error": error.value, "rms_low": error.low, "rms_high": error.high,
            **{f"brier.{name}": value for name, value in asdict(brier).items()}}


def _furthest_off(outcomes: Table) -> dict[str, Any]:
    """Of several classes, each against the rest, the one with the largest debiased error.

    Its interval is drawn for as many looks as there are classes (Bonferroni)."""
    p_NK, names = classes(outcomes)
    truth = outcomes["target"].cast(pl.String).to_numpy()
    hits = {name: (truth == name).astype(float) for name in names}
    often = [k for k, name in enumerate(names) if FEWEST_OF_A_CLASS <= hits[name].sum() <= len(truth) - FEWEST]
    if len(often) < 2:
        return {}
    level = 1 - 0.05 / len(often)
    errors = {names[k]: calibration_error(p_NK[:, k], hits[names[k]], _bins(p_NK[:, k]), level=level) for k in often}
    worst = max(errors, key=lambda name: errors[name].value)
    return {"worst_class": worst, "worst_error": errors[worst].value, "worst_low": errors[worst].low,
            "worst_high": errors[worst].high}


def _binned(p_N: Array, hit_N: Array) -> Table:
    """One row a bin: n, said (mean p), seen (share), low, high, spread (variance of `seen` if p were true)."""
    rows = pl.DataFrame({"bin": _bins(p_N), "p": p_N, "hit": hit_N, "v": p_N * (1 - p_N)})
    bins = rows.group_by("bin").agg(
        n=pl.len(), said=pl.col("p").mean(), seen=pl.col("hit").mean(), hits=pl.col("hit").sum(), v=pl.col("v").sum()
    ).sort("bin")
    ends = [wilson(int(k), int(n)) for k, n in zip(bins["hits"], bins["n"], strict=True)]
    return bins.select(
        "n", "said", "seen", pl.Series("low", [e[0] for e in ends]), pl.Series("high", [e[1] for e in ends]),
        spread=pl.col("v") / pl.col("n") ** 2,
    )


def _finding(bins: Table, p_N: Array, what: str, more: dict[str, Any]) -> Finding:
    n_B, said_B, seen_B = (bins[c].to_numpy() for c in ("n", "said", "seen"))
    share_B = n_B / n_B.sum()
    ece = float(share_B @ np.abs(said_B - seen_B))
    draws = np.random.default_rng(0).normal(size=(DRAWS, len(n_B))) * np.sqrt(bins["spread"].to_numpy())
    by_luck = np.abs(draws) @ share_B
    chance = float((1 + (by_luck >= ece).sum()) / (1 + DRAWS))
    bias = float(share_B @ (said_B - seen_B))
    off = chance < 0.01 and ece > 0.02
    numbers = {"ece": ece, "ece_if_calibrated": float(by_luck.mean()), "p": chance, "bias": bias, "n": len(p_N), **more}
    return Finding(CHECK, "warn" if off else "ok", _sentence(numbers, off), numbers, bins.drop("spread"),
                   (_chart(bins, what),))


def _sentence(numbers: dict[str, Any], off: bool) -> str:
    gap = f"they are off by {numbers['ece'] * 100:.1f} points on average (expected calibration error)"
    luck = f"among {numbers['n']:,} cases chance alone would make {numbers['ece_if_calibrated'] * 100:.1f}"
    if not off:
        return f"The probabilities can be read as frequencies: {gap}, and {luck}.{_rest(numbers)}"
    lean = "too high" if numbers["bias"] > 0 else "too low"
    said = f"Do not read the probabilities as frequencies: {gap}, where {luck}."
    points = abs(numbers["bias"]) * 100
    return said + (f" As a whole they are {lean} by {points:.1f} points." if points > 1 else "") + _rest(numbers)


def _rest(numbers: dict[str, Any]) -> str:
    """What is left with chance taken out, and the class that is surely off."""
    left = (f" With chance taken out, {numbers['rms_error'] * 100:.1f} points are left ({numbers['rms_low'] * 100:.1f} "
            f"to {numbers['rms_high'] * 100:.1f}, root mean square).")
    if numbers.get("worst_low", 0.0) <= 0:
        return left
    off = f"{numbers['worst_error'] * 100:.1f} points"
    return f"{left} Class by class, {numbers['worst_class']} is furthest off: {off}."


def _chart(bins: Table, what: str) -> Chart:
    said, seen, low, high = (tuple(bins[c].to_list()) for c in ("said", "seen", "low", "high"))
    return Chart(
        "Said and seen", "probability said", "share seen",
        (Series("as it should be", (0.0, 1.0), (0.0, 1.0), quiet=True),
         Series("bins of equal size, 95% intervals", said, seen, low, high, mark="point")),
        note=f"Each dot: an equal share of the cases, by the probability {what}.",
        x_range=(0.0, 1.0), y_range=(0.0, 1.0),
    )
