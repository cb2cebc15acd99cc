"""What every command shares: its common options, the store it means, and how it prints."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from assay.store import Store


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options that every command takes."""

    json: Annotated[bool, Parameter(help="print one JSON value on standard output and nothing else")] = False
    store: Annotated[Path | None, Parameter(help="the store's folder; ASSAY_STORE, or .assay upwards")] = None
    debug: Annotated[bool, Parameter(help="show the traceback of an error")] = False

    def named_store(self, *, due: bool = False) -> Store | None:
        """The store that was named, perhaps one that is to be made; None leaves it to the stage to find one."""
        if self.store is None:
            return None
        from assay.store import Store

        return Store.due(self.store) if due else Store.at(self.store, create=False)

    def found_store(self) -> Store:
        from assay.store import Store

        return self.named_store() or Store.find()

    def say(self, value: Any, lines: Iterable[str]) -> None:
        """The value as JSON where that was asked for, else the lines."""
        if self.json:
            print(json.dumps(plain(value), allow_nan=False))
            return
        for line in lines:
            print(line)


def plain(value: Any) -> Any:
    """Records, tables, dates and NumPy numbers as JSON knows them; what is not finite becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    for method in ("to_dicts", "tolist"):       # a polars table: one object a row; a NumPy number or array
        if hasattr(value, method):
            return plain(getattr(value, method)())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def columns(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table: columns as wide as their widest cell, two blanks between, nothing at the ends."""
    cells = [list(heads), *([str(cell) for cell in row] for row in rows)]
    width = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, width, strict=True)).rstrip() for row in cells]
