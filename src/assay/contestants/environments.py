"""An environment of its own for a tool: made once, by uv where there is one, and kept for the next judging."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from assay.errors import AssayError
from assay.files import write_text

READY = "ready.txt"
_LONGEST_S = 1_800


def environment(folder: Path, name: str, requirements: Sequence[str], tell: Callable[[str], None]) -> Path:
    """The interpreter of an environment that holds `requirements`: <folder>/<name>-<hash>, made if it is not whole.

    Raises AssayError, in one sentence, where the installer is missing or fails."""
    told = "\n".join([*sorted(requirements), sys.version])
    place = folder / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:10]}"
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (place / READY).is_file():
        tell(f"installing {name} into an environment of its own, once: {place}")
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        make, install = _installer(place, python)
        _done(make, name)
        write_text(place / READY, _done([*install, *requirements], name))
    return python


def versions(python: Path) -> dict[str, str]:
    """package -> version of what stands in the environment of that interpreter."""
    asked = ("import importlib.metadata as m, json; "
             "print(json.dumps({d.name.lower(): d.version for d in m.distributions() if d.name}))")
    done = subprocess.run([str(python), "-I", "-c", asked], capture_output=True, text=True, check=False)
    import json

    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def _installer(place: Path, python: Path) -> tuple[list[str], list[str]]:
    """What makes an environment, and what installs into it: uv, uv as a module, else venv and pip."""
    uv = [found] if (found := shutil.which("uv")) else []
    if not uv and importlib.util.find_spec("uv"):
        uv = [sys.executable, "-m", "uv"]
    if uv:
        return ([*uv, "venv", "--quiet", "--python", sys.executable, str(place)],
                [*uv, "pip", "install", "--quiet", "--python", str(python)])
    return ([sys.executable, "-m", "venv", str(place)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"])


def _done(command: list[str], name: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise AssayError(f"no environment for {name} could be made: {wrong}.") from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[-300:] or f"exit code {done.returncode}"
        raise AssayError(f"{name} could not be installed: {said}. It needs a network, or an environment of yours: "
                         f"--with '{name}=COMMAND'.")
    return "\n".join(command) + "\n"
