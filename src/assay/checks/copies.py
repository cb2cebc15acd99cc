"""One column that gives the target away: a copy of it, or something known only afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.checks.telling import ABSENT, JUMP, ODD, SURE, Truth, level_of, score, truth_of
from assay.contract import Finding, Level

CHECK = "data.copies"
MOST_LEVELS = 20
ASKED = 4
"""Columns for which a quick model is asked how well it does without."""
TWINS = 3
"""With more columns than these above 0.98 the question is an easy one, and they are company to each other."""


def check(seen: Exhibits) -> Iterator[Finding]:
    """How well each single column predicts, learned on one half of the cases and scored on the other (`score`).

    A sure leak from 0.999, or from 0.985 if nothing else in the table comes near, where at least 100 cases of the
    rarest class bear it out, or if the column is the target under other names; a doubt from 0.98, or from 0.9 if the
    rest of the table does far worse (`level_of`). Each label of a multilabel target is looked at by itself."""
    labels = [c for c in seen.cases.columns if c.startswith("target.") and c != "target.positive"]
    told = {t: truth for t in ["target", *labels] if (truth := truth_of(seen, t)) is not None}
    if not told:
        yield lacked(CHECK, ABSENT)
        return
    said = {(c, t): score(truth.inputs[c], truth) for t, truth in told.items() for c in truth.inputs.columns}
    ranked = sorted(said, key=lambda ct: -said[ct])
    odd = list({c: t for c, t in reversed(ranked) if said[c, t] >= JUMP}.items())[::-1]
    found = list(_found(seen, odd, said, told))
    if found:
        yield from found
    elif ranked:
        column, t = ranked[0]
        sentence = (f"No single column gives the target away; {column!r} alone has {told[t].measure} "
                    f"{said[column, t]:.3f}.")
        yield Finding(CHECK, "ok", sentence, {"column": column, "score": said[column, t]})


def _found(
    seen: Exhibits, odd: list[tuple[str, str]], said: dict[tuple[str, str], float], told: dict[str, Truth]
) -> Iterator[Finding]:
    asked, twins = 0, [c for c, t in odd if said[c, t] >= ODD]
    for column, t in odd:
        truth, s = told[t], said[column, t]
        renames = _renames(truth.inputs[column], truth.cases[t])
        if renames and s >= SURE:
            yield _finding(column, s, truth, "fail", None, renames=True)
        elif s >= ODD or asked < ASKED:
            aside = {column, *twins} if len(twins) <= TWINS else {column}       # two copies would hide each other
            level, rest = level_of(seen, tuple(aside), s, truth)
            asked += rest is not None
            if level != "ok":
                yield _finding(column, s, truth, level, rest, renames=renames)


def _renames(column: pl.Series, target: pl.Series) -> bool:
    """Whether the column has one value for each class and one class for each value: the target under other names."""
    if target.dtype.is_numeric() and target.n_unique() > MOST_LEVELS:
        return False
    pairs = pl.DataFrame({"a": column, "b": target}).unique()
    return len(pairs) == column.n_unique() == target.n_unique() > 1


def _finding(column: str, s: float, truth: Truth, level: Level, rest: float | None, *, renames: bool) -> Finding:
    numbers = {"column": column, "score": s, "measure": truth.measure, "renames": renames, "rest": rest}
    what = f"{column!r} alone predicts the target with {truth.measure} {s:.4f} on cases it was not learned from"
    if rest is not None:
        what += f", and a quick model on all other inputs with {rest:.3f}"
    if renames:
        sentence = f"{what}: it is the target under other names. Drop it."
    elif level == "fail":
        sentence = (f"{what}: too good to be true. It is a copy of the target, or is known only afterwards. Drop it, "
                    "or allow it knowingly.")
    else:
        sentence = f"{what}. Is it known at the time of the prediction? If not, drop it."
    return Finding(CHECK, level, sentence, numbers, columns=(column,))
