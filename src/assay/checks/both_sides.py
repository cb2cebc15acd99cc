"""Cases of both parts side by side, and the groups that pairs of them make: what checks of near-copies share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Array, Table

SHOWN = 20


@dataclass(frozen=True)
class Parts:
    """Training and test cases in one table: case_id, unit, test (yes or no), and the row of its part that each is."""

    cases: Table

    @classmethod
    def of(cls, seen: Exhibits, most: int) -> Parts:
        """All cases, or `most` of them drawn at random."""
        named = [part.select("case_id", pl.col("unit").cast(pl.String), test=pl.lit(test)).with_row_index("row")
                 for part, test in ((seen.cases, False), (seen.test_cases, True)) if len(part)]
        cases = pl.concat(named)
        if len(cases) > most:
            cases = cases[np.sort(np.random.default_rng(0).permutation(len(cases))[:most])]
        return cls(cases)

    def __len__(self) -> int:
        return len(self.cases)

    def values(self, seen: Exhibits, column: str) -> pl.Series:
        """A column of the inputs, rows aligned with `cases`."""
        train, test = (self.cases.filter(pl.col("test") == side)["row"] for side in (False, True))
        return pl.concat([seen.inputs[column].gather(train), seen.test_inputs[column].gather(test)])

    def apart(self, pairs: Array) -> Array:
        """(m,): which pairs are of two units; those of one are on one side of every split already."""
        _, unit = np.unique(self.cases["unit"].to_numpy(), return_inverse=True)
        return np.asarray(unit[pairs[:, 0]] != unit[pairs[:, 1]])

    def across(self, groups: Table) -> int:
        """How many test cases stand in a group with a training case."""
        sides = groups.join(self.cases.select("case_id", "test"), on="case_id")
        mixed = sides.filter(pl.col("test").any().over("unit") & ~pl.col("test").all().over("unit"))
        return int(mixed["test"].sum())

    def shown(self, pairs: Array, like: Array) -> Table:
        """The pairs that are most alike, by the names of their cases: no value is shown."""
        first = np.argsort(-like, kind="stable")[:SHOWN]
        ids, test = self.cases["case_id"].cast(pl.String), self.cases["test"]
        side = [ids.gather(pairs[first, k]).alias(f"case {k + 1}") for k in (0, 1)]
        split = test.gather(pairs[first, 0]) != test.gather(pairs[first, 1])
        return pl.DataFrame([*side, pl.Series("likeness", like[first]), split.alias("across the split")])


def together(parts: Parts, pairs: Array) -> Table:
    """case_id, unit: the cases that pairs (m, 2) join, directly or through others, a unit each group."""
    group, rows = joined(pairs, len(parts)), np.unique(pairs)
    return pl.DataFrame([parts.cases["case_id"].gather(rows),
                         pl.Series("unit", [f"alike {g}" for g in group[rows].tolist()])])


def joined(pairs: Array, n: int) -> Array:
    """The group (n,) of each of n things, those that pairs (m, 2) of positions join, directly or through others.

    >>> joined(np.array([[0, 2], [2, 3]]), 5).tolist()
    [0, 1, 0, 0, 2]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(edges, directed=False)[1])
