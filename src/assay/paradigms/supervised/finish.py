"""What a model gets before it is put to the test: calibrated probabilities, and bounds for its answers.

Both are made from what it answered for cases held out. Saved beside the model: finish.json, finish.safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from assay.contract import Array, Finding, Metric, Model, Signature, Table
from assay.errors import TamperedError, UserError
from assay.files import read_json, replacing, write_json
from assay.nested import load_parts, save_parts
from assay.paradigms.supervised import finish_told
from assay.paradigms.supervised.calibrate import Choice, choose, said
from assay.paradigms.supervised.calibrators import METHODS, Calibrator, Curve
from assay.paradigms.supervised.conformal import MOST_SCORES, Conformity, Scale, bounded, of_classes, of_numbers, spread
from assay.paradigms.supervised.cut import answer, raced
from assay.paradigms.supervised.model import coder_of
from assay.paradigms.supervised.target import Coder, Target, answer_columns, answer_lists
from assay.stats.resample import unit_codes
from assay.table.rows import answered

TINY = 1e-300
FACTS, ARRAYS, INNER = "finish.json", "finish.safetensors", "model"


@dataclass(frozen=True, eq=False)
class Finished:
    """A model of this paradigm with its probabilities calibrated and its answers bounded, where there is what it takes.

    conformity is None for several labels at once, and where no case was held out. cut: of two classes, the probability
    from which the one looked for is answered; None for the class of least expected cost, or the likeliest."""

    model: Model
    target: Target
    calibrator: Calibrator | None
    conformity: Conformity | None
    cut: float | None = None
    loader: ClassVar[str] = "supervised.finished"

    @property
    def signature(self) -> Signature:
        return self.model.signature

    @property
    def coder(self) -> Coder:
        return coder_of(self.model)

    def predict(self, batch: Table, /) -> Table:
        """Raises SchemaError where the batch does not fit the signature."""
        answers = self.model.predict(batch)
        if self.calibrator is None and self.cut is None and not self.target.costs:
            return answers
        p_NK = answers.select(f"p.{name}" for name in self.target.names).to_numpy()
        return answer_columns(self.target, p_NK if self.calibrator is None else self.calibrator(p_NK), self.cut)

    def answer_rows(self, rows: Sequence[Sequence[Any]], /) -> Mapping[str, list[Any]]:
        """See `capabilities.AnswersRows`."""
        answers = answered(self.model, rows)
        if self.calibrator is None and self.cut is None and not self.target.costs:
            return answers
        p_NK = np.array([answers[f"p.{name}"] for name in self.target.names]).T
        return answer_lists(self.target, p_NK if self.calibrator is None else self.calibrator(p_NK), self.cut)

    def predict_within(self, batch: Table, level: float, /) -> Table:
        """The answers, and `low` and `high`, or `set`, beside them.

        Raises UserError for a level outside (0, 1) or that takes more scores than there are, and for several labels."""
        if self.conformity is None:
            raise UserError("this model answers several labels at once, and intervals are for one number or one class. "
                            "Leave --interval out." if self.target.goal == "multilabel" else
                            "this model kept no errors of cases held out, so it cannot give intervals. Train it again.")
        return bounded(self.predict(batch), self.target, self.conformity, level)

    def save(self, folder: Path, /) -> None:
        arrays: dict[str, Array] = {}
        facts: dict[str, Any] = {"format": 2, "method": None, "curves": 0, "units": None, "cut": self.cut}
        if self.calibrator is not None:
            facts |= {"method": self.calibrator.method, "curves": len(self.calibrator.curves)}
            for i, curve in enumerate(self.calibrator.curves):
                arrays |= {f"curve.{i}.x": curve.x, f"curve.{i}.y": curve.y}
        if self.conformity is not None:
            facts["units"] = self.conformity.units
            scale = self.conformity.scale
            arrays |= {"scores": self.conformity.scores, "scale.x": scale.x, "scale.y": scale.y}
        with replacing(folder / ARRAYS) as beside:
            save_file({name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays.items()}, beside)
        write_json(folder / FACTS, facts)
        save_parts(self.model, folder / INNER)


# --- reading back ---------------------------------------------------------------------------------


def load(folder: Path) -> Finished:
    """A finished model that was saved. Raises TamperedError where its files are not what `save` writes."""
    try:
        facts, arrays = read_json(folder / FACTS), load_file(folder / ARRAYS)
        known = isinstance(facts, dict) and facts["format"] in (1, 2)
        method, curves, units, cut = facts["method"], facts["curves"], facts["units"], facts.get("cut")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as wrong:
        raise TamperedError(f"reading what finishes a model from {folder}: {' '.join(str(wrong).split())}") from None
    _require(folder, known and all(a.dtype == np.float64 for a in arrays.values()), "it has another format")
    model = load_parts(folder / INNER)
    target = coder_of(model).target
    sound = cut is None or (isinstance(cut, float) and 0 <= cut <= 1 and target.goal == "binary")
    _require(folder, sound, f"its cut is {cut!r}, no probability of one of two classes")
    calibrator = None if method is None else _calibrator(folder, target, method, curves, arrays)
    conformity = None if units is None else _conformity(folder, target, units, arrays)
    return Finished(model, target, calibrator, conformity, cut)


def _calibrator(folder: Path, target: Target, method: Any, curves: Any, arrays: dict[str, Array]) -> Calibrator:
    one = target.goal == "binary" or (target.goal == "multiclass" and method == "temperature")
    wanted = 1 if one else len(target.names)
    _require(folder, method in METHODS and target.goal != "regression", f"no calibrator of {target.goal} is {method!r}")
    there = curves == wanted and all(f"curve.{i}.{axis}" in arrays for i in range(wanted) for axis in "xy")
    _require(folder, there, f"it has {curves!r} curves, not {wanted}")
    made = tuple(Curve(method, arrays[f"curve.{i}.x"], arrays[f"curve.{i}.y"]) for i in range(wanted))
    for curve in made:
        _require(folder, not curve.wrong, curve.wrong)
    return Calibrator(target.goal, method, made)


def _conformity(folder: Path, target: Target, units: Any, arrays: dict[str, Array]) -> Conformity:
    there = isinstance(units, int) and {"scores", "scale.x", "scale.y"} <= set(arrays)
    _require(folder, there and target.goal != "multilabel", "its conformity scores are not whole")
    found = Conformity(arrays["scores"], int(units), Scale(arrays["scale.x"], arrays["scale.y"]))
    _require(folder, not found.wrong, found.wrong)
    return found


def _require(folder: Path, holds: bool, otherwise: str) -> None:
    if not holds:
        raise TamperedError(f"reading what finishes a model from {folder}: {otherwise}. "
                            "The folder was changed after it was saved; restore it or train again.")


# --- making -----------------------------------------------------------------------------------------


def finished(
    model: Model, outcomes: Table, metric: Metric, seed: int, alike: Sequence[Table] = ()
) -> tuple[Model, tuple[Finding, ...]]:
    """The model with what its outcomes on cases held out teach of it, at most 20,000 of them, and what was found."""
    target = coder_of(model).target
    timed = "moment" in outcomes.columns
    if len(outcomes) > MOST_SCORES:
        outcomes = outcomes[np.sort(np.random.default_rng(seed).permutation(len(outcomes))[:MOST_SCORES])]
    if not len(outcomes):
        return model, ()
    unit_N, _ = unit_codes(outcomes)
    if target.goal == "regression":
        said_N, true_N = outcomes["out.value"].to_numpy(), outcomes["target"].to_numpy()
        squared = max(((said_N - true_N) ** 2).mean(), TINY)
        differ = spread([t["out.value"].to_numpy() for t in alike])
        conformity = of_numbers(said_N, true_N, unit_N, seed).averaged(differ / squared)
        return Finished(model, target, None, conformity), (finish_told.bounds(target, conformity, timed),)
    p_NK, y_NK = _chances(target, outcomes)
    choice = choose(target, outcomes, p_NK, y_NK, unit_N, raced(metric, target), seed)
    told = [finish_told.calibration(target, choice, p_NK, y_NK)]
    answered = answer(metric, target, said(target, outcomes, choice.honest), enough=not choice.lacks, seed=seed)
    told += answered.told
    if target.goal == "multilabel":
        return Finished(model, target, choice.calibrator, None), tuple(told)
    sure = of_classes(choice.honest, y_NK.argmax(axis=1), unit_N)
    differ = spread([_true_chance(target, choice, t) for t in alike])
    sure = sure.averaged(differ / max(sure.scores.var(), TINY), about_mean=True)
    done = Finished(model, target, choice.calibrator, sure, answered.cut)
    return done, (*told, finish_told.bounds(target, sure, timed))


def _true_chance(target: Target, choice: Choice, outcomes: Table) -> Array:
    p_NK, y_NK = _chances(target, outcomes)
    return np.asarray(((choice.calibrator(p_NK) if choice.calibrator else p_NK) * y_NK).sum(axis=1))


def _chances(target: Target, outcomes: Table) -> tuple[Array, Array]:
    """Probabilities said, and what was true as 0 and 1, both (N, K)."""
    p_NK = outcomes.select(f"out.p.{name}" for name in target.names).to_numpy()
    if target.goal == "multilabel":
        return p_NK, outcomes.select(pl.col(f"target.{c}").cast(pl.Float64) for c in target.names).to_numpy()
    return p_NK, outcomes.select((pl.col("target") == c).cast(pl.Float64).alias(c) for c in target.names).to_numpy()


