"""The same customer in several cases: on both sides of a split a model knows him already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.checks.columns import quantile_bins
from assay.checks.exhibits import Exhibits
from assay.checks.telling import ABSENT, as_floats, truth_of
from assay.contract import Array, Finding, Table

CHECK = "data.groups"
NAMED = re.compile(
    r"(?i)(?:^|[^a-z])(?:ids?|uuid|guid|customers?|clients?|users?|patients?|subjects?|persons?|members?|accounts?|"
    r"households?|famil(?:y|ies)|students?|employees?|drivers?|devices?|machines?|sessions?|players?|authors?|owners?|"
    r"participants?|animals?|plots?|batch|tailnum|ssn|iban|e-?mail|phone)(?:$|[^a-z])|[a-z](?:Id|ID)$"
)
FEWEST, SMALLEST, LARGEST = 20, 1.3, 100
SAME = 0.8
"""How far above chance two cases of a group have to agree in a column for it to be a trait of the group."""
TRAITS, FEW_TRAITS = 0.2, 3
SURE_Z = 4.0
MOST_COLUMNS, MOST_PAIRS = 40, 20_000


@dataclass(frozen=True)
class Guess:
    """A column taken for the name of what repeats. traits: the share of other inputs that hardly vary within.
    alike, z: how far outcomes within agree above chance, and in standard errors."""

    column: str
    used: bool
    groups: int
    size: float
    traits: float
    alike: float
    z: float


def check(seen: Exhibits) -> Iterator[Finding]:
    """A column whose values repeat, a few cases each, where cases of one value are alike in inputs and in outcome.

    Looked at are the inputs and the columns left out as ids. A column is taken for the name of a group if it is named
    like one or if a fifth of the other inputs, three or more, are its traits (two cases of a group agree in them, κ
    above 0.8), and outcomes of two cases of a group agree more than chance allows, by four standard errors. Whether it
    matters, the court prices."""
    truth = truth_of(seen)
    if truth is None:
        yield lacked(CHECK, ABSENT)
        return
    guesses = sorted(_guesses(seen), key=lambda g: (-g.traits, -g.z))
    for guess in guesses[:2]:
        yield _finding(guess, seen)
    if not guesses:
        yield Finding(CHECK, "ok", "No column names groups of cases that are alike in inputs and in outcome.")


def _guesses(seen: Exhibits) -> Iterator[Guess]:
    aside, units = seen.set_aside, seen.cases["unit"].n_unique()
    for table, used in ((seen.inputs, True), (aside, False)):
        for column in table.columns:
            names = table[column]
            groups = names.n_unique() - (names.null_count() > 0)
            if not _could_be(names, groups) or (seen.method == "group" and groups == units):
                continue
            pairs = _pairs(names)
            if len(pairs) < 2 * FEWEST:
                continue
            alike, z = _outcomes_agree(seen.cases, pairs)
            if z < SURE_Z:
                continue
            traits = _traits(seen.inputs, column, pairs)
            known = traits >= max(TRAITS, FEW_TRAITS / max(seen.inputs.width, 1))
            if known or NAMED.search(column) or not used:
                yield Guess(column, used, groups, (len(names) - names.null_count()) / groups, traits, alike, z)


def _could_be(names: pl.Series, groups: int) -> bool:
    if names.dtype.is_float() or names.dtype.is_temporal() or names.dtype == pl.Boolean or groups < FEWEST:
        return False
    return SMALLEST <= (len(names) - names.null_count()) / groups <= LARGEST


def _pairs(names: pl.Series) -> Array:
    """(p, 2): each case with the next one of its group, in random order, at most 20,000."""
    code = names.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    order = np.random.default_rng(0).permutation(len(code))
    order = order[np.argsort(code[order], kind="stable")]
    same = (code[order][1:] == code[order][:-1]) & (code[order][1:] > 0)
    pairs = np.column_stack([order[:-1], order[1:]])[same]
    return np.asarray(pairs[np.random.default_rng(1).permutation(len(pairs))[:MOST_PAIRS]])


def _agreement(code: Array, pairs: Array) -> tuple[float, float]:
    """(κ, its standard error): how often two of a pair agree, above chance."""
    chance = float(((np.bincount(code) / len(code)) ** 2).sum())
    if chance >= 1:
        return 0.0, 1.0
    p = float((code[pairs[:, 0]] == code[pairs[:, 1]]).mean())
    return (p - chance) / (1 - chance), float(np.sqrt(chance * (1 - chance) / len(pairs))) / (1 - chance)


def _outcomes_agree(cases: Table, pairs: Array) -> tuple[float, float]:
    """Of a class κ, of a number the correlation of two cases of a group; and z."""
    target = cases["target"]
    if target.dtype.is_numeric():
        y = target.cast(pl.Float64).fill_null(strategy="mean").rank().to_numpy()
        y = (y - y.mean()) / y.std()
        alike, error = float((y[pairs[:, 0]] * y[pairs[:, 1]]).mean()), 1 / np.sqrt(len(pairs))
    else:
        alike, error = _agreement(_coded(target), pairs)
    return alike, alike / error


def _traits(inputs: Table, column: str, pairs: Array) -> float:
    """The share of the other inputs that hardly vary within a group."""
    others = [c for c in inputs.columns if c != column][:MOST_COLUMNS]
    agree = [_agreement(_coded(inputs[c]), pairs)[0] >= SAME for c in others]
    return float(np.mean(agree)) if agree else 0.0


def _coded(column: pl.Series) -> Array:
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        value = as_floats(column)
        return quantile_bins(value, 32) if len(np.unique(value)) > 64 else np.unique(value, return_inverse=True)[1]
    return column.cast(pl.String, strict=False).fill_null("\0").rank("dense").to_numpy().astype(np.int64) - 1


def _finding(guess: Guess, seen: Exhibits) -> Finding:
    where = "" if guess.used else " (left out of the inputs)"
    traits = f"agree in {guess.traits:.0%} of the other inputs, and " if guess.traits >= TRAITS else ""
    sentence = (f"{guess.column!r}{where} names {guess.groups:,} groups of {guess.size:.1f} cases on average: cases of "
                f"one {traits}are alike in outcome ({guess.alike:.2f} above chance, {guess.z:.0f} standard errors). If "
                f"new cases come from other groups, say --group {guess.column!r}.")
    numbers = {"column": guess.column, "groups": guess.groups, "size": guess.size, "traits": guess.traits,
               "alike": guess.alike, "z": guess.z}
    return Finding(CHECK, "warn", sentence, numbers, together=_together(guess, seen))


def _together(guess: Guess, seen: Exhibits) -> Table:
    named = []
    for cases, inputs, aside in ((seen.cases, seen.inputs, seen.set_aside),
                                 (seen.test_cases, seen.test_inputs, seen.test_set_aside)):
        names = (inputs if guess.used else aside)[guess.column]
        named.append(pl.DataFrame({"case_id": cases["case_id"], "unit": names.cast(pl.String)}))
    return pl.concat(named, how="vertical_relaxed").drop_nulls("unit")


