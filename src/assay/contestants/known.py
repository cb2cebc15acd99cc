"""Which contestant a word of `--with` means: a tool that has an adapter, a script, or a whole command line."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import ProblemError, UnknownName, nearest

TOOLS: dict[str, tuple[str, ...]] = {
    "autogluon": ("autogluon.tabular[catboost,lightgbm,xgboost]>=1.4", "pyarrow>=15"),
    "flaml": ("flaml[automl]>=2.3", "pyarrow>=15"),
    "mljar": ("mljar-supervised>=1.1", "pyarrow>=15"),
}
"""Tools with an adapter, and what their environment needs: the oldest versions that the adapter knows."""

OURS = "assay"
ADAPTER = Path(__file__).with_name("adapter.py")


@dataclass(frozen=True)
class Contestant:
    """Who takes part. requirements: of an environment of its own; without them the command runs as it is."""

    name: str
    command: tuple[str, ...]
    requirements: tuple[str, ...] = ()

    def words(self, python: Path | None = None) -> list[str]:
        """What is started, with the interpreter of its own environment in front where it has one."""
        return [str(python), *self.command] if python else list(self.command)


def contestants(words: str | Iterable[str]) -> tuple[Contestant, ...]:
    """The contestants that are meant, in order, each under a name of its own.

    words: "flaml,./mine.py", or a list of such; one that holds a blank or '=' is a whole command line, such as
    "Rscript x.R" or "mine=Rscript x.R". Raises UnknownName, ProblemError."""
    listed = [part for word in ([words] if isinstance(words, str) else words) for part in _parted(word)]
    if not listed:
        raise ProblemError(f"nobody was named to judge. Say --with {','.join(TOOLS)}, or a script: --with ./mine.py")
    found = tuple(_contestant(word) for word in listed)
    names = [c.name for c in found]
    for name in names:
        if name == OURS or names.count(name) > 1:
            raise ProblemError(f"two contestants are called {name!r}. Give one another name: --with other=COMMAND")
    return found


def _parted(word: str) -> list[str]:
    if re.search(r"[\s=]", word.strip()):
        return [word.strip()]
    return [part for part in word.strip().split(",") if part]


def _contestant(word: str) -> Contestant:
    name, equals, line = word.partition("=")
    if not equals or not re.fullmatch(r"[\w-]+", name):
        name, line = "", word
    if line in TOOLS:
        return Contestant(name or line, ("-P", str(ADAPTER), line), TOOLS[line])
    try:
        command = shlex.split(line)
    except ValueError as wrong:
        raise ProblemError(f"--with {word!r} is no command line: {wrong}") from None
    if not command:
        raise ProblemError(f"--with {word!r} names nothing to run. Write NAME=COMMAND, such as mine=./mine.py")
    return Contestant(name or _plain_name(command), tuple(_startable(command)))


def _plain_name(command: Sequence[str]) -> str:
    """The last word that is a file without its ending, else the program."""
    files = [word for word in command if Path(word).is_file()]
    return re.sub(r"[^\w-]+", "-", Path((files or command)[-1 if files else 0]).stem).strip("-") or "contestant"


def _startable(command: Sequence[str]) -> list[str]:
    """Files by their whole path, since the contestant works in another folder; a Python script by this Python."""
    whole = [str(Path(word).absolute()) if Path(word).is_file() else word for word in command]
    first = Path(whole[0])
    if first.is_absolute() and first.suffix == ".py":
        return [sys.executable, *whole]
    if shutil.which(whole[0]) is None:
        if first.is_file():
            raise ProblemError(f"{command[0]} cannot be started: it is not marked executable. Say what runs it, such "
                               f"as --with 'bash {command[0]}'.")
        raise UnknownName(f"there is no contestant, file or program called {command[0]!r}. "
                          f"{nearest(command[0], TOOLS)} A script is named by its path: ./mine.py")
    return whole
