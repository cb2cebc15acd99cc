"""How often the intervals hold the truth: every metric that ships, over designs where the truth is known.

    python benchmarks/coverage.py [--repeats 2000] [--only binary,regression] [--level 0.95] [--processes 2]

Tables of outcomes are simulated: few and many cases, rare classes, cases in units, cases in the order of time. The
truth is the metric on a million cases of the same design. `missed` are the shares of the intervals that lie wholly
above or below it; `width` is the median width. A star: the share that holds it is more than 1.5 % off.
"""

from __future__ import annotations

import argparse
import math
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import polars as pl
from scipy.signal import lfilter
from scipy.special import expit, ndtri

from assay.contract import Array, Metric, Table
from assay.metrics import FAMILIES
from assay.stats.intervals import estimate
from assay.stats.paired import compare

TRUTH_CASES = 1_000_000
BAND = 0.015
Rng = np.random.Generator
Draw = Callable[[Rng, int], Table]


# --- what cases share --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """How cases hang together. unit: how many share a unit (0: none), `uneven` sizes or all alike, sharing `alike` of
    their variance; memory: the AR(1) coefficient from one moment to the next (0 with `timed`: none)."""

    unit: int = 0
    alike: float = 0.3
    uneven: bool = False
    memory: float = 0.0
    timed: bool = False

    def units(self, rng: Rng, n: int) -> Array:
        if not self.unit:
            return np.arange(n)
        if not self.uneven:
            return np.arange(n) // self.unit
        ends = np.cumsum(rng.geometric(1 / self.unit, 4 * n // self.unit + 50))
        return np.searchsorted(ends, np.arange(n), side="right")

    def noise(self, rng: Rng, units: Array) -> Array:
        """Standard normal (n,), alike within units or along time."""
        own = rng.normal(size=len(units))
        if self.memory:
            fresh = own * math.sqrt(1 - self.memory**2)
            fresh[0] = own[0]
            return np.asarray(lfilter([1.0], [1.0, -self.memory], fresh))
        if not self.unit:
            return own
        shared = rng.normal(size=int(units[-1]) + 1)[units]
        return np.asarray(math.sqrt(self.alike) * shared + math.sqrt(1 - self.alike) * own)

    def columns(self, units: Array) -> dict[str, Array]:
        n = len(units)
        return ({"case_id": np.arange(n)} | ({"unit": units} if self.unit else {})
                | ({"moment": np.arange(n)} if self.timed or self.memory else {}))


ALONE = Order()


# --- one table a family -------------------------------------------------------------------------------


def binary(rng: Rng, n: int, *, share: float, apart: float, order: Order = ALONE, models: int = 1) -> Table:
    """Scores normal in either class, `apart` standard deviations; called positive about as often as cases are."""
    units = order.units(rng, n)
    y = order.noise(rng, units) > ndtri(1 - share)
    common = order.noise(rng, units)
    columns = order.columns(units) | {"target.positive": y}
    for m in range(models):
        z = apart * (y - 0.5) + (common if models == 1 else 0.8 * common + 0.6 * order.noise(rng, units))
        p = expit(apart * z + math.log(share / (1 - share)))
        mark = "" if m == 0 else f" {m}"
        columns |= {f"out.p{mark}": p, f"out.positive{mark}": p > min(0.5, 0.9 * share**0.5)}
    return pl.DataFrame(columns)


def multiclass(rng: Rng, n: int, *, shares: tuple[float, ...], apart: float, order: Order = ALONE) -> Table:
    units = order.units(rng, n)
    y = np.searchsorted(np.cumsum(shares)[:-1], _uniform(order.noise(rng, units)))
    z = np.column_stack([apart * (y == k) + order.noise(rng, units) + math.log(s) / 2 for k, s in enumerate(shares)])
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    names = np.array([f"c{k}" for k in range(len(shares))])
    return pl.DataFrame(order.columns(units) | {"target": names[y], "out.label": names[p.argmax(axis=1)]}
                        | {f"out.p.{c}": p[:, k] for k, c in enumerate(names)})


def _uniform(z: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(z))


def multilabel(rng: Rng, n: int, *, shares: tuple[float, ...], apart: float, order: Order = ALONE) -> Table:
    units = order.units(rng, n)
    columns = order.columns(units)
    for k, share in enumerate(shares):
        y = order.noise(rng, units) > ndtri(1 - share)
        p = expit(apart * (apart * (y - 0.5) + order.noise(rng, units)) + math.log(share / (1 - share)))
        columns |= {f"target.l{k}": y, f"out.p.l{k}": p, f"out.label.l{k}": p > 0.6 * share**0.5}
    return pl.DataFrame(columns)


def regression(rng: Rng, n: int, *, errors: str, order: Order = ALONE, models: int = 1) -> Table:
    """A target of mean 10 and standard deviation 2, explained but for errors of standard deviation 1."""
    units = order.units(rng, n)
    signal = 10 + math.sqrt(3) * order.noise(rng, units)
    common = ERRORS[errors](order.noise(rng, units), signal)
    columns = order.columns(units) | {"target": signal + common, "out.value": signal}
    for m in range(1, models):
        columns |= {f"out.value {m}": signal + 0.5 * order.noise(rng, units)}
        columns["out.value"] = signal + 0.5 * order.noise(rng, units)
    return pl.DataFrame(columns)


ERRORS: dict[str, Callable[[Array, Array], Array]] = {
    "normal": lambda z, _: z,
    "gamma": lambda z, _: _skewed(z, 4.0),
    "exponential": lambda z, _: -np.log(_uniform(-z)) - 1,
    "student 6": lambda z, _: _student(z),
    "fanned": lambda z, signal: z * np.exp(0.3 * (signal - 10)) / 1.3,
}


def _skewed(z: Array, shape: float) -> Array:
    from scipy.special import gammaincinv

    return np.asarray((gammaincinv(shape, _uniform(z)) - shape) / math.sqrt(shape))


def _student(z: Array) -> Array:
    from scipy.special import stdtrit

    return np.asarray(stdtrit(6, _uniform(z)) / math.sqrt(1.5))


def spread(rng: Rng, n: int, *, skewed: bool = False, order: Order = ALONE) -> Table:
    units = order.units(rng, n)
    z = order.noise(rng, units)
    return pl.DataFrame(order.columns(units) | {"x": np.exp(z / 2) if skewed else z})


def mean_distance(t: Table) -> float:
    """Gini's mean difference: the mean distance of two cases."""
    x, n = np.sort(t["x"].to_numpy()), t.height
    return float(2 * (np.arange(1, n + 1) * 2 - n - 1) @ x / (n * (n - 1)))


PAIRWISE = Metric("mean distance", mean_distance, frozenset({"x"}), kind="pairwise")


# --- designs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Design:
    family: str
    name: str
    n: int
    draw: Callable[..., Table]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (PAIRWISE,) if self.family == "pairwise" else FAMILIES[self.family.removesuffix(" pairs")]


UNITS = {"50 units of 6": (300, Order(6)), "15 units of 20": (300, Order(20)),
         "about 40 uneven units": (300, Order(8, uneven=True))}
TIMES = {"in time, AR(1) 0.6": (400, Order(memory=0.6)), "in time, AR(1) 0.8": (1500, Order(memory=0.8)),
         "in time, independent": (300, Order(timed=True))}


def designs() -> Iterator[Design]:
    for name, n, share, apart in (("40, balanced", 40, 0.5, 1.5), ("60, 20 % positive", 60, 0.2, 1.5),
                                  ("60, strong model", 60, 0.5, 3.5), ("200, 10 % positive", 200, 0.1, 1.5),
                                  ("500, strong model", 500, 0.3, 4.0), ("1000, 3 % positive", 1000, 0.03, 1.5),
                                  ("2000, 30 % positive", 2000, 0.3, 1.2)):
        yield Design("binary", name, n, partial(binary, share=share, apart=apart))
    for name, n, shares, apart in (("60, 3 classes", 60, (0.4, 0.3, 0.3), 1.5),
                                   ("100, 3 classes, strong", 100, (0.4, 0.3, 0.3), 4.0),
                                   ("300, 5 classes, rare ones", 300, (0.5, 0.25, 0.15, 0.06, 0.04), 2.0),
                                   ("2000, 5 classes, rare ones", 2000, (0.5, 0.25, 0.15, 0.06, 0.04), 2.0)):
        yield Design("multiclass", name, n, partial(multiclass, shares=shares, apart=apart))
    for name, n, shares, apart in (("60, 3 labels", 60, (0.5, 0.4, 0.3), 1.5),
                                   ("100, 3 labels, strong", 100, (0.5, 0.4, 0.3), 3.5),
                                   ("300, 4 labels, rare ones", 300, (0.4, 0.2, 0.1, 0.06), 1.5),
                                   ("2000, 4 labels, rare ones", 2000, (0.4, 0.2, 0.1, 0.06), 1.5)):
        yield Design("multilabel", name, n, partial(multilabel, shares=shares, apart=apart))
    for n, errors in ((30, "normal"), (100, "gamma"), (60, "exponential"), (300, "exponential"), (300, "student 6"),
                      (200, "fanned"), (2000, "exponential")):
        yield Design("regression", f"{n}, {errors} errors", n, partial(regression, errors=errors))
    for n, skewed in ((50, False), (50, True), (200, True), (1000, False)):
        yield Design("pairwise", f"{n}, {'lognormal' if skewed else 'normal'}", n, partial(spread, skewed=skewed))
    for name, (n, order) in (UNITS | TIMES).items():
        title = f"{n}, {name}" if "time" in name else name
        yield Design("binary", title, n, partial(binary, share=0.4, apart=1.5, order=order))
        yield Design("multiclass", title, n, partial(multiclass, shares=(0.4, 0.3, 0.3), apart=1.5, order=order))
        yield Design("multilabel", title, n, partial(multilabel, shares=(0.5, 0.4, 0.3), apart=1.5, order=order))
        yield Design("regression", title, n, partial(regression, errors="gamma", order=order))
        yield Design("pairwise", title, n, partial(spread, order=order))
    for name, n, order in (("60", 60, ALONE), ("500", 500, ALONE), ("15 units of 20", 300, Order(20)),
                           ("400, in time, AR(1) 0.6", 400, Order(memory=0.6))):
        yield Design("binary pairs", name, n, partial(binary, share=0.3, apart=1.5, order=order, models=2))
        yield Design("regression pairs", name, n, partial(regression, errors="gamma", order=order, models=2))


# --- counting ----------------------------------------------------------------------------------------


@cache
def truth(design: Design) -> dict[str, float]:
    """Each metric on a million cases; models that are compared are equal."""
    if design.family.endswith("pairs"):
        return {m.name: 0.0 for m in design.metrics}
    table = design.draw(np.random.default_rng(1), TRUTH_CASES)
    return {m.name: float(m.fn(table)) for m in design.metrics}


def trial(design: Design, metric: Metric, table: Table, level: float) -> tuple[float, float, float]:
    if not design.family.endswith("pairs"):
        e = estimate(metric, table, level=level)
    else:
        other = table.with_columns(pl.col(f"{c} 1").alias(c) for c in table.columns if f"{c} 1" in table.columns)
        e = compare(metric, table, other, level=level).estimate
    return e.value, e.low, e.high


def run(design: Design, repeats: int, level: float, seed: int) -> dict[str, Array]:
    """Metric -> (repeats, 3) of value, low, high."""
    rng = np.random.default_rng([zlib.crc32(f"{design.family} {design.name}".encode()), seed])
    found: dict[str, list[tuple[float, float, float]]] = {m.name: [] for m in design.metrics}
    for _ in range(repeats):
        table = design.draw(rng, design.n)
        for m in design.metrics:
            found[m.name].append(trial(design, m, table, level))
    return {name: np.array(ends) for name, ends in found.items()}


def counted(design: Design, repeats: int, level: float, seed: int) -> list[str]:
    """Lines of a Markdown table, one a metric."""
    lines, known = [], truth(design)
    for name, ends in run(design, repeats, level, seed).items():
        _, low, high = ends[np.isfinite(ends[:, 0])].T
        over, under = (low > known[name]).mean(), (high < known[name]).mean()
        held = 1 - over - under
        star = "" if abs(held - level) <= BAND else " *"
        lines.append(f"| {design.family} | {design.name} | {name} | {known[name]:.3g} | {held:.1%}{star} | "
                     f"{over:.1%} | {under:.1%} | {np.median(high - low):.3g} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--only", default="", help="words, by commas: designs whose family or name holds one of them")
    parser.add_argument("--level", type=float, default=0.95)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    words = [w.strip() for w in said.only.split(",")]
    chosen = [d for d in designs() if any(w in f"{d.family} | {d.name}" for w in words)]
    began = time.monotonic()
    print("| family | design | metric | truth | holds | missed above | missed below | width |\n" + "|---" * 8 + "|")
    with ProcessPoolExecutor(said.processes) as pool:
        for lines in pool.map(partial(counted, repeats=said.repeats, level=said.level, seed=said.seed), chosen):
            print("\n".join(lines), flush=True)
    print(f"\n{said.repeats} repeats a design, level {said.level}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
