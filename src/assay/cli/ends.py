"""How a command ends: one sentence on standard error, or one JSON object, and an exit code that means something.

    0    fine                                   3    a gate said no
    1    the work failed                        130  interrupted from the keyboard
    2    the words or the data were wrong
"""

from __future__ import annotations

import io
import json
import os
import select
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from assay.errors import ASIDE, AssayError

INTERRUPTED = 130


def guarded(work: Callable[[], int], words: Sequence[str]) -> int:
    """Do the work; whatever goes wrong becomes a sentence and an exit code."""
    _print_anything()
    try:
        code = work()
        sys.stdout.flush()
        return code
    except BrokenPipeError as error:
        return 0 if _reader_is_gone() else _unexpected(error, words)
    except KeyboardInterrupt as stop:
        return _interrupted(words, *map(str, stop.args))
    except AssayError as error:
        if "--debug" in words:
            traceback.print_exc()
        tell(type(error).__name__, str(error), as_json="--json" in words)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last door: a fault of ours still ends in words
        return _unexpected(error, words)


def leave_threads(code: int) -> None:
    """End the process at once where work still goes on beside the main thread (an interrupt came in its middle):
    an interpreter that shuts down under native code in another thread aborts."""
    if any(thread.name == ASIDE for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def tell(kind: str, message: str, *, as_json: bool, **more: str) -> None:
    """`assay: <sentence>` on standard error; with --json {"error": {kind, message}} on standard output."""
    if as_json:
        print(json.dumps({"error": {"kind": kind, "message": message, **more}}), flush=True)
    else:
        print("\n".join([f"assay: {message}", *more.values()]), file=sys.stderr)


def _interrupted(words: Sequence[str], run: str = "", go_on: str = "") -> int:
    """run: the id of the run that was interrupted; empty where none had begun. go_on: what to type, if not the usual"""
    more = {}
    if run:
        go_on = go_on or f"assay train --resume {run}"
        more = {"resume": f"What was finished is kept. Go on with: {go_on}{_same_store(words)}"}
    tell("Interrupted", "interrupted.", as_json="--json" in words, **more)
    return INTERRUPTED


def _same_store(words: Sequence[str]) -> str:
    for here, following in zip(words, [*words[1:], ""], strict=True):
        if here == "--store":
            return f" --store {following}"
        if here.startswith("--store="):
            return f" {here}"
    return ""


def _unexpected(error: Exception, words: Sequence[str]) -> int:
    if "--debug" in words:
        traceback.print_exc()
    kept = _keep_traceback()
    sentence = (
        f"something went wrong that assay did not expect: {type(error).__name__}: {error}. "
        f"The traceback is in {kept}; please report it with the command you ran."
    )
    tell("Unexpected", sentence, as_json="--json" in words)
    return 1


def _keep_traceback() -> Path:
    descriptor, name = tempfile.mkstemp(prefix="assay-", suffix=".traceback.txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(traceback.format_exc())
    return Path(name)


def _print_anything() -> None:
    """A terminal that cannot show a sign gets its number instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _reader_is_gone() -> bool:
    """Whether it is standard output that broke, as in `assay runs | head`. It is then pointed at nothing, so that the
    interpreter's last flush does not complain."""
    try:
        out, watch = sys.stdout.fileno(), select.poll()
        watch.register(out, 0)                  # asks for nothing: what is wrong is always told
        gone = any(state & select.POLLERR for _, state in watch.poll(0))
    except (OSError, ValueError, AttributeError):   # no file behind it, or a system without poll
        return False
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out)
    return gone
