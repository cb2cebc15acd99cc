"""What a run tells while it goes: a live display on a terminal, plain lines elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
Listen = Callable[[Event], None]

_TOLD = ("warn", "fail")                        # findings that are worth a line while the run goes


@contextmanager
def listening(budget_s: float | None, *, quiet: bool) -> Iterator[Listen | None]:
    """A listener for the events of one run. budget_s: seconds of wall clock; None where trials are counted instead."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _live(Progress(budget_s)) as listener:
            yield listener
    else:
        yield lambda event: _print(line(event))


def line(event: Event) -> str | None:
    """One event as one line; None for what only a live display shows."""
    match event["kind"]:
        case "stage":
            return f"{event['name']}: {event['sentence']}"
        case "read":
            return f"read: {event['title']}; {event['train']:,} cases to learn from, {event['test']:,} locked away"
        case "finding":
            return f"{event['level']}: {event['sentence']}" if event["level"] in _TOLD else None
        case "recipe":
            return _recipe_line(event)
        case "chosen":
            return f"chosen: {event['recipe']}. {event['why']}"
        case _:
            return None


def _recipe_line(event: Event) -> str | None:
    if event["state"] == "started":
        return None
    if event["state"] == "done":
        return (f"  {event['recipe']} fold {event['fold'] + 1} of {event['folds']}: {_figure(event.get('score'))} "
                f"in {event.get('seconds', 0):.1f} s")
    note = f": {event['note']}" if event.get("note") else ""
    return f"  {event['recipe']} {event['state']}{note}"


def _figure(score: float | None) -> str:
    return "no score" if score is None else f"{score:.4g}"


def _print(text: str | None) -> None:
    if text is not None:
        print(text, file=sys.stderr, flush=True)


@dataclass
class Progress:
    """What has been heard so far, as the lines a person wants to see now."""

    budget_s: float | None
    began: float = field(default_factory=time.monotonic)
    stage: str = "starting"
    running: dict[tuple[str, int], float] = field(default_factory=dict)
    folds: int = 1
    best: str = ""
    finished: int = 0

    def hear(self, event: Event) -> None:
        from assay.report.figures import said

        match event["kind"]:
            case "stage":
                self.stage = f"{event['name']}: {event['sentence']}"
            case "recipe":
                self._hear_recipe(event)
            case "best":
                self.best = (f"{event['recipe']}, {said(event['metric'])} {_figure(event['score'])} "
                             f"[{_figure(event['low'])}, {_figure(event['high'])}]")

    def _hear_recipe(self, event: Event) -> None:
        key = (event["recipe"], event["fold"])
        self.folds = event["folds"]
        if event["state"] == "started":
            self.running[key] = time.monotonic()
            return
        self.finished += event["state"] == "done"
        gone = [key] if event["state"] == "done" else [k for k in self.running if k[0] == key[0]]
        for k in gone:
            self.running.pop(k, None)

    def lines(self) -> list[str]:
        told = [f"{self._time()}  {self.stage}"]
        told += [f"        {name}, fold {fold + 1} of {self.folds}, {self._since(at)}"
                 for (name, fold), at in self.running.items()]
        if self.best:
            told.append(f"        best so far: {self.best}; {self.finished} folds done")
        return told

    def _time(self) -> str:
        spent = time.monotonic() - self.began
        if self.budget_s is None:
            return f"{_clock(spent)}"
        return f"{_clock(max(0.0, self.budget_s - spent))} left"

    @staticmethod
    def _since(at: float) -> str:
        return f"{time.monotonic() - at:.0f} s"


def _clock(span_s: float) -> str:
    """Seconds as m:ss, or h:mm:ss.

    >>> _clock(65), _clock(3_700)
    ('1:05', '1:01:40')
    """
    minutes, seconds = divmod(round(span_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@contextmanager
def _live(progress: Progress) -> Iterator[Listen]:
    """A display at the foot of the terminal, drawn four times a second; what deserves a line scrolls above it."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False)

    def hear(event: Event) -> None:
        progress.hear(event)
        said = line(event)
        if said is not None and event["kind"] in ("read", "finding", "chosen"):
            console.print(Text(said))

    with Live(console=console, refresh_per_second=4, transient=True,
              get_renderable=lambda: Text("\n".join(progress.lines()), overflow="ellipsis", no_wrap=True)):
        yield hear
