"""Groups of cases by their inputs: what outcomes are looked at apart, cut once on the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from assay.contract import Field, Table

MOST_LEVELS = 10
MOST_WORDS = 12                                 # inputs of few levels
MOST_NUMBERS = 6                                # inputs cut in thirds


@dataclass(frozen=True)
class Slice:
    """How one column groups cases: by its levels, the others as one, or between cuts (ascending)."""

    column: str
    levels: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()

    def of(self, rows: Table) -> pl.Series:
        """The group of each row, as text."""
        values = rows[self.column]
        name = f"slice.{self.column}"
        if self.cuts:
            band = np.searchsorted(self.cuts, values.cast(pl.Float64).fill_null(np.nan).to_numpy(), side="left")
            names = pl.Series(_bands(self.cuts))
            text = names.gather(np.minimum(band, len(self.cuts)))
            known = values.cast(pl.Float64).is_finite().fill_null(value=False)
            return text.set(~known, "missing").alias(name)
        text = values.cast(pl.String)
        return text.set(~text.is_in(list(self.levels)).fill_null(value=True), "other").fill_null("missing").alias(name)


def _bands(cuts: Sequence[float]) -> list[str]:
    shown = [f"{c:,.6g}" for c in cuts]
    between = [f"{a} to {b}" for a, b in pairwise(shown)]
    return [f"up to {shown[0]}", *between, f"above {shown[-1]}"]


def choose(train: Table, fields: Sequence[Field], sensitive: Sequence[str]) -> tuple[Slice, ...]:
    """Sensitive columns first, then inputs of few levels, then numbers in thirds."""
    kinds = {f.name: f.kind for f in fields}
    few = [f.name for f in fields if f.kind in ("categorical", "boolean") and train[f.name].n_unique() <= MOST_LEVELS]
    numbers = [f.name for f in fields if f.kind == "numeric"]
    chosen = [*sensitive, *[c for c in few if c not in sensitive][:MOST_WORDS]]
    chosen += [c for c in numbers if c not in sensitive][:MOST_NUMBERS]
    made = (_slice(train[c], numeric=kinds.get(c, "") == "numeric" or train[c].dtype.is_float()) for c in chosen)
    return tuple(s for s in made if s.cuts or len(s.levels) > 1)


def _slice(values: pl.Series, *, numeric: bool) -> Slice:
    if numeric and values.n_unique() > MOST_LEVELS:
        known = values.cast(pl.Float64).drop_nulls()
        cuts = np.unique(np.quantile(known.filter(known.is_finite()).to_numpy(), (1 / 3, 2 / 3)))
        return Slice(values.name, cuts=tuple(cuts.tolist()))
    count = values.drop_nulls().cast(pl.String).alias("level").value_counts(name="n")
    levels = count.sort(["n", "level"], descending=[True, False])["level"].head(MOST_LEVELS)
    return Slice(values.name, levels=tuple(levels.to_list()))
