"""What the tests of the store share: a model small enough, processes of their own, a disk that is soon full."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from assay.contract import Signature
from assay.store import Run, Store
from assay.store.package import save_model

TOY = """
import json, os, sys, time
from pathlib import Path
from assay.contract import Signature
from assay.errors import StoreError
from assay.store import Store, index
from assay.store.package import save_model

class Constant:
    loader, signature = "constant", Signature((), ())
    def __init__(self, value): self.value = value
    def save(self, folder): (folder / "value.json").write_text(json.dumps(self.value))
"""


UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
"""Coverage would write where a process that gave up its rights may not."""


class Constant:
    """Enough of a model to be saved."""

    loader: ClassVar[str] = "constant"
    signature = Signature((), ())

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, batch: Any, /) -> Any:
        return batch

    def save(self, folder: Path, /) -> None:
        (folder / "value.json").write_text(json.dumps(self.value))


def trained(store: Store, name: str = "churn", value: float = 1.0) -> Run:
    """A run that is done and has a model."""
    run = store.new_run(name, {"data": "churn.csv"})
    save_model(Constant(value), run.folder / "model", lineage={"run": run.id})
    run.finish("done", {"auc": value})
    return run


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TOY + script, *map(str, arguments)], text=True, env=UNMEASURED,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


def said_by(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each printed; none may have failed."""
    ends = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert [error for (_, error), code in ends if code or error] == []
    return [out for (out, _), _ in ends]


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """A disk that is full as soon as a file has `size` bytes, without the right to mount one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
