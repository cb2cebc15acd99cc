"""What each case adds to a value, and how far the value is from being normally distributed.

A value that is a function of means is, near the truth, a sum over cases plus a small curved rest. The sum gives
the standard error, whatever hangs together; skewness and curvature bend the interval. Nothing is drawn at random.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from assay.contract import Array
from assay.stats.resample import Sample
from assay.stats.serial import block_sums, long_run

Link = Callable[[Array], Array]

_STEP = 0.01            # of the derivatives, in standard errors
_FAR = 2.0              # beyond it a correction says that there are too few cases to correct
_MANY = 200_000         # entries of the terms that their covariance is found from


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a mean of n deviations: its standard error, a sixth of its skewness, the degrees of freedom of the error, and
    how long the blocks of moments were that it was found from (0: not in time)."""

    error: float
    skew: float
    freedom: float
    block: int = 0


def spread(deviations: Array, sample: Sample) -> Spread:
    """Of the mean of deviations (n,) whose sum is 0, summed within units first: sqrt(sum_u D_u²) / n with
    D_u = their sum in u / (1 - n_u / n), for a large unit draws the mean to itself (Bell & McCaffrey 2002, Survey
    Methodology 28(2), the jackknife form). The degrees of freedom are Satterthwaite's.

    In time, the sums at each moment are taken in blocks (`serial.long_run`). Where units have several moments, what
    is alike in a unit and what is alike in time are both counted: V_unit + V_time - V_case, at least the larger of
    the first two. Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29(2).
    For ROC AUC with a unit a case this is DeLong's; with larger units Obuchowski's (1997), Biometrics 53(2)."""
    n = len(deviations)
    sums = deviations if sample.distinct else _by_unit(deviations, sample)
    by_unit = float((sums**2).sum())
    of_units = _freedom(sums) if sample.distinct else min(_freedom(sums), _freedom_of_sizes(deviations, sums, sample))
    if sample.moments is None:
        return Spread(math.sqrt(by_unit) / n, _skew(sums, by_unit), of_units)
    in_time = np.bincount(sample.moments, weights=deviations)
    variance, block = long_run(in_time)
    blocks = block_sums(in_time, block)
    freedom = max(1.0, _freedom(blocks) / block)
    skew = _skew(blocks / block ** (1 / 3), variance)
    if not sample.nested:
        both = by_unit + variance - float((deviations**2).sum())
        variance, freedom = max(by_unit, variance, both), min(freedom, of_units)
    return Spread(math.sqrt(variance) / n, skew, freedom, block)


def _by_unit(deviations: Array, sample: Sample) -> Array:
    """Sums (units,), each over 1 - its share of the cases: as if it were left out (the jackknife)."""
    sizes = np.bincount(sample.codes, minlength=sample.units)
    sums = np.bincount(sample.codes, weights=deviations, minlength=sample.units)
    return np.asarray(sums / np.maximum(1 - sizes / len(deviations), 1 / sample.units))


def _freedom_of_sizes(deviations: Array, sums: Array, sample: Sample) -> float:
    """(sum_u v_u)² / sum_u v_u² with v_u = n_u (1 + (n_u - 1) r), r the correlation within units: what a few large
    units leave, even where their sums happen to be alike. As Imbens & Kolesár (2016), REStat 98(4)."""
    sizes = np.bincount(sample.codes, minlength=sample.units).astype(float)
    beside = float((sizes**2).sum()) / len(deviations) - 1
    alone = float((deviations**2).sum())
    alike = (float((sums**2).sum()) / alone - 1) / beside if alone > 0 and beside > 0 else 0.0
    variance = sizes * (1 + (sizes - 1) * min(max(alike, 0.0), 1.0))
    return float(variance.sum() ** 2 / (variance**2).sum())


def _freedom(sums: Array) -> float:
    """Of a variance found as the mean of squares: 2 n / (kurtosis - (n - 3) / (n - 1)), at most n - 1."""
    n, second = len(sums), float((sums**2).mean())
    if n < 3 or second <= 0:
        return max(1.0, n - 1)
    kurtosis = float((sums**4).mean()) / second**2
    return min(n - 1, 2 * n / max(kurtosis - (n - 3) / (n - 1), 1e-9))


def _skew(sums: Array, variance: float) -> float:
    return float((sums**3).sum()) / variance**1.5 / 6 if variance > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Expansion:
    """A value, its standard error, and the first cumulants of t = (value - truth) / error.

    shift: its mean; bend: -1/6 of its third cumulant; freedom: of Student's t that stands for the normal.
    With a = skewness / 6, c the curvature along the steepest direction and b the bias in standard errors:
    shift = b - 3 a - 2 c, bend = 2 a + c. Notation of DiCiccio & Efron (1992), Biometrika 79(2)."""

    value: float
    error: float
    shift: float
    bend: float
    freedom: float
    block: int = 0

    def on(self, slope: float, curve: float) -> Expansion:
        """The same on another scale, whose first and second derivative at the value are given. `value` is kept."""
        c = curve / slope * self.error / 2
        return replace(self, error=self.error * slope, shift=self.shift - c, bend=self.bend + c)

    def ends(self, level: float) -> tuple[float, float]:
        """How far (below, above) the value the interval at `level` goes.

        t is made nearly normal by the cubic g(t) = t - shift - bend + bend t² + bend² t³ / 3, which rises
        everywhere, and its quantiles are put back. Hall (1992), "On the removal of skewness by transformation",
        JRSS B 54(1)."""
        x = quantile(level, self.freedom)
        return -self.error * self._untwisted(x), -self.error * self._untwisted(-x)

    def p(self) -> float:
        """Two-sided, of a true value of 0: `ends` inverted."""
        t, bend = self.value / self.error, self.bend
        return tails(t - self.shift - bend + bend * t**2 + bend**2 * t**3 / 3, self.freedom)

    def _untwisted(self, x: float) -> float:
        moved = x + self.shift + self.bend
        if abs(self.bend) < 1e-6:
            return moved
        return float(np.cbrt(1 + 3 * self.bend * moved) - 1) / self.bend


def linear(deviations: Array, value: float, sample: Sample) -> Expansion:
    """A value that is the sum of what cases add, to first order: without bends."""
    found = spread(deviations, sample)
    return Expansion(value, found.error, 0.0, 0.0, found.freedom, found.block)


def expansion(terms: Array, link: Link, sample: Sample, *, counts: bool = False) -> Expansion:
    """Of link(means of the terms (n, k)), by derivatives of `link` in steps of a part of a standard error.

    counts: the terms are yes or no, so the variance follows from their means and the normal needs no Student's t. Not
    so for a difference, which hangs on the few cases that two models answer differently."""
    n, means = len(terms), terms.mean(axis=0)
    value, scale = float(link(means)), terms.std(axis=0) / math.sqrt(n)
    slope = _slope(link, means, scale)
    deviations = terms @ slope if terms.shape[1] > 1 else terms[:, 0] * slope[0]
    deviations = deviations - deviations.mean()
    unbiased = math.sqrt(n / max(n - 1, 1)) if sample.distinct else 1.0
    found = spread(unbiased * deviations, sample)
    if counts and sample.distinct and not found.block:
        found = replace(found, freedom=math.inf)
    if found.error <= 1e-12 * max(1.0, abs(value)):
        return Expansion(value, 0.0, 0.0, 0.0, found.freedom, found.block)
    wider = found.error / (float(deviations.std()) / math.sqrt(n))  # than if cases did not hang together
    part = (terms[::max(1, terms.size // _MANY)] - means) * wider / math.sqrt(n)
    curve, bias = _curved(link, means, part.T @ part / len(part), slope, scale)
    shift = np.clip(bias / found.error - 3 * found.skew - 2 * curve / found.error, -_FAR, _FAR)
    bend = np.clip(2 * found.skew + curve / found.error, -_FAR, _FAR)
    return Expansion(value, found.error, float(shift), float(bend), found.freedom, found.block)


def _curved(link: Link, means: Array, covariance: Array, slope: Array, scale: Array) -> tuple[float, float]:
    """Half the second derivative along the steepest direction, and half its sum over all: the bias.

    In units of the value, for steps of a standard error. covariance (k, k): of the means."""
    square = float(slope @ covariance @ slope)
    along = covariance @ slope / math.sqrt(square) if square > 1e-200 else np.zeros_like(slope)
    share, axes = np.linalg.eigh(covariance)
    axes[scale == 0] = 0.0                                          # what never occurs stays away, to the last digit
    steps = np.vstack([along, (axes * np.sqrt(np.maximum(share, 0.0))).T])
    second = _second(link, means, steps) / 2
    return float(second[0]), float(second[1:].sum())


def _slope(link: Link, means: Array, scale: Array) -> Array:
    step = np.diag(_STEP * scale)
    with np.errstate(invalid="ignore", divide="ignore"):
        rise = (link(means + step) - link(means - step)) / (2 * _STEP * scale)
    return np.where((scale > 0) & np.isfinite(rise), rise, 0.0)


def _second(link: Link, means: Array, directions: Array) -> Array:
    """Second derivatives (r,) along directions (r, k)."""
    step = _STEP * directions
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found = (link(means + step) - 2 * link(means) + link(means - step)) / _STEP**2
    return np.where(np.isfinite(found), found, 0.0)


def quantile(level: float, freedom: float) -> float:
    """Of Student's t, two-sided.

    >>> round(quantile(0.95, 5), 3), round(quantile(0.95, math.inf), 3)
    (2.571, 1.96)
    """
    from scipy.special import stdtrit

    return float(stdtrit(min(max(freedom, 1.0), 1e9), (1 + level) / 2))


def tails(t: float, freedom: float) -> float:
    """The chance that Student's t is at least as far from 0."""
    from scipy.special import stdtr

    return float(min(1.0, 2 * stdtr(min(max(freedom, 1.0), 1e9), -abs(t))))
