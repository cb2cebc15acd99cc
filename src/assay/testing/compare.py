"""How a check fails: AssertionError, with what was wanted and what was got in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from assay.contract import Array, Split, Table, Task


def must(kept: bool, sentence: str) -> None:
    if not kept:
        raise AssertionError(sentence)


def raises(kind: type[Exception], doing: str, act: Callable[[], object], *words: str) -> None:
    """`act` raises `kind`, and the message names each of `words`."""
    try:
        act()
    except kind as raised:
        for word in words:
            must(word in str(raised), f"{doing}: the message does not name {word!r}: {raised}")
        return
    except Exception as other:
        raise AssertionError(f"{doing} raised {type(other).__name__} ({other}); wanted {kind.__name__}") from other
    raise AssertionError(f"{doing} raised nothing; wanted {kind.__name__}")


def same(one: Table, two: Table, what: str, *, exact: bool = False) -> None:
    """Equal columns, dtypes and cells; floats to a relative 1e-6 unless exact."""
    must(one.schema == two.schema, f"{what}: the columns differ: {one.schema} and {two.schema}")
    must(one.height == two.height, f"{what}: {one.height} and {two.height} rows")
    for name in one.columns:
        rows = np.flatnonzero(_differ(one[name], two[name], exact))
        if len(rows):
            a, b = one[name][int(rows[0])], two[name][int(rows[0])]
            raise AssertionError(f"{what} differ in {len(rows)} rows of {name!r}; row {rows[0]}: {a!r} and {b!r}")


def _differ(one: pl.Series, two: pl.Series, exact: bool) -> Array:
    if exact or not one.dtype.is_float():
        return one.ne_missing(two).to_numpy()
    a, b = one.to_numpy(), two.to_numpy()
    close: Array = np.isclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True)
    return np.logical_not(close)


def same_task(one: Task, two: Task, splits: tuple[Split, ...]) -> None:
    for word in ("name", "title", "why_metric", "unit_of_resampling", "seed"):
        a, b = getattr(one, word), getattr(two, word)
        must(a == b, f"the task's {word} was {a!r} and is now {b!r}")
    must([m.name for m in one.metrics] == [m.name for m in two.metrics], "the task's metrics differ")
    must(np.array_equal(one.plan.roles, two.plan.roles), "the plan's roles differ")
    must(one.plan.facts() == two.plan.facts(), f"the plan was {one.plan.facts()} and is now {two.plan.facts()}")
    must(one.facts() == two.facts(), "the task's facts differ")
    for split in splits:
        same(one.cases(split), two.cases(split), f"the {split} cases", exact=True)
