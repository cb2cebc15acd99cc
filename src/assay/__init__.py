"""assay: from a problem to a model that is honestly tested, explained, recorded and served.

Importing this package loads nothing heavy: each name below is fetched when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Problem": "assay.problem:Problem",
    "UserError": "assay.errors:UserError",
    "AssayError": "assay.errors:AssayError",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
