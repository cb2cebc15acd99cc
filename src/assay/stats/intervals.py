"""A value and its doubt: the interval that fits the kind of the metric.

    proportion    Wilson score; with the effective number of cases where they hang together
    mean          Student's t, bent by the skewness (Hall 1992), on the scale of the logarithm where nothing is below 0
    statistic     the same through the metric's link, with its curvature; on the logit scale where it counts answers
    rank          DeLong (ROC AUC) or infinitesimal jackknife on the logit scale
    pairwise      subsampling of units
    no terms      bootstrap of the table, subsampling beyond 2,000 units

Cases that share a unit are summed first, moments in time are taken in blocks (expand.py). `Estimate.method` says what
was used, and what was done where data were too few or too alike. How often each holds: benchmarks/coverage.py.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from assay.contract import Array, Estimate, Metric, Table
from assay.errors import UserError
from assay.stats.expand import Expansion, expansion, linear, quantile, spread
from assay.stats.resample import Sample, redraws, value_of

NORMAL = NormalDist()
_FEWEST, _FEW_UNITS, _MANY_UNITS = 4, 30, 2_000
_FEW_OF_A_CLASS = 5
_GROUPS, _MANY_CASES = 20, 2_000     # of the jackknife that finds the bias of an average precision
_SIGNED = frozenset({"mcc"})        # counts answers and may be negative


def estimate(metric: Metric, outcomes: Table, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """The metric on the outcomes, with an interval at `level`. Its `n` counts independent units, or for a
    proportion of some of the cases, such as recall, the cases that count.

    Never raises for what the data are: with too little to go on the interval is wide or a point, and
    `method` says so. low <= value <= high; a bound is NaN only where the value is. The value is NaN where
    the metric is undefined. Raises UserError unless 0 < level < 1.

    >>> import polars as pl
    >>> from assay.metrics import lookup
    >>> seen = pl.DataFrame({"target.positive": [True] * 20, "out.positive": [True] * 20})
    >>> e = estimate(lookup("binary", "accuracy"), seen)
    >>> print(e, "|", e.method)
    1 [0.8389, 1] | Wilson score; only 20 units
    """
    normal_quantile(level)
    if outcomes.height == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, "no cases", level)
    sample = Sample.of(outcomes, level, seed)
    if metric.terms is None:
        return _without_terms(metric, outcomes, sample)
    terms = metric.terms(outcomes)
    value = float(value_of(metric, terms.mean(axis=0)))
    if not math.isfinite(value):
        return _undefined(metric, sample)
    if metric.kind == "proportion":
        return _proportion(terms, value, sample)
    if metric.kind == "rank":
        return _rank(metric, terms[:, 0], outcomes, sample)
    return _smooth(metric, terms, outcomes, sample)


def wilson(hits: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Score interval (low, high) of a proportion hits / n, inside [0, 1]; all of it where n is 0.

    (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), with p = hits / n. hits and n need not be whole.
    Wilson (1927), JASA 22(158); recommended by Newcombe (1998), Statistics in Medicine 17(8).

    >>> [round(x, 4) for x in wilson(20, 20)]
    [0.8389, 1.0]
    """
    if n <= 0:
        return 0.0, 1.0
    share, z2 = hits / n, normal_quantile(level) ** 2
    middle = share + z2 / (2 * n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    return (0.0 if hits <= 0 else max(low, 0.0)), (1.0 if hits >= n else min(high, 1.0))


def logit_interval(value: float, error: float, *, t: float) -> tuple[float, float]:
    """Interval (low, high) of a value strictly between 0 and 1 with standard error `error`, inside (0, 1).

    logit(value) ± t error / (value (1 - value)), mapped back. Pepe (2003), section 5.2, for the ROC AUC.

    >>> [round(x, 4) for x in logit_interval(0.9, 0.03, t=1.96)]
    [0.824, 0.9453]
    """
    middle = math.log(value / (1 - value))
    half = t * error / (value * (1 - value))
    return _expit(middle - half), _expit(middle + half)


def percentile(draws: Array, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Quantiles (low, high) of bootstrap draws (r,), moved outwards for few units n.

    The tail is Phi(-sqrt(n / (n-1)) t), with t the quantile of Student's t with n - 1 degrees of freedom,
    which mends the narrowness of the plain percentile interval. Hesterberg (2015), American Statistician 69(4).

    >>> [round(x, 2) for x in percentile(np.arange(1001.0), 1000)]
    [24.8, 975.2]
    """
    tail = NORMAL.cdf(-widened(level, n))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def normal_quantile(level: float) -> float:
    """z of a two-sided interval: 1.96 for level 0.95. Raises UserError unless 0 < level < 1."""
    if not 0 < level < 1:
        raise UserError(f"an interval was asked for at level {level!r}; wanted a number between 0 and 1, such as 0.95")
    return NORMAL.inv_cdf((1 + level) / 2)


def widened(level: float, n: int) -> float:
    """sqrt(n / (n-1)) t at n - 1 degrees of freedom, in place of z. 1.96 for large n at level 0.95."""
    if n > _MANY_UNITS:
        return normal_quantile(level)
    from scipy.special import stdtrit

    n = max(n, 2)
    return float(math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2))


def smallest_class(outcomes: Table) -> int | None:
    """How many cases the rarest class has, over every target there is; None where no target names classes."""
    names = [c for c in outcomes.columns if c.startswith("target.")]
    if names:
        yes = [int(outcomes[c].cast(int).sum() or 0) for c in names]
        return min(min(k, outcomes.height - k) for k in yes)
    if "target" not in outcomes.columns or outcomes["target"].dtype.is_numeric():
        return None
    return int(np.min(outcomes["target"].unique_counts().to_numpy()))


# --- one function a kind ---------------------------------------------------------------------------


def _proportion(terms: Array, value: float, sample: Sample) -> Estimate:
    """Terms (n, 1) of hits, or (n, 2) of hits and of the cases that count.

    Where cases hang together, as if there were v (1 - v) / error² (z / t)² of them, at most those there are.
    Korn & Graubard (1998), Survey Methodology 24(2); with Wilson's interval: Dean & Pagano (2015), JSSAM 3(4)."""
    counts = terms[:, 1] if terms.shape[1] > 1 else np.ones(len(terms))
    n = float(counts.sum())
    method = "Wilson score" if n else "Wilson score: no case counts, so nothing is known"
    worth = n
    if n and (sample.moments is not None or not sample.distinct):
        found = spread((terms[:, 0] - value * counts) * (len(terms) / n), sample)
        if sample.distinct and found.block == 1:
            pass
        elif found.error > 0:
            stretch = quantile(sample.level, found.freedom) / normal_quantile(sample.level)
            worth = min(n, value * (1 - value) / (found.error * stretch) ** 2)
            method = f"Wilson score over {worth:.0f} effective cases" + hangs(sample, found.block)
        else:
            worth = min(n, sample.units)
            method = f"Wilson score over {worth:.0f} units"
    low, high = wilson(value * worth, worth, level=sample.level)
    return _noted(Estimate(value, min(low, value), max(high, value), int(n), method, sample.level))


def _rank(metric: Metric, pseudo: Array, outcomes: Table, sample: Sample) -> Estimate:
    value = float(pseudo.mean())
    found = linear(pseudo - value, value, sample)
    rarest = smallest_class(outcomes)
    few = "target.positive" in outcomes.columns and rarest is not None and rarest < _FEW_OF_A_CLASS
    if few or found.error <= 1e-12 or not 0 < value < 1:
        return _bounded(value, rarest, "few of one class" if few else "ranked without variation", sample)
    name = "DeLong" if metric.name.endswith("roc_auc") else "infinitesimal jackknife"
    bias = 0.0 if name == "DeLong" else _jackknife_bias(metric, outcomes, pseudo, sample)
    ends = logit_interval(min(max(value - bias, value / 2), (1 + value) / 2), found.error,
                          t=quantile(sample.level, found.freedom))
    return _within(value, ends, f"{name}, logit{hangs(sample, found.block)}", sample)


def _jackknife_bias(metric: Metric, outcomes: Table, pseudo: Array, sample: Sample) -> float:
    """(g - 1) (mean of the values without one of g groups - value), 0 where there are so many cases that it is small.

    Groups are runs of moments, or whole units dealt out in the order of what they add, so that groups are alike.
    Quenouille (1956), Biometrika 43(3/4)."""
    groups = min(_GROUPS, sample.units)
    if len(pseudo) > _MANY_CASES or groups < 2:
        return 0.0
    if sample.moments is not None and sample.nested:
        group = sample.moments * groups // (int(sample.moments.max()) + 1)
    else:
        adds = np.bincount(sample.codes, weights=pseudo - pseudo.mean()).round(9)
        group = (np.argsort(np.argsort(adds, kind="stable")) % groups)[sample.codes]
    without = np.array([metric.fn(outcomes[np.flatnonzero(group != g)]) for g in range(groups)])
    return float((groups - 1) * (without.mean() - pseudo.mean())) if np.isfinite(without).all() else 0.0


def _smooth(metric: Metric, terms: Array, outcomes: Table, sample: Sample) -> Estimate:
    link = metric.link or _first
    found = expansion(terms, link, sample, counts=terms.dtype == bool)
    share = metric.kind == "proportion" or terms.dtype == bool
    perfect = share and abs(found.value - 1) < 1e-12        # every case right: numeric slopes do not cancel to the end
    if found.error == 0 or perfect:
        return _still_share(metric, found.value, outcomes, sample) if share else _point(found.value, sample)
    ends, scale = _scaled(metric, terms, found, sample.level)
    return _within(found.value, ends, f"skewness-adjusted t{scale}{hangs(sample, found.block)}", sample)


def _scaled(metric: Metric, terms: Array, found: Expansion, level: float) -> tuple[tuple[float, float], str]:
    """The ends on the scale that suits the range of the metric, and what that is called."""
    v = found.value
    if terms.dtype == bool and metric.name in _SIGNED and -1 < v < 1:
        below, above = found.on(1 / (1 - v * v), 2 * v / (1 - v * v) ** 2).ends(level)
        return (math.tanh(math.atanh(v) + below), math.tanh(math.atanh(v) + above)), ", Fisher z"
    if terms.dtype == bool and metric.name not in _SIGNED and 0 < v < 1:
        below, above = found.on(1 / (v * (1 - v)), (2 * v - 1) / (v * (1 - v)) ** 2).ends(level)
        middle = math.log(v / (1 - v))
        return (_expit(middle + below), _expit(middle + above)), ", logit"
    if v > 0 and not metric.higher_is_better and not (terms < 0).any():
        below, above = found.on(1 / v, -1 / v**2).ends(level)
        return (v * math.exp(max(below, -700.0)), v * math.exp(min(above, 700.0))), ", log"
    below, above = found.ends(level)
    return (v + below, v + above), ""


def hangs(sample: Sample, block: int) -> str:
    """What hangs together, in words."""
    unit = "" if sample.distinct or (block and sample.nested) else ", summed by unit"
    return unit + (f", moments in blocks of {block}" if block else "")


def _without_terms(metric: Metric, outcomes: Table, sample: Sample) -> Estimate:
    value = float(metric.fn(outcomes))
    if not math.isfinite(value):
        return _undefined(metric, sample)
    if metric.kind == "proportion" and sample.distinct:
        return _within(value, wilson(value * sample.units, sample.units, level=sample.level), "Wilson score", sample)
    if sample.units < _FEWEST:
        return _point(value, sample)
    subsample = subsamples(metric, sample)
    deviations = redraws(lambda rows: float(metric.fn(outcomes[rows])), sample, subsample=subsample)
    if still(deviations):
        return _point(value, sample)
    ends = around(value, deviations, sample, basic=subsample)
    return _within(value, ends, ("subsampling" if subsample else "bootstrap, percentile") + hangs(sample, sample.block),
                   sample)


def subsamples(metric: Metric, sample: Sample) -> bool:
    """Whether a metric without terms is subsampled: pairwise ones always, others beyond 2,000 units."""
    return metric.kind == "pairwise" or sample.units > _MANY_UNITS


def around(value: float, deviations: Array, sample: Sample, *, basic: bool) -> tuple[float, float]:
    """(low, high) from deviations (r,): value + their quantiles, or for subsampling value - their quantiles."""
    low, high = percentile(deviations, sample.pieces, level=sample.level)
    return (value - high, value - low) if basic else (value + low, value + high)


# --- where the data cannot say --------------------------------------------------------------------


def still(draws: Array) -> bool:
    """Whether draws show no variation beyond rounding."""
    return len(draws) < 2 or bool(np.ptp(draws) <= 1e-12 * max(1.0, float(np.abs(draws).max())))


def _still_share(metric: Metric, value: float, outcomes: Table, sample: Sample) -> Estimate:
    """Every resample gave the same: all right or all wrong among a few is no proof, a constant answer is constant."""
    if not (0 <= value <= 1 and (sample.units == 1 or value in (0.0, 1.0))):
        return _point(value, sample)
    rarest = None if metric.kind == "proportion" else smallest_class(outcomes)
    return _bounded(value, rarest, "resampling shows no variation", sample)


def _bounded(value: float, rarest: int | None, why: str, sample: Sample) -> Estimate:
    """Wilson's interval as if the value were a proportion of the units, or of the rarest class if that is smaller.

    Wide on purpose: the variance of an ROC AUC is at most A (1 - A) / min(positives, negatives); Van Dantzig (1951)."""
    n = max(1, min(sample.units, sample.units if rarest is None else rarest))
    return _within(value, wilson(value * n, n, level=sample.level), f"Wilson score over {n}: {why}", sample)


def _point(value: float, sample: Sample) -> Estimate:
    why = "one unit" if sample.units == 1 else f"no variation over {sample.units} units"
    return Estimate(value, value, value, sample.units, f"{why}: no interval can be given", sample.level)


def _undefined(metric: Metric, sample: Sample) -> Estimate:
    """A rank metric that is undefined may be anything from 0 to 1; of others nothing is known."""
    low, high = (0.0, 1.0) if metric.kind == "rank" else (math.nan, math.nan)
    return Estimate(math.nan, low, high, sample.units, f"{metric.name} is undefined on these cases", sample.level)


def _within(value: float, ends: tuple[float, float], method: str, sample: Sample) -> Estimate:
    low, high = ends
    return _noted(Estimate(value, min(low, value), max(high, value), sample.units, method, sample.level))


def _noted(e: Estimate) -> Estimate:
    return replace(e, method=f"{e.method}; only {e.n} units") if 0 < e.n < _FEW_UNITS else e


def _first(means: Array) -> Array:
    return np.asarray(means[..., 0])


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
