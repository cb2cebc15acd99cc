"""`assay predict`, `evaluate`, `models` and `promote`: what is done with a model once there is one."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from assay.cli.common import Common, columns, plain
from assay.cli.told import finding_lines, finding_values, metric_lines
from assay.errors import UserError, nearest

if TYPE_CHECKING:
    from assay.contract import Report, Table
    from assay.store import Store


def predict(
    name: str,
    data: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    interval: float | None = None,
    ignore_extra: bool = False,
    common: Common = Common(),
) -> None:
    """What the model answers for new rows: one row a row, in the same order.

    Parameters
    ----------
    name
        A model: churn, churn@champion, churn:3, last, a run, or a folder.
    data
        A file of new rows.
    out
        Where the answers go: .csv, .parquet or .jsonl; else they are printed as CSV.
    interval
        0.9 adds where the truth lies nine times in ten: columns low and high for a number, set for a class.
    ignore_extra
        Leave out columns that the model does not know, instead of refusing them.
    """
    if interval is not None and not 0 < interval < 1:
        raise UserError(f"--interval {interval}: wanted a number between 0 and 1, such as 0.9.")
    write = _writer(out) if out else None
    from assay.stages.predict import flat
    from assay.stages.predict import predict as answer

    table = answer(name, data, store=common.named_store(), ignore_extra=ignore_extra, interval=interval)
    if out and write:
        _written(table, out, write)
        common.say({"out": str(out), "rows": len(table)}, [f"{len(table):,} rows: {out}"])
    elif common.json:
        common.say(table, [])
    else:
        sys.stdout.write(flat(table).write_csv())


def _written(table: Table, out: Path, write: str) -> None:
    from assay.files import replacing
    from assay.stages.predict import flat

    with replacing(out) as beside:
        getattr(flat(table) if write == "write_csv" else table, write)(beside)


_WRITERS = {".csv": "write_csv", ".parquet": "write_parquet", ".jsonl": "write_ndjson", ".ndjson": "write_ndjson"}


def _writer(out: Path) -> str:
    """The table's method for the ending of `out`. Raises UserError, before anything is computed, if there is none."""
    ending = out.suffix.lower()
    if ending not in _WRITERS:
        raise UserError(f"-o {out}: cannot write {ending or 'a file without an ending'}. {nearest(ending, _WRITERS)}")
    return _WRITERS[ending]


def evaluate(name: str, data: str, /, *, metric: str | None = None, common: Common = Common()) -> None:
    """Every metric, with its interval, on labelled rows that the model has not met.

    Parameters
    ----------
    name
        A model: churn, churn@champion, churn:3, last, a run, or a folder.
    data
        A file of new rows with the target in it.
    metric
        One to put first, or a function of yours: ./metrics.py:profit or module:function.
    """
    from assay.stages.evaluate import evaluate as test

    report = test(name, data, metric=metric, store=common.named_store())
    common.say(_value(report), _lines(report))


def _value(report: Report) -> dict[str, Any]:
    return {"task": report.task, "cases": len(report.outcomes), "metrics": plain(report.metrics),
            "findings": finding_values(report.findings)}


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.task}: {len(report.outcomes):,} cases"
    yield from metric_lines(report.metrics, {})
    yield from finding_lines(report.findings)


def models(*, common: Common = Common()) -> None:
    """The models in the store: their versions, and the aliases that point at them."""
    store = common.found_store()
    found = [_model(store, name) for name in store.names()]
    rows = [(m["name"], v["version"], ", ".join(a for a, n in m["aliases"].items() if n == v["version"]) or "-",
             v["run"], v["made"][:19].replace("T", " ")) for m in found for v in m["versions"]]
    heads = ("model", "version", "aliases", "run", "made (UTC)")
    common.say(found, columns(heads, rows) if rows else ["no models yet: assay train DATA --target COLUMN"])


def _model(store: Store, name: str) -> dict[str, Any]:
    return {"name": name, "aliases": store.aliases(name), "versions": store.versions(name)}


def promote(
    name: str,
    version: int,
    alias: str,
    /,
    *,
    why: str = "",
    common: Common = Common(),
) -> None:
    """Point an alias at a version of a model. Who did it, when and why is kept.

    Parameters
    ----------
    name
        A model's name.
    version
        The number of one of its versions.
    alias
        What to call it: champion is what `assay predict NAME` takes.
    why
        The reason, for the record.
    """
    store = common.found_store()
    store.promote(name, version, alias, who=_user(), why=why)
    common.say({"name": name, "version": version, "alias": alias, "why": why}, [f"{name}@{alias} is version {version}"])


def _user() -> str:
    """Who is at the keyboard; in a container a number may be all there is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
