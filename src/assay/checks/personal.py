"""Data of persons that have a shape of their own: cards, IBANs, e-mail addresses, telephone numbers. None is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding, Level

CHECK = "data.personal"
MOST_ROWS = 20_000
MOST_MATCHES = 2_000
BY_CHANCE = 0.1                                 # of sixteen random digits one in ten passes Luhn's test

LAW = "Laws on data protection ask for a lawful reason to keep such data, and to keep no more of them than are needed"

_CARD = r"\b(?:\d[ -]?){12,18}\d\b"
_IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"
_MAIL = r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b"
_PHONE = (r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)|\d{1,4})(?:[ .-]?\d{2,4}){2,4}\b"
          r"|\(\d{3}\) ?\d{3}[ .-]\d{4}\b|\b\d{3}[.-]\d{3}[.-]\d{4}\b")

_PREFIX = re.compile(r"4\d{12}(?:\d{3}){0,2}$|5[1-5]\d{14}$|2(?:2[2-9]|[3-6]\d|7[01]|720)\d{12,13}$|3[47]\d{13}$"
                     r"|6(?:011|5\d\d)\d{12}$|3(?:0[0-5]|[68]\d)\d{11}$|35(?:2[89]|[3-8]\d)\d{12}$")
_GROUPED = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}$|\d{4}([ -])\d{6}\2\d{5}$")

_IBAN_LENGTH = {country: length for length, countries in {
    15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "PT ST",
    26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU",
    31: "MT SC", 32: "LC",
}.items() for country in countries.split()}


def luhn(digits: str) -> bool:
    """Whether the digits pass the check of ISO/IEC 7812: every second doubled from the right, digits summed, modulo 10.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for k, c in enumerate(reversed(digits)):
        d = int(c) * (1 + k % 2)
        total += d - 9 if d > 9 else d
    return total % 10 == 0


def iban(value: str) -> bool:
    """Whether the length is its country's and the number modulo 97 is 1 (ISO 13616).

    >>> iban("GB82 WEST 1234 5698 7654 32"), iban("GB82 WEST 1234 5698 7654 33")
    (True, False)
    """
    plain = value.replace(" ", "")
    if _IBAN_LENGTH.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def card(value: str) -> bool:
    """Whether the prefix and the length are a known issuer's and the digits pass Luhn's test."""
    digits = re.sub(r"[ -]", "", value)
    return _PREFIX.match(digits) is not None and len(set(digits)) > 1 and luhn(digits)


@dataclass(frozen=True)
class Shape:
    """pattern: what to look for; holds: whether one match is real; grave: a leaked value does harm by itself."""

    name: str
    pattern: str
    holds: Callable[[str], bool]
    grave: bool


SHAPES = (
    Shape("payment card numbers", _CARD, card, True), Shape("IBANs", _IBAN, iban, True),
    Shape("e-mail addresses", _MAIL, lambda _: True, False), Shape("telephone numbers", _PHONE, lambda _: True, False),
)


def masked(value: str) -> str:
    """The shape of a value: every letter and digit as a star, and what separates them.

    >>> masked("jane.doe@example.org")
    '****.***@*******.***'
    """
    return re.sub(r"[^\W_]", "*", value)


def check(seen: Exhibits) -> Iterator[Finding]:
    """Columns that hold such values, how many cases have one, and a masked example; of at most 20,000 cases.

    Cards and IBANs count by their check digits. A long number passes Luhn's test by chance one time in ten, so cards
    in plain digits count only where more pass than chance explains."""
    if not seen.inputs.width:
        return
    rows = _drawn(len(seen.inputs))
    found = [f for c in seen.inputs.get_columns() for f in _in(c.gather(rows))]
    found += list(_left_out(seen))
    yield from found or [Finding(CHECK, "ok", "No card number, IBAN, e-mail address or telephone number was seen.")]


def _drawn(n: int) -> Array:
    order = np.random.default_rng(0).permutation(n)[:MOST_ROWS]
    return np.sort(order)


def _in(column: pl.Series) -> Iterator[Finding]:
    if column.dtype.is_integer():
        low: object = column.max()
        column = column.cast(pl.String) if isinstance(low, int) and low >= 10**12 else column.clear()
    if column.dtype != pl.String or not len(column):
        return
    for shape in SHAPES:
        hits = column.str.contains(shape.pattern).fill_null(False)
        if hits.any():
            yield from _told(column.name, column.filter(hits), shape, len(column))


def _told(name: str, values: pl.Series, shape: Shape, looked: int) -> Iterator[Finding]:
    asked = values.head(MOST_MATCHES).to_list()
    matches = [[m[0] for m in re.finditer(shape.pattern, value)] for value in asked]
    real = [next((m for m in row if shape.holds(m)), None) for row in matches]
    kept = [m for m in real if m is not None]
    if not kept or (shape.holds is card and _by_chance(kept, sum(map(len, matches)))):
        return
    n = round(len(kept) / len(asked) * len(values))
    level: Level = "warn" if shape.grave else "note"
    said = f"{name!r} holds {shape.name} in {n:,} of {looked:,} cases looked at, such as {masked(kept[0])}. {LAW}."
    yield Finding(CHECK, level, f"{said} To leave it out: --drop {name}",
                  {"column": name, "kind": shape.name, "cases": n})


def _by_chance(kept: list[str], tried: int) -> bool:
    """Whether so many passing cards may be other numbers: none is written in groups, and no more pass than chance lets
    through once in a thousand times."""
    if any(_GROUPED.match(m) for m in kept):
        return False
    expected = BY_CHANCE * tried
    return len(kept) < expected + 3.1 * math.sqrt(expected * (1 - BY_CHANCE)) + 2


def _left_out(seen: Exhibits) -> Iterator[Finding]:
    """Columns that are no inputs, by the one example that the task keeps of each."""
    facts = seen.task.facts().get("columns", ()) if seen.task is not None else ()
    for column in facts:
        example = str(column.get("example") or "")
        kind = next((s.name for s in SHAPES if (m := re.search(s.pattern, example)) and s.holds(m[0])), None)
        if kind and not column.get("used", True):
            said = (f"{column['name']!r} is not learned from, but seems to hold {kind}, such as {masked(example)}. "
                    f"{LAW}. Consider a file without it.")
            yield Finding(CHECK, "note", said, {"column": column["name"], "kind": kind})
