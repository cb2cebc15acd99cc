"""A value and its doubt: the interval that fits the kind of the metric.

    proportion    Wilson score; cluster bootstrap where several cases share a unit
    mean          cluster bootstrap over units, BCa
    statistic     the same, through the metric's link
    rank          DeLong (ROC AUC) or infinitesimal jackknife on the logit scale, summed by unit
    pairwise      subsampling of units
    no terms      bootstrap of the table, subsampling beyond 2,000 units

`Estimate.method` says which was used, and what was done where data were too few or too alike.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from assay.contract import Array, Estimate, Metric, Table
from assay.errors import UserError
from assay.stats.resample import Sample, pooled, redraws, resampled_means, unit_sums, value_of

NORMAL = NormalDist()
_FEWEST, _FEW_UNITS, _MANY_UNITS = 4, 10, 2_000
_FEW_OF_A_CLASS = 5


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
    1 [0.8389, 1] | Wilson score
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
    if metric.kind == "proportion" and sample.distinct:
        return _proportion(terms, value, level)
    if metric.kind == "rank":
        return _rank(metric, terms[:, 0], outcomes, sample)
    return _bootstrap(metric, terms, outcomes, sample)


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


def logit_interval(value: float, error: float, *, level: float = 0.95) -> tuple[float, float]:
    """Interval (low, high) of a value strictly between 0 and 1 with standard error `error`, inside (0, 1).

    logit(value) ± z error / (value (1 - value)), mapped back. Pepe (2003), section 5.2, for the ROC AUC.

    >>> [round(x, 4) for x in logit_interval(0.9, 0.03)]
    [0.824, 0.9453]
    """
    middle = math.log(value / (1 - value))
    half = normal_quantile(level) * error / (value * (1 - value))
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


def bca(draws: Array, value: float, jackknife: Array, *, level: float = 0.95) -> tuple[float, float]:
    """Bias-corrected and accelerated interval (low, high) from draws (r,) and leave-one-unit-out values (u,).

    Quantiles of the draws at Phi(z0 + (z0 ± z) / (1 - a (z0 ± z))): z0 is the normal quantile of the share of
    draws below the value, a = sum d³ / (6 (sum d²)^1.5) with d = mean(jackknife) - jackknife; z is widened
    as in `percentile`. Where that is undefined the answer is `percentile`. Efron (1987), JASA 82(397).

    >>> rng = np.random.default_rng(0)
    >>> x = rng.exponential(size=50); draws = rng.choice(x, (1000, 50)).mean(axis=1)
    >>> [round(b, 2) for b in bca(draws, x.mean(), (x.sum() - x) / 49)]
    [0.83, 1.53]
    """
    below = float((draws < value).mean() + (draws == value).mean() / 2)
    d = jackknife.mean() - jackknife
    spread = float((d**2).sum())
    if not 0 < below < 1 or spread <= 0 or not np.isfinite(spread):
        return percentile(draws, len(jackknife), level=level)
    bias, speed = NORMAL.inv_cdf(below), float((d**3).sum()) / (6 * spread**1.5)
    z = widened(level, len(jackknife))
    moved = [(bias + s * z) / (1 - speed * (bias + s * z)) for s in (-1, 1) if speed * (bias + s * z) < 1]
    if len(moved) < 2:
        return percentile(draws, len(jackknife), level=level)
    low, high = np.quantile(draws, [NORMAL.cdf(bias + m) for m in moved])
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


def _proportion(terms: Array, value: float, level: float) -> Estimate:
    """Terms (n, 1) of hits, or (n, 2) of hits and of the cases that count."""
    hits = float(terms[:, 0].sum())
    n = int(terms[:, 1].sum()) if terms.shape[1] > 1 else len(terms)
    low, high = wilson(hits, n, level=level)
    method = "Wilson score" if n else "Wilson score: no case counts, so nothing is known"
    return Estimate(value, min(low, value), max(high, value), n, method, level)


def _rank(metric: Metric, pseudo: Array, outcomes: Table, sample: Sample) -> Estimate:
    value = float(pseudo.mean())
    error = standard_error(pseudo, sample)
    rarest = smallest_class(outcomes)
    few = "target.positive" in outcomes.columns and rarest is not None and rarest < _FEW_OF_A_CLASS
    if few or error <= 1e-12 or not 0 < value < 1:
        return _bounded(value, rarest, "few of one class" if few else "ranked without variation", sample)
    name = "DeLong" if metric.name.endswith("roc_auc") else "infinitesimal jackknife"
    how = "" if sample.distinct else ", summed by unit"
    return _within(value, logit_interval(value, error, level=sample.level), f"{name}, logit{how}", sample)


def standard_error(pseudo: Array, sample: Sample) -> float:
    """Of the mean of pseudo-values (n,), deviations summed within each unit first: sqrt(sum_u D_u²) / n.

    For ROC AUC with a unit a case this is DeLong's; with larger units Obuchowski's (1997), Biometrics 53(2),
    in its sandwich form."""
    deviations = pseudo - pseudo.mean()
    if not sample.distinct:
        deviations = np.bincount(sample.codes, weights=deviations, minlength=sample.units)
    return float(np.sqrt((deviations**2).sum()) / len(pseudo))


def _bootstrap(metric: Metric, terms: Array, outcomes: Table, sample: Sample) -> Estimate:
    value = float(value_of(metric, terms.mean(axis=0)))
    sums, sizes = unit_sums(terms, *pooled(sample.codes, sample.units, seed=sample.seed))
    draws = value_of(metric, resampled_means(sums, sizes, seed=sample.seed))
    draws = draws[np.isfinite(draws)]
    if still(draws):
        share = metric.kind == "proportion" or terms.dtype == bool
        return _still_share(metric, value, outcomes, sample) if share else _point(value, sample)
    name = "bootstrap" if sample.distinct else "cluster bootstrap"
    if sample.units < _FEW_UNITS:
        ends = percentile(draws, sample.units, level=sample.level)
        return _within(value, ends, f"{name}, percentile: only {sample.units} units", sample)
    left_out = value_of(metric, (sums.sum(axis=0) - sums) / (sizes.sum() - sizes)[:, None])
    return _within(value, bca(draws, value, left_out, level=sample.level), f"{name}, BCa", sample)


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
    return _within(value, ends, "subsampling" if subsample else "bootstrap, percentile", sample)


def subsamples(metric: Metric, sample: Sample) -> bool:
    """Whether a metric without terms is subsampled: pairwise ones always, others beyond 2,000 units."""
    return metric.kind == "pairwise" or sample.units > _MANY_UNITS


def around(value: float, deviations: Array, sample: Sample, *, basic: bool) -> tuple[float, float]:
    """(low, high) from deviations (r,): value + their quantiles, or for subsampling value - their quantiles."""
    low, high = percentile(deviations, sample.units, level=sample.level)
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
    return Estimate(value, min(low, value), max(high, value), sample.units, method, sample.level)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
