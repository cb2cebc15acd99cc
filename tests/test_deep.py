"""The recipes learned with PyTorch: what was learned answers alike without it, in time, and is refused when changed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from assay import registry
from assay.contract import Context
from assay.errors import TamperedError
from assay.paradigms.supervised.learner import Lesson
from assay.paradigms.supervised.recipes import deep, realmlp_net, tabm_net
from assay.paradigms.supervised.recipes.fitted import ARRAYS, FACTS
from assay.paradigms.supervised.recipes.inner import Clock, loss, with_held_out
from assay.paradigms.supervised.recipes.net_inputs import Reader
from assay.paradigms.supervised.recipes.realmlp import RealMLP
from assay.paradigms.supervised.recipes.tabm import TabM
from assay.paradigms.supervised.recipes.torch_net import Adam, Loss, Parameters, Rows, rows_of
from everything import task_of

QUICK: dict[str, Any] = {"realmlp": RealMLP(epochs=12, width=48), "tabm": TabM(epochs=12, width=24, k=4)}
GOALS = ("regression", "binary", "multiclass", "multilabel")
NETS = [(name, goal) for name in QUICK for goal in GOALS]


@cache
def lesson_of(goal: str) -> Lesson:
    """Numbers with gaps, a category of two levels, one of five, one of twenty; the target hangs on all but the last."""
    rng = np.random.default_rng(5)
    n = 700
    X = rng.normal(size=(n, 6)).astype(np.float32) * np.float32([1, 100, 1, 1, 1, 1])
    X[:, 3], X[:, 4], X[:, 5] = rng.integers(2, size=n), rng.integers(5, size=n), rng.integers(20, size=n)
    z = X[:, 0] + (X[:, 1] > 30) + X[:, 3] * X[:, 0] - (X[:, 4] == 2) + rng.normal(scale=0.3, size=n)
    X[rng.random((n, 6)) < 0.05] = np.nan
    y: Any = {"regression": (z - z.mean()) / z.std(), "binary": (z > 0.5).astype(np.int64),
              "multiclass": np.digitize(z, [-0.3, 1.0]), "multilabel": np.stack([z > 0, z > 1], axis=1).astype(float)}
    k = {"regression": 1, "binary": 2, "multiclass": 3, "multilabel": 2}[goal]
    return with_held_out(Lesson(goal, X, y[goal], k, categorical=(3, 4, 5)), 1_000, 0)  # type: ignore[arg-type]


@cache
def learned(name: str, goal: str) -> Any:
    return QUICK[name].learn(lesson_of(goal), Context(seed=3))


@pytest.mark.parametrize(("name", "goal"), NETS)
def test_it_learns(name: str, goal: str) -> None:
    lesson = lesson_of(goal)
    assert lesson.X_val is not None and lesson.y_val is not None
    prior = np.broadcast_to(lesson.y.mean(axis=0) if goal in ("regression", "multilabel")
                            else np.bincount(lesson.y) / len(lesson.y), learned(name, goal).scores(lesson.X_val).shape)
    best = loss(lesson.goal, learned(name, goal).scores(lesson.X_val), lesson.y_val)
    assert best < 0.8 * loss(lesson.goal, prior, lesson.y_val)


@pytest.mark.parametrize(("name", "goal"), NETS)
def test_numpy_answers_as_pytorch_does(name: str, goal: str) -> None:
    lesson, recipe = lesson_of(goal), QUICK[name]
    module: Any = {"realmlp": realmlp_net, "tabm": tabm_net}[name]
    reader, arrays = module.learned(recipe, lesson, Context(seed=3), Clock.start(Context()))
    parts = Parameters.of({n: (torch.from_numpy(a), 1.0, 1.0) for n, a in arrays.items()})
    if name == "realmlp":
        net: Any = realmlp_net.RealMLPNet(parts, recipe.layers, recipe.activation_of(lesson.goal))
    else:
        starts, steps = (torch.from_numpy(arrays[n]) for n in ("starts", "steps"))
        net = tabm_net.TabMNet(parts, starts, steps, goal, recipe.layers)
    with torch.no_grad():
        raw = net.merged(net.raw(rows_of(reader, lesson, lesson.X, lesson.y, None).inputs, None))
    if goal == "regression":
        wanted = raw[:, 0].clamp(float(lesson.y.min()), float(lesson.y.max()))
    else:
        wanted = torch.sigmoid(raw) if goal == "multilabel" else torch.softmax(raw, dim=1)
    assert np.abs(learned(name, goal).scores(lesson.X) - wanted.numpy()).max() < 1e-5


@pytest.mark.parametrize("name", QUICK)
def test_a_row_is_quick(name: str) -> None:
    """CPU time, the best of ten hundreds: other processes may be at work."""
    learner, row = registry.load("assay.recipes", f"supervised.{name}")(epochs=1).learn(
        lesson_of("binary"), Context()), lesson_of("binary").X[:1]
    learner.scores(row)

    def hundred() -> float:
        began = time.process_time()
        for _ in range(100):
            learner.scores(row)
        return (time.process_time() - began) / 100

    assert min(hundred() for _ in range(10)) < 1e-3


FRESH = """
import sys
sys.modules["torch"] = None                     # any import of it fails
from pathlib import Path
import numpy as np
from safetensors.numpy import load_file
from assay import registry
for folder in sorted(Path(sys.argv[1]).iterdir()):
    learner = registry.load("assay.learners", "supervised." + folder.name.partition("-")[0]).load(folder)
    before = load_file(folder / "expected.safetensors")
    assert np.array_equal(learner.scores(before["X"]), before["scores"]), folder
print("same")
"""


def test_what_was_learned_needs_no_pytorch(tmp_path: Path) -> None:
    for name, goal in NETS:
        folder = tmp_path / f"{name}-{goal}"
        folder.mkdir()
        learned(name, goal).save(folder)
        X = lesson_of(goal).X
        save_file({"X": X, "scores": learned(name, goal).scores(X)}, folder / "expected.safetensors")
    told = subprocess.run([sys.executable, "-c", FRESH, str(tmp_path)], capture_output=True, text=True, check=False)
    assert told.stdout.strip() == "same", told.stderr


def test_describing_the_recipes_does_not_bring_pytorch() -> None:
    code = """
import sys
from assay import registry
for name in ("realmlp", "tabm"):
    registry.load("assay.recipes", "supervised." + name)()
    registry.load("assay.learners", "supervised." + name)
print("torch" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout.strip() == "False", told.stderr


@pytest.mark.parametrize("name", QUICK)
def test_where_pytorch_is_missing_it_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of("supervised", "binary")
    assert QUICK[name].refuses(task) is None
    monkeypatch.setattr(deep, "LIBRARY", "a_library_that_nobody_has")
    assert QUICK[name].refuses(task) == (f"{QUICK[name].title} learns with PyTorch, which is not installed: "
                                         "pip install 'assay[deep]'")


@pytest.mark.parametrize("name", QUICK)
def test_it_ends_in_time_with_a_schedule_that_ended(name: str) -> None:
    lesson = lesson_of("regression")
    recipe = replace(QUICK[name], epochs=100_000, patience=0)
    began = time.monotonic()
    learner = recipe.learn(lesson, Context(budget_s=4.0))
    assert 3.0 < time.monotonic() - began < 4.2
    assert lesson.X_val is not None and lesson.y_val is not None
    assert loss("regression", learner.scores(lesson.X_val), lesson.y_val) < 0.6


@pytest.mark.parametrize("name", QUICK)
def test_no_time_at_all_still_gives_a_model(name: str) -> None:
    began = time.monotonic()
    endless = replace(QUICK[name], epochs=100_000, patience=0)
    scores = endless.learn(lesson_of("binary"), Context(budget_s=0.0)).scores(lesson_of("binary").X)
    assert np.isfinite(scores).all() and time.monotonic() - began < 3.0


@pytest.mark.parametrize("name", QUICK)
def test_weights_are_heard(name: str) -> None:
    """Rows of the second class weigh nine times as much: where rows tell little its mean probability is about 0.9."""
    lesson = lesson_of("binary")
    noise = np.random.default_rng(0).normal(size=(len(lesson.y), 2)).astype(np.float32)
    y = np.arange(len(lesson.y)) % 2
    weight = np.where(y == 1, 1.8, 0.2)
    blind = Lesson("binary", noise, y, 2, weight=weight, X_val=noise, y_val=y, weight_val=weight)
    assert 0.8 < QUICK[name].learn(blind, Context()).scores(noise)[:, 1].mean() < 0.97


@pytest.mark.parametrize("name", QUICK)
def test_two_threads_or_one_are_as_before_afterwards(name: str) -> None:
    before = torch.get_num_threads()
    QUICK[name].learn(lesson_of("binary"), Context(threads=2, budget_s=1.0))
    assert torch.get_num_threads() == before


def _json(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        said = json.loads((folder / FACTS).read_text())
        change(said)
        (folder / FACTS).write_text(json.dumps(said))
    return spoil


def _array(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        arrays = load_file(folder / ARRAYS)
        arrays[name] = np.ascontiguousarray(change(arrays[name]))
        save_file(arrays, folder / ARRAYS)
    return spoil


SPOILT = {
    "no layer": _json(lambda said: said.update(layers=0)),
    "more layers than weights": _json(lambda said: said.update(layers=5)),
    "a link of another goal": _json(lambda said: said.update(link="two")),
    "a weight too narrow": _array("weight.1", lambda a: a[:, :-1]),
    "a weight that is not finite": _array("weight.0", lambda a: a * np.float32(np.inf)),
    "a table too short": _array("table.0", lambda a: a[:-3]),
    "a position below zero": _array("reader.number", lambda a: a - 9),
    "a category of no level": _array("reader.small_levels", lambda a: a * 0),
    "scales of too few numbers": _array("reader.number_by", lambda a: a[:-1]),
    "scales of another type": _array("reader.number_by", lambda a: a.astype(np.float32)),
    "no file": lambda folder: (folder / ARRAYS).unlink(),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("name", QUICK)
def test_a_changed_file_is_refused(name: str, spoil: Callable[[Path], None], tmp_path: Path) -> None:
    learner = learned(name, "multiclass")
    learner.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(TamperedError, match="reading a learner"):
        type(learner).load(tmp_path)


def test_what_a_net_reads() -> None:
    X = np.array([[0.0, 0, 0, 0], [10, 1, 1, 9], [20, 0, 2, np.nan], [np.nan, np.nan, np.nan, 3]], np.float32)
    inputs = Reader.fit(X, (1, 2, 3))(X)
    assert np.allclose(inputs.numbers[:, 0], [-1 / np.hypot(1, 1 / 3), 0, 1 / np.hypot(1, 1 / 3), 0])
    assert inputs.flags.shape == (4, 1 + 3 + 1)      # two levels in one, three in three, a gap
    assert inputs.codes[:, 0].tolist() == [1, 10, 0, 4]


@pytest.mark.parametrize(("name", "plain"), [("selu", torch.selu), ("mish", functional.mish)])
def test_the_bend_and_its_way_back(name: str, plain: Callable[[Any], Any]) -> None:
    """Against PyTorch's own derivative of the formula."""
    drawn = torch.Generator().manual_seed(0)
    z, share = torch.randn(50, 8, generator=drawn) * 4, torch.rand(8, generator=drawn) * 2
    mask = (torch.rand(50, 8, generator=drawn) > 0.2).float() * 1.25
    ours, theirs = ([part.clone().requires_grad_() for part in (z, share)] for _ in range(2))
    bent = realmlp_net.bend(*ours, mask, name)
    wanted = (theirs[0] + (plain(theirs[0]) - theirs[0]) * theirs[1]) * mask
    for out in (bent, wanted):
        torch.autograd.backward(out.square().sum())
    assert torch.allclose(bent, wanted, atol=1e-5)
    assert all(torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]
               for a, b in zip(ours, theirs, strict=True))


def test_the_losses_are_pytorchs() -> None:
    drawn = torch.Generator().manual_seed(0)
    raw, y = torch.randn(40, 3, generator=drawn), torch.randint(3, (40,), generator=drawn)
    rows = Rows((raw, raw, raw), y, None)
    wanted = functional.cross_entropy(raw, y, label_smoothing=0.1)
    assert torch.isclose(Loss("multiclass", smooth=0.1)(raw, rows), wanted)
    thrice = torch.stack([raw, raw, raw], dim=1)            # three nets that say the same
    assert torch.isclose(Loss("multiclass")(thrice, rows), functional.cross_entropy(raw, y))


def test_the_schedules() -> None:
    peaks = [realmlp_net.coslog4((2**i - 1) / 15) for i in (0.5, 1.5, 2.5, 3.5)]
    ends = [realmlp_net.coslog4((2**i - 1) / 15) for i in (0, 1, 2, 3, 4)]
    assert np.allclose(peaks, 1) and np.allclose(ends, 0, atol=1e-12)


def test_adam_is_pytorchs() -> None:
    drawn = torch.Generator().manual_seed(0)
    start, pull = torch.randn(20, generator=drawn), torch.randn(9, 20, generator=drawn)
    parts = Parameters.of({"a": (start, 2.0, 3.0)})
    ours, flat = Adam(parts, 0.95), start.clone().requires_grad_()
    theirs = torch.optim.AdamW([flat], lr=0.02, weight_decay=0.3, betas=(0.9, 0.95))
    for slope in pull:
        parts["a"].grad.copy_(slope)
        ours.step(0.01, 0.1)
        flat.grad = slope.clone()
        theirs.step()
    assert torch.allclose(parts["a"], flat, atol=1e-6)


def test_learning_does_not_bring_the_compiler() -> None:
    """PyTorch's compiler costs seconds to import, and torch.optim imports it at its first step."""
    code = """
import sys
import numpy as np
from assay.contract import Context
from assay.paradigms.supervised.learner import Lesson
from assay.paradigms.supervised.recipes.realmlp import RealMLP
from assay.paradigms.supervised.recipes.tabm import TabM
X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
for recipe in (RealMLP(epochs=2), TabM(epochs=2)):
    recipe.learn(Lesson("regression", X, X[:, 0].astype(float), 1), Context())
print("torch._dynamo" in sys.modules, "sympy" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["False", "False"], told.stdout + told.stderr
