"""Two models on the same cases: the difference, its interval, and whether it can be told from nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.contract import Array, Estimate, Metric, Table
from assay.errors import DataError
from assay.stats.expand import Expansion, expansion, linear
from assay.stats.intervals import NORMAL, around, hangs, normal_quantile, still, subsamples
from assay.stats.resample import Sample, redraws, value_of

_SEEN_OFTEN, _FEWEST = 10, 4


@dataclass(frozen=True, slots=True)
class Difference:
    """a minus b, signed so that positive means a is better.

    p: of no difference, two-sided. tied: 0 is within the interval."""

    estimate: Estimate
    p: float
    tied: bool


def compare(metric: Metric, a: Table, b: Table, *, level: float = 0.95, seed: int = 0) -> Difference:
    """The difference of two models' values on the same cases, by pairs.

    Metrics with terms: the cluster bootstrap with the same weights for both, quantiles as in
    `intervals.percentile` and p by inverting them. Rank metrics: DeLong's (1988) test for paired ROC curves, on
    differences of pseudo-values summed by unit. Metrics without terms: the tables are redrawn together.
    Where one of the values is undefined the difference is NaN, p is 1 and it is a tie.
    Raises DataError unless both tables hold the same `case_id`s in the same order.

    >>> import polars as pl
    >>> from assay.metrics import lookup
    >>> cases = pl.DataFrame({"case_id": range(200), "target.positive": [True, False] * 100})
    >>> a = cases.with_columns(pl.Series("out.positive", ([True, False] * 9 + [True, True]) * 10))
    >>> b = cases.with_columns(pl.Series("out.positive", ([True, False] * 7 + [True, True] * 3) * 10))
    >>> found = compare(lookup("binary", "accuracy"), a, b)
    >>> round(found.estimate.value, 3), found.p < 0.001, found.tied
    (0.1, True, False)
    """
    normal_quantile(level)
    _same_cases(a, b)
    sample = Sample.of(a, level, seed)
    if a.height == 0:
        return _undefined(sample)
    if metric.terms is None:
        return _redrawn(metric, a, b, sample)
    if metric.kind == "rank":
        return _rank(metric, metric.terms(a)[:, 0] - metric.terms(b)[:, 0], sample)
    return _smooth(metric, metric.terms(a), metric.terms(b), sample)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in the order given: reject where one is at most α, and the chance of
    any false rejection stays at most α.

    The i-th smallest of m becomes the largest (m - j + 1) p_j over j <= i, at most 1.
    Holm (1979), Scandinavian Journal of Statistics 6(2).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    steps = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    adjusted = np.empty(len(p))
    adjusted[order] = steps
    return [float(x) for x in adjusted]


def holm_from_best(p_values: Sequence[float]) -> list[float]:
    """p-values of the best against each other one, adjusted for their number and for having picked the best.

    Who came out best among m was not known beforehand, so each comparison with it stands for all m (m - 1) / 2
    pairs. As in `holm`, with the pairs that remain: the i-th smallest p becomes the largest r (r - 1) / 2 p_j over
    j <= i, where r = m - j + 1 are still in question. With Holm's own factors the best of 12 equals leaves one
    of the others "behind" too often.

    >>> [round(p, 3) for p in holm_from_best([0.01, 0.04, 0.03])]
    [0.06, 0.09, 0.09]
    """
    p = np.asarray(p_values, dtype=float)
    order, left = np.argsort(p), np.arange(len(p) + 1, 1, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * left * (left - 1) / 2), 1.0)
    return [float(x) for x in adjusted]


def together(
    metric: Metric, ours: Sequence[Table], theirs: Sequence[Table], *, level: float = 0.95, seed: int = 0
) -> list[Difference]:
    """Comparisons that are read together: all of them hold at once at `level`.

    ours, theirs: the two tables of each comparison, as in `compare`. Each p is adjusted as in `holm`; each interval is
    drawn at 1 - α / f, with α = 1 - level and f the number of comparisons that Holm's procedure still had to allow for
    when it came to this one, so an interval holds 0 just where the adjusted p is above α."""
    plain = [compare(metric, a, b, level=level, seed=seed) for a, b in zip(ours, theirs, strict=True)]
    p, alpha = [d.p for d in plain], 1 - level
    adjusted, found = holm(p), []
    for i, difference in enumerate(plain):
        rejected = sum(q <= alpha for j, q in enumerate(adjusted) if (p[j], j) < (p[i], i))
        allowed = 1 - alpha / (len(plain) - rejected)
        wider = difference
        if allowed > level:
            wider = compare(metric, ours[i], theirs[i], level=allowed, seed=seed)
        found.append(Difference(wider.estimate, _on_its_side(adjusted[i], alpha, tied=wider.tied), wider.tied))
    return found


def _on_its_side(p: float, alpha: float, *, tied: bool) -> float:
    return max(p, alpha) if tied else min(p, alpha)


def _same_cases(a: Table, b: Table) -> None:
    for table in (a, b):
        if "case_id" not in table.columns:
            raise DataError(f"comparing two tables of outcomes: wanted a column 'case_id' in both; "
                            f"one has only {table.columns}.")
    if a.height != b.height or not a["case_id"].equals(b["case_id"]):
        raise DataError(
            f"comparing two tables of outcomes: their case_ids differ ({a.height} and {b.height} cases). "
            "Score both models on the same cases and keep the order."
        )


def _sign(metric: Metric) -> int:
    return 1 if metric.higher_is_better else -1


def _smooth(metric: Metric, terms_a: Array, terms_b: Array, sample: Sample) -> Difference:
    k = terms_a.shape[1]

    def gap(means: Array) -> Array:
        return np.asarray(_sign(metric) * (value_of(metric, means[..., :k]) - value_of(metric, means[..., k:])))

    both = np.column_stack([terms_a, terms_b])
    value = float(gap(both.mean(axis=0)))
    if not math.isfinite(value):
        return _undefined(sample)
    found = expansion(both, gap, sample)
    if both.dtype == bool:          # a handful of cases answered differently: their skewness misleads
        return _expanded(replace(found, shift=0.0, bend=0.0), "paired t", sample)
    return _expanded(found, "paired skewness-adjusted t", sample)


def _rank(metric: Metric, gaps: Array, sample: Sample) -> Difference:
    """gaps (n,): pseudo-values of a minus those of b."""
    value = float(gaps.mean())
    if not math.isfinite(value):
        return _undefined(sample)
    name = "paired DeLong" if metric.name.endswith("roc_auc") else "paired infinitesimal jackknife"
    return _expanded(linear(_sign(metric) * (gaps - value), _sign(metric) * value, sample), name, sample)


def _expanded(found: Expansion, name: str, sample: Sample) -> Difference:
    if found.error <= 1e-12:
        return _still(found.value, sample)
    below, above = found.ends(sample.level)
    return _difference(found.value, (found.value + below, found.value + above), found.p(),
                       name + hangs(sample, found.block), sample)


def _redrawn(metric: Metric, a: Table, b: Table, sample: Sample) -> Difference:
    def gap(rows: Array) -> float:
        return _sign(metric) * (float(metric.fn(a[rows])) - float(metric.fn(b[rows])))

    value = gap(np.arange(a.height))
    if not math.isfinite(value):
        return _undefined(sample)
    if sample.units < _FEWEST:
        return _still(value, sample)
    subsample = subsamples(metric, sample)
    deviations = redraws(gap, sample, subsample=subsample)
    if still(deviations):
        return _still(value, sample)
    ends = around(value, deviations, sample, basic=subsample)
    p = _p(value, value - deviations if subsample else value + deviations, sample.pieces)
    name = ("paired subsampling" if subsample else "paired bootstrap") + hangs(sample, sample.block)
    return _difference(value, ends, p, name, sample)


def _p(value: float, draws: Array, units: int) -> float:
    """Two-sided p by inverting `intervals.percentile`. Beyond what the draws can show, the normal tail goes on."""
    from scipy.special import stdtr

    beyond = int(min((draws <= 0).sum(), (draws >= 0).sum()))
    z = max(0.0, -NORMAL.inv_cdf((max(beyond, _SEEN_OFTEN) + 1) / (len(draws) + 1)))
    if beyond < _SEEN_OFTEN:
        z = max(z, abs(value) / float(draws.std()))
    n = max(units, 2)
    return float(min(1.0, 2 * stdtr(n - 1, -z * math.sqrt((n - 1) / n))))


def _still(value: float, sample: Sample) -> Difference:
    """Every resample says the same: the sign test, p = 2 / 2^n, with Clopper and Pearson's interval that fits it."""
    units = sample.units
    if abs(value) <= 1e-12:
        nothing = Estimate(0.0, 0.0, 0.0, units, "no difference in any resample", sample.level)
        return Difference(nothing, 1.0, True)
    share = ((1 - sample.level) / 2) ** (1 / units)
    p = min(1.0, 2 * 0.5 ** min(units, 1000))
    return _difference(value, (value * (2 * share - 1), value), p, "sign test: the same in every resample", sample)


def _difference(value: float, ends: tuple[float, float], p: float, method: str, sample: Sample) -> Difference:
    """p never contradicts the interval: they are inverses but for the steps between draws."""
    low, high = min(*ends, value), max(*ends, value)
    tied = low <= 0 <= high
    p = max(p, 1 - sample.level) if tied else min(p, 1 - sample.level)
    return Difference(Estimate(value, low, high, sample.units, method, sample.level), p, tied)


def _undefined(sample: Sample) -> Difference:
    nothing = Estimate(math.nan, math.nan, math.nan, sample.units, "undefined on these cases", sample.level)
    return Difference(nothing, 1.0, True)
