"""The folders of a race: one for each job that has ended, whole or not there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assay.contract import Table
from assay.files import read_json
from assay.search.entrants import Entrant
from assay.search.worker import DONE


@dataclass(frozen=True)
class Kept:
    folder: Path

    def place(self, entrant: Entrant, fold: int, share: float = 1.0) -> Path:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", entrant.name)
        return self.folder / slug / (f"fold-{fold}" if share == 1 else f"fold-{fold}-share-{share:.4g}")

    def answer(self, entrant: Entrant, fold: int, share: float = 1.0) -> dict[str, Any] | None:
        """What its worker answered, if it has ended."""
        done = self.place(entrant, fold, share) / DONE
        return read_json(done) if done.exists() else None

    def outcomes(self, entrant: Entrant, fold: int, share: float = 1.0) -> Table:
        return pl.read_parquet(self.place(entrant, fold, share) / "outcomes.parquet")
