"""What a judging found, as a record, and what it says in words. The page, the terminal and the JSON are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.contract import Estimate
from assay.report import figures
from assay.report.sentences import SMALL
from assay.report.story import Comparison

OURS = "assay"
STATUS = {
    "ours": "trained by assay", "ahead": "better than assay", "behind": "worse than assay",
    "tied": "not told apart from assay", "apart": "no score by the metric that decides", "failed": "failed",
    "over budget": "over budget, killed",
}


@dataclass(frozen=True)
class Standing:
    """One contestant. status: a key of STATUS. against: metric -> assay minus this one, paired, corrected by Holm."""

    name: str
    status: str
    note: str = ""                    # what broke, or what was seen
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    against: Mapping[str, Comparison] = field(default_factory=dict)
    seconds: float = 0.0              # wall clock, to the last answer
    cpu_s: float = 0.0                # 0: not measured
    memory_mb: float = 0.0            # all its processes together, the most seen; 0: not measured
    again: bool = False               # the answers of an earlier judging, taken over
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    log: str = ""                     # where what it printed is kept


@dataclass(frozen=True)
class Judgement:
    """Who took part, on what terms, and how it came out. standings: assay's first, then as they were named."""

    run: str
    title: str
    task: str
    metric: str                       # the one that decides
    why_metric: str
    metric_says: Mapping[str, str]
    higher_is_better: Mapping[str, bool]
    units: Mapping[str, str]
    chosen: str                       # the recipe of assay's model
    train: int                        # cases to learn from
    cases: int                        # test cases that were scored
    budget_s: float
    grace_s: float
    cores: int
    look: int                         # the how-manieth look at these labels; 0 where nobody answered
    level: float                      # of the intervals
    standings: tuple[Standing, ...]
    careful: tuple[tuple[str, str], ...]
    repeat: str                       # the command
    made: str
    versions: Mapping[str, str]

    @property
    def ours(self) -> Standing:
        return self.standings[0]

    @property
    def scored(self) -> tuple[Standing, ...]:
        """The contestants with a score by the metric that decides."""
        return tuple(s for s in self.standings[1:] if self.metric in s.against)

    def ranked(self) -> list[Standing]:
        """The best value of the deciding metric first; who has none stands last, in the order named."""
        sign = 1 if self.higher_is_better.get(self.metric, True) else -1

        def key(s: Standing) -> tuple[bool, float]:
            e = s.metrics.get(self.metric)
            return (e is None, 0.0 if e is None else -sign * e.value)

        return sorted(self.standings, key=key)


def verdict(found: Judgement) -> str:
    """The judging in one sentence: who is ahead of assay, who behind, with whom it is tied."""
    at = f"On {found.cases:,} test cases, by {figures.said(found.metric)}"
    if not found.scored:
        return "No contestant gave answers that could be scored by the metric that decides, so there is no verdict."
    names = {status: [s.name for s in found.scored if s.status == status] for status in ("ahead", "behind", "tied")}
    if len(names["tied"]) == len(found.scored):
        return f"{at}, it is a tie: assay is not told apart from {listed(names['tied'])}."
    ahead = f"{listed(names['ahead'])} {'is' if len(names['ahead']) == 1 else 'are'} better than assay" \
        if names["ahead"] else ""
    says = {"behind": "better than", "tied": "not told apart from"}
    ours = [f"{says[status]} {listed(names[status])}" for status in says if names[status]]
    return f"{at}, {'; '.join(part for part in (ahead, f'assay is {listed(ours)}' if ours else '') if part)}."


def stands(c: Comparison) -> str:
    """How the other one stands to assay: ahead, behind or tied."""
    d = c.difference
    return "behind" if d.low > 0 else "ahead" if d.high < 0 else "tied"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def broken(found: Judgement) -> list[str]:
    """A sentence for each contestant that has no score by the metric that decides."""
    said = {"failed": "failed", "over budget": "ran over the budget", "apart": f"has {STATUS['apart']}"}
    return [f"{s.name} {said[s.status]}: {s.note.rstrip('.')}." for s in found.standings[1:] if s.status in said]


LATE_S = 0.5                          # an overrun that is told
SHORT_S, IDLE = 5.0, 0.5              # of those that ran longer, who had less of a core than this was kept waiting


def over(standing: Standing, budget_s: float) -> str:
    """By how much the budget was overrun; empty where it was kept."""
    late = standing.seconds - budget_s
    return f"{figures.seconds(late)} over" if late > LATE_S else ""


def cautions(
    found: Sequence[Standing], *, cases: Estimate, look: int, level: float, budget_s: float, leaks: Sequence[str],
    by_trials: bool,
) -> tuple[tuple[str, str], ...]:
    """(level, sentence) of what should be held against the verdict, the worst first."""
    out = [("fail", f"Leaks were allowed when assay trained: {sentence}") for sentence in leaks]
    if cases.n < SMALL:
        out.append(("warn", f"The test part is small ({cases.n:,} independent units), so the intervals are wide and a "
                            "tie says little."))
    late = [s.name for s in found if over(s, budget_s) and s.metrics]
    if late:
        out.append(("warn", f"{listed(late)} took more time than the budget."))
    starved = [s.name for s in found if s.seconds > SHORT_S and 0 < s.cpu_s < IDLE * s.seconds]
    if starved:
        out.append(("warn", f"{listed(starved)} had less processor time than {IDLE:.0%} of one core: the machine may "
                            "have been busy with something else, and then these scores say little. Judge again when "
                            "it is idle, with --fresh."))
    if by_trials:
        out.append(("warn", "Assay's own run counted recipes and not seconds, so the budgets were not the same."))
    if look > 1:
        out.append(("warn", f"This is look number {look} at these test labels, so the intervals are drawn at "
                            f"{100 * level:.3g} %."))
    out.append(("note", "The contestants were given no test labels. They run as the same user of this machine, so this "
                        "guards against accidents and not against a program that searches the disk for them."))
    out.append(("note", "One split and one run of each tool: a tool that draws by chance may do better or worse with "
                        "another seed. The intervals cover the draw of the test cases."))
    return tuple(out)
