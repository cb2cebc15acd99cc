"""How often the truth lies where the model said it would: intervals of numbers, sets of classes."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.checks import lacked
from assay.contract import Array, Estimate, Finding, Level, Metric, Table
from assay.metrics.build import mean_of
from assay.report.figures import short
from assay.stats.intervals import estimate

CHECK = "outcomes.coverage"
FEWEST_OF_A_CLASS = 20


def _hit(t: Table) -> Array:
    return t["hit"].to_numpy()


HIT = mean_of("coverage", "hit", _hit, kind="proportion", says="The share of cases whose truth is within the bounds.")


def check(outcomes: Table, metrics: tuple[Metric, ...]) -> Finding:  # noqa: ARG001 - the signature of all checks
    """The share of cases whose truth is within out.low and out.high, or in out.set, against out.level.

    Wilson's interval where each case is a unit of its own, a bootstrap over units else."""
    columns = set(outcomes.columns)
    if not {"target", "out.level"} <= columns or not columns & {"out.low", "out.set"}:
        return lacked(CHECK, "answers with bounds (out.low and out.high, or out.set)")
    if not len(outcomes):
        return lacked(CHECK, "a case")
    level = float(outcomes["out.level"][0])
    return _numbers(outcomes, level) if "out.low" in columns else _sets(outcomes, level)


def _covered(outcomes: Table, hit: pl.Series) -> Estimate:
    columns = [outcomes[c] for c in ("case_id", "unit") if c in outcomes.columns]
    return estimate(HIT, pl.DataFrame([*columns, hit.alias("hit")]))


def _numbers(outcomes: Table, level: float) -> Finding:
    hit = outcomes.select(pl.col("target").is_between("out.low", "out.high")).to_series()
    found = _covered(outcomes, hit)
    wide = (outcomes["out.high"] - outcomes["out.low"]).to_numpy()
    numbers = {**_figures(found, level), "mean_width": float(wide.mean()), "median_width": float(np.median(wide))}
    said = f"{_sentence(found, level, 'interval')} They are {short(float(wide.mean()))} wide on average."
    return Finding(CHECK, _level(found, level), said, numbers)


def _sets(outcomes: Table, level: float) -> Finding:
    sets = outcomes["out.set"].list.eval(pl.element().cast(pl.String))
    sized = outcomes.select("target").with_columns(
        sets.alias("set"), pl.Series("size", sets.list.len())
    ).with_columns(hit=pl.col("set").list.contains(pl.col("target").cast(pl.String)))
    found = _covered(outcomes, sized["hit"])
    by_class = sized.group_by("target").agg(
        n=pl.len(), covered=pl.col("hit").mean(), size=pl.col("size").mean()).sort("target")
    size = sized["size"].to_numpy()
    one, mean = float((size == 1).mean()), float(size.mean())
    numbers = {**_figures(found, level), "mean_size": mean, "one_class": one}
    said = (f"{_sentence(found, level, 'set')} They hold {mean:.2f} classes on average; {one:.0%} of them hold one, "
            "and each holds the answer itself, which can cover more than was asked.")
    often = by_class.filter(pl.col("n") >= FEWEST_OF_A_CLASS)
    if len(often) > 1:
        worst = often.sort("covered").row(0, named=True)
        numbers["worst_class"] = worst["covered"]
        said += f" The class covered least is {worst['target']}: {worst['covered']:.0%} of {worst['n']:,}."
    return Finding(CHECK, _level(found, level), said, numbers, by_class)


def _figures(found: Estimate, level: float) -> dict[str, float]:
    return {"level": level, "coverage": found.value, "low": found.low, "high": found.high, "n": found.n}


def _level(found: Estimate, level: float) -> Level:
    """note where the truth is surely inside less often than was said, warn where by more than a twentieth."""
    return "warn" if found.high < level - 0.05 else "note" if found.high < level else "ok"


def _sentence(found: Estimate, level: float, what: str) -> str:
    return (f"The truth lies in the {level:.0%} {what} of {found.value:.1%} of the test cases "
            f"({found.low:.1%} to {found.high:.1%}).")
