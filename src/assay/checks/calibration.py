"""Does 0.8 mean eight times in ten? Reliability diagram and expected calibration error."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.columns import binary, classes, quantile_bins
from assay.contract import Array, Chart, Finding, Metric, Series, Table
from assay.stats.intervals import wilson

CHECK = "outcomes.calibration"
BINS, IN_A_BIN = 10, 25
FEWEST = 50
DRAWS = 2_000


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:  # noqa: ARG001 - the signature of all checks
    """Probabilities against what happened, in bins of equal counts.

    The expected calibration error is the mean over cases of |mean said - share seen| of their bin
    (Naeini, Cooper & Hauskrecht 2015, with quantile bins). It is above zero for a perfect model too, so it is
    held against errors drawn as if each p were true (consistency resampling, Bröcker & Smith 2007)."""
    pair, what = binary(outcomes), "of the class looked for"
    if pair is None:
        pair, what = _top_label(outcomes), "that the model gave to its answer"
    if pair is None:
        return lacked(CHECK, "probabilities and the true class (out.p with target.positive, or out.p.<class>)")
    p_N, hit_N = pair
    if len(p_N) < FEWEST:
        return lacked(CHECK, f"at least {FEWEST} cases with a probability; there are {len(p_N)}")
    return _finding(_binned(p_N, hit_N), p_N, what)


def _top_label(outcomes: Table) -> tuple[Array, Array] | None:
    """(p_N, hit_N): the largest probability of each case, and whether that class was the true one."""
    p_NK, names = classes(outcomes)
    if not names or "target" not in outcomes.columns:
        return None
    top = p_NK.argmax(axis=1)
    hit = np.array(names)[top] == outcomes["target"].cast(pl.String).to_numpy()
    return p_NK[np.arange(len(top)), top], hit.astype(float)


def _binned(p_N: Array, hit_N: Array) -> Table:
    """One row a bin: n, said (mean p), seen (share), low, high, spread (variance of `seen` if p were true)."""
    number = quantile_bins(p_N, max(2, min(BINS, len(p_N) // IN_A_BIN)))
    rows = pl.DataFrame({"bin": number, "p": p_N, "hit": hit_N, "v": p_N * (1 - p_N)})
    bins = rows.group_by("bin").agg(
        n=pl.len(), said=pl.col("p").mean(), seen=pl.col("hit").mean(), hits=pl.col("hit").sum(), v=pl.col("v").sum()
    ).sort("bin")
    ends = [wilson(int(k), int(n)) for k, n in zip(bins["hits"], bins["n"], strict=True)]
    return bins.select(
        "n", "said", "seen", pl.Series("low", [e[0] for e in ends]), pl.Series("high", [e[1] for e in ends]),
        spread=pl.col("v") / pl.col("n") ** 2,
    )


def _finding(bins: Table, p_N: Array, what: str) -> Finding:
    n_B, said_B, seen_B = (bins[c].to_numpy() for c in ("n", "said", "seen"))
    share_B = n_B / n_B.sum()
    ece = float(share_B @ np.abs(said_B - seen_B))
    draws = np.random.default_rng(0).normal(size=(DRAWS, len(n_B))) * np.sqrt(bins["spread"].to_numpy())
    by_luck = np.abs(draws) @ share_B
    chance = float((1 + (by_luck >= ece).sum()) / (1 + DRAWS))
    bias = float(share_B @ (said_B - seen_B))
    off = chance < 0.01 and ece > 0.02
    numbers = {"ece": ece, "ece_if_calibrated": float(by_luck.mean()), "p": chance, "bias": bias, "n": len(p_N)}
    return Finding(CHECK, "warn" if off else "ok", _sentence(numbers, off), numbers, bins.drop("spread"),
                   (_chart(bins, what),))


def _sentence(numbers: dict[str, float], off: bool) -> str:
    gap = f"they are off by {numbers['ece'] * 100:.1f} points on average (expected calibration error)"
    luck = f"among {numbers['n']:,} cases chance alone would make {numbers['ece_if_calibrated'] * 100:.1f}"
    if not off:
        return f"The probabilities can be read as frequencies: {gap}, and {luck}."
    lean = "too high" if numbers["bias"] > 0 else "too low"
    said = f"Do not read the probabilities as frequencies: {gap}, where {luck}."
    points = abs(numbers["bias"]) * 100
    return said + (f" As a whole they are {lean} by {points:.1f} points." if points > 1 else "")


def _chart(bins: Table, what: str) -> Chart:
    said, seen, low, high = (tuple(bins[c].to_list()) for c in ("said", "seen", "low", "high"))
    return Chart(
        "Said and seen", "probability said", "share seen",
        (Series("as it should be", (0.0, 1.0), (0.0, 1.0), quiet=True),
         Series("bins of equal size, 95% intervals", said, seen, low, high, mark="point")),
        note=f"Each dot: an equal share of the cases, by the probability {what}.",
        x_range=(0.0, 1.0), y_range=(0.0, 1.0),
    )
