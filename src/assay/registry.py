"""Names and what they stand for: name -> "module:attribute", found through entry points.

assay's own parts are listed in `BUILT_IN`; an outsider's package adds to the same groups with
entry points (`[project.entry-points."assay.recipes"]`). Listing a group imports nothing but
`importlib.metadata`; loading a name imports the one module it names.

    assay.paradigms   name                    -> a Paradigm
    assay.recipes     paradigm.name           -> a Recipe class
    assay.loaders     name                    -> a function folder -> Model
    assay.learners    paradigm.kind           -> a class of fitted parts that a saved model of the paradigm may name
    assay.checks      stage.name              -> a check (see checks/__init__.py)
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from assay.errors import AssayError, UnknownName, UserError, nearest

BUILT_IN: dict[str, dict[str, str]] = {
    "assay.paradigms": {
        "supervised": "assay.paradigms.supervised.task:PARADIGM",
    },
    "assay.loaders": {
        "blend": "assay.search.blend:load_blend",
        "supervised": "assay.paradigms.supervised.model:load",
        "supervised.finished": "assay.paradigms.supervised.finish:load",
    },
    "assay.learners": {
        "supervised.constant": "assay.paradigms.supervised.recipes.baselines:Constant",
        "supervised.binned": "assay.paradigms.supervised.recipes.baselines:Binned",
        "supervised.additive": "assay.paradigms.supervised.recipes.additive:AdditiveLearner",
        "supervised.linear": "assay.paradigms.supervised.recipes.linear:LinearLearner",
        "supervised.svm": "assay.paradigms.supervised.recipes.svm:KernelLearner",
        "supervised.neighbours": "assay.paradigms.supervised.recipes.neighbours:NeighboursLearner",
        "supervised.naive_bayes": "assay.paradigms.supervised.recipes.bayes:BayesLearner",
        "supervised.forest": "assay.paradigms.supervised.recipes.trees:ForestLearner",
        "supervised.lightgbm": "assay.paradigms.supervised.recipes.lightgbm:LightGBMLearner",
        "supervised.xgboost": "assay.paradigms.supervised.recipes.xgboost:XGBoostLearner",
        "supervised.catboost": "assay.paradigms.supervised.recipes.catboost:CatBoostLearner",
        "supervised.mlp": "assay.paradigms.supervised.recipes.mlp:MLPLearner",
        "supervised.realmlp": "assay.paradigms.supervised.recipes.realmlp:RealMLPLearner",
        "supervised.tabm": "assay.paradigms.supervised.recipes.tabm:TabMLearner",
    },
    "assay.recipes": {
        f"supervised.{name}": f"assay.paradigms.supervised.recipes.{module}:{attribute}"
        for name, module, attribute in (
            ("prior", "baselines", "Prior"),
            ("one_column", "baselines", "OneColumn"),
            ("additive", "additive", "Additive"),
            ("linear", "linear", "Linear"),
            ("ridge", "linear", "Ridge"),
            ("lasso", "linear", "Lasso"),
            ("elastic_net", "linear", "ElasticNet"),
            ("logistic", "linear", "Logistic"),
            ("linear_svm", "svm", "LinearSVM"),
            ("rbf_svm", "svm", "RBFSVM"),
            ("knn", "neighbours", "KNN"),
            ("naive_bayes", "bayes", "NaiveBayes"),
            ("decision_tree", "trees", "DecisionTree"),
            ("random_forest", "trees", "RandomForest"),
            ("extra_trees", "trees", "ExtraTrees"),
            ("lightgbm", "lightgbm", "LightGBM"),
            ("xgboost", "xgboost", "XGBoost"),
            ("catboost", "catboost", "CatBoost"),
            ("mlp", "mlp", "MLP"),
            ("realmlp", "realmlp", "RealMLP"),
            ("tabm", "tabm", "TabM"),
        )
    },
    "assay.checks": {
        f"{stage}.{name}": f"assay.checks.{name}:check"
        for stage, listed in {
            "data": ("copies", "pairs", "afterwards", "encoded", "order", "duplicates", "groups", "period",
                     "near_texts", "near_images", "indexed", "seeds", "covariates",
                     "constant", "rare", "missing",
                     "conflicts", "label_errors", "drift", "units", "mojibake", "personal"),
            "outcomes": ("confusion", "calibration", "coverage", "curves", "residuals", "slices", "regions"),
        }.items()
        for name in listed
    },
}

EXTRAS = {"xgboost": "boost", "catboost": "boost", "torch": "deep", "cleanlab": "audit", "cryptography": "sign",
          "PIL": "image"}
"""Which extra brings an optional library, by its import name."""


@cache
def _listed(group: str) -> dict[str, str]:
    found = dict(BUILT_IN.get(group, {}))
    for point in entry_points(group=group):
        if found.get(point.name, point.value) != point.value:
            raise AssayError(
                f"two packages register {point.name!r} in {group!r}: {found[point.name]} and {point.value}. "
                "Remove one of them."
            )
        found[point.name] = point.value
    return found


def names(group: str, prefix: str = "") -> tuple[str, ...]:
    """The registered names of a group that begin with `prefix`, in order of registration."""
    return tuple(n for n in _listed(group) if n.startswith(prefix))


def load(group: str, name: str) -> Any:
    """What a registered name stands for.

    Raises UnknownName, with the nearest names, where nobody registered it; UserError with the
    command that installs it where its library is missing."""
    listed = _listed(group)
    if name not in listed:
        what = group.removeprefix("assay.").rstrip("s")
        raise UnknownName(f"there is no {what} called {name!r}. {nearest(name, listed)}")
    module, _, attribute = listed[name].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as miss:
        library = (miss.name or "").partition(".")[0]
        if library in ("", "assay"):
            raise
        extra = f"'assay[{EXTRAS[library]}]'" if library in EXTRAS else library
        raise UserError(f"{name} needs {library}, which is not installed: pip install {extra}") from miss
