"""Stories, findings and metrics as lines for a person and as plain values for a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assay.cli.common import columns, plain

if TYPE_CHECKING:
    from assay.contract import Estimate, Finding
    from assay.report.story import Comparison, Story

_TOLD = ("warn", "fail")
_KEPT = (
    "run", "name", "version", "title", "task", "declared", "plan", "metric", "why_metric", "leaderboard", "chosen",
    "why_chosen", "comparisons", "looks", "other_looks", "spent", "budget_s", "cut", "made", "versions",
)


def story_lines(story: Story) -> Iterator[str]:
    """What was understood, who won by how much, what the test part says, and what to be careful of."""
    from assay.report import figures
    from assay.report.leaderboard import leaderboard_lines
    from assay.report.sentences import looked

    yield f"{story.title}: {story.task}, judged by {figures.said(story.metric)}: {story.why_metric.rstrip('.')}."
    yield f"{story.plan['train']:,} cases to learn from, {story.plan['test']:,} locked away; {story.plan['why']}."
    yield from (f"note: {note}" for note in story.facts.get("notes", ()))
    yield from finding_lines(story.court)
    yield ""
    yield from leaderboard_lines(story)
    yield ""
    yield story.why_chosen
    yield f"On {len(story.test.outcomes):,} test cases. {looked(story)}"
    yield from metric_lines(story.test.metrics, story.units)
    if story.choosing:
        yield story.choosing.sentence
    yield from (c.verdict for c in story.comparisons)
    yield from finding_lines(story.test.findings)
    yield from (f.sentence for f in story.test.findings if f.check == "learning_curve" and f.level == "note")
    if story.importance:
        yield story.importance.sentence
    yield from story.cut


def metric_lines(metrics: Mapping[str, Estimate], units: Mapping[str, str]) -> list[str]:
    """name, value, interval: one line a metric, indented."""
    from assay.report import figures

    rows = [(f"  {name}", figures.value(e), figures.interval(e), units.get(name, "")) for name, e in metrics.items()]
    level = next((figures.level(e) for e in metrics.values()), "95%")
    return columns(("  metric", "value", f"{level} interval", ""), rows)


def comparison_lines(found: list[Comparison]) -> Iterator[str]:
    from assay.report import figures

    if not found:
        yield "the two runs share no metric"
        return
    yield f"{found[0].winner} against {found[0].other}; a difference above 0 is in favour of the first"
    rows = [(f"  {c.metric}", figures.signed(c.difference), figures.interval(c.difference), figures.p_value(c.p))
            for c in found]
    yield from columns(("  metric", "difference", "95% interval", ""), rows)


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """The doubts alone; what is in order is in the report."""
    from assay.report.sentences import price

    for finding in findings:
        if finding.level in _TOLD:
            yield f"{finding.level}: {finding.sentence}" + (f" {price(finding.optimism)}" if finding.optimism else "")


def finding_values(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Without tables and charts: those are in the report and in the run's folder."""
    return [{"check": f.check, "level": f.level, "sentence": f.sentence, "numbers": plain(f.numbers),
             "columns": list(f.columns), "optimism": plain(f.optimism) if f.optimism else None} for f in findings]


def story_value(story: Story, **more: object) -> dict[str, Any]:
    """What a script wants of a run, as one JSON object."""
    return {
        **{key: plain(getattr(story, key)) for key in _KEPT},
        "notes": list(story.facts.get("notes", ())),
        "court": finding_values(story.court),
        "leaks": plain(story.leaks) if story.leaks else None,
        "choosing": plain(story.choosing) if story.choosing else None,
        "test": plain(story.test.metrics),
        "findings": finding_values(story.test.findings),
        "importance": finding_values([story.importance])[0] if story.importance else None,
        **{key: str(value) for key, value in more.items()},
    }
