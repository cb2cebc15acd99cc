"""What is said where the court stops a run: the leaks, the score with and without them, and what to type."""

from __future__ import annotations

from assay.checks.court import Court
from assay.contract import Optimism
from assay.report import figures


def refusal(court: Court) -> str:
    """Each sure leak in its sentence, both figures, and the two ways on."""
    parts = [f.sentence for f in court.sure]
    if court.all_leaks is not None:
        parts.append(both_figures(court.all_leaks))
    drop = f"Say --drop {','.join(court.columns)!r}, or go" if court.columns else "Go"
    return " ".join([*parts, f"{drop} on knowingly with --allow-leaks."])


def both_figures(price: Optimism) -> str:
    """The score of a quick model with the leak and without it, each with its interval."""
    leaky, honest, points = price.leaky, price.honest, price.points
    return (f"On training cases held out, a quick model has {price.metric} {figures.value(leaky)} "
            f"({figures.interval(leaky)}) with it and {figures.value(honest)} ({figures.interval(honest)}) without: "
            f"{figures.value(points)} ({figures.interval(points)}) of the score would be the leak's.")
