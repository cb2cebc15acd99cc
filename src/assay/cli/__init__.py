"""The command line: words -> records -> stages. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. `assay`, `assay --help` and `assay --version` are answered from plain text."""
    from assay.cli import ends

    said = list(sys.argv[1:] if words is None else words)
    code = ends.guarded(lambda: _answer(said), said)
    if words is None:
        ends.leave_threads(code)
    return code


def _answer(words: list[str]) -> int:
    from assay.cli import words as known

    if words in ([], ["--help"], ["-h"], ["help"]):
        print(known.page())
        return 0
    if words == ["--version"]:
        print(known.version())
        return 0
    from assay.cli.app import run

    return run(words)
