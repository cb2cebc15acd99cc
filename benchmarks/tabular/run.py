"""assay beside other AutoML tools on open tables: each alone, in its own environment and process, by turns.

    python benchmarks/tabular/run.py --contestants assay,autogluon-best,flaml --tables churn,ames --budget 60 \
        --keep results.jsonl
    python benchmarks/tabular/tell.py results.jsonl

--tables takes names, `quick`, `long`, `all`, or FILE=TARGET=GOAL for a CSV file; --contestants takes names or `all`.
Every contestant is given the same training rows, as train.parquet, the same metric and the same wall-clock budget, and
answers for the same test rows. Only assay sees those sooner, with shuffled labels (see contestants.py). Measured are
the whole command until the model is on disk, the memory of all its processes, and in a process of its own the model's
loading and answering.

One line a (table, seed, budget, contestant, version) is kept, with the answers beside the file, so a run that was
stopped goes on where it was, and a new version of assay is added to what the others did before. Who is still at work
after three times the budget and a minute is killed, and that is its result.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from contestants import CONTESTANTS, CORES, NOT_RUN, SHUFFLED, Contestant, contestant
from measure import Ran, busy_cores, watch
from score import losses, outcomes
from tables import LONG, METRIC, QUICK, TABLES, Open, found, parted

DISTURBED = 0.2
"""Cores that others kept busy before the start or while it ran, beyond which a row is marked as disturbed."""
SETS = {"quick": QUICK, "long": LONG, "all": tuple(TABLES)}

Row = dict[str, Any]


def main() -> None:
    said = _asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that what is running is ended too
    pythons = dict(word.partition("=")[::2] for word in said.python)
    words = list(CONTESTANTS) if said.contestants == "all" else said.contestants.split(",")
    who = [contestant(word, pythons, said.assay.split()) for word in words]
    have = {_key(row) for row in kept(said.keep) if not (said.again and row["status"] != "answered")}
    for place, word, seed in _rounds(said.tables, said.seeds):
        name, table = found(word)
        turn = place % len(who)
        due = [c for c in who[turn:] + who[:turn] if (name, seed, said.budget, c.name, c.version) not in have]
        if due:
            train, test = parted(table, seed)
            for c in due:
                row = one(c, name, table, train, test, seed=seed, budget_s=said.budget, keep=said.keep)
                with said.keep.open("a", encoding="utf-8") as f:
                    f.write(json.dumps(row) + "\n")
                print(told(row), flush=True)


def _asked() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0],
                                    epilog="Not run: " + "; ".join(f"{k}: {v}" for k, v in NOT_RUN.items()))
    asked.add_argument("--contestants", default="all", help=", ".join(CONTESTANTS))
    asked.add_argument("--tables", default="quick", help="quick, long, all, or names: " + ", ".join(TABLES))
    asked.add_argument("--budget", type=float, default=60, help="seconds of wall clock for each")
    asked.add_argument("--seeds", type=int, default=1, help="so many splits of each table")
    asked.add_argument("--keep", type=Path, default=Path("tabular.jsonl"), help="where finished rows are kept")
    asked.add_argument("--again", action="store_true", help="run those that failed once more")
    asked.add_argument("--python", action="append", default=[], metavar="TOOL=PATH",
                       help="an interpreter to use instead of an environment of its own")
    asked.add_argument("--assay", default="", help="more options for `assay train`, in one word")
    return asked.parse_args()


def _rounds(words: str, seeds: int) -> Iterator[tuple[int, str, int]]:
    """Who begins moves on by one with every table."""
    listed = [name for word in words.split(",") for name in SETS.get(word, (word,))]
    for seed in range(seeds):
        for place, word in enumerate(listed):
            yield place + seed, word, seed


def one(c: Contestant, name: str, table: Open, train: pd.DataFrame, test: pd.DataFrame, *, seed: int, budget_s: float,
        keep: Path) -> Row:
    """Train one contestant and let it answer. Whatever goes wrong with it is in the row."""
    classes = [] if table.goal == "regression" else sorted(train[table.target].unique())
    question = {"task": table.goal, "target": [table.target], "metric": METRIC[table.goal], "classes": classes,
                "positive": None, "seed": seed, "budget_s": budget_s, "cores": CORES}
    row: Row = {"table": name, "seed": seed, "budget_s": budget_s, "contestant": c.name, "version": c.version,
                "task": table.goal, "metric": question["metric"], "train_rows": len(train), "test_rows": len(test),
                "columns": train.shape[1] - 1, "when": datetime.now(UTC).isoformat(timespec="seconds")}
    answers = keep.with_suffix("") / f"{name}-{seed}-{budget_s:g}-{c.name}-{c.version.replace(' ', '_')}.parquet"
    with tempfile.TemporaryDirectory(prefix="assay-bench-", ignore_cleanup_errors=True) as place:
        desk = Path(place)
        (desk / "question.json").write_text(json.dumps(question), encoding="utf-8")
        train.to_parquet(desk / "train.parquet", index=False)
        if c.ours:
            shuffled = test[table.target].sample(frac=1, random_state=seed).to_numpy()
            test.assign(**{table.target: shuffled}).to_parquet(desk / SHUFFLED, index=False)
        row |= {"load_before": os.getloadavg()[0], "busy_before": busy_cores()}
        log = answers.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        fitted = watch(c.fitting(question), desk, log, limit_s=3 * budget_s + 60, env=c.env)
        row |= {"load_after": os.getloadavg()[0], **asdict(fitted), "over": fitted.seconds / budget_s}
        row["disturbed"] = max(row["busy_before"], fitted.others) > DISTURBED
        if fitted.code != 0:
            return row | _broke(fitted, "training", log)
        test.drop(columns=table.target).to_parquet(desk / "inputs.parquet", index=False)
        return row | _answered(c, table, desk, test[table.target], answers, log)


def _answered(c: Contestant, table: Open, desk: Path, truth: pd.Series, answers: Path, log: Path) -> Row:
    asked = watch(c.predicting(), desk, log, limit_s=900, env=c.env)
    timings = desk / "timings.json"
    row = json.loads(timings.read_text(encoding="utf-8")) if timings.exists() else {}
    row |= {"predict_mb": asked.peak_mb}
    if not (desk / "answers.parquet").exists():
        return row | _broke(asked, "answering", log)
    try:
        seen = outcomes(pd.read_parquet(desk / "answers.parquet"), truth, table.goal)
    except (ValueError, KeyError) as wrong:
        return row | {"status": "failed", "note": f"its answers: {wrong}"}
    seen.write_parquet(answers)
    note = "" if asked.code == 0 else _broke(asked, "a million rows", log)["note"]
    return row | {"status": "answered", "note": note, "losses": losses(seen, table.goal), "answers": answers.name}


def _broke(ran: Ran, doing: str, log: Path) -> Row:
    if ran.code is None:
        return {"status": "killed", "note": f"{doing}: still at work after {ran.seconds:.0f} s"}
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return {"status": "failed", "note": f"{doing}: exit code {ran.code}: {lines[-1][:300] if lines else 'silence'}"}


def kept(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _key(row: Row) -> tuple[str, int, float, str, str]:
    return row["table"], row["seed"], row["budget_s"], row["contestant"], row["version"]


def told(row: Row) -> str:
    scored = f"{row['metric']} loss {row['losses'][row['metric']]:.5g}" if row["status"] == "answered" else row["note"]
    return (f"{time.strftime('%H:%M:%S')} {row['table']} {row['contestant']}: {row['status']}, {scored}; "
            f"{row['seconds']:.1f} s, {row['peak_mb']:.0f} MB{', disturbed' if row['disturbed'] else ''}")


if __name__ == "__main__":
    main()
