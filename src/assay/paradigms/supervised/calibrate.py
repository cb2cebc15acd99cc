"""Which calibrator helps, if any: tried on cases that neither fitted nor chose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from assay.contract import Array, Metric, Table
from assay.metrics.build import mean_of
from assay.paradigms.supervised.calibrators import EPS, METHODS, Calibrator, Method, fitted
from assay.paradigms.supervised.conformal import PARTS, parts
from assay.paradigms.supervised.target import Target, answer_columns, outcome_columns
from assay.stats.paired import Difference, compare

FEWEST, FEWEST_OF_A_CLASS = 200, 20
"""Cases, and cases of the second commonest class or answer, without which nothing is tried."""

MOST_COLUMNS = 50                               # classes or labels that get a curve each; above, temperature alone


@dataclass(frozen=True, eq=False)
class Choice:
    """What was tried and taken.

    calibrator  None where nothing helped by more than noise
    honest      probabilities of the cases by curves that did not see them; the model's own where none was taken
    losses      log loss by method, each on cases that its curves did not see; "none" for the model's own
    gain        of choosing and calibrating, on cases that did neither, in log loss
    why_not     in words, where there is no calibrator
    """

    calibrator: Calibrator | None
    honest: Array
    losses: Mapping[str, float]
    gain: Difference | None
    why_not: str = ""
    lacks: bool = False                         # there were too few cases to try anything


def choose(
    target: Target, outcomes: Table, p_NK: Array, y_NK: Array, unit_N: Array, metric: Metric, seed: int
) -> Choice:
    """The calibrator that loses least by logarithm, the stiffest of those within one standard error of it.

    Fitted and chosen on other parts, it must beat the model's own probabilities by more than noise (paired 95 %
    interval over units), and must not make `metric`, which decides, surely worse."""
    lacks = _lacks(y_NK, unit_N)
    if lacks:
        return Choice(None, p_NK, {}, None, lacks, lacks=True)
    methods: tuple[Method, ...] = METHODS if p_NK.shape[1] <= MOST_COLUMNS else METHODS[:1]
    part_N = parts(unit_N, seed)
    tried: dict[str, Array] = {"none": p_NK}
    tried |= {m: _unseen(m, target, p_NK, y_NK, part_N) for m in methods}
    loss = {name: losses(target, p, y_NK) for name, p in tried.items()}
    nested = p_NK.copy()
    for part in range(PARTS):
        held = part_N == part
        nested[held] = tried[_best({n: x[~held] for n, x in loss.items()})][held]
    gain = compare(LOSS, _table(outcomes, losses(target, nested, y_NK)), _table(outcomes, loss["none"]), seed=seed)
    means, name = {n: float(x.mean()) for n, x in loss.items()}, _best(loss)
    method = next((m for m in methods if m == name), None)
    if method is None or gain.tied or gain.estimate.value < 0:
        return Choice(None, p_NK, means, gain, "no curve brings them nearer to the truth by more than noise")
    made = fitted(method, target.goal, p_NK, y_NK)
    mended = tried[name] if target.goal == "multiclass" else made(p_NK)         # one rising curve: the order is kept
    lost = compare(metric, said(target, outcomes, mended), outcomes, seed=seed)
    if not lost.tied and lost.estimate.value < 0:
        return Choice(None, p_NK, means, gain, f"the curve that helps most, {method}, would make {metric.name} worse")
    return Choice(made, tried[name], means, gain)


def _lacks(y_NK: Array, unit_N: Array) -> str:
    """Why nothing can be tried; empty where there is enough."""
    second = float(np.sort(np.minimum(y_NK.sum(axis=0), len(y_NK) - y_NK.sum(axis=0)))[-1]) if y_NK.size else 0.0
    if len(y_NK) < FEWEST or int(unit_N.max()) + 1 < 4 * PARTS or second < FEWEST_OF_A_CLASS:
        return f"there are too few cases held out ({len(y_NK):,}, {second:.0f} of them of the rarer kind)"
    return ""


def _unseen(method: Method, target: Target, p_NK: Array, y_NK: Array, part_N: Array) -> Array:
    """Probabilities (N, K), each by curves fitted on the other parts."""
    made = np.empty_like(p_NK)
    for part in range(PARTS):
        held = part_N == part
        if held.any():
            made[held] = fitted(method, target.goal, p_NK[~held], y_NK[~held])(p_NK[held])
    return made


def _best(loss: Mapping[str, Array]) -> str:
    """The first, in order of stiffness, whose mean loss is within one standard error (paired) of the least."""
    least = min(loss, key=lambda n: float(loss[n].mean()))
    for name, x in loss.items():
        gap = x - loss[least]
        if float(gap.mean()) <= float(gap.std()) / np.sqrt(len(gap)):
            return name
    return least


def losses(target: Target, p_NK: Array, y_NK: Array) -> Array:
    """Log loss of each case (N,): of the true class, or the mean over labels."""
    if target.goal == "multilabel":
        p = np.clip(p_NK, EPS, 1 - EPS)
        return np.asarray(-np.log(np.where(y_NK > 0.5, p, 1 - p)).mean(axis=1))
    return np.asarray(-np.log(np.clip((p_NK * y_NK).sum(axis=1), EPS, 1 - EPS)))


def _column(name: str, t: Table) -> Array:
    return t[name].to_numpy()


LOSS = mean_of("log_loss", "loss", partial(_column, "loss"), higher_is_better=False, says="Log loss of each case.")


def _table(outcomes: Table, loss_N: Array) -> Table:
    return outcomes.select("case_id", "unit").with_columns(pl.Series("loss", loss_N))


def said(target: Target, outcomes: Table, p_NK: Array) -> Table:
    """The outcomes as if the model had said these probabilities."""
    return outcomes.with_columns(outcome_columns(target, answer_columns(target, p_NK)).get_columns())
