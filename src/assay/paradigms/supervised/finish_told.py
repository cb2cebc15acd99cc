"""What was found while a model was finished, as findings with charts."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.contract import Array, Chart, Finding, Series
from assay.paradigms.supervised.calibrate import Choice
from assay.paradigms.supervised.conformal import Conformity
from assay.paradigms.supervised.target import Target
from assay.stats.calibration import binned
from assay.stats.conformal import bound, fewest, rank

LEVELS = (0.8, 0.9, 0.95)
NAMES = {"temperature": "one temperature", "platt": "Platt's sigmoid", "isotonic": "isotonic regression",
         "venn_abers": "Venn-Abers"}


def calibration(target: Target, choice: Choice, p_NK: Array, y_NK: Array) -> Finding:
    """Which calibrator was taken, and what it gained on cases held out."""
    numbers = {f"log_loss.{name}": value for name, value in choice.losses.items()}
    if choice.gain is not None:
        numbers |= {"gain": choice.gain.estimate.value, "low": choice.gain.estimate.low,
                    "high": choice.gain.estimate.high}
    table = pl.DataFrame({"calibrator": list(choice.losses), "log loss held out": list(choice.losses.values())})
    if choice.calibrator is None:
        said = f"The probabilities are left as they are: {choice.why_not}."
        return Finding("calibrators", "ok", said, numbers, table if choice.losses else None)
    e = choice.gain.estimate if choice.gain is not None else None
    gained = f" by {e.value:.4f} ({e.low:.4f} to {e.high:.4f})" if e is not None else ""
    said = (f"The probabilities were mended by {NAMES[choice.calibrator.method]}: the log loss of cases held out that "
            f"neither chose nor fitted it fell{gained}.")
    pairs = _shown(target, p_NK, choice.honest, y_NK)
    return Finding("calibrators", "note", said, numbers, table, (_chart(*pairs),))


def _shown(target: Target, raw_NK: Array, mended_NK: Array, y_NK: Array) -> tuple[list[tuple[Array, Array]], str]:
    """(probability, happened) before and after: of the class looked for, of the answer given, or of all labels."""
    if target.goal == "binary":
        return [(p[:, 1], y_NK[:, 1]) for p in (raw_NK, mended_NK)], "of the class looked for"
    if target.goal == "multilabel":
        return [(p.ravel(), y_NK.ravel()) for p in (raw_NK, mended_NK)], "of each label"
    each = np.arange(len(y_NK))
    tops = [(p, p.argmax(axis=1)) for p in (raw_NK, mended_NK)]
    return [(p[each, top], y_NK[each, top]) for p, top in tops], "that the model gave to its answer"


def _chart(pairs: list[tuple[Array, Array]], what: str) -> Chart:
    series = [Series("as it should be", (0.0, 1.0), (0.0, 1.0), quiet=True)]
    for name, (p_N, y_N) in zip(("before", "after"), pairs, strict=True):
        edges = np.unique(np.quantile(p_N, np.linspace(0, 1, 11)[1:-1]))
        bin_N = np.unique(np.searchsorted(edges, p_N), return_inverse=True)[1]
        _, said, seen = binned(p_N, y_N, bin_N)
        series.append(Series(name, tuple(said.tolist()), tuple(seen.tolist())))
    return Chart("Before and after", "probability said", "share seen", tuple(series),
                 note=f"Cases held out, in tenths by the probability {what}; after: by a curve that did not see them.",
                 x_range=(0.0, 1.0), y_range=(0.0, 1.0))


def bounds(target: Target, conformity: Conformity, timed: bool) -> Finding:
    """What `--interval` will give, how many scores stand behind it, and what it assumes."""
    n, units = len(conformity.scores), conformity.units
    allowed = [level for level in LEVELS if rank(level, n, units) is not None]
    numbers: dict[str, float] = {"scores": n, "units": units,
                                 **{f"bound.{v}": bound(conformity.scores, v, units) for v in allowed}}
    if not allowed:
        said = f"Answers cannot be bounded: {units} cases held out are fewer than the {fewest(LEVELS[0])} it takes."
        return Finding("bounds", "note", said, numbers)
    what = "intervals" if target.goal == "regression" else "sets of classes"
    scaled = " They are wider where errors were larger along the answer." if len(conformity.scale.x) else ""
    whole = f" from {units:,} independent units" if units < n else ""
    said = (f"Answers can be bounded: {what} are cut at the errors of {n:,} cases held out{whole}.{scaled} The promise "
            "is over all cases alike, not for each kind of case")
    said += (", and it takes later cases to be like these: time may break it." if timed else
             ", and for cases drawn as these were.")
    return Finding("bounds", "note" if timed else "ok", said, numbers)
