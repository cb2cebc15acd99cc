"""What can go wrong, drawn as a tree. Each class carries the exit code of the command line.

    AssayError (1)            the work failed
      UserError (2)           the words or the data were wrong: printed without a traceback
        DataError             a file or table cannot be used as it is
        ProblemError          the declared problem contradicts itself or the data
        UnknownName           a name nobody registered, with the nearest ones
        SchemaError           a batch does not fit a model's signature
        PairingError          a recipe was given a task it cannot learn
      StoreError (1)          the store or a run folder cannot be read or written
        TamperedError         a file is not what its recorded hash says
        LockedError           the test part was asked for where it must not be seen
      GateError (3)           a gate said no: a sure leak, an alarm, a failed verification

A message says what was being done, what was got, what was wanted, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ASIDE = "assay-aside"
"""What a thread is called that works beside the main one and cannot be stopped."""


class AssayError(Exception):
    """Root of everything assay raises on purpose."""

    exit_code = 1


class UserError(AssayError):
    """The words or the data were wrong; the message is one clear sentence and the mend."""

    exit_code = 2


class DataError(UserError):
    """A file or table cannot be used as it is."""


class ProblemError(UserError):
    """The declared problem contradicts itself or the data."""


class UnknownName(UserError):  # noqa: N818 - reads as what went wrong
    """A name nobody registered."""


class SchemaError(UserError):
    """A batch does not fit a model's signature."""


class PairingError(UserError):
    """A recipe was given a task it cannot learn."""


class StoreError(AssayError):
    """The store or a run folder cannot be read or written."""


class TamperedError(StoreError):
    """A file is not what its recorded hash says."""


class LockedError(StoreError):
    """The test part was asked for where it must not be seen."""


class GateError(AssayError):
    """A gate said no."""

    exit_code = 3


def nearest(name: str, known: Iterable[str], *, most: int = 8) -> str:
    """The end of an error sentence: a guess at what was meant, else the names there are.

    >>> nearest("chrn", ["churn", "tenure"])
    "Did you mean 'churn'?"
    >>> nearest("zzz", ["churn", "tenure"])
    'There are: churn, tenure.'
    """
    names = list(dict.fromkeys(known))
    folded = {n.casefold(): n for n in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {folded[close[0]]!r}?"
    if not names:
        return "There are none."
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"There are: {', '.join(names[:most])}{rest}."
