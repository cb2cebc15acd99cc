"""How a delimited file is written: its encoding, delimiter, decimal mark and column names, from its beginning."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from assay.errors import DataError

SAMPLE_BYTES = 1 << 20
_SURE_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+$")
_SURE_POINT = re.compile(r"[+-]?\d+\.(?:\d{1,2}|\d{4,})$")


@dataclass(frozen=True)
class Dialect:
    """How a file is written, found from its beginning. `names` are those of its first line, none empty."""

    names: tuple[str, ...]
    nameless: tuple[str, ...]
    delimiter: str
    encoding: str
    line_end: str
    comma: bool

    def notes(self) -> Iterator[str]:
        if self.encoding not in ("UTF-8", "UTF-8 with BOM"):
            yield f"read as {self.encoding}"
        if self.delimiter != ",":
            shown = {"\t": "tab", " ": "space"}.get(self.delimiter)
            yield f"delimiter {shown or repr(self.delimiter)}"
        if self.comma:
            yield "decimal comma"


def find_encoding(head: bytes, where: str) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return "UTF-8 with BOM"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    if not head.strip():
        raise DataError(f"{where} is empty. Wanted a line of column names and rows of data below it.")
    control = sum(head.count(byte) for byte in range(32) if byte not in b"\t\n\r\x0b\x0c\x1b")
    if b"\0" in head or control > len(head) / 50:
        raise DataError(f"{where} is not text: it holds binary data. Wanted a delimited text file in UTF-8; "
                        "if it is a Parquet, Excel or Arrow file, give it that suffix.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return eight_bit(head)
    return "UTF-8"


def eight_bit(content: bytes) -> str:
    """Windows' code page where every byte has a meaning in it, else Latin-1, where all do."""
    return "Latin-1" if any(byte in content for byte in b"\x81\x8d\x8f\x90\x9d") else "Windows-1252"


def codec(encoding: str) -> str:
    return {"UTF-8 with BOM": "utf-8-sig", "Windows-1252": "cp1252"}.get(encoding, encoding)


def find_dialect(head: bytes, encoding: str, where: str, *, tab: bool) -> Dialect:
    text = head.decode(codec(encoding), errors="ignore")
    cut = len(head) == SAMPLE_BYTES
    line_end = "\r" if "\r" in text and "\n" not in text else "\n"
    text = text.replace("\r", "\n") if line_end == "\r" else text
    if not text.strip():
        raise DataError(f"{where} is empty. Wanted a line of column names and rows of data below it.")
    delimiter = "\t" if tab and "\t" in text.partition("\n")[0] else _delimiter(text, cut=cut)
    records = _records(text, delimiter, 200, cut=cut)
    names, nameless = _names(records[0], where)
    return Dialect(names, nameless, delimiter, encoding, line_end, delimiter != "," and _has_comma(records[1:]))


def _records(text: str, delimiter: str, most: int, *, cut: bool) -> list[list[str]]:
    """The first records, blank lines left out; the last one is dropped where the text is cut short."""
    records = []
    with long_fields():
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            records.append(record)
            if len(records) > most:
                break
    if cut and 1 < len(records) <= most:
        records.pop()
    return [record for record in records if record]


@contextmanager
def long_fields() -> Iterator[None]:
    before = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _delimiter(text: str, *, cut: bool) -> str:
    """The delimiter that gives most lines as many fields as the first; a space only where all lines agree."""
    scores = {}
    for delimiter in ",\t;|":
        widths = [len(record) for record in _records(text, delimiter, 100, cut=cut)]
        if widths[0] > 1:
            scores[delimiter] = (sum(w == widths[0] for w in widths) / len(widths), widths[0])
    if scores:
        return max(scores, key=lambda delimiter: scores[delimiter])
    spaced = {len(record) for record in _records(text, " ", 100, cut=cut)}
    return " " if len(spaced) == 1 and min(spaced) > 1 else ","


def _names(header: list[str], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Column names, blanks cut off and the empty ones numbered; and which were empty."""
    stripped = [name.strip() for name in header]
    if len(stripped) > 1 and all(_SURE_POINT.match(name) or re.match(r"[+-]?\d+$", name) for name in stripped) and (
        any("." in name or name.startswith("-") for name in stripped) or len(set(stripped)) < len(stripped)
    ):
        raise DataError(f"{where}: line 1 holds data ({', '.join(stripped[:4])} ...), not column names. "
                        "Add a line of column names at the top.")
    refuse_duplicates(tuple(name for name in stripped if name), where)
    names = tuple(name or f"column_{i}" for i, name in enumerate(stripped, start=1))
    return names, tuple(name for name, said in zip(names, stripped, strict=True) if not said)


def refuse_duplicates(names: tuple[str, ...], where: str) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise DataError(f"{where}: more than one column is called {', '.join(map(repr, twice[:5]))}{more}. "
                        "Rename or remove all but one of each.")


def _has_comma(records: list[list[str]]) -> bool:
    """Whether numbers are written 1.234,56: more cells are surely so than surely 1234.56."""
    found = [cell.strip() for record in records for cell in record]
    return sum(bool(_SURE_COMMA.match(c)) for c in found) > sum(bool(_SURE_POINT.match(c)) for c in found)
