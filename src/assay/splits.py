"""Split plans: which case plays which part. A plan is data: made once from a seed, saved, never recomputed.

A role is an integer: -1 is the locked test part, 0 to k-1 the fold that holds the case out. With one
fold, role 0 is the holdout and role 1 is always fitted on; so the cases a fold fits on are those of
the training part whose role is another number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.contract import Array, Split
from assay.errors import ProblemError

TEST_ROLE = -1


@dataclass(frozen=True)
class Plan:
    """roles (n,): the role of each case, in the order of the data. `why` says how it was made, in a sentence.
    units (n,): what each case belongs to, as text, where the plan knows better than the data.
    given: the test part was handed over as such, and is not to be drawn anew."""

    roles: Array
    folds: int
    method: str
    why: str
    units: Array | None = None
    given: bool = False

    def rows(self, split: Split) -> Array:
        """Positions (m,) of the cases meant, ascending."""
        rows = np.flatnonzero(self._meant(split))
        if split.share >= 1:
            return rows
        kept = np.random.default_rng(len(self.roles)).random(len(self.roles))[rows] < split.share
        return rows[kept]

    def _meant(self, split: Split) -> Array:
        training: Array = self.roles != TEST_ROLE
        if split.part in ("train", "test"):
            return training if split.part == "train" else np.logical_not(training)
        if split.fold is None or not 0 <= split.fold < self.folds:
            raise ProblemError(f"asked for {split}, but the plan has folds 0 to {self.folds - 1}")
        held: Array = self.roles == split.fold
        return held if split.part == "held" else np.logical_and(~held, training)

    def facts(self) -> dict[str, Any]:
        return {
            "method": self.method, "why": self.why, "folds": self.folds,
            "train": int((self.roles != TEST_ROLE).sum()), "test": int((self.roles == TEST_ROLE).sum()),
        }


def random_plan(n: int, *, test: float, folds: int, seed: int, strata: Array | None = None) -> Plan:
    """Cases at random, each stratum spread evenly over the parts. strata (n,) of integers or None."""
    rng = np.random.default_rng(seed)
    strata = np.zeros(n, dtype=np.int64) if strata is None else np.asarray(strata)
    position = _spread(strata, rng)
    roles = _roles(position, test=test, folds=folds)
    kind = "stratified" if strata.any() else "random"
    why = "each class is spread evenly over the parts" if kind == "stratified" else "rows are taken to be independent"
    return Plan(roles, folds, kind, why)


def group_plan(groups: Array, *, test: float, folds: int, seed: int, name: str) -> Plan:
    """Whole groups go to one part. groups (n,), sortable; the shares are of cases, kept as nearly as groups allow."""
    rng = np.random.default_rng(seed)
    _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    if len(size) < folds + 2:
        fewer = "fewer --folds, " if len(size) > 2 else ""
        raise ProblemError(
            f"--group names {name!r}, which has {len(size)} distinct value{'s' * (len(size) != 1)}; a test part and "
            f"{folds} fold{'s' * (folds != 1)} want at least {folds + 2}. Say {fewer}another --group, or none."
        )
    order = rng.permutation(len(size))
    middle = np.empty(len(size))
    middle[order] = (np.cumsum(size[order]) - size[order] / 2) / len(code)
    roles = _roles(middle, test=test, folds=folds)[code]
    return Plan(roles, folds, "group", f"all rows of one {name!r} stay on one side")


def around(given: Array, plan: Plan) -> Plan:
    """A plan of the other cases, with those of `given` (n,) booleans as the test part.

    >>> around(np.array([False, True, False]), Plan(np.array([1, 0]), 2, "random", "by chance")).roles.tolist()
    [1, -1, 0]
    """
    roles = np.full(len(given), TEST_ROLE)
    roles[~given] = plan.roles
    return replace(plan, roles=roles, why=f"the test part is as it was given; {plan.why}", given=True)


def time_plan(moments: Array, *, test: float, name: str) -> Plan:
    """The latest cases are the test part; the one fold holds out the latest of the rest. moments (n,), sortable.
    test: 0 for no test part."""
    n = len(moments)
    tested = np.zeros(n, dtype=bool)
    if test > 0:
        tested = moments >= np.sort(moments)[min(n - 1, int(np.floor(n * (1 - test))))]
    cut_held = np.sort(moments[~tested])
    if len(cut_held) < 2:
        raise ProblemError(f"{name!r} has too few distinct moments to cut a test part by time. Drop --time.")
    cut = cut_held[int(np.floor(len(cut_held) * 0.8))]
    roles = np.where(tested, TEST_ROLE, np.where(moments >= cut, 0, 1))
    why = (f"the latest {test:.0%} by {name!r} are the test part; the race is judged on the latest before them"
           if test > 0 else f"the race is judged on the latest by {name!r}")
    return Plan(roles, 1, "time", why)


def _spread(strata: Array, rng: np.random.Generator) -> Array:
    """A number in (0, 1) for each case, evenly spaced within its stratum, in random order."""
    n = len(strata)
    order = rng.permutation(n)
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    _, start, size = np.unique(strata[by_stratum], return_index=True, return_counts=True)
    rank = np.arange(n) - np.repeat(start, size)
    shift = np.repeat(rng.random(len(size)), size)          # else small strata would all begin in the test part
    position = np.empty(n)
    position[by_stratum] = ((rank + shift) / np.repeat(size, size)) % 1.0
    return position


def _roles(position: Array, *, test: float, folds: int) -> Array:
    """Positions in (0, 1) to roles: the first share is the test part, the rest is cut into folds."""
    share = (position - test) / (1 - test)
    roles = np.floor(share * folds) if folds > 1 else np.where(share < 0.2, 0, 1)
    return np.where(share < 0, TEST_ROLE, np.clip(roles, 0, max(folds - 1, 1))).astype(np.int64)
