"""What runs in a contestant's own environment, in its own folder: `python -P tools.py fit|predict TOOL`.

fit reads train.parquet and question.json and leaves the model in the folder `model`. predict loads that in a process
of its own, answers inputs.parquet into answers.parquet, and writes what the answering took to timings.json: loading,
one row (the median of 30 different rows, after three), the test part at once, a million rows made by repeating it.
How AutoGluon, FLAML and mljar are called stands in assay's own adapter.py, beside what `assay judge` uses.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ADAPTER = Path(__file__).resolve().parents[2] / "src" / "assay" / "contestants" / "adapter.py"
MODEL = Path("model")
WARM, ROWS, MILLION = 3, 30, 1_000_000
LONGEST_S = 20.0                                # that the million rows may take; beyond, fewer are timed and scaled

Question = dict[str, Any]


def adapter() -> Any:
    spec = importlib.util.spec_from_file_location("adapter", ADAPTER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class AutoGluon:
    def __init__(self, question: Question, preset: str) -> None:
        self.question, self.preset, self.adapter = question, preset, adapter()

    def fit(self, X: Any, y: Any) -> None:
        self.adapter.fit_autogluon(self.question, X, y, seconds=self.question["budget_s"], folder=str(MODEL),
                                   preset=self.preset)

    def load(self) -> None:
        from autogluon.tabular import TabularPredictor

        self.model = TabularPredictor.load(str(MODEL))
        self.model.persist()                    # as its documentation says where rows come one by one

    def ask(self, X: Any) -> Any:
        return self.model.predict(X) if self.question["task"] == "regression" else self.model.predict_proba(X)

    def told(self, raw: Any) -> Any:
        if self.question["task"] == "regression":
            return raw.to_numpy()
        return self.adapter.chances(raw.columns, raw.to_numpy(), self.question)


class Flaml:
    """Saved by pickle, as its documentation says."""

    def __init__(self, question: Question, _: str) -> None:
        self.question, self.adapter = question, adapter()

    def fit(self, X: Any, y: Any) -> None:
        model = self.adapter.fit_flaml(self.question, X, y, seconds=self.question["budget_s"])
        MODEL.mkdir()
        with (MODEL / "automl.pkl").open("wb") as f:
            pickle.dump(model, f, pickle.HIGHEST_PROTOCOL)

    def load(self) -> None:
        with (MODEL / "automl.pkl").open("rb") as f:
            self.model = pickle.load(f)

    def ask(self, X: Any) -> Any:
        return self.model.predict(X) if self.question["task"] == "regression" else self.model.predict_proba(X)

    def told(self, raw: Any) -> Any:
        if self.question["task"] == "regression":
            return raw
        return self.adapter.chances(self.model.classes_, raw, self.question)


class Mljar:
    def __init__(self, question: Question, mode: str) -> None:
        self.question, self.mode, self.adapter = question, mode, adapter()

    def fit(self, X: Any, y: Any) -> None:
        self.adapter.fit_mljar(self.question, X, y, seconds=self.question["budget_s"], folder=str(MODEL),
                               mode=self.mode)

    def load(self) -> None:
        from supervised import AutoML

        self.model = AutoML(results_path=str(MODEL))

    def ask(self, X: Any) -> Any:
        return self.model.predict(X) if self.question["task"] == "regression" else self.model.predict_all(X)

    def told(self, raw: Any) -> Any:
        if self.question["task"] == "regression":
            return raw
        chances = [c for c in raw.columns if c.startswith("prediction_")]
        return self.adapter.chances([c.removeprefix("prediction_") for c in chances], raw[chances].to_numpy(),
                                    self.question)


class LightGBM:
    """The defaults; words as categories of its own."""

    def __init__(self, question: Question, _: str) -> None:
        self.question = question

    def fit(self, X: Any, y: Any) -> None:
        import lightgbm

        words = [c for c in X.columns if X[c].dtype.kind not in "biufM"]
        levels = {c: sorted(X[c].dropna().astype(str).unique()) for c in words}
        made = lightgbm.LGBMRegressor if self.question["task"] == "regression" else lightgbm.LGBMClassifier
        model = made(n_jobs=self.question["cores"], random_state=self.question["seed"], verbose=-1)
        model.fit(self._frame(X, levels), y)
        MODEL.mkdir()
        model.booster_.save_model(MODEL / "model.txt")
        kept = {"levels": levels, "classes": [str(c) for c in getattr(model, "classes_", [])]}
        (MODEL / "kept.json").write_text(json.dumps(kept), encoding="utf-8")

    def load(self) -> None:
        import lightgbm

        self.kept = json.loads((MODEL / "kept.json").read_text(encoding="utf-8"))
        self.model = lightgbm.Booster(model_file=MODEL / "model.txt")

    def ask(self, X: Any) -> Any:
        return self.model.predict(self._frame(X, self.kept["levels"]), num_threads=self.question["cores"])

    def told(self, raw: Any) -> Any:
        import numpy as np

        if self.question["task"] == "regression":
            return raw
        p = np.column_stack([1 - raw, raw]) if self.question["task"] == "binary" else raw
        return adapter().chances(self.kept["classes"], p, self.question)

    def _frame(self, X: Any, levels: dict[str, list[str]]) -> Any:
        import pandas as pd

        found = {}
        for name in X.columns:
            if name in levels:
                known = pd.CategoricalDtype(levels[name])
                found[name] = X[name].astype(object).map(str, na_action="ignore").astype(known)
            else:
                found[name] = X[name].astype("int64") if X[name].dtype.kind == "M" else X[name]
        return pd.DataFrame(found)


class CatBoost:
    """The defaults; words as categories of its own, a missing one as a word."""

    def __init__(self, question: Question, _: str) -> None:
        self.question = question

    def fit(self, X: Any, y: Any) -> None:
        import catboost

        made = catboost.CatBoostRegressor if self.question["task"] == "regression" else catboost.CatBoostClassifier
        model = made(thread_count=self.question["cores"], random_seed=self.question["seed"], verbose=False,
                     allow_writing_files=False)
        frame = self._frame(X)
        model.fit(frame, y, cat_features=[c for c in frame.columns if frame[c].dtype == object])
        MODEL.mkdir()
        model.save_model(str(MODEL / "model.cbm"))

    def load(self) -> None:
        import catboost

        made = catboost.CatBoostRegressor if self.question["task"] == "regression" else catboost.CatBoostClassifier
        self.model = made().load_model(str(MODEL / "model.cbm"))

    def ask(self, X: Any) -> Any:
        X = self._frame(X)
        return self.model.predict(X) if self.question["task"] == "regression" else self.model.predict_proba(X)

    def told(self, raw: Any) -> Any:
        if self.question["task"] == "regression":
            return raw
        return adapter().chances(self.model.classes_, raw, self.question)

    def _frame(self, X: Any) -> Any:
        import pandas as pd

        found = {}
        for name in X.columns:
            kind = X[name].dtype.kind
            found[name] = (X[name].astype("int64") if kind == "M" else X[name] if kind in "biuf"
                           else X[name].astype(object).where(X[name].notna(), "missing").map(str).astype(object))
        return pd.DataFrame(found)


class Assay:
    """Trained by its own command line, so there is no fit; asked through its Python face."""

    def __init__(self, question: Question, _: str) -> None:
        self.question = question

    def load(self) -> None:
        import assay

        self.model = assay.load("contest", store="store")

    def ask(self, X: Any) -> Any:
        return self.model.predict(X)

    def told(self, raw: Any) -> Any:
        if self.question["task"] == "regression":
            return raw["value"].to_numpy()
        chances = [c for c in raw.columns if c.startswith("p.")]
        return adapter().chances([c.removeprefix("p.") for c in chances], raw[chances].to_numpy(), self.question)


TOOLS: dict[str, Callable[[Question, str], Any]] = {
    "autogluon": AutoGluon, "flaml": Flaml, "mljar": Mljar, "lightgbm": LightGBM, "catboost": CatBoost, "assay": Assay,
}


def fit(tool: Any, question: Question) -> None:
    import pandas as pd

    train = pd.read_parquet("train.parquet")
    target = question["target"][0]
    tool.fit(train.drop(columns=target), train[target])


def predict(tool: Any) -> None:
    import pandas as pd

    X = pd.read_parquet("inputs.parquet")
    _, load_s = timed(tool.load)
    folder = getattr(tool.model, "folder", MODEL)
    size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
    rows = [X.iloc[[i % len(X)]].reset_index(drop=True) for i in range(WARM + ROWS)]
    one_s = statistics.median([timed(lambda row=row: tool.ask(row))[1] for row in rows][WARM:])
    raw, batch_s = timed(lambda: tool.ask(X))
    answers = tool.told(raw)
    answers = answers if isinstance(answers, pd.DataFrame) else pd.DataFrame({"value": answers})
    answers.to_parquet("answers.parquet", index=False)
    timings = {"load_s": load_s, "one_row_ms": 1000 * one_s, "batch_s": batch_s, "batch_rows": len(X),
               "size_mb": size / 2**20}
    Path("timings.json").write_text(json.dumps(timings), encoding="utf-8")      # should the million not fit
    rows, seconds = million(tool, X, batch_s)
    timings |= {"million_s": seconds * MILLION / rows, "million_timed": rows}
    Path("timings.json").write_text(json.dumps(timings), encoding="utf-8")


def million(tool: Any, X: Any, batch_s: float) -> tuple[int, float]:
    """(rows, seconds): a million rows, drawn from X with replacement, or as many as answering takes about LONGEST_S.

    Found by tens: what 10,000 rows took says whether 100,000 are tried, and those whether the million is."""
    import numpy as np

    rows, seconds = len(X), batch_s
    for step in (MILLION // 100, MILLION // 10, MILLION):
        wanted = min(step, int(rows * LONGEST_S / seconds))
        if wanted > rows:
            many = X.iloc[np.random.default_rng(0).integers(len(X), size=wanted)].reset_index(drop=True)
            rows, seconds = wanted, timed(lambda many=many: tool.ask(many))[1]
    return rows, seconds


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = act()
    return found, time.perf_counter() - began


if __name__ == "__main__":
    asked: Question = json.loads(Path("question.json").read_text(encoding="utf-8"))
    name, _, variant = sys.argv[2].partition(":")
    contestant = TOOLS[name](asked, variant)
    if sys.argv[1] == "fit":
        fit(contestant, asked)
    else:
        predict(contestant)
