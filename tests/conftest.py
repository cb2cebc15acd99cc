"""What all tests share: one thread a fit, and a store of its own for each test."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"            # before NumPy or a booster is loaded

from collections.abc import Callable
from pathlib import Path

import pytest

from everything import TABLES, install_plugin, table


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that only this test sees, through ASSAY_STORE."""
    folder = tmp_path / ".assay"
    monkeypatch.setenv("ASSAY_STORE", str(folder))
    return folder


@pytest.fixture(scope="session")
def plugin() -> Path:
    """The folder in which the package of plugin_example/ is installed; on PYTHONPATH from now on."""
    return install_plugin()


@pytest.fixture(scope="session")
def small_table() -> Callable[[str], tuple[Path, list[str]]]:
    """binary, multiclass, regression or multilabel -> a CSV of at most 400 real rows, and its target."""
    return lambda goal: (table(goal), TABLES[goal][2])
