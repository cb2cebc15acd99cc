"""The report as one self-contained HTML file: nothing is fetched, no script is needed, any name is escaped."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from assay.contract import Estimate, Finding
from assay.report import charts, figures
from assay.report.leaderboard import TIED
from assay.report.sentences import LEVELS, careful, difference, headline, honest_figure, leaks_allowed, looked, price
from assay.report.story import Entry, Story
from assay.report.words import Linker

MOST_COLUMNS = 200
MOST_ROWS = 60
STATUS = {"best": "best", "tied": "tied with the best", "behind": "behind", "baseline": "baseline",
          "dropped": "dropped", "failed": "failed", "cut": "out of time"}


def render(story: Story) -> str:
    """The page of a story, as HTML text."""
    link = Linker(story.test.metrics)
    return _template().render(
        story=story, link=link, style=_style(), figures=figures, charts=charts, STATUS=STATUS, TIED=TIED,
        main=story.test.metrics[story.metric], better=_direction(story), headline=headline(story),
        facts=_facts(story.facts), columns=_columns(story.facts), most_columns=MOST_COLUMNS, race=_race(story),
        errs=[f for f in _looked_at(story) if f.check.startswith("outcomes.")],
        proof=[f for f in _looked_at(story) if not f.check.startswith("outcomes.")],
        skipped=[f for f in (*story.court, *story.test.findings) if f.level == "skipped"],
        court=sorted((f for f in story.court if f.level != "skipped"), key=lambda f: LEVELS.index(f.level)),
        careful=careful(story), spent=_spent(story), commands=_commands(story), declared=_declared(story),
        table_of=_table_of, chart_rows=charts.rows_of, title_of=_title_of, difference=difference,
        price=price, looked=looked, allowed=leaks_allowed(story), honest=honest_figure(story),
    )


@cache
def _template() -> Template:
    env = Environment(loader=PackageLoader("assay.report", "."), autoescape=True, undefined=StrictUndefined,
                      trim_blocks=True, lstrip_blocks=True)
    return env.get_template("page.html.j2")


@cache
def _style() -> Markup:
    return Markup((files("assay.report") / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


# --- in words ------------------------------------------------------------------------------------


def _direction(story: Story) -> str:
    return "higher is better" if story.higher_is_better.get(story.metric, True) else "lower is better"


def _title_of(finding: Finding) -> str:
    return TITLES.get(finding.check) or finding.check.rpartition(".")[2].replace("_", " ").capitalize()


TITLES = {
    "outcomes.confusion": "Which class is taken for which",
    "outcomes.calibration": "Can the probabilities be believed?",
    "outcomes.coverage": "Does the truth lie where it said?", "calibrators": "Calibrated out of fold",
    "cut": "Where yes begins",
    "bounds": "How far off an answer may be",
    "outcomes.curves": "What any threshold would give", "outcomes.residuals": "How far off the numbers are",
    "outcomes.slices": "Group by group", "outcomes.regions": "The worst-off regions",
    "learning_curve": "Would more data help?",
    "data.copies": "Columns that give the target away", "data.pairs": "Columns that give it away in pairs",
    "data.afterwards": "Columns filled in after the event", "data.encoded": "Columns made of the target's means",
    "data.order": "Does the order tell the target?", "data.duplicates": "Rows that repeat",
    "data.groups": "One customer in several cases", "data.period": "Neighbours in time",
    "data.constant": "Columns that say nothing", "data.rare": "Rare classes", "data.missing": "Missing values",
    "data.near_texts": "Texts that are nearly the same", "data.near_images": "Pictures that are nearly the same",
    "data.indexed": "Questions that stand in the index", "data.seeds": "Seeds trained on and tested on",
    "data.covariates": "Inputs that are not known in time", "data.conflicts": "Equal cases, different answers",
    "data.label_errors": "Labels that may be wrong", "data.drift": "Whether the test part looks like the training part",
    "data.units": "Columns in two units", "data.mojibake": "Texts damaged by a wrong encoding",
    "data.personal": "Data of persons",
}


def _looked_at(story: Story) -> list[Finding]:
    return [f for f in story.test.findings if f.level != "skipped"]


# --- in tables ----------------------------------------------------------------------------------

LABELS = {"rows": "cases", "features": "inputs", "goal": "kind of question", "positive": "the class looked for",
          "unit": "what is independent of what", "group": "kept together", "time": "ordered by",
          "sensitive": "watched groups", "target": "target"}


def _facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, text) of what is a word, a number or a list of them; the columns and the reasons stand elsewhere."""
    out = []
    for key, v in facts.items():
        if key not in ("notes", "why_goal", "columns") and (text := _listed(v)):
            out.append((LABELS.get(key, key.replace("_", " ")), text))
    return out


def _listed(v: Any) -> str:
    if isinstance(v, list | tuple):
        return ", ".join(map(str, v))
    return figures.plain(v) if isinstance(v, str | int | float) else ""


def _columns(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One record a column with what the page shows; missing as a share where the number of rows is known."""
    listed, rows = facts.get("columns") or (), facts.get("rows")
    return [{
        "name": c.get("name", ""), "kind": c.get("kind", ""), "missing": _missing(c.get("missing"), rows),
        "distinct": figures.plain(c.get("distinct")), "why": c.get("why") or "", "used": c.get("used", True),
    } for c in listed]


def _missing(n: Any, rows: Any) -> str:
    if not isinstance(n, int | float) or not n:
        return ""
    if isinstance(n, float) and n <= 1:
        return f"{n:.1%}"
    return f"{n / rows:.1%}" if isinstance(rows, int) and rows >= n else f"{n:,}"


def _race(story: Story) -> list[dict[str, Any]]:
    scored = [e.score for e in story.leaderboard if e.score is not None and math.isfinite(e.score.value)]
    best = scored[0].value if scored else 0.0
    low, high = _window(scored)
    return [{
        "entry": e, "chosen": e.recipe == story.chosen,
        "picture": charts.whisker(e.score, low, high, best, e.status) if e.score in scored and e.score else "",
        "behind": _behind(e),
    } for e in story.leaderboard]


def _window(scored: Sequence[Estimate]) -> tuple[float, float]:
    """The range of the pictures: all intervals, but nothing farther from the best than four times the middle one."""
    if not scored:
        return 0.0, 1.0
    best = scored[0].value
    gaps = sorted(abs(e.value - best) for e in scored)
    wide = max(e.high - e.low for e in scored[: max(1, len(scored) // 2)])
    far = max(4 * gaps[len(gaps) // 2], 2 * wide, 1e-12)
    low = max(min(min(e.low, e.value) for e in scored), best - far)
    high = min(max(max(e.high, e.value) for e in scored), best + far)
    return (low, high) if high > low else (best - 1, best + 1)


def _behind(entry: Entry) -> str:
    if entry.behind is None:
        return ""
    return f"{figures.value(entry.behind)} ({figures.interval(entry.behind)})"


def _spent(story: Story) -> dict[str, Any]:
    parts = [(name, s) for name, s in story.spent.items() if s > 0]
    total = sum(s for _, s in parts)
    labelled = [(f"{name} {figures.seconds(s)}", s) for name, s in parts]
    return {"bar": charts.stacked(labelled, story.budget_s), "total": figures.seconds(total),
            "budget": figures.seconds(story.budget_s), "parts": [name for name, _ in labelled]}


def _table_of(finding: Finding) -> tuple[list[str], list[list[str]], int]:
    """Headings, rows as text, and how many rows were left out."""
    table = finding.table
    if table is None:
        return [], [], 0
    rows = [[figures.plain(v) for v in row] for row in table.head(MOST_ROWS).iter_rows()]
    return list(table.columns), rows, max(0, len(table) - MOST_ROWS)


# --- how to do it again ------------------------------------------------------------------------


def _commands(story: Story) -> list[tuple[str, str]]:
    """(what for, what to type)."""
    named = story.name if story.version is None else f"{story.name}:{story.version}"
    quoted = shlex.quote(named)
    return [
        ("Predict from a file", f"assay predict {quoted} new.csv -o predictions.csv"),
        ("Predict in Python", f"import assay\n\nassay.load({json.dumps(named, ensure_ascii=False)}).predict(new_rows)"),
        ("Score again, from the receipt", f"assay verify {shlex.quote(story.run)}"),
        ("Train again", "assay train problem.yaml"),
    ]


def _declared(story: Story) -> str:
    """The problem as `problem.yaml` would say it."""
    import yaml

    plain = json.loads(json.dumps(dict(story.declared), default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
