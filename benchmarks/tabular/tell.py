"""What run.py kept, as the Markdown that LOG.md gets.

    python benchmarks/tabular/tell.py results.jsonl [--budget 60] [--us assay] [--version "assay 0.1.0 1234567"]

Losses are of the test part, less is better: 1 - ROC AUC for two classes, log loss for several, RMSE for numbers. The
mean over seeds stands for a table, so tables count alike. Who failed, or was killed, is last on that table, and whoever
answered beat it. Shares of tables won have Wilson's interval over tables; a tie is half a win. The differences on the
same test rows are paired, and their p-values are adjusted over all of them (Holm). Improvability is (loss - the least
loss of the table) / loss (TabArena, Erickson et al. 2025). Of several versions of ours the last one counts.

results.jsonl beside this file holds what has been run so far; the answers to the test rows are not in the repository.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import polars as pl
from contestants import CONTESTANTS, NOT_RUN
from scipy.stats import rankdata

from assay.metrics import lookup
from assay.stats.intervals import wilson
from assay.stats.paired import compare, holm

Row = dict[str, Any]
INF = float("inf")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("kept", type=Path)
    asked.add_argument("--budget", type=float, help="only this budget; all, one after another")
    asked.add_argument("--us", default="assay", help="whom the others are compared with")
    asked.add_argument("--version", help="of ours; the last one. `each`: of each table the one it was last run with")
    asked.add_argument("--metric", choices=["log_loss"], help="compare classification by this loss instead")
    said = asked.parse_args()
    rows = [json.loads(line) for line in said.kept.read_text(encoding="utf-8").splitlines()]
    for budget in sorted({row["budget_s"] for row in rows}):
        if said.budget in (None, budget):
            here = [row for row in rows if row["budget_s"] == budget]
            print("\n".join(told(chosen(here, said.us, said.version), said.us, said.kept, said.metric)))


def chosen(rows: Sequence[Row], us: str, version: str | None) -> list[Row]:
    """One row a table, seed and contestant: the last kept; of ours, of one version."""
    ours = [row["version"] for row in rows if row["contestant"] == us]
    version = version or (ours[-1] if ours else None)
    last = {(r["table"], r["seed"], r["contestant"]): r for r in rows
            if r["contestant"] != us or version in ("each", r["version"])}
    return list(last.values())


@dataclass(frozen=True)
class Board:
    """loss: (contestant, table) -> the mean over seeds; infinite where one failed; absent where it was not run."""

    who: tuple[str, ...]
    tables: tuple[str, ...]
    loss: dict[tuple[str, str], float]

    def whole(self) -> tuple[str, ...]:
        """The tables that all have met."""
        return tuple(t for t in self.tables if all((c, t) in self.loss for c in self.who))

    def ranks(self) -> dict[str, float]:
        """The mean rank over the tables that all have met; 1 is best, equals share theirs."""
        by_table = [rankdata([self.loss[c, t] for c in self.who]) for t in self.whole()]
        return {c: mean(float(ranks[i]) for ranks in by_table) if by_table else INF for i, c in enumerate(self.who)}

    def improvability(self) -> dict[str, float]:
        """The mean of (loss - least) / loss over the tables that all have met; 1 for a failure, 0 where loss is 0."""
        found = {}
        for c in self.who:
            gaps = []
            for t in self.whole():
                least, own = min(self.loss[other, t] for other in self.who), self.loss[c, t]
                gaps.append(1.0 if own == INF else 0.0 if own == 0 else (own - least) / own)
            found[c] = mean(gaps) if gaps else INF
        return found

    def won(self, us: str, peer: str) -> tuple[float, int]:
        """How many tables we won against a peer, a tie as half, and on how many both were run."""
        both = [t for t in self.tables if (us, t) in self.loss and (peer, t) in self.loss]
        return sum(_beats(self.loss[us, t], self.loss[peer, t]) for t in both), len(both)


def _beats(ours: float, theirs: float) -> float:
    return 0.5 if ours == theirs else float(ours < theirs)


def board(rows: Iterable[Row], metric: str | None = None) -> Board:
    rows = list(rows)
    order = {name: i for i, name in enumerate(CONTESTANTS)}
    who = tuple(sorted({r["contestant"] for r in rows}, key=lambda c: (order.get(c, len(order)), c)))
    tables = tuple(dict.fromkeys(r["table"] for r in rows))
    seen: dict[tuple[str, str], list[float]] = {}
    for r in rows:
        seen.setdefault((r["contestant"], r["table"]), []).append(_loss(r, metric))
    return Board(who, tables, {key: mean(values) for key, values in seen.items()})


def _loss(row: Row, metric: str | None) -> float:
    if row["status"] != "answered":
        return INF
    return float(row["losses"].get(metric) if metric in row["losses"] else row["losses"][row["metric"]])


def told(rows: Sequence[Row], us: str, kept: Path, metric: str | None = None) -> list[str]:
    """All that is told of one budget."""
    found = board(rows, metric)
    gaps = differences(rows, us, kept.with_suffix(""), metric)
    budget, disturbed = rows[0]["budget_s"], sum(r["disturbed"] for r in rows)
    lines = [f"### {budget:g} s: {len(found.tables)} tables, {len({r['seed'] for r in rows})} seed(s), "
             f"{len(rows)} runs, {disturbed} of them disturbed by other work on the machine", ""]
    lines += _table(["contestant", "mean rank", "improvability", f"{us} won", "lost on", *(h for h, _ in MEASURES)],
                    [_summary(c, us, found, gaps, rows) for c in found.who])
    lines += ["", f"Ranks and improvability are over the {len(found.whole())} tables that all have met. Wall is over "
              "the budget; memory is of training; sizes and times are medians over tables, others are named."]
    lines += ["", *_table(["table", "loss", *found.who], [_losses(t, found, rows, metric) for t in found.tables])]
    lines += ["", f"Paired on the same test rows, positive where {us} is better; * holds after Holm over all "
              f"{len(gaps)} comparisons.", "", *_paired(gaps, us, found)]
    wrong = [r for r in rows if r["status"] != "answered" or r["note"]]
    lines += ["", *(f"- {r['contestant']} on {r['table']}: {r['status']}; {r['note']}" for r in wrong)]
    lines += ["", "Versions: " + "; ".join(sorted({f"{r['contestant']} = {r['version']}" for r in rows})) + "."]
    return [*lines, "Not run: " + "; ".join(f"{name}: {why}" for name, why in NOT_RUN.items()) + ".", ""]


def _of(name: str, fold: Callable[[list[float]], float], form: str) -> Callable[[Sequence[Row]], str]:
    def cell(rows: Sequence[Row]) -> str:
        values = [float(r[name]) for r in rows if r.get(name) is not None]
        return format(fold(values), form) if values else "-"
    return cell


MEASURES: tuple[tuple[str, Callable[[Sequence[Row]], str]], ...] = (
    ("wall, worst", _of("over", max, ".2f")), ("median", _of("over", median, ".2f")),
    ("memory MB, median", _of("peak_mb", median, ",.0f")), ("most", _of("peak_mb", max, ",.0f")),
    ("load s", _of("load_s", median, ".2f")), ("one row ms", _of("one_row_ms", median, ".2f")),
    ("million rows s", _of("million_s", median, ".1f")), ("size MB", _of("size_mb", median, ".1f")),
)


def _summary(c: str, us: str, found: Board, gaps: dict[tuple[str, str, int], Row], rows: Sequence[Row]) -> list[str]:
    wins, n = found.won(us, c)
    low, high = wilson(wins, n)
    own = [r for r in rows if r["contestant"] == c]
    rate = "-" if c == us else f"{wins:g} of {n}: {wins / max(n, 1):.0%} ({low:.0%} to {high:.0%})"
    sure = [g for (peer, _, _), g in gaps.items() if peer == c and g["holds"]]
    told_apart = "-" if c == us else (f"{n - wins:g}; told apart: {sum(g['value'] > 0 for g in sure)} for {us}, "
                                      f"{sum(g['value'] < 0 for g in sure)} against")
    return [c, f"{found.ranks()[c]:.2f}", f"{found.improvability()[c]:.1%}", rate, told_apart,
            *(cell(own) for _, cell in MEASURES)]


def _losses(t: str, found: Board, rows: Sequence[Row], metric: str | None) -> list[str]:
    row = next(r for r in rows if r["table"] == t)
    name = metric if row["task"] != "regression" and metric else row["metric"]
    least = min((found.loss[c, t] for c in found.who if (c, t) in found.loss), default=INF)
    cells = []
    for c in found.who:
        value = found.loss.get((c, t))
        shown = "-" if value is None else "none" if value == INF else f"{value:.5g}"
        cells.append(f"**{shown}**" if value == least and value != INF else shown)
    return [f"{t} ({row['train_rows'] + row['test_rows']:,})", "1 - roc_auc" if name == "roc_auc" else name, *cells]


def differences(rows: Sequence[Row], us: str, answers: Path, metric: str | None = None
                ) -> dict[tuple[str, str, int], Row]:
    """(peer, table, seed) -> value, low, high, p adjusted by Holm over all, holds: of ours against theirs."""
    by = {(r["contestant"], r["table"], r["seed"]): r for r in rows if r["status"] == "answered"}
    found: dict[tuple[str, str, int], Row] = {}
    for (peer, table, seed), theirs in by.items():
        if peer != us and (ours := by.get((us, table, seed))):
            name = metric if metric in ours["losses"] else ours["metric"]
            files = [answers / r["answers"] for r in (ours, theirs)]
            if not all(file.exists() for file in files):
                continue                                # rows travel without their answers
            seen = [pl.read_parquet(file) for file in files]
            gap = compare(lookup(ours["task"], name), *seen)
            e = gap.estimate
            found[peer, table, seed] = {"value": e.value, "low": e.low, "high": e.high, "p": gap.p}
    for gap, p in zip(found.values(), holm([g["p"] for g in found.values()]) if found else [], strict=True):
        gap |= {"adjusted": p, "holds": p < 0.05}
    return found


def _paired(gaps: dict[tuple[str, str, int], Row], us: str, found: Board) -> list[str]:
    peers = [c for c in found.who if c != us]
    keys = dict.fromkeys((table, seed) for _, table, seed in gaps)
    lines = []
    for table, seed in keys:
        cells = [gaps.get((peer, table, seed)) for peer in peers]
        lines.append([f"{table}{f', seed {seed}' if seed else ''}", *(
            f"{g['value']:+.4g} ({g['low']:+.4g} to {g['high']:+.4g}){'*' if g['holds'] else ''}" if g else "-"
            for g in cells)])
    return _table(["table", *peers], lines)


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


if __name__ == "__main__":
    main()
