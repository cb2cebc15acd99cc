"""Stories, findings and metrics as lines for a person and as plain values for a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assay.cli.common import columns, plain

if TYPE_CHECKING:
    from assay.contract import Estimate, Finding
    from assay.report.story import Story

_TOLD = ("warn", "fail")
_KEPT = (
    "run", "name", "version", "title", "task", "declared", "plan", "metric", "why_metric", "leaderboard", "chosen",
    "why_chosen", "comparisons", "looks", "spent", "budget_s", "cut", "made", "versions",
)


def metric_lines(metrics: Mapping[str, Estimate], units: Mapping[str, str]) -> list[str]:
    """name, value, interval: one line a metric, indented."""
    rows = [(f"  {name}", f"{e.value:.4g}", f"[{e.low:.4g}, {e.high:.4g}]", units.get(name, ""))
            for name, e in metrics.items()]
    return columns(("  metric", "value", "95 % interval", ""), rows)


def findings_lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        if finding.level in _TOLD:
            yield f"{finding.level}: {finding.sentence}"


def findings_value(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Without tables and charts: those are in the report and in the run's folder."""
    return [{"check": f.check, "level": f.level, "sentence": f.sentence, "numbers": plain(f.numbers)} for f in findings]


def story_value(story: Story, **more: object) -> dict[str, Any]:
    """What a script wants of a run, as one JSON object."""
    return {
        **{key: plain(getattr(story, key)) for key in _KEPT},
        "court": findings_value(story.court),
        "test": plain(story.test.metrics),
        "findings": findings_value(story.test.findings),
        "importance": findings_value([story.importance])[0] if story.importance else None,
        **{key: str(value) for key, value in more.items()},
    }
