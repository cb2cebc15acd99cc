"""The meter of the test labels: each look at the same sealed labels is counted, in whichever run of the store.

`looks.jsonl` in the store's folder has one line a look: {seal, when, who, what, run, data, look, others, chain}.
`chain` is the SHA-256 of the line before and of this line's content, so a line that was changed or taken out shows; a
run keeps the chain of its own look, so it also shows where the last lines were cut off.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.store import disk

if TYPE_CHECKING:
    from assay.contract import Table

LEDGER = "looks.jsonl"
_LONGEST = 300


@dataclass(frozen=True)
class Look:
    """The `number`-th look at these labels, from 1; the chain that its line in the ledger ends with.

    others: looks before it at other test parts that were cut from the same data, with another seed or share."""

    seal: str
    number: int
    chain: str
    others: int = 0

    @property
    def level(self) -> float:
        return level_at(self.number)


def level_at(look: int, level: float = 0.95) -> float:
    """The level of intervals at the k-th look: 1 - α / k with α = 1 - level (Bonferroni over the looks).

    Whoever looks k times and reports the best is wrong at most as often as one who looked once.

    >>> [round(level_at(k), 4) for k in (1, 2, 3)]
    [0.95, 0.975, 0.9833]
    """
    return 1 - (1 - level) / look


def seal(cases: Table) -> str:
    """SHA-256 of the cases' ids and of their targets, as hex: the same labels have the same seal, in any order.

    cases: case_id and the columns target, target.<label>; where there is no target, every column counts."""
    told = [c for c in cases.columns if c == "target" or c.startswith("target.")]
    columns = ["case_id", *sorted(told or set(cases.columns) - {"case_id"})]
    ordered = cases.select(columns).sort("case_id")
    digest = hashlib.sha256()
    for name in columns:
        digest.update(f"\x1d{name}\x1d{ordered.height}\x1d".encode())
        digest.update(_content(ordered[name]))
    return digest.hexdigest()


def _content(column: Any) -> bytes:
    """Numbers and truth values as doubles, all else as text, each value ended, so that none runs into the next."""
    import numpy as np

    if column.name != "case_id" and (column.dtype.is_numeric() or str(column.dtype) == "Boolean"):
        return np.ascontiguousarray(column.cast(float).to_numpy(), dtype="<f8").tobytes()
    texts = column.cast(str).to_list()
    return "\x1f".join("\x1e" if t is None else t for t in texts).encode("utf-8", "surrogatepass")


def record(store: Path, sealed: str, *, run: str, what: str, data: str | None = None) -> Look:
    """Count a look by this process at the labels of that seal. A run that has looked at them before looks no second
    time when it is resumed. Safe from many processes at once.

    data: the seal of all cases that the test part was cut from."""
    ledger = store / LEDGER
    with disk.alone(store / f"{LEDGER}.lock"):
        known = disk.lines(ledger)
        at_these = [line for line in known if line.get("seal") == sealed]
        for line in at_these:
            if line["run"] == run:
                return Look(sealed, int(line["look"]), line["chain"], int(line.get("others", 0)))
        others = sum(data is not None and line.get("data") == data and line.get("seal") != sealed for line in known)
        number = 1 + max((int(line["look"]) for line in at_these), default=0)
        content: dict[str, Any] = {"seal": sealed, "when": disk.now(), "who": who(), "what": what, "run": run,
                                   "data": data, "look": number, "others": others}
        chain = _chained(known[-1]["chain"] if known else "", content)
        disk.append(ledger, {**content, "chain": chain})
    return Look(sealed, number, chain, others)


def looks(store: Path, sealed: str | None = None) -> list[dict[str, Any]]:
    """The lines of the ledger, oldest first; those of one seal where it is named."""
    return [line for line in disk.lines(store / LEDGER) if sealed in (None, line.get("seal"))]


def broken(store: Path) -> int | None:
    """The number, from 1, of the first line that was changed or that follows a missing one; None if all is whole."""
    before = ""
    for number, line in enumerate(disk.lines(store / LEDGER), 1):
        content = {k: v for k, v in line.items() if k != "chain"}
        if line.get("chain") != _chained(before, content):
            return number
        before = line["chain"]
    return None


def _chained(before: str, content: dict[str, Any]) -> str:
    text = json.dumps(disk.finite(content), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{before}\n{text}".encode("utf-8", "backslashreplace")).hexdigest()


def who() -> str:
    """The user of the operating system and the command, such as "ada: assay train churn.csv --target churn"."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):            # a container without a name for its user
        user = "unknown user"
    program = Path(sys.argv[0] or "python")
    name = program.parent.name if program.name == "__main__.py" else program.name
    return f"{user}: {shlex.join([name, *sys.argv[1:]])}"[:_LONGEST]
