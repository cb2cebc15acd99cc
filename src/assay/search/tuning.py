"""Tuning, once everything that evidence speaks for has been tried: new settings near those that did best here.

Tree-structured Parzen estimators (Bergstra et al. 2011, NeurIPS) as Optuna has them, one study a recipe, begun with
what its settings reached in this race. Settings are asked for in batches, all outcomes before a batch told first in
the field's order, so that the number of workers changes nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.contract import Metric
from assay.errors import AssayError, nearest
from assay.search.entrants import Entrant
from assay.search.runner import Runner

if TYPE_CHECKING:
    import optuna

BATCH, RECIPES = 6, 3
"""So many settings at once, of the best so many recipes."""

PATIENCE = ((100, 4), (500, 8), (2_500, 15), (10_000, 40))
"""Up to so many cases to learn from, tuning ends after so many settings that bring nothing; beyond, after 100.

With few cases what still looks better is more and more often luck (AutoGluon 1.5 stops its portfolio by the same)."""


def in_vain(tried: Sequence[Runner], metric: Metric, cases: int) -> bool:
    """Whether the last settings, in the order tried, have brought nothing better on the first fold."""
    patience = next((many for most, many in PATIENCE if cases <= most), 100)
    scores = [metric.goodness(r.score) for r in tried if r.first is not None and r.state != "failed"]
    return len(scores) > patience and max(scores[-patience:]) <= max(scores[:-patience])


def suggested(runners: Sequence[Runner], metric: Metric, seed: int, many: int = BATCH) -> list[Entrant]:
    """New entrants of the best recipes that can be varied; none where no recipe can."""
    families = _families(runners, metric)[:RECIPES]
    asked = [family for at in range(many) for family in [families[at % len(families)]]] if families else []
    found: list[Entrant] = []
    for family in dict.fromkeys(asked):
        found += _of_family(family, runners, metric, seed, asked.count(family))
    return found


def _families(runners: Sequence[Runner], metric: Metric) -> list[str]:
    """Recipes with a space, the one with the best score on the first fold first."""
    best: dict[str, float] = {}
    for runner in runners:
        if runner.entrant.space and runner.first is not None and runner.state != "failed":
            good = metric.goodness(runner.score)
            best[runner.entrant.registered] = max(good, best.get(runner.entrant.registered, -math.inf))
    return sorted(best, key=lambda name: -best[name])


def _of_family(name: str, runners: Sequence[Runner], metric: Metric, seed: int, many: int) -> list[Entrant]:
    import optuna

    ours = [r for r in runners if r.entrant.registered == name]
    base = ours[0].entrant
    spans = {field: _distribution(span) for field, span in base.space.items()}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)     # several settings at once
        sampler = optuna.samplers.TPESampler(seed=_seed(seed, name, len(ours)), multivariate=True, constant_liar=True,
                                             n_startup_trials=4)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        for runner in ours:
            params = {field: runner.entrant.settings.get(field) for field in spans}
            # told what another setting chose by itself, the sampler would learn of the wrong place
            if runner.first is not None and all(_within(spans[f], v) for f, v in params.items()):
                study.add_trial(optuna.trial.create_trial(
                    params=params, distributions=spans, value=metric.goodness(runner.score)))
        asked = [study.ask(spans).params for _ in range(many)]
    tuned = sum(" tuned " in r.entrant.name for r in ours)
    made = [base.varied(f"{base.recipe} tuned {tuned + i + 1}", params) for i, params in enumerate(asked)]
    known = [r.entrant.settings for r in ours]
    return [entrant for entrant in made if entrant.settings not in known]


def _seed(*parts: Any) -> int:
    words = [p if isinstance(p, int) else int.from_bytes(str(p).encode(), "little") % 2**32 for p in parts]
    return int(np.random.SeedSequence(words).generate_state(1)[0])


def _distribution(span: Sequence[Any]) -> optuna.distributions.BaseDistribution:
    import optuna

    kind, *ends = span
    if kind == "choice":
        return optuna.distributions.CategoricalDistribution(ends)
    if kind in ("int", "int_log"):
        return optuna.distributions.IntDistribution(ends[0], ends[1], log=kind == "int_log")
    if kind in ("uniform", "log"):
        return optuna.distributions.FloatDistribution(ends[0], ends[1], log=kind == "log")
    raise _unknown(kind)


def _within(span: optuna.distributions.BaseDistribution, value: Any) -> bool:
    if value is None:
        return False
    try:
        return bool(span._contains(span.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False


def _unknown(kind: Any) -> AssayError:
    return AssayError(f"a recipe's space has a span of kind {kind!r}. "
                      f"{nearest(str(kind), ['uniform', 'log', 'int', 'int_log', 'choice'])}")


def draw(rng: np.random.Generator, span: Sequence[Any]) -> Any:
    """One value of a span at random, as `capabilities.Tunes` describes them."""
    kind, *ends = span
    if kind == "choice":
        return ends[int(rng.integers(len(ends)))]
    low, high = ends
    if kind in ("log", "int_log"):
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    elif kind in ("uniform", "int"):
        value = rng.uniform(low, high)
    else:
        raise _unknown(kind)
    return round(value) if kind.startswith("int") else value


