"""A tool as a contestant: `python -P adapter.py TOOL` in the tool's own environment, in the contestant's folder.

Reads train.parquet, test.parquet and problem.json, writes predictions.parquet. It imports nothing of assay. What the
process has used of the budget by the time the tool starts, and what answering will take, is kept back from the tool.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BEGAN = time.monotonic()
KEPT_BACK = 0.06                                # of the budget, for answering
STARTING_S = 1.0                                # the interpreter's start, before BEGAN

Question = dict[str, Any]


def main(tool: str) -> None:
    import pandas as pd

    question: Question = json.loads(Path("problem.json").read_text(encoding="utf-8"))
    if len(question["target"]) != 1 or question["task"] not in ("binary", "multiclass", "regression"):
        sys.exit(f"the adapter of {tool} answers one target of kind binary, multiclass or regression, not "
                 f"{question['task']}")
    train, test = pd.read_parquet("train.parquet"), pd.read_parquet("test.parquet")
    inputs = [column["name"] for column in question["inputs"]]
    answers = TOOLS[tool](question, train[inputs], train[question["target"][0]], test[inputs])
    answers.to_parquet("predictions.parquet", index=False)


def seconds_left(question: Question) -> float:
    """What the tool may take, counted from now."""
    budget = float(question["budget_s"])
    return max(1.0, budget * (1 - KEPT_BACK) - STARTING_S - (time.monotonic() - BEGAN))


def chances(classes: Sequence[Any], p: Any, question: Question) -> Any:
    """Probabilities as columns p.<class>; a class that the tool did not meet gets 0."""
    import pandas as pd

    found = {f"p.{name}": p[:, i] for i, name in enumerate(map(str, classes))}
    zeros = dict.fromkeys((f"p.{name}" for name in question["classes"]), 0.0)
    return pd.DataFrame({**zeros, **found})


def autogluon(question: Question, X: Any, y: Any, X_test: Any) -> Any:
    """AutoGluon with the preset it takes by itself; 'best' overran 60 s by a quarter when we measured it."""
    predictor = fit_autogluon(question, X, y, seconds=seconds_left(question), folder="autogluon")
    return answer_autogluon(predictor, X_test, question)


def fit_autogluon(question: Question, X: Any, y: Any, *, seconds: float, folder: str, preset: str | None = None) -> Any:
    """A predictor that lies in `folder`; `preset`: one of AutoGluon's words, such as "best"."""
    from autogluon.tabular import TabularPredictor

    names = {"rmse": "root_mean_squared_error", "mae": "mean_absolute_error", "median_ae": "median_absolute_error"}
    known = {"roc_auc", "log_loss", "average_precision", "accuracy", "balanced_accuracy", "f1", "mcc", "r2"}
    metric = names.get(question["metric"], question["metric"] if question["metric"] in known else None)
    more = {"positive_class": question["positive"]} if question["positive"] is not None else {}
    predictor = TabularPredictor(label="target", problem_type=question["task"], eval_metric=metric, path=folder, **more)
    return predictor.fit(X.assign(target=y), time_limit=seconds, num_cpus=question["cores"], presets=preset)


def answer_autogluon(predictor: Any, X: Any, question: Question) -> Any:
    import pandas as pd

    if question["task"] == "regression":
        return pd.DataFrame({"value": predictor.predict(X).to_numpy()})
    p = predictor.predict_proba(X)
    return chances(p.columns, p.to_numpy(), question)


def flaml(question: Question, X: Any, y: Any, X_test: Any) -> Any:
    return answer_flaml(fit_flaml(question, X, y, seconds=seconds_left(question)), X_test, question)


def fit_flaml(question: Question, X: Any, y: Any, *, seconds: float) -> Any:
    from flaml import AutoML

    several = {"roc_auc": "roc_auc_ovr", "f1": "macro_f1"} if question["task"] == "multiclass" else {}
    names = {"roc_auc": "roc_auc", "macro_roc_auc": "roc_auc_ovr", "log_loss": "log_loss", "average_precision": "ap",
             "accuracy": "accuracy", "f1": "f1", "macro_f1": "macro_f1", "rmse": "rmse", "mae": "mae", "r2": "r2",
             "mape": "mape"}
    model = AutoML()
    model.fit(X, y, task="regression" if question["task"] == "regression" else "classification",
              metric=several.get(question["metric"], names.get(question["metric"], "auto")), time_budget=seconds,
              n_jobs=question["cores"], seed=question["seed"], early_stop=False, log_file_name="flaml.log")
    return model


def answer_flaml(model: Any, X: Any, question: Question) -> Any:
    import pandas as pd

    if question["task"] == "regression":
        return pd.DataFrame({"value": model.predict(X)})
    return chances(model.classes_, model.predict_proba(X), question)


def mljar(question: Question, X: Any, y: Any, X_test: Any) -> Any:
    """mljar in the mode that it has for models that are to be used."""
    model = fit_mljar(question, X, y, seconds=seconds_left(question), folder="mljar", mode="Perform")
    return answer_mljar(model, X_test, question)


def fit_mljar(question: Question, X: Any, y: Any, *, seconds: float, folder: str, mode: str) -> Any:
    """Told a number of jobs, mljar leaves out its neural network, so it takes all cores by itself."""
    from supervised import AutoML

    task = {"binary": "binary_classification", "multiclass": "multiclass_classification"}.get(question["task"],
                                                                                              "regression")
    names = {"roc_auc": "auc", "log_loss": "logloss", "average_precision": "average_precision", "accuracy": "accuracy",
             "f1": "f1", "rmse": "rmse", "mae": "mae", "r2": "r2", "mape": "mape"}
    allowed = {"binary": ("auc", "logloss", "average_precision", "accuracy", "f1"),
               "multiclass": ("logloss", "accuracy", "f1")}.get(question["task"], ("rmse", "mae", "r2", "mape"))
    metric = names.get(question["metric"])
    model = AutoML(results_path=folder, mode=mode, ml_task=task, total_time_limit=int(seconds),
                   eval_metric=metric if metric in allowed else "auto", random_state=question["seed"])
    model.fit(X, y)
    return model


def answer_mljar(model: Any, X: Any, question: Question) -> Any:
    import pandas as pd

    if question["task"] == "regression":
        return pd.DataFrame({"value": model.predict(X)})
    columns = [c for c in model.predict_all(X[:1]).columns if c.startswith("prediction_")]
    return chances([c.removeprefix("prediction_") for c in columns], model.predict_proba(X), question)


TOOLS: dict[str, Callable[[Question, Any, Any, Any], Any]] = {"autogluon": autogluon, "flaml": flaml, "mljar": mljar}

if __name__ == "__main__":
    main(sys.argv[1])
