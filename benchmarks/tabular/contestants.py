"""Who takes part: a word -> what its environment needs, what trains it, and what its version is.

The environments are made once, by uv, under ~/.cache/assay-benchmarks. assay runs as this repository has it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import CACHE

from assay.contestants.environments import environment, versions

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = Path(__file__).with_name("tools.py")
CORES = 2
SHUFFLED = "shuffled.parquet"

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "autogluon": ("autogluon.tabular[catboost,fastai,lightgbm,ray,xgboost]>=1.6", "pyarrow>=15"),
    "flaml": ("flaml[automl]>=2.6", "pyarrow>=15"),
    "mljar": ("mljar-supervised>=1.3", "pyarrow>=15"),
    "lightgbm": ("lightgbm>=4.6", "pandas>=3", "pyarrow>=15", "scikit-learn>=1.9"),
    "catboost": ("catboost>=1.2.10", "pandas>=3", "pyarrow>=15"),
}
PACKAGE = {"autogluon": "autogluon.tabular", "mljar": "mljar-supervised"}

CONTESTANTS: dict[str, str] = {
    "assay": "assay", "assay-locked": "assay:locked",
    **{f"autogluon-{preset}": f"autogluon:{preset}"
       for preset in ("medium", "good", "high", "best", "high_v150", "best_v150")},
    "flaml": "flaml", "mljar": "mljar:Compete", "mljar-perform": "mljar:Perform",
    "lightgbm": "lightgbm", "catboost": "catboost",
}
"""A word of --contestants -> the tool and its variant.

assay is given a test part, as a user gives it who has one, and so learns from all the rows that the others have. Its
labels are shuffled: nothing can be learnt from them, and what assay's own report says of them means nothing here.
assay-locked is given the training rows alone, and locks a fifth of them away, as it does where nothing is said.
"""

_WEIGHTS = "its models are pretrained networks whose weights are downloaded when they are first used"
NOT_RUN: dict[str, str] = {
    "autogluon-extreme": f"{_WEIGHTS} (TabPFN family, TabICL, Mitra and others); nothing can be downloaded here, and "
                         "a GPU is wanted",
    "autogluon-extreme_v150": f"{_WEIGHTS}, and a GPU is wanted",
    "autogluon-noncommercial": f"{_WEIGHTS} (TabPFN-3), and its licence forbids commercial use",
    "autogluon-tabarena": f"{_WEIGHTS} (TabPFNv2, TabICL, Mitra)",
    "tabpfn, tabicl, mitra": f"{_WEIGHTS}; the packages hold none",
}
"""What a reader would look for, and why it is not here."""

_FOR_NUMBERS = ("OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "PYTHON", "VIRTUAL_ENV", "ASSAY_", "COV")


@dataclass(frozen=True)
class Contestant:
    """tool: what TOOLS calls it. python: of its environment. version: the rows of another one stand beside these."""

    name: str
    tool: str
    python: Path
    version: str
    more: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        return self.tool.partition(":")[0] == "assay"

    @property
    def env(self) -> dict[str, str]:
        """Nothing that says how many threads to use, nor where our Python finds its packages."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOR_NUMBERS)}
        ours = {"PYTHONPATH": str(REPOSITORY / "src")} if self.ours else {}
        return {**kept, **ours, "PYTHONUNBUFFERED": "1", "RAY_USAGE_STATS_ENABLED": "0"}

    def fitting(self, question: Mapping[str, Any]) -> list[str]:
        if not self.ours:
            return [str(self.python), "-P", str(TOOLS), "fit", self.tool]
        given = [] if self.tool.endswith(":locked") else ["--test-data", SHUFFLED]
        return [str(self.python), "-m", "assay", "train", "train.parquet", "--target", question["target"][0],
                "--task", question["task"], "--metric", question["metric"], "--budget", str(question["budget_s"]),
                "--seed", str(question["seed"]), "--name", "contest", "--store", "store", "--json", *given, *self.more]

    def predicting(self) -> list[str]:
        return [str(self.python), "-P", str(TOOLS), "predict", self.tool]


def contestant(word: str, pythons: Mapping[str, str], more: Sequence[str] = ()) -> Contestant:
    """The contestant of that name. pythons: tool -> an interpreter to use instead of an environment of its own.
    more: options for `assay train`."""
    if word in NOT_RUN:
        raise SystemExit(f"{word} is not run: {NOT_RUN[word]}")
    if word not in CONTESTANTS:
        raise SystemExit(f"there is no contestant {word!r}. Known: {', '.join(CONTESTANTS)}")
    tool = CONTESTANTS[word].partition(":")[0]
    if tool == "assay":
        extra = f" {' '.join(more)}" if more else ""
        return Contestant(word, CONTESTANTS[word], Path(pythons.get(tool, sys.executable)), code() + extra, tuple(more))
    python = Path(pythons[tool]) if tool in pythons else environment(
        CACHE / "environments", tool, REQUIREMENTS[tool], lambda said: print(said, flush=True))
    package = PACKAGE.get(tool, tool)
    return Contestant(word, CONTESTANTS[word], python, f"{package} {versions(python)[package]}")


def code() -> str:
    """Of this repository's src: its version, the last commit that changed it, and a mark of what is not committed."""
    from importlib.metadata import version

    commit = _git("log", "-1", "--format=%h", "--", "src")
    changes = _git("diff", "HEAD", "--", "src") + _git("ls-files", "--others", "--exclude-standard", "--", "src")
    mark = f"+{hashlib.sha256(changes.encode()).hexdigest()[:7]}" if changes else ""
    return f"assay {version('assay')} {commit}{mark}"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
