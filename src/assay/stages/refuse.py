"""What is said where the court stops a run: the leaks, the score with and without them, and what to type."""

from __future__ import annotations

from assay.checks.court import Court
from assay.report.sentences import price


def refusal(court: Court) -> str:
    """Each sure leak in its sentence, cases that stand on both sides too, both figures, and the two ways on."""
    parts = [f.sentence for f in court.sure]
    parts += [f.sentence for f in court.findings if f.level == "warn" and f.together is not None]
    if court.all_leaks is not None:
        parts.append(price(court.all_leaks, "the leak" if len(parts) == 1 else "the leaks"))
    drop = f"Say --drop {','.join(court.columns)!r}, or go" if court.columns else "Go"
    return " ".join([*parts, f"{drop} on knowingly with --allow-leaks."])
