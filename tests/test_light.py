"""What is light stays light: the modules that help and import load, the wheel, the length of a file."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {
    "numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn", "lightgbm", "xgboost", "catboost", "pydantic", "jinja2",
}
WRONG = ["train", "x.csv", "--target"]

# Without the test run's own measuring, which would load and cost more than what is measured here.
ENV = {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh Python has after running `code`."""
    listed = "import sys; print('\\n' + ' '.join(sorted({m.partition('.')[0] for m in sys.modules})))"
    command = [sys.executable, "-c", f"{code}\n{listed}"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_nothing_heavy_not_even_the_parser():
    found = loaded_by("from assay.cli import main; main(['--help'])")
    assert not found & (HEAVY | {"cyclopts", "rich", "attrs"})


@pytest.mark.parametrize("words", [["train", "--help"], ["predict", "--help"], ["trian"], WRONG])
def test_words_are_parsed_before_anything_heavy_is_imported(words):
    assert not loaded_by(f"from assay.cli import main; main({words!r})") & HEAVY


def test_import_loads_nothing_heavy_and_offers_its_names():
    assert not loaded_by("import assay; dir(assay); assay.__version__") & HEAVY


def test_a_store_is_listed_without_the_learning_libraries(tmp_path):
    store = str(tmp_path)
    made = f"from assay.store import Store; Store.at({store!r})"
    for word in ("models", "runs"):
        listed = f"from assay.cli import main; assert main([{word!r}, '--store', {store!r}]) == 0"
        assert not loaded_by(f"{made}\n{listed}") & HEAVY


def test_the_wheel_is_small_and_whole(tmp_path):
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
                   cwd=ROOT, check=True, capture_output=True, env=ENV)
    wheel = next(tmp_path.glob("*.whl"))
    assert wheel.stat().st_size < 600_000
    inside = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in inside} == {"assay", f"{wheel.name.rpartition('-py3')[0]}.dist-info"}
    assert "assay/py.typed" in inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_no_file_is_past_reading():
    longest = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
               for path in (ROOT / "src").rglob("*.py")}
    assert {path: lines for path, lines in longest.items() if lines > 400} == {}


def test_locks_name_no_place_and_pin_every_requirement_by_hash():
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
        pinned = [line for line in text.splitlines() if line and not line.startswith(" ")]
        assert all("==" in line and line.endswith("\\") for line in pinned)
