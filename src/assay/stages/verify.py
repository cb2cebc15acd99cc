"""A finished run checked against its receipt, offline: every hash, then the model asked again, then every number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assay.contract import TEST, Estimate, Table, Task
from assay.errors import AssayError, GateError, StoreError, TamperedError
from assay.problem import Problem
from assay.stages.finish import within
from assay.stages.prove import estimates
from assay.stages.recognise import recognise
from assay.store import looks, receipt, signing
from assay.store.package import load_model
from assay.store.runs import Run
from assay.store.store import Store

CLOSE = 1e-9
"""How far two numbers may be apart, relative to the larger one, to be called the same."""


@dataclass(frozen=True)
class Verified:
    """A run that is what its receipt says.

    signer  the key that signed it, as `signing.short` writes it; None where nobody did
    notes   what a reader should know although nothing failed: another environment, a store that is not at hand
    """

    run: str
    files: int
    cases: int
    metrics: Mapping[str, Estimate]
    signer: str | None
    look: int
    notes: tuple[str, ...] = ()


def verify(ref: str, *, key: str | None = None, store: Store | None = None) -> Verified:
    """Check the run called `ref`, or in the folder `ref`, and compute it again.

    key: a public key that has to have signed it. In this order: the receipt and its signature, the hash of every file,
    the log of looks, the model loaded and put to the test part again, every metric and its interval to 1e-9.
    Raises GateError that names the first difference, StoreError where there is no receipt to check."""
    run, where = _found(ref, store)
    if not (run.folder / receipt.RECEIPT).exists():
        raise StoreError(f"run {run.id} has no receipt: it is {run.info()['status']}, or was made by an assay before "
                         "receipts. Train again to have one.")
    try:
        said = receipt.check(run.folder, key)
        notes = [*_environment(said), *_looks(said, where)]
        task, outcomes = _again(run, said)
        metrics = _same_metrics(task, outcomes, said, strict=said["code"] == receipt.code())
    except (TamperedError, _DifferentError) as wrong:
        raise GateError(f"verifying run {run.id}: {wrong}") from wrong
    signer = None if said["signer"] is None else signing.short(said["signer"])
    return Verified(run.id, len(said["files"]) + 2, len(outcomes), metrics, signer, int(said["look"]["number"]),
                    tuple(notes))


class _DifferentError(AssayError):
    """What was computed again is not what the receipt says."""


def _found(ref: str, store: Store | None) -> tuple[Run, Path | None]:
    """The run, and the store it is in: None for a folder that was carried elsewhere."""
    folder = Path(ref).expanduser().absolute()
    if any((folder / name).exists() for name in (receipt.RECORD, receipt.RECEIPT)):
        home = folder.parent.parent
        return Run(folder), home if (home / looks.LEDGER).is_file() else None
    store = store or Store.find()
    named = store.folder / "runs" / Path(ref).name      # one whose run.json cannot be read is in no list
    return Run(named) if named.name == ref and named.is_dir() else store.run(ref), store.folder


# --- what may differ and is told ---------------------------------------------------------------------------


def _environment(said: Mapping[str, Any]) -> list[str]:
    notes = []
    if said["code"] != receipt.code():
        notes.append(f"Made by assay {said['code']['version']}, checked by {receipt.code()['version']} with other "
                     "code, so values are compared and intervals are not.")
    then, now = said["environment"], receipt.environment()
    names = sorted({*then["packages"], *now["packages"]})
    other = [n for n in names if then["packages"].get(n) != now["packages"].get(n)]
    if other:
        more = f" and {len(other) - 5} more" if len(other) > 5 else ""
        notes.append(f"Other versions are installed than when it was made: {', '.join(other[:5])}{more}.")
    if then["python"] != now["python"]:
        notes.append(f"Made with Python {then['python']}, checked with {now['python']}.")
    return notes


def _looks(said: Mapping[str, Any], store: Path | None) -> list[str]:
    look = said["look"]
    if store is None:
        return ["The log of looks at the test labels is not at hand, so their number is as the run wrote it."]
    torn = looks.broken(store)
    if torn is not None:
        raise _DifferentError(f"line {torn} of {store / looks.LEDGER} was changed, or one before it was taken out.")
    lines = looks.looks(store, look["seal"])
    if not any(line["chain"] == look["chain"] for line in lines):
        raise _DifferentError(f"{store / looks.LEDGER} no longer holds the look of this run at its test labels.")
    later = len(lines) - look["number"]
    return [f"The same test labels were looked at {later} time{'s' * (later > 1)} since."] if later > 0 else []


# --- what has to be the same -------------------------------------------------------------------------------


def _again(run: Run, said: Mapping[str, Any]) -> tuple[Task, Table]:
    """The task, and the recorded outcomes once the loaded model has given the same."""
    _, paradigm = recognise(Problem(data="", task=said["run"]["paradigm"]))
    task = paradigm.open(run.folder / "task", test=True)
    if looks.seal(task.cases(TEST)) != said["look"]["seal"]:
        raise _DifferentError("the test labels are not those that were sealed.")
    recorded = pl.read_parquet(run.folder / "evidence" / "test.parquet")
    cases = task.cases(TEST)
    met = cases.filter(pl.col("case_id").is_in(recorded["case_id"].implode()))
    model = within(load_model(run.folder / "model"), met[:1], task)
    _same_outcomes(task.attempt(model, met), recorded)
    return task, recorded


def _same_outcomes(again: Table, recorded: Table) -> None:
    if again.columns != recorded.columns or len(again) != len(recorded):
        raise _DifferentError(f"the model gives {len(again):,} outcomes of {again.width} columns; recorded are "
                              f"{len(recorded):,} of {recorded.width}.")
    recorded, again = recorded.sort("case_id"), again.sort("case_id")
    for name in recorded.columns:
        a, b = recorded[name], again[name]
        same = ((a - b).abs() <= CLOSE * a.abs().clip(1.0)) | (a == b) if a.dtype.is_float() else a.eq_missing(b)
        wrong = (~same.fill_null(value=True)) | (a.is_null() != b.is_null())
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise _DifferentError(f"case {recorded['case_id'][row]}: {name} was recorded as {a[row]!r}, and the model "
                                  f"now gives {b[row]!r}.")


def _same_metrics(task: Task, outcomes: Table, said: Mapping[str, Any], *, strict: bool) -> dict[str, Estimate]:
    """Each metric anew. strict: the intervals too, which the code decides as well as the data."""
    again = estimates(task, outcomes, level=looks.level_at(said["look"]["number"]))
    recorded: Mapping[str, Any] = said["metrics"]
    if set(again) != set(recorded):
        raise _DifferentError(f"the metrics differ: recorded {sorted(recorded)}, now {sorted(again)}.")
    for name, now in again.items():
        for part in ("value", "low", "high") if strict else ("value",):
            then, value = float(recorded[name][part]), float(getattr(now, part))
            same = math.isclose(then, value, rel_tol=CLOSE, abs_tol=CLOSE) or (math.isnan(then) and math.isnan(value))
            if not same:
                raise _DifferentError(f"{name}: its {part} was recorded as {then!r}, and is now {value!r}.")
    return again
