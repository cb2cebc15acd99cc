"""Everything a report tells of one run, as a record: stages fill it, `report/` draws it, the run folder keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.contract import Estimate, Finding, Report


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard. `status`: best, tied (with the best), behind, baseline, dropped, failed, cut (by time)."""

    recipe: str                       # its name: "lightgbm", "ensemble"
    settings: str                     # repr of the recipe
    status: str
    score: Estimate | None            # deciding metric, on cases held out of the race's folds
    behind: Estimate | None = None    # the best one's score minus this one's, paired; None for the best itself
    folds: int = 0                    # folds it finished
    fit_s: float = 0.0                # CPU-seconds-like wall time of its fits, all folds
    predict_ms: float = 0.0           # per 1,000 cases
    note: str = ""                    # why it was dropped, what failed, what was cut


@dataclass(frozen=True)
class Comparison:
    """Two models on the same test cases. `verdict` is a sentence: better, worse, or not told apart."""

    winner: str
    other: str
    metric: str
    difference: Estimate              # winner minus other, signed so that more is better for the winner
    p: float
    verdict: str


@dataclass(frozen=True)
class Story:
    """What was asked, what was found, how sure, what to be careful of."""

    run: str                          # run id
    name: str                         # registered name
    version: int | None
    title: str                        # task.title
    task: str                         # task.name
    declared: Mapping[str, Any]       # the problem as the user said it
    facts: Mapping[str, Any]          # task.facts(): understood of the data; `columns`: list of {name, kind, why, missing, ...}
    plan: Mapping[str, Any]           # plan.facts()
    metric: str                       # the one that decides
    why_metric: str
    metric_says: Mapping[str, str]    # name -> one sentence, for each metric in the report
    higher_is_better: Mapping[str, bool]
    units: Mapping[str, str]
    court: tuple[Finding, ...]
    leaderboard: tuple[Entry, ...]
    chosen: str
    why_chosen: str
    test: Report                      # the winner on the locked part: metrics, outcomes, findings with charts
    comparisons: tuple[Comparison, ...]
    importance: Finding | None
    looks: int                        # times the test part was opened
    spent: Mapping[str, float]        # seconds by stage: read, court, race, prove, explain, record
    budget_s: float
    cut: tuple[str, ...]              # what the budget did not allow, in sentences
    made: str                         # UTC time, ISO
    versions: Mapping[str, str]
    signature: Mapping[str, Any] = field(default_factory=dict)
