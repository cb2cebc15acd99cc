"""An entrant on its way through the race."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.search.entrants import Entrant


@dataclass(eq=False)
class Runner:
    """An entrant on its way: what each finished fold answered, and why it went no further."""

    entrant: Entrant
    done: dict[int, dict[str, Any]] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    state: str = ""                             # "", dropped, failed, cut
    note: str = ""
    screened: dict[str, Any] | None = None      # what it answered after learning from a share of the first fold
    screening: bool = False
    same_as: str = ""                           # another that answers alike, to the bit

    @property
    def first(self) -> dict[str, Any] | None:
        """What it is ranked by before it has finished all folds."""
        return self.screened or self.done.get(0)

    @property
    def score(self) -> float:
        """Of the first fold, by what it learned from first; not a number before it is there."""
        return float(self.first["score"]) if self.first else float("nan")

    @property
    def begun(self) -> bool:
        return bool(self.done or self.running or self.screened or self.screening)

    @property
    def begun_whole(self) -> bool:
        """Whether it learns, or has learned, from all cases of some fold."""
        return bool(self.done or self.running)

    @property
    def settled(self) -> Mapping[str, Any]:
        """Settings that its first fold found, for the others."""
        found: Mapping[str, Any] = self.done.get(0, {}).get("settled", {})
        return found

    @property
    def answer_s(self) -> float:
        """Seconds that one fold's model takes for a case, among many."""
        return float(self.first.get("answer_s", 0.0)) if self.first else 0.0

    @property
    def load_s(self) -> float:
        """Seconds that one fold's model takes to be read from its folder."""
        return float(self.done.get(0, {}).get("load_s", 0.0))

    def complete(self, folds: int) -> bool:
        return len(self.done) == folds

    @property
    def fit_s(self) -> float:
        """Seconds that its slowest finished fit took."""
        return max((float(d["fit_s"]) for d in self.done.values()), default=0.0)

    @property
    def fold_s(self) -> float:
        """Seconds that its slowest finished fold took, fit and confrontation."""
        return max((d["fit_s"] + d["predict_s"] for d in self.done.values()), default=0.0)
