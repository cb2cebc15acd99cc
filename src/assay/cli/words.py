"""The commands, in the order a user meets them: the page of help and the lazy command line are both made from this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One word: what may follow it, what it does, and where the function stands that does it."""

    name: str
    follows: str
    does: str
    where: str


COMMANDS: dict[str, tuple[Command, ...]] = {
    "Get a model": (
        Command("train", "DATA --target COLUMN", "race recipes, prove the best, record the run",
                "assay.cli.train:train"),
        Command("runs", "", "the runs in the store, newest first", "assay.cli.runs:runs"),
        Command("show", "RUN", "what a run found, as text", "assay.cli.runs:show"),
        Command("report", "RUN", "where the report of a run is; --open shows it", "assay.cli.runs:report"),
        Command("compare", "RUN RUN", "two runs on the test cases they share", "assay.cli.runs:compare"),
        Command("verify", "RUN", "check a run against its receipt; any change fails", "assay.cli.verify:verify"),
        Command("judge", "PROBLEM --with TOOL", "another tool, or any script, against assay's model",
                "assay.cli.judge:judge"),
    ),
    "Use a model": (
        Command("predict", "NAME FILE", "answers for new rows", "assay.cli.models:predict"),
        Command("evaluate", "NAME FILE", "every metric on new labelled rows, with intervals",
                "assay.cli.models:evaluate"),
        Command("models", "", "the models in the store, their versions and aliases", "assay.cli.models:models"),
        Command("promote", "NAME VERSION ALIAS", "point an alias at a version: champion", "assay.cli.models:promote"),
    ),
    "Look after things": (
        Command("doctor", "", "whether this machine, these libraries and the store are in order",
                "assay.cli.doctor:doctor"),
        Command("completion", "SHELL", "print completion for bash, zsh or fish", "assay.cli.completion:completion"),
    ),
}

_HEAD = """\
assay: from a problem to a model that is honestly tested, explained and recorded.

    assay train churn.csv --target churn
    assay predict churn new.csv -o out.csv
"""

_TAIL = """\
RUN is a run's id, the beginning of one that is unique, or 'last'.
NAME is a model's name (its champion, else its newest version), name@alias, name:version, or a folder.
Every command takes --json, --store FOLDER and --debug; `assay COMMAND --help` says what else.
Exit codes: 0 fine, 1 the work failed, 2 the words or the data were wrong, 3 a gate said no, 130 interrupted."""


def page() -> str:
    """The page that `assay --help` prints."""
    parts = [_HEAD]
    for title, commands in COMMANDS.items():
        rows = [f"  {f'{c.name} {c.follows}'.strip():<32}{c.does}" for c in commands]
        parts.append("\n".join([f"{title}:", *rows, ""]))
    return "\n".join([*parts, _TAIL])


def version() -> str:
    from assay import __version__

    return f"assay {__version__}"
