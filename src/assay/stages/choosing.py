"""What having chosen the best of many adds to its out-of-fold score, said beside what the test part says."""

from __future__ import annotations

from dataclasses import replace

from assay.contract import Estimate, Metric
from assay.report import figures
from assay.report.story import Choosing
from assay.search.verdict import Verdict
from assay.stats.intervals import estimate
from assay.stats.selection import corrected


def choosing(metric: Metric, verdict: Verdict, test: Estimate, seed: int) -> Choosing | None:
    """The chosen model's out-of-fold score as it is, and with the optimism of choosing removed. test: its score there.

    None where there was nothing to choose from.

    An ensemble counts as one candidate more. Its weights need no correction here: each of its out-of-fold answers was
    weighted by what other folds chose (search/ensemble.py), so what is left to correct is having preferred it to the
    single recipes. Recipes dropped after the first fold are no candidates: they were behind, and add little.
    Where a cheaper recipe was taken instead of the best, the optimism of the best is taken off its score: too much
    rather than too little."""
    if len(verdict.scores) < 2 or verdict.chosen not in verdict.scores:
        return None
    best, mended = corrected(metric, verdict.scores, seed)
    raw = estimate(metric, verdict.scores[verdict.chosen], seed=seed)
    off = mended.value - best.value                     # 0 or to the worse
    right = replace(mended, value=raw.value + off, low=raw.low + off, high=raw.high + off)
    return Choosing(len(verdict.scores), raw, right, _sentence(metric, verdict, raw, right, test))


def _sentence(metric: Metric, verdict: Verdict, raw: Estimate, right: Estimate, test: Estimate) -> str:
    name, among = figures.said(metric.name), len(verdict.scores)
    said = f"Out of fold {verdict.chosen} scores {figures.value(raw)} {name} ({figures.interval(raw)})."
    places = figures.decimals(raw)
    optimism = abs(raw.value - right.value)
    if optimism < 0.5 * 10**-places:
        how = f"Having chosen it among {among} adds less than {figures.number(10**-places, places)} of optimism"
    else:
        how = (f"Having chosen it among {among} adds {figures.number(optimism, places)} of optimism, which leaves "
               f"{figures.value(right)} ({figures.interval(right)})")
    return f"{said} {how}; the test part says {figures.value(test)} ({figures.interval(test)})."
