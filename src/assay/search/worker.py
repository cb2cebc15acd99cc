"""One worker process: reads jobs as JSON lines, fits and confronts, leaves each result whole in a folder.

It never sees the test part: the task it opens has none. It ends when its parent does.
Started as `python -m assay.search.worker PARADIGM [RECIPES]` so that a user's script needs no main guard. Where it is
given recipes it imports those alone, and others when a job asks for them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from assay import registry
from assay.capabilities import Settles
from assay.contract import Context, Paradigm, Split, Task
from assay.errors import AssayError, LockedError, StoreError, UserError
from assay.files import write_json
from assay.search.entrants import describe
from assay.search.latency import a_row_of_many_s, one_row_s
from assay.search.workers import DESCRIBE
from assay.store.disk import telling
from assay.store.package import load_model, save_model

DONE = "done.json"


def main() -> None:
    answers = _private_stdout()
    threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    paradigm_name, opening = sys.argv[1], sys.argv[2:]
    _load_ahead(paradigm_name, opening)
    tasks: dict[str, Task] = {}
    for line in sys.stdin:
        job = json.loads(line)
        if "open" in job:
            _errors_to(job["log"])
            paradigm: Paradigm = registry.load("assay.paradigms", job["paradigm"])
            tasks["task"] = paradigm.open(Path(job["open"]), test=False)
            answer: dict[str, Any] = {"recipes": describe(tasks["task"], job["paradigm"], opening)}
        elif job["id"] == DESCRIBE:
            answer = {"recipes": describe(tasks["task"], paradigm_name)}
        else:
            answer = perform(job, tasks["task"])
        answers.write(json.dumps({"id": job["id"], **answer}) + "\n")
        answers.flush()


def perform(job: dict[str, Any], task: Task) -> dict[str, Any]:
    """Fit one recipe on one split and confront the model with what was held out.

    The job's folder receives model/, outcomes.parquet and, last, done.json: a folder without it counts for nothing.
    A recipe that fails is an answer too, kept so that a resumed run does not try it again."""
    folder = Path(job["folder"])
    try:
        with telling(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            done = _tried(job, task, folder)
            write_json(folder / DONE, done)
            return done
    except StoreError as broken:
        return {"state": "broken", "note": str(broken)}        # the disk, not the recipe: nothing is concluded
    except OSError as error:                                    # nothing that `telling` knows of a disk
        traceback.print_exc()
        return {"state": "failed", "note": _in_a_line(error)}


def _tried(job: dict[str, Any], task: Task, folder: Path) -> dict[str, Any]:
    try:
        return {"state": "done", **_fit_and_confront(job, task, folder)}
    except (StoreError, OSError) as broken:
        if not isinstance(broken, LockedError):
            raise
        return {"state": "failed", "note": str(broken)}
    except AssayError as refusal:
        return {"state": "failed", "note": str(refusal)}
    except MemoryError:
        return {"state": "failed", "note": "not enough memory"}
    except Exception as error:  # noqa: BLE001 - a recipe may fail in any way; the race goes on and says so
        traceback.print_exc()
        return {"state": "failed", "note": _in_a_line(error)}


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _fit_and_confront(job: dict[str, Any], task: Task, folder: Path) -> dict[str, Any]:
    recipe = registry.load("assay.recipes", job["recipe"])(**job["settings"])
    fold, share = job["fold"], job.get("share", 1.0)
    with tempfile.TemporaryDirectory() as scratch:
        ctx = Context(
            seed=job["seed"],
            budget_s=job["budget_s"],
            split=Split("train") if fold is None else Split("fit", fold, share),
            workdir=Path(scratch),
            rough=bool(job.get("rough", False)),
        )
        began = time.monotonic()
        model = recipe.fit(task, ctx)
    done: dict[str, Any] = {"fit_s": time.monotonic() - began}
    if isinstance(recipe, Settles):
        done["settled"] = dict(recipe.settled(model))
    if fold is not None:
        cases = task.cases(Split("held", fold))
        began = time.monotonic()
        outcomes = task.attempt(model, cases)
        done |= {"predict_s": time.monotonic() - began, "cases": len(outcomes)}
        if fold == 0 and len(cases):
            done["one_row_s"] = one_row_s(task, model, cases)
            done["answer_s"] = a_row_of_many_s(task, model, cases, done["predict_s"])
        outcomes.write_parquet(folder / "outcomes.parquet")
    if share >= 1:
        save_model(model, folder / "model", lineage={"recipe": job["recipe"], "fold": fold})
    if share >= 1 and fold == 0:
        began = time.monotonic()
        load_model(folder / "model")
        done["load_s"] = time.monotonic() - began
    return done


def _load_ahead(paradigm: str, opening: list[str]) -> None:
    """Import the recipes of a paradigm, or some of them, while the data is still being read."""
    for name in [f"{paradigm}.{n}" for n in opening] or registry.names("assay.recipes", f"{paradigm}."):
        with suppress(UserError):                      # a library that is missing is told once there is a task
            registry.load("assay.recipes", name)


def _errors_to(log: str) -> None:
    """From now on, what libraries print goes to the run's log."""
    with Path(log).open("ab") as out:
        os.dup2(out.fileno(), 2)


def _private_stdout() -> IO[str]:
    """The real standard output for answers alone; whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _die_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main()
