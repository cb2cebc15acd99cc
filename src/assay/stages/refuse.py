"""What is said where the court stops a run, and where recipes are left out of the race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.checks.court import Court
from assay.problem import HONOURED
from assay.report.sentences import price


def refusal(court: Court) -> str:
    """Each sure leak in its sentence, cases that stand on both sides too, both figures, and the two ways on."""
    parts = [f.sentence for f in court.sure]
    parts += [f.sentence for f in court.findings if f.level == "warn" and f.together is not None]
    if court.all_leaks is not None:
        parts.append(price(court.all_leaks, "the leak" if len(parts) == 1 else "the leaks"))
    drop = f"Say --drop {','.join(court.columns)!r}, or go" if court.columns else "Go"
    return " ".join([*parts, f"{drop} on knowingly with --allow-leaks."])


def left_out(described: Sequence[Mapping[str, Any]], asked: Sequence[str]) -> list[str]:
    """A sentence for each declared setting that some recipes refuse, as `contract.Recipe.refuses` says they do.

    asked: the recipes that the race is limited to; none for all."""
    told = []
    for setting in HONOURED:
        refusing = [d["name"] for d in described if f"--{setting}" in (d["refuses"] or "")]
        names = [name for name in refusing if not asked or name in asked]
        if names:
            told.append(f"Left out of the race, since they cannot keep --{setting}: {', '.join(names)}.")
    return told
