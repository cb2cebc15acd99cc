"""What each case costs: the deciding metric as a loss a case, or the nearest honest one, and what it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from assay.checks.columns import binary
from assay.contract import Array, Metric, Table
from assay.report.figures import said
from assay.stats.rank import wrongly_ranked


@dataclass(frozen=True)
class Losses:
    """Losses (n,) of cases, none negative, less being better; `shown` makes a mean of them the number called `name`."""

    values: Array
    name: str
    shown: Callable[[Array], Array]
    share: bool = False                         # whether each is 0 or 1
    note: str = ""                              # how it belongs to the deciding metric, where that is not plain


def losses(outcomes: Table, metrics: Sequence[Metric]) -> Losses | None:
    """Of the first metric that the outcomes allow, by its kind.

    a mean over cases       its own terms; where more is better, what is missing to the best case
    ROC AUC and the like    of the pairs of a case with all cases of the other class the share in the wrong order: its
                            mean over each class is 1 - ROC AUC, and so it is over all cases
    another                 of the metrics that are means over cases the first that reads the same answers, else the
                            first: errors for F1, squared errors for R², log loss for a macro ROC AUC
    None where there is nothing of the kind, or a loss is undefined."""
    usable = [m for m in metrics if not m.missing(outcomes.columns)]
    if not usable or not len(outcomes):
        return None
    deciding = usable[0]
    found = _own(deciding, outcomes) or _ranked(deciding, outcomes)
    if found is None:
        others = sorted(usable[1:], key=lambda m: m.needs != deciding.needs)
        near = next((f for m in others if (f := _own(m, outcomes)) is not None), None)
        found = near and Losses(near.values, near.name, near.shown, near.share,
                                f"No single case has a part in {said(deciding.name)}; {near.name} stands for it.")
    return found if found is not None and np.isfinite(found.values).all() else None


def _own(metric: Metric, outcomes: Table) -> Losses | None:
    if metric.kind == "rank" or metric.terms is None:
        return None
    terms = np.asarray(metric.terms(outcomes), dtype=float)
    if terms.shape[1] != 1:
        return None
    term, link = terms[:, 0], metric.link
    share = bool(np.isin(term, (0.0, 1.0)).all())
    if not metric.higher_is_better and (term >= 0).all():
        return Losses(term, said(metric.name), (lambda m: link(m[..., None])) if link else np.asarray, share)
    if share:
        name = "share answered wrongly" if metric.name in ("accuracy", "subset_accuracy") else f"1 − {metric.name}"
        return Losses(1 - term, name, np.asarray, share)
    top = float(term.max())
    return Losses(top - term, f"{said(metric.name)} missing to {top:.3g}", np.asarray)


def _ranked(metric: Metric, outcomes: Table) -> Losses | None:
    pair = binary(outcomes)
    if metric.kind != "rank" or pair is None or len(pair[0]) < len(outcomes):
        return None
    note = "Each case makes a pair with every case of the other class; over all cases the share is 1 − ROC AUC."
    name = "share of misordered pairs"
    return Losses(wrongly_ranked(pair[1] > 0, pair[0]), name, np.asarray, note=note)
