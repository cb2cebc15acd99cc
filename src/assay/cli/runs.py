"""`assay runs`, `show`, `report` and `compare`: what is on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from assay.cli.common import Common, columns
from assay.cli.told import comparison_lines, story_lines, story_value

if TYPE_CHECKING:
    from assay.report.story import Story


def runs(*, limit: int = 20, common: Common = Common()) -> None:
    """The runs in the store, newest first.

    Parameters
    ----------
    limit
        How many to list.
    """
    found = common.found_store().runs(limit)
    heads = ("run", "status", "model", "chosen", "metric", "value")
    lines = columns(heads, [_row(r) for r in found]) if found else ["no runs yet: assay train DATA --target COLUMN"]
    common.say(found, lines)


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    """One run as cells; what a run that did not finish does not know stays a dash."""
    told = run.get("summary") or {}
    model = f"{told['name']}:{told['version']}" if told.get("version") else "-"
    numbers = [told[key] for key in ("value", "low", "high") if told.get(key) is not None]
    value = "{:.4g} [{:.4g}, {:.4g}]".format(*numbers) if len(numbers) == 3 else "-"
    return (run["id"], run["status"], model, str(told.get("chosen") or "-"), str(told.get("metric") or "-"), value)


def show(run: str, /, *, common: Common = Common()) -> None:
    """What a run found, as text.

    Parameters
    ----------
    run
        A run's id, the beginning of one that is unique, or 'last'.
    """
    from assay.stages import records

    story = records.show(run, common.found_store())
    common.say(story_value(story), _shown(story))


def _shown(story: Story) -> Iterator[str]:
    yield f"run {story.run}, {story.made}; model {story.name}:{story.version}"
    yield from story_lines(story)


def report(
    run: str = "last",
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    open: bool = False,
    common: Common = Common(),
) -> None:
    """Where the report of a run is, or with --out a new drawing of it.

    Parameters
    ----------
    run
        A run's id, the beginning of one that is unique, or 'last'.
    out
        Draw it anew and write it here.
    open
        Show it in the web browser.
    """
    from assay.stages import records

    page = records.write_report(run, common.found_store(), out)
    common.say({"report": str(page)}, [str(page)])
    if open:
        import webbrowser

        webbrowser.open(page.absolute().as_uri())


def compare(run: str, other: str, /, *, common: Common = Common()) -> None:
    """Two runs on the test cases they share, paired case by case, metric by metric.

    Parameters
    ----------
    run
        The first run.
    other
        The run it is compared with.
    """
    from assay.stages.compare import compare as side_by_side

    found = side_by_side(run, other, store=common.found_store())
    common.say(found, comparison_lines(found))
