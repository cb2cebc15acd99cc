"""Everything a report tells of one run, as a record: stages fill it, `report/` draws it, the run folder keeps it.

On disk a story is `story.json` and, beside it, one Parquet file a table. JSON has no NaN and no
infinity: where the record says float they are written as text, elsewhere as null. Moments become ISO text.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from assay.contract import Estimate, Finding, Optimism, Report
from assay.errors import StoreError
from assay.files import read_json, replacing, write_json

FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard. `status`: best, tied, behind, baseline, dropped, failed, cut (by time)."""

    recipe: str                       # its name: "lightgbm", "ensemble"
    settings: str                     # repr of the recipe
    status: str
    score: Estimate | None            # deciding metric, on cases held out of the race's folds
    behind: Estimate | None = None    # the best one's score minus this one's, paired; None for the best itself
    folds: int = 0                    # folds it finished
    fit_s: float = 0.0                # wall-clock seconds of its fits, one thread each, all folds
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
class Choosing:
    """What having chosen the best of many adds to its score: out of fold as it is, and with that optimism removed."""

    among: int
    raw: Estimate
    corrected: Estimate
    sentence: str


@dataclass(frozen=True)
class Story:
    """What was asked, what was found, how sure, what to be careful of."""

    run: str                          # run id
    name: str                         # registered name
    version: int | None
    title: str                        # task.title
    task: str                         # task.name
    declared: Mapping[str, Any]       # the problem as the user said it
    facts: Mapping[str, Any]          # task.facts(); `columns`: list of {name, kind, why, missing, distinct, used}
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
    other_looks: int = 0              # looks at other test parts cut from the same data
    leaks: Optimism | None = None     # what all leaks of the court add together, where there is any
    choosing: Choosing | None = None  # the chosen model's out-of-fold score, and what choosing adds to it


# --- to a folder and back --------------------------------------------------------------------


def story_to_json(story: Story, folder: Path) -> None:
    """Write `story.json` and `story_tables/<n>.parquet` into `folder`; the JSON last, so that it names whole files."""
    tables: list[Any] = []
    told = _plain(story, tables)
    for i, table in enumerate(tables):
        with replacing(_table_file(folder, i)) as beside:
            table.write_parquet(beside)
    write_json(folder / "story.json", {"format": FORMAT, "story": told})


def story_from_json(folder: Path) -> Story:
    """The story that was written to `folder`. Raises StoreError where it is missing, cut short or of a newer format."""
    try:
        read = read_json(folder / "story.json")
        if read["format"] != FORMAT:
            raise StoreError(f"{folder / 'story.json'} has format {read['format']!r}; this assay reads format {FORMAT}")
        story: Story = _made(Story, read["story"], folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise StoreError(f"reading the story in {folder}: {type(wrong).__name__}: {wrong}") from wrong
    return story


def _table_file(folder: Path, number: int) -> Path:
    return folder / "story_tables" / f"{number}.parquet"


def _plain(value: Any, tables: list[Any]) -> Any:
    """Records as mappings, tables as their number in `tables`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name), tables) for f in fields(value)}
    if hasattr(value, "write_parquet"):
        tables.append(value)
        return {"table": len(tables) - 1}
    if isinstance(value, Mapping):
        return {str(k): _plain(v, tables) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v, tables) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if hasattr(value, "tolist"):                # a NumPy scalar or array
        return _plain(value.tolist(), [])
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _made(hint: Any, value: Any, folder: Path) -> Any:
    """What `_plain` wrote, as the type that the record's field declares."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _made(inner[0], value, folder)
    if origin is tuple:
        return tuple(_made(inner[0], v, folder) for v in value)
    if origin is Mapping:
        return {k: _made(inner[1], v, folder) for k, v in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        hints = _hints(hint)
        return hint(**{k: _made(hints[k], v, folder) for k, v in value.items()})
    if hint is float:
        return math.nan if value is None else float(value)
    return _table(value["table"], folder) if hint is _Table else value


def _table(number: int, folder: Path) -> Any:
    import polars as pl

    return pl.read_parquet(_table_file(folder, int(number)))


class _Table:
    """Stands for a table in `_hints`, where the contract's own word is known to type checkers only."""


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record, localns={"Table": _Table})
