"""Values that are not there."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Finding, Level

CHECK = "data.missing"
MUCH, MOST = 0.2, 0.6


def check(seen: Exhibits) -> Iterator[Finding]:
    """The share missing by column: a note from 20 %."""
    if not seen.inputs.width:
        return
    inputs, n = seen.inputs, max(len(seen.inputs), 1)
    shares = {c: _absent(inputs[c]) / n for c in inputs.columns}
    some = dict(sorted(((c, s) for c, s in shares.items() if s > 0), key=lambda cs: -cs[1]))
    if not some:
        yield Finding(CHECK, "ok", "No value is missing.")
        return
    worst, share = next(iter(some.items()))
    level: Level = "note" if share >= MUCH else "ok"
    sentence = f"{len(some)} of {inputs.width} inputs have missing values; {worst!r} most, {_percent(share)}."
    mostly = [c for c, s in some.items() if s >= MOST]
    if mostly:
        sentence += f" {len(mostly)} {'is' if len(mostly) == 1 else 'are'} missing in {MOST:.0%} of the cases or more."
    shown = list(some.values())
    table = pl.DataFrame({"input": list(some), "missing": [round(s * n) for s in shown], "share": shown})
    yield Finding(CHECK, level, sentence, {"columns": len(some), "largest share": share}, table)


def _absent(column: pl.Series) -> int:
    return column.null_count() + (int(column.is_nan().sum() or 0) if column.dtype.is_float() else 0)


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1 %"
