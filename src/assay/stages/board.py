"""The lines of the leaderboard, as the story keeps them."""

from __future__ import annotations

from assay.report.story import Entry
from assay.search.runner import Runner
from assay.search.verdict import Verdict


def entries(verdict: Verdict) -> tuple[Entry, ...]:
    """One for each line of the verdict, best first."""
    by_name = {line.name: line.runner for line in verdict.lines if line.runner}
    found = []
    for line in verdict.lines:
        members = [line.runner] if line.runner else [by_name[name] for name in verdict.weights]
        done = [d for runner in members for d in runner.done.values()]
        found.append(Entry(
            line.name, line.settings, line.status, line.score, line.behind,
            folds=len(line.runner.done) if line.runner else len(verdict.scope),
            fit_s=sum(d["fit_s"] for d in done), predict_ms=sum(_predict_ms(runner) for runner in members),
            note=line.runner.note if line.runner else "",
        ))
    return tuple(found)


def _predict_ms(runner: Runner) -> float:
    """Milliseconds for 1,000 cases by one fold's model; 0 where nothing was measured."""
    done = runner.done.values()
    return float(1e6 * sum(d["predict_s"] for d in done) / max(1, sum(d["cases"] for d in done)))
