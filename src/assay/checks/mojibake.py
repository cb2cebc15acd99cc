"""Text that was written in one encoding and read in another: "ZÃ¼rich"."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks.exhibits import Exhibits
from assay.contract import Finding

CHECK = "data.mojibake"
SHOWN = 10
MOST_VALUES = 50_000
LOST = "\ufffd"

_SPECIAL = {chr(n): n for n in range(0x80, 0xA0)}           # as Latin-1 has what Windows-1252 leaves undefined
_UNDEFINED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
_BYTE = _SPECIAL | {bytes([n]).decode("cp1252"): n for n in range(0x80, 0x100) if n not in _UNDEFINED}
_LEAD = "[" + "".join(c for c, n in _BYTE.items() if 0xC2 <= n <= 0xF4) + "]"
_TAIL = "[" + "".join(c for c, n in _BYTE.items() if n < 0xC0) + "]"
_OURS = ("the target", "a column's name")
_SIGNS = f"{_LEAD}{_TAIL}|{LOST}"


def check(seen: Exhibits) -> Iterator[Finding]:
    """Texts, category names and names of columns that are UTF-8 read as Windows-1252 or Latin-1, once or twice.

    A value counts as damaged where turning it back gives valid UTF-8; a lone "Ã" of a Portuguese word does not. What
    was lost for good shows as U+FFFD. Of a column with more than 50,000 different values so many are looked at."""
    damaged: list[dict[str, object]] = []
    lost: dict[str, int] = {}
    columns = [c for c in seen.inputs.get_columns() if c.dtype == pl.String]
    columns += [c.alias("the target") for c in seen.cases.get_columns() if c.name == "target" and c.dtype == pl.String]
    if not columns and not seen.inputs.width:
        return
    columns.append(pl.Series("a column's name", seen.inputs.columns, dtype=pl.String))
    for column in columns:
        odd = column.drop_nulls().unique().head(MOST_VALUES).sort()
        odd = odd.filter(odd.str.contains(_SIGNS))
        if gone := int(odd.str.contains(LOST, literal=True).sum()):
            lost[column.name] = gone
        pairs = ((value, mended(value)) for value in odd.to_list())
        damaged += [{"where": column.name, "written": _short(value), "meant": _short(better),
                     "also there": better in column} for value, better in pairs if better != value]
    if not damaged and not lost:
        yield Finding(CHECK, "ok", "No text looks damaged by a wrong encoding.")
        return
    yield from _findings(damaged, lost)


def mended(value: str) -> str:
    """The text with its bytes read as UTF-8 as they were meant, as often as that works; the same text if it never does.

    >>> mended("ZÃ¼rich"), mended("cafÃƒÂ©"), mended("SÃO PAULO"), mended("naïve")
    ('Zürich', 'café', 'SÃO PAULO', 'naïve')
    """
    for _ in range(3):
        try:
            raw = bytes(ord(c) if ord(c) < 0x80 else _BYTE[c] for c in value)
            better = raw.decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            break
        if better == value:
            break
        value = better
    return value


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:57] + "..."


def _findings(damaged: list[dict[str, object]], lost: dict[str, int]) -> Iterator[Finding]:
    if damaged:
        table = pl.DataFrame(damaged)
        where = ", ".join(w if w in _OURS else repr(w) for w in table["where"].unique().sort())
        first, twice = table.row(0, named=True), int(table["also there"].sum())
        said = (f"{len(table):,} different values look like UTF-8 read in another encoding, in {where}: "
                f"{first['written']!r} was {first['meant']!r}. Read the file as UTF-8.")
        if twice:
            said += f" {twice:,} of them are there undamaged too, and count as another value."
        yield Finding(CHECK, "warn", said, {"values": len(table), "also undamaged": twice}, table.head(SHOWN))
    if lost:
        named = ", ".join(f"{c!r} ({n:,})" for c, n in lost.items())
        said = f"Characters were lost when the data were read or written (they show as {LOST}), in values of {named}."
        yield Finding(CHECK, "warn", said, {"columns": list(lost), "values": sum(lost.values())})
