"""Other tools as contestants: what they are given, what becomes of those that break, cheat or hang, what is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import assay
from assay.cli import main
from assay.contestants.answers import read_answers
from assay.contestants.desk import papers, surroundings
from assay.contestants.environments import environment, versions
from assay.contestants.known import contestants
from assay.contract import Field
from assay.errors import AssayError, DataError, GateError, ProblemError, StoreError, UnknownName
from assay.problem import Problem
from assay.store import Store, looks
from everything import TABLES, paradigm_of, table, task_of

READS = """
import json, os, sys
import polars as pl
q = json.load(open("problem.json"))
train, test = pl.read_parquet("train.parquet"), pl.read_parquet("test.parquet")
n = len(test)
"""

SCRIPTS = {
    # a sound one: plain scikit-learn
    "good": """
import json, pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
q = json.load(open("problem.json"))
train, test = pd.read_parquet("train.parquet"), pd.read_parquet("test.parquet")
inputs, (target,) = [c["name"] for c in q["inputs"]], q["target"]
learner = RandomForestRegressor if q["task"] == "regression" else RandomForestClassifier
columns = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    (SimpleImputer(), make_column_selector(dtype_include="number")))
model = make_pipeline(columns, learner(60, random_state=q["seed"])).fit(train[inputs], train[target])
if q["task"] == "regression":
    answers = pd.DataFrame({"value": model.predict(test[inputs])})
else:
    answers = pd.DataFrame(model.predict_proba(test[inputs]), columns=[f"p.{c}" for c in model.classes_])
answers.to_parquet("predictions.parquet")
""",
    # looks wherever it was led to for the labels, and says what it saw
    "cheat": READS + """
print("SAW", json.dumps({"files": sorted(os.listdir(".")), "columns": test.columns, "cwd": os.getcwd(),
                         "named": [v for v in os.environ.values() if ".assay" in v]}))
pl.DataFrame({"label": [q["classes"][0]] * n}).write_parquet("predictions.parquet")
""",
    "crash": "import sys; print('first'); sys.exit('the model fell over')",
    "rows": READS + 'pl.DataFrame({"label": [q["classes"][0]] * (n - 1)}).write_parquet("predictions.parquet")',
    "holes": READS + """
p = {f"p.{c}": [1 / len(q["classes"])] * n for c in q["classes"]}
pl.DataFrame({**p, f"p.{q['classes'][0]}": [float("nan")] * n}).write_parquet("predictions.parquet")
""",
    "link": "import os; os.symlink('train.parquet', 'predictions.parquet')",
    "nothing": "",
    # waits for ever, and so does its child, which would leave a file behind
    "hang": """
import subprocess, sys, time
child = "import time, pathlib; time.sleep(6); pathlib.Path(%r).write_text('alive')"
subprocess.Popen([sys.executable, "-c", child])
print("started", flush=True)
time.sleep(600)
""",
}

QUICK: dict[str, Any] = {"folds": 2, "workers": 1, "trials": 3, "budget": 4}
RECIPES = {"binary": "prior,logistic", "multiclass": "prior,naive_bayes", "regression": "prior,ridge"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(text.replace("%r", repr(str(folder / "alive.txt"))))
    return folder


@pytest.fixture(scope="module")
def trained(place: Path) -> Callable[[str], str]:
    """A finished run of each goal, trained once; its id."""
    runs: dict[str, str] = {}

    def run(goal: str) -> str:
        if goal not in runs:
            done = assay.train(str(table(goal)), target=TABLES[goal][2], recipes=RECIPES[goal], store=place / "store",
                               **QUICK)
            runs[goal] = done.run.id
        return runs[goal]

    return run


@pytest.fixture
def judged(place: Path, trained: Callable[[str], str]) -> Callable[..., Any]:
    """Judge the run of a goal with some of the scripts."""
    def run(goal: str, *names: str, grace_s: float = 60, **more: Any) -> Any:
        return assay.judge(trained(goal), [str(place / f"{n}.py") for n in names], store=place / "store",
                           grace_s=grace_s, **more)

    return run


def by_name(found: Any) -> dict[str, Any]:
    return {s.name: s for s in found.judgement.standings}


# --- the whole way ---------------------------------------------------------------------------------


def test_a_judging_scores_the_sound_and_says_of_each_other_what_broke(judged, place):
    found = judged("binary", "good", "cheat", "crash", "rows", "holes", "link", "nothing")
    at, judgement = by_name(found), found.judgement
    assert [s.status for s in judgement.standings[:3]] == ["ours", at["good"].status, "apart"]
    assert at["good"].status in ("ahead", "behind", "tied")
    assert set(at["good"].metrics) == set(at["assay"].metrics) == set(at["good"].against)
    assert at["good"].metrics["roc_auc"].value > 0.6
    assert "accuracy" in at["cheat"].metrics
    assert "roc_auc" not in at["cheat"].metrics
    for name, why in {"crash": "exit code 1; its last line: the model fell over", "rows": "78 rows; wanted 79",
                      "holes": "missing or not finite", "link": "is a link", "nothing": "there is no"}.items():
        assert at[name].status == "failed"
        assert why in at[name].note
    page = found.page.read_text()
    for text in (*at, "the model fell over", "Holm", judgement.repeat, "wanted 79", "guards against accidents"):
        assert text in page
    assert "src=" not in page
    assert "href=\"http" not in page
    assert json.loads((found.folder / "verdict.json").read_text())["run"] == judgement.run
    assert "first" in Path(at["crash"].log).read_text()


def test_a_contestant_sees_three_files_no_labels_and_no_way_to_the_store(judged, place):
    found = judged("binary", "cheat")
    line = next(x for x in Path(by_name(found)["cheat"].log).read_text().splitlines() if x.startswith("SAW "))
    saw = json.loads(line.removeprefix("SAW "))
    assert saw["files"] == ["log.txt", "problem.json", "test.parquet", "tmp", "train.parquet"]
    assert "Status" not in saw["columns"]
    assert saw["named"] == []
    assert not saw["cwd"].startswith(str(place))
    assert not Path(saw["cwd"]).exists()


@pytest.mark.parametrize("goal", ["multiclass", "regression"])
def test_every_kind_of_one_target_can_be_judged(judged, goal):
    found = judged(goal, "good").judgement
    good = found.standings[1]
    assert set(good.metrics) == set(found.ours.metrics)
    assert good.status in ("ahead", "behind", "tied")


def test_one_that_hangs_is_killed_with_its_children_and_shown_as_over_the_budget(judged, place):
    began = time.monotonic()
    found = judged("binary", "hang", grace_s=0)
    assert time.monotonic() - began < 30
    hang = by_name(found)["hang"]
    assert (hang.status, hang.metrics) == ("over budget", {})
    assert "was killed" in hang.note
    assert "started" in Path(hang.log).read_text()
    assert "over budget" in found.page.read_text()
    time.sleep(max(0.0, 8 - (time.monotonic() - began)))
    assert not (place / "alive.txt").exists()


def test_answers_are_kept_for_a_second_judging_and_are_one_look_at_the_labels(judged, place):
    first, second = judged("multiclass", "good"), judged("multiclass", "good", "cheat")
    assert by_name(second)["good"].again
    assert by_name(second)["good"].metrics.keys() == by_name(first)["good"].metrics.keys()
    assert not by_name(judged("multiclass", "good", fresh=True))["good"].again
    third = judged("multiclass", "good", "cheat")
    assert third.judgement.look == second.judgement.look == first.judgement.look + 1
    assert third.judgement.level == pytest.approx(looks.level_at(third.judgement.look))
    assert third.judgement.ours.metrics["accuracy"].level == third.judgement.level
    with looks.disk.alone(Store.at(place / "store").folder / "judged" / third.judgement.run / "lock"), \
            pytest.raises(StoreError, match="being judged"):
        judged("multiclass", "good")


# --- the command line --------------------------------------------------------------------------------


def test_the_command_trains_judges_and_prints_one_json_value(place, monkeypatch, capsys, trained):
    monkeypatch.setenv("ASSAY_STORE", str(place / "other"))
    (place / "problem.yaml").write_text(f"data: {table('regression')}\ntarget: Sale_Price\nrecipes: ridge\n"
                                        "budget: 4\ntrials: 3\nfolds: 2\nworkers: 1\n")
    code = main(["judge", str(place / "problem.yaml"), "--with", str(place / "good.py"), "--grace", "60", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (code, [s["note"] for s in said["standings"]]) == (0, ["", ""])
    assert [s["name"] for s in said["standings"]] == ["assay", "good"]
    assert Path(said["page"]).exists()
    assert main(["judge", "last", "--with", str(place / "good.py"), "--grace", "60", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "On 60 test cases, by RMSE" in out
    assert main(["judge", "last", "--with", str(place / "crash.py"), "--quiet"]) == 1
    assert "crash failed: exit code 1; its last line: the model fell over." in capsys.readouterr().out


def test_words_that_are_wrong_end_with_two_before_anything_runs(place, capsys):
    for words in (["last", "--with", "flamml"], ["no-such-run", "--with", str(place / "good.py")], ["last"],
                  ["last", "--with", "flaml,x=y", "--grace", "soon"]):
        assert main(["judge", *words]) in (1, 2)
        assert not capsys.readouterr().out


def test_a_leak_stops_the_judging_as_it_stops_training(place, tmp_path):
    leaky = pl.read_csv(table("multiclass"), null_values="NA").with_columns(code=pl.col("species").str.head(1))
    leaky.write_csv(tmp_path / "leaky.csv")
    with pytest.raises(GateError, match="code"):
        assay.judge(str(tmp_path / "leaky.csv"), str(place / "good.py"), target="species")
    assert not (tmp_path / ".assay" / "judged").exists()
    assert main(["judge", str(tmp_path / "leaky.csv"), "--target", "species", "--with", str(place / "good.py"),
                 "--quiet"]) == 3


def test_an_interrupt_kills_the_contestant_keeps_who_was_done_and_says_how_to_go_on(place, trained):
    words = [sys.executable, "-m", "assay", "judge", trained("regression"), "--with", f"{place}/good.py", "--with",
             f"{place}/hang.py", "--grace", "60", "--store", str(place / "store")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    seen = ""
    while "hang has" not in seen:
        seen = process.stderr.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"Go on with: assay judge {trained('regression')} --with" in err
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if f"{place}/hang.py".encode() in _read(p)]
    kept = place / "store" / "judged" / trained("regression") / "contestants" / "good"
    assert json.loads((kept / "result.json").read_text())["status"] == "answered"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


# --- the parts -----------------------------------------------------------------------------------------

CLASSES = (Field("label", "categorical", "string", levels=("no", "yes")),
           Field("p.no", "numeric", "float", low=0, high=1),
           Field("p.yes", "numeric", "float", low=0, high=1))
LABELS = (Field("label.a", "boolean", "bool"), Field("label.b", "boolean", "bool"),
          Field("p.a", "numeric", "float", low=0, high=1), Field("p.b", "numeric", "float", low=0, high=1))


@pytest.mark.parametrize(("answers", "wrong"), [
    ({"p.no": [0.5, 0.5], "p.yes": [0.5, 0.6]}, "the probabilities of row 1 add up to 1.1"),
    ({"p.no": [1.5, 0.5], "p.yes": [-0.5, 0.5]}, "holds 1.5; wanted 0 to 1"),
    ({"p.no": [None, 0.5], "p.yes": [0.5, 0.5]}, "1 values that are missing or not finite"),
    ({"p.yes": [0.5, 0.5]}, "has no column 'p.no'"),
    ({"p.no": ["a", "b"], "p.yes": [0.5, 0.5]}, "wanted numbers"),
    ({"label": ["no", "Yes"]}, "'Yes', which is no class. Did you mean 'yes'"),
    ({"label": ["no", None]}, "1 missing values"),
    ({"lable": ["no", "yes"]}, "'lable' that was not asked for. Did you mean 'label'"),
    ({"__index_level_0__": [1, 2]}, "no column that was asked for"),
    ({"label": ["no"]}, "has 1 rows; wanted 2"),
])
def test_answers_that_cannot_be_right_are_refused_in_one_sentence(tmp_path, answers, wrong):
    pl.DataFrame(answers).write_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(DataError, match=wrong):
        read_answers(tmp_path / "predictions.parquet", 2, CLASSES)


def test_files_that_are_no_answers_are_refused(tmp_path):
    path = tmp_path / "predictions.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_answers(path, 2, CLASSES)
    path.write_bytes(bytes(2 << 20))
    with pytest.raises(DataError, match="2,097,152 bytes"):
        read_answers(path, 2, CLASSES)


def test_labels_follow_from_probabilities_and_are_read_however_they_were_typed(tmp_path):
    path = tmp_path / "predictions.parquet"
    pl.DataFrame({"p.yes": [0.2, 0.7], "p.no": [0.8, 0.3]}).write_parquet(path)
    assert read_answers(path, 2, CLASSES).to_dict(as_series=False) == {
        "label": ["no", "yes"], "p.no": [0.8, 0.3], "p.yes": [0.2, 0.7]}
    pl.DataFrame({"p.a": [0.2, 0.7], "p.b": [0.8, 0.9]}).write_parquet(path)
    assert read_answers(path, 2, LABELS)["label.a"].to_list() == [False, True]
    pl.DataFrame({"label": [1.0, 0.0]}).write_parquet(path)
    numbers = (Field("label", "categorical", "int", levels=("0", "1")),)
    assert read_answers(path, 2, numbers)["label"].to_list() == ["1", "0"]
    pl.DataFrame({"label.a": [1, 0], "label.b": ["True", "false"]}).write_parquet(path)
    assert read_answers(path, 2, LABELS).row(0) == (True, True)


def test_a_word_is_a_tool_a_script_or_a_whole_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("")
    Path("x.R").write_text("")
    tool, script = contestants("flaml,mine.py")
    assert (tool.name, tool.requirements[0], script.name) == ("flaml", "flaml[automl]>=2.3", "mine")
    assert script.command == (sys.executable, str(tmp_path / "mine.py"))
    line, named = contestants(["sh x.R --fast", "other=sh x.R, y"])
    assert (line.name, line.command) == ("x", ("sh", str(tmp_path / "x.R"), "--fast"))
    assert (named.name, named.command) == ("other", ("sh", "x.R,", "y"))
    for words in ("mine.py,./mine.py", "assay=mine.py", "", "x='sh", "./x.R"):
        with pytest.raises(ProblemError):
            contestants(words)
    with pytest.raises(UnknownName, match="Did you mean 'flaml'"):
        contestants("flamll")


def test_an_environment_is_made_once_and_what_cannot_be_installed_is_one_sentence(tmp_path):
    told: list[str] = []
    python = environment(tmp_path, "tiny", ["six>=1.16"], told.append)
    assert python == environment(tmp_path, "tiny", ["six>=1.16"], told.append)
    assert len(told) == 1
    assert "six" in versions(python)
    assert "polars" not in versions(python)
    with pytest.raises(AssayError, match="nowhere could not be installed"):
        environment(tmp_path, "nowhere", [str(tmp_path / "nowhere-1.0-py3-none-any.whl")], told.append)


def test_the_surroundings_of_a_contestant_do_not_name_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_PATH", f"/x:{tmp_path}/store/runs")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    theirs = surroundings(tmp_path / "desk", tmp_path / "store", own=True)
    assert not {"ASSAY_STORE", "SOME_PATH", "PYTHONPATH"} & set(theirs)
    assert theirs["PATH"] == os.environ["PATH"]


def test_the_columns_of_group_and_time_are_given_though_they_are_no_inputs(tmp_path):
    penguins = pl.read_csv(table("multiclass"), null_values="NA")
    days = pl.date(2020, 1, 1) + pl.duration(days=pl.int_range(pl.len()))
    penguins.with_columns(day=days).write_csv(tmp_path / "p.csv")
    for said in ({"group": "flipper_length_mm"}, {"time": "day"}):
        task = paradigm_of("supervised").bind(Problem(data=str(tmp_path / "p.csv"), target="species", **said), print)
        given = papers(task, (), budget_s=5, cores=1)
        (role, column), = said.items()
        assert given.question[role] == column
        assert column in given.train.columns
        assert column in given.test.columns
        assert len(given.train) + len(given.test) == len(task.order)


def test_several_targets_and_keys_are_given_under_their_own_names_and_a_task_without_inputs_is_refused():
    given = papers(task_of("supervised", "multilabel"), LABELS, budget_s=5, cores=1)
    assert {"partner", "dependents", "churn"} <= set(given.train.columns)
    assert not {"partner", "dependents", "churn"} & set(given.test.columns)
    assert given.question["answers"][0] == {"name": "label.a", "dtype": "bool"}
    with pytest.raises(ProblemError, match="shows no table of inputs"):
        papers(task_of("cartpole", "CartPole-v1"), (), budget_s=5, cores=1)
