"""The command line itself: cyclopts parses the words, and a command's module is imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group, Parameter

from assay.cli.ends import tell
from assay.cli.words import COMMANDS, version


def build() -> App:
    """Every command, none of them imported yet."""
    app = App(
        name="assay",
        help="From a problem to a model that is honestly tested, explained and recorded.",
        help_format="plaintext",
        version=version(),
        default_parameter=Parameter(negative=(), show_default=_worth_showing),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for order, (title, commands) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=order)
        for command in commands:
            app.command(command.where, name=command.name, group=group)
    return app


def run(words: Sequence[str]) -> int:
    """Parse and do; 2 where the words were wrong, in one sentence with what to look at."""
    try:
        return int(build()(words) or 0)
    except CycloptsError as wrong:
        tell("Usage", _sentence(wrong, words), as_json="--json" in words)
        return 2


def _worth_showing(default: object) -> str | None:
    return None if default in (None, False) else str(default)


def _sentence(wrong: CycloptsError, words: Sequence[str]) -> str:
    """What cyclopts says, without its list of everything, and where to read on."""
    said, _, _ = str(wrong).partition(" Available commands:")
    known = {c.name for commands in COMMANDS.values() for c in commands}
    command = f" {words[0]}" if words and words[0] in known else ""
    return f"{said.strip()} See: assay{command} --help"
