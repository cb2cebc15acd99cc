"""assay: from a problem to a model that is honestly tested, explained, recorded and served.

Importing this package loads nothing heavy: each name below is fetched when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "AssayError", "Estimate", "Finding", "GateError", "Metric", "Problem", "Report", "UserError", "__version__",
    "compare", "evaluate", "judge", "load", "resume", "train", "verify",
]

_WHERE = {
    **dict.fromkeys(("train", "resume", "load", "evaluate", "compare", "judge", "verify"), "assay.api"),
    **dict.fromkeys(("AssayError", "GateError", "UserError"), "assay.errors"),
    **dict.fromkeys(("Estimate", "Finding", "Metric", "Report"), "assay.contract"),
    "Problem": "assay.problem",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
