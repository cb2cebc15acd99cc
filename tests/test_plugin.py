"""A stranger's package, really installed, takes a problem that is no table from nothing to answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import assay

SOURCE = Path(assay.__file__).parent
SEEN = "position,velocity,angle,angular_velocity\n0.0,0.0,0.15,0.9\n0.0,0.0,-0.15,-0.9\n"


def run(*words: object, cwd: Path, code: int = 0) -> Any:
    """What `assay WORDS --json` says, as a user would run it."""
    command = [sys.executable, "-m", "assay", *map(str, words), "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if code == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a user works, with a table of observations in it."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "seen.csv").write_text(SEEN)
    return folder


@pytest.fixture(autouse=True)
def store_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One store for this file: its tests follow a user from the first run to the last."""
    monkeypatch.setenv("ASSAY_STORE", str(folder / ".assay"))
    return folder / ".assay"


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Any]:
    os.environ["ASSAY_STORE"] = str(folder / ".assay")
    words = ("train", "CartPole-v1", "--task", "cartpole", "--budget", "20s", "--episodes", 60)
    said: dict[str, Any] = run(*words, cwd=folder)
    return said


def test_a_policy_is_learned_that_beats_chance_by_far(trained: dict[str, Any]) -> None:
    lines = {line["recipe"]: line for line in trained["leaderboard"]}
    assert set(lines) == {"random", "cross_entropy"}
    assert trained["chosen"] == "cross_entropy"
    assert lines["random"]["score"]["value"] < 40
    assert trained["test"]["mean_return"]["low"] > 400
    assert trained["test"]["success"]["high"] == pytest.approx(1.0)
    against = trained["comparisons"][0]
    assert against["other"] == "random"
    assert against["difference"]["low"] > 300
    assert trained["looks"] == 1


def test_its_units_and_cases_are_called_what_they_are(trained: dict[str, Any], folder: Path) -> None:
    assert trained["title"] == "CartPole-v1"
    assert trained["plan"] == {
        "method": "seeds", "why": "no episode is played twice", "folds": 1, "train": 48, "test": 12,
    }
    page = Path(run("report", trained["run"], cwd=folder)["report"]).read_text(encoding="utf-8")
    assert "reward an episode" in page
    assert "cross_entropy" in page


def test_the_saved_policy_plays_fresh_episodes(trained: dict[str, Any], folder: Path) -> None:
    report = run("evaluate", trained["name"], "CartPole-v1", cwd=folder)
    assert report["cases"] == 100
    assert report["metrics"]["mean_return"]["low"] > 400
    assert "CartPole-v1" in run("evaluate", trained["name"], "Acrobot-v1", cwd=folder, code=2)


def test_the_saved_policy_acts_on_a_table_of_observations(trained: dict[str, Any], folder: Path) -> None:
    answers = run("predict", trained["name"], "seen.csv", cwd=folder)
    assert [row["action"] for row in answers] == [1, 0], "it pushes towards the side to which the pole falls"
    (folder / "wrong.csv").write_text(SEEN.replace("angle,", "angel,"))
    assert "angle" in run("predict", trained["name"], "wrong.csv", cwd=folder, code=2)


def test_two_runs_are_compared_episode_by_episode(trained: dict[str, Any], folder: Path) -> None:
    other = run("train", "CartPole-v1", "--task", "cartpole", "--recipes", "random", "--episodes", 60, cwd=folder)
    assert other["chosen"] == "random"
    found = {c["metric"]: c for c in run("compare", trained["run"], other["run"], cwd=folder)}
    assert found["mean_return"]["difference"]["low"] > 300
    assert found["mean_return"]["p"] < 0.01


def test_the_id_of_an_environment_is_enough(folder: Path) -> None:
    said = run("train", "CartPole-v1", "--recipes", "random", "--episodes", 20, "--name", "chance", cwd=folder)
    assert said["task"] == "cartpole"
    assert said["name"] == "chance"


def test_an_environment_that_cannot_be_used_is_refused_in_a_sentence(folder: Path) -> None:
    said = run("train", "Pendulum-v1", "--task", "cartpole", cwd=folder, code=2)
    assert "numbered actions" in said
    assert "Traceback" not in said


def test_a_strangers_recipe_joins_the_race_of_a_built_in_paradigm(folder: Path, small_table: Any) -> None:
    data, target = small_table("multiclass")
    said = run("train", data, "--target", target[0], "--recipes", "shrunken_mean", "--budget", "20s", cwd=folder)
    lines = {line["recipe"]: line for line in said["leaderboard"]}
    assert {"prior", "shrunken_mean"} <= set(lines)
    assert said["chosen"].startswith("shrunken_mean") or said["chosen"] == "ensemble"     # as it came, or tuned
    assert said["test"]["accuracy"]["low"] > 0.8


# --- the waist ----------------------------------------------------------------------------------

ABOVE = ("stages", "search", "checks", "report", "store", "sinks", "cli", "stats")
GOALS = r"regression|binary|multiclass|multilabel|clustering|forecasting"


@pytest.mark.parametrize("part", ABOVE)
def test_no_stage_asks_which_paradigm_it_serves(part: str) -> None:
    """Above the contract no code decides by the name of a paradigm or of a goal."""
    decides = re.compile(rf"""["'](supervised|cartpole)["']|[!=]=\s*["']({GOALS})["']|["']({GOALS})["']\s*[!=]=""")
    found = [
        f"{file.relative_to(SOURCE)}:{number}: {line.strip()}"
        for file in sorted((SOURCE / part).rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if decides.search(line)
    ]
    assert not found, "\n".join(found)
