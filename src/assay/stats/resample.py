"""Drawing again: what is drawn is always a whole unit of resampling, never a lone case of it.

Where a metric is a function of means of per-case terms, a resample is a row of weights and a
thousand resamples are one matrix product with the sums by unit. Weights are integers drawn
from a seed, so two models that answer the same cases meet the same resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from assay.contract import Array, Metric, Table
from assay.stats.serial import FEWEST_MOMENTS, shortest_block

RESAMPLES = 1_000
MOST_UNITS = 4_000      # beyond this, units are pooled at random: the work stays bounded
_CHUNK = 250


def unit_codes(outcomes: Table) -> tuple[Array, int]:
    """Integer codes (n,) of the column `unit`, from 0, and how many units there are.

    Without that column each case is a unit of its own. Cases whose unit is null share one.

    >>> import polars as pl
    >>> codes, units = unit_codes(pl.DataFrame({"unit": ["b", "a", "b"]}))
    >>> codes.tolist(), units
    ([1, 0, 1], 2)
    """
    n = outcomes.height
    if "unit" not in outcomes.columns or outcomes["unit"].n_unique() == n:
        return np.arange(n), n
    ranks = outcomes["unit"].rank("dense").fill_null(0).to_numpy()
    codes = ranks.astype(np.int64) - int(ranks.min())
    return codes, int(codes.max()) + 1


@dataclass(frozen=True, slots=True)
class Sample:
    """What an interval is made over: codes (n,) of the units, how many there are, and what was asked for.

    moments (n,): codes of the moments from 0 in the order of time, where that is known and there are enough of them.
    nested: whether each unit has one moment only, so that moments hold all that hangs together."""

    codes: Array
    units: int
    level: float
    seed: int
    moments: Array | None = None
    nested: bool = True

    @classmethod
    def of(cls, outcomes: Table, level: float, seed: int) -> Sample:
        codes, units = unit_codes(outcomes)
        moments = _moments(outcomes)
        if moments is None:
            return cls(codes, units, level, seed)
        first = np.zeros(units, np.int64)
        first[codes] = moments
        return cls(codes, units, level, seed, moments, bool((first[codes] == moments).all()))

    @property
    def distinct(self) -> bool:
        """Whether each case is a unit of its own."""
        return self.units == len(self.codes)

    @property
    def block(self) -> int:
        """How many moments are drawn in a row: 1.5 moments^(1/3); 0 where units are drawn."""
        return shortest_block(int(self.moments.max()) + 1) if self.moments is not None and self.nested else 0

    @property
    def pieces(self) -> int:
        """How many of what is drawn there are: units, or blocks of moments."""
        return (int(self.moments.max()) + 1) // self.block if self.moments is not None and self.block else self.units


def _moments(outcomes: Table) -> Array | None:
    if "moment" not in outcomes.columns:
        return None
    ranks = outcomes["moment"].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    ranks -= int(ranks.min())
    return ranks if ranks.max() + 1 >= FEWEST_MOMENTS else None


def pooled(codes: Array, units: int, *, seed: int, most: int = MOST_UNITS) -> tuple[Array, int]:
    """Codes (n,) of at most `most` groups, each a random set of whole units of nearly equal number.

    Sums over random groups have the variance and the skewness of sums over the units they hold, so
    resampling groups gives the same interval at a bounded cost. With 4,000 groups the standard error
    that comes out is known to about 1 %. The method of random groups: Wolter (2007), chapter 2.
    """
    if units <= most:
        return codes, units
    group = np.random.default_rng(seed).permutation(units) % most
    return np.asarray(group[codes]), most


def unit_sums(terms: Array, codes: Array, units: int) -> tuple[Array, Array]:
    """Sums by unit (units, k) of per-case terms (n, k), and the number of cases in each (units,).

    >>> sums, sizes = unit_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0]), 2)
    >>> sums.ravel().tolist(), sizes.tolist()
    ([5.0, 2.0], [2, 1])
    """
    sums = np.empty((units, terms.shape[1]))
    for j in range(terms.shape[1]):
        sums[:, j] = np.bincount(codes, weights=terms[:, j], minlength=units)
    return sums, np.bincount(codes, minlength=units)


@lru_cache(maxsize=2)
def weights(units: int, *, seed: int, resamples: int = RESAMPLES) -> Array:
    """How often each unit is drawn in each resample: (resamples, units), each row sums to `units`.

    The last two are kept (4 MB each at most), for every metric of a model asks for the same. Read-only.

    >>> weights(3, seed=0, resamples=2).sum(axis=1).tolist()
    [3, 3]
    """
    rng = np.random.default_rng(seed)
    drawn = np.empty((resamples, units), dtype=np.uint16)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        index = rng.integers(0, units, (rows, units)) + np.arange(0, rows * units, units)[:, None]
        drawn[start:start + rows] = np.bincount(index.ravel(), minlength=rows * units).reshape(rows, units)
    drawn.flags.writeable = False
    return drawn


def value_of(metric: Metric, means: Array) -> Array:
    """The metric's value (...) at means (..., k) of its terms."""
    return np.asarray(metric.link(means) if metric.link is not None else means[..., 0])


# --- metrics without terms: the table itself is drawn again -------------------------------------


def redraws(statistic: Callable[[Array], float], sample: Sample, *, subsample: bool) -> Array:
    """Deviations (r,) of `statistic`, a function of row numbers, on redrawn units from its value on the whole.

    Bootstrap: 400 draws of as many units with replacement. Subsampling (Politis & Romano 1994, Annals
    of Statistics 22(4)): 200 draws of b = units^0.7 of them without, whose deviations from the whole are
    scaled by sqrt(b / units), and by 1 / sqrt(1 - b / units) for drawing from a finite whole. Subsampling
    also holds where a case drawn twice would be its own neighbour. In time, moments are drawn in circular blocks
    (Politis & Romano 1992), or as one run of b moments; where units have several moments, units are drawn.
    """
    block, rng = sample.block, np.random.default_rng(sample.seed)
    codes, units = (sample.codes, sample.units) if sample.moments is None or not block else (
        sample.moments, int(sample.moments.max()) + 1)
    value = statistic(np.arange(len(sample.codes)))
    size = max(2, int(np.ceil(units**0.7))) if subsample else units
    scale = np.sqrt(size / units / (1 - size / units)) if subsample else 1.0
    members = None if units == len(codes) and not block else _members(codes, units)
    if block:
        drawn = (_blocks(rng, units, size, size if subsample else block) for _ in range(200 if subsample else 400))
    else:
        drawn = (rng.choice(units, size, replace=not subsample) for _ in range(200 if subsample else 400))
    found = np.array([statistic(rows) for rows in _rows(drawn, members)])
    return np.asarray((found[np.isfinite(found)] - value) * scale)


def _blocks(rng: np.random.Generator, moments: int, size: int, block: int) -> Array:
    """`size` moments in blocks of neighbours, the last followed by the first."""
    starts = rng.integers(0, moments, -(-size // block))
    return np.asarray(((starts[:, None] + np.arange(block)) % moments).ravel()[:size])


def _members(codes: Array, units: int) -> list[Array]:
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes, minlength=units))[:-1])


def _rows(drawn: Iterator[Array], members: list[Array] | None) -> Iterator[Array]:
    for units in drawn:
        yield units if members is None else np.concatenate([members[u] for u in units])
