"""`assay judge`: other tools, or any script, against assay's model on the same locked test cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from assay.cli.common import Common, plain
from assay.cli.progress import listening
from assay.errors import ProblemError

if TYPE_CHECKING:
    from assay.stages.judge import Judged


def judge(
    source: str,
    /,
    *,
    with_: Annotated[list[str], Parameter(name="--with")],
    target: str | None = None,
    budget: str | None = None,
    metric: str | None = None,
    seed: int | None = None,
    allow_leaks: bool = False,
    grace: str | None = None,
    fresh: bool = False,
    quiet: bool = False,
    common: Common = Common(),
) -> int:
    """Put other tools beside assay's model: same training part, same budget, same test cases, whose labels they
    never get.

    Parameters
    ----------
    source
        A problem.yaml or a data file with --target, which is trained first; or a finished run's id, or 'last'.
    with_
        Who takes part, with commas: autogluon, flaml, mljar, ./script.py; or one command line, such as
        --with 'mine=Rscript x.R'. May be repeated.
    target
        The column to predict.
    budget
        Wall-clock time for assay and for each contestant: 60, 60s, 5m; 60 s if not said.
    metric
        The metric that decides; chosen by the data.
    seed
        Where every draw of chance begins; 0 if not said.
    allow_leaks
        Go on although a check is sure of a leak.
    grace
        How long over the budget a contestant is killed; half the budget if not said.
    fresh
        Let everybody run anew, instead of taking over the answers that were given to the same question before.
    quiet
        Print no progress.
    """
    said: dict[str, Any] = {"target": target, "budget": budget, "metric": metric, "seed": seed,
                            "allow_leaks": allow_leaks or None}
    said = {key: value for key, value in said.items() if value is not None}
    judged = _judged(source, with_, said, _seconds(grace), fresh, common, quiet)
    from assay.report.judgement import verdict

    value = {"verdict": verdict(judged.judgement), **plain(judged.judgement), "page": str(judged.page)}
    common.say(value, _lines(judged, common))
    return 0 if judged.judgement.scored else 1


def _seconds(grace: str | None) -> float | None:
    from assay.problem import seconds

    try:
        return None if grace is None else seconds(grace)
    except ValueError as wrong:
        raise ProblemError(f"--grace: {wrong}") from None


def _judged(
    source: str, words: list[str], said: dict[str, Any], grace_s: float | None, fresh: bool, common: Common, quiet: bool
) -> Judged:
    with listening(None, quiet=quiet or common.json) as listen:
        from assay.stages.judge import asked
        from assay.stages.judge import judge as run

        return run(asked(source, said), words, store=common.named_store(due=True), listen=listen, fresh=fresh,
                   grace_s=grace_s)


def _lines(judged: Judged, common: Common) -> Iterator[str]:
    from assay.report.verdict import verdict_lines

    yield from verdict_lines(judged.judgement)
    yield ""
    yield f"page:  {judged.page}"
    yield f"again: {judged.judgement.repeat}{f' --store {common.store}' if common.store else ''}"
