"""What the recipes of the extra `deep` share: they learn with PyTorch, which may not be there. It is not imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar

from assay.contract import Task
from assay.paradigms.supervised.learner import Encoding
from assay.paradigms.supervised.recipe import SupervisedRecipe

LIBRARY = "torch"


@dataclass(frozen=True)
class DeepRecipe(SupervisedRecipe):
    """A recipe that needs PyTorch to learn; what it learned does not need it."""

    encoding: ClassVar[Encoding] = "codes"
    early_stops: ClassVar[bool] = True

    def refuses(self, task: Task, /) -> str | None:
        """Why not, in words; looked up without importing PyTorch, which costs a second and 300 MB."""
        why_not = super().refuses(task)
        if why_not is None and find_spec(LIBRARY) is None:
            return f"{self.title} learns with PyTorch, which is not installed: pip install 'assay[deep]'"
        return why_not
