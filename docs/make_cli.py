"""The reference of the command line, from the command line itself: `python docs/make_cli.py docs/cli.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from assay.cli.app import build
from assay.cli.words import page

HEAD = """\
# The command line

This page is written by `make docs` from the commands themselves; a test compares them.

```
{page}
```

With `--json` a command prints one JSON value on standard output and nothing else; an error is
`{{"error": {{"kind": ..., "message": ...}}}}` with the same exit code. Progress goes to standard error: a live
display on a terminal, plain lines elsewhere, nothing with `--quiet` or `--json`.
"""


def text() -> str:
    """The whole page as Markdown."""
    said = build().generate_docs()
    commands = said[said.index("\n## assay train"):]
    return HEAD.format(page=page()) + commands.rstrip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
