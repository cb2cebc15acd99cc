"""What is on record of a run: its story, and its report drawn again."""

from __future__ import annotations

from pathlib import Path

from assay.errors import StoreError
from assay.files import write_text
from assay.report.page import render
from assay.report.story import Story, story_from_json
from assay.store.store import Store


def show(ref: str, store: Store | None = None) -> Story:
    """The story of a finished run: everything its report says, as a record."""
    run = (store or Store.find()).run(ref)
    if not (run.folder / "story.json").exists():
        status = run.info()["status"]
        raise StoreError(f"run {run.id} has no report: it is {status}. Finish it: assay train --resume {run.id}")
    return story_from_json(run.folder)


def write_report(ref: str, store: Store | None = None, out: Path | None = None) -> Path:
    """Where the report of a run is. With `out` it is drawn anew and written there; the one in the run's folder stays
    as it was made, for the receipt vouches for it."""
    store = store or Store.find()
    page = out or store.run(ref).folder / "report.html"
    if out is not None or not page.exists():
        write_text(page, render(show(ref, store)))
    return page
