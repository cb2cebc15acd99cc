"""The receipt of a run: one JSON file that vouches for every other file of its folder, and for what was computed.

    receipt.json   {format, run, data, plan, code, environment, model, look, outcomes, metrics, files, signer, seal}
        run          the last record of the run, as run.json holds it
        data, plan   SHA-256 of the task's files: the rows and labels; which case plays which part
        code         {version, sha256}: assay's own source, file by file
        environment  {python, platform, packages: {name: version}, sha256}
        model        the digest of the model folder      look     which look at its test labels this was
        outcomes     SHA-256 of the outcomes              metrics  {name: {value, low, high, n, method, level}}
        files        path -> SHA-256 of every file of the run's folder besides run.json and the receipt's own two
        signer       the public key that signed it, or null
        seal         SHA-256 of all the above as canonical JSON
    receipt.sig    {algorithm, key, signature}: Ed25519 (RFC 8032) over the bytes of receipt.json

run.json holds the hash of receipt.json, and receipt.json the content of run.json; so no byte of either, nor of any
other file, can change unseen. Whoever can write all of them can make a new receipt: a signature guards against that.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from assay import __version__, files
from assay.contract import Estimate
from assay.errors import TamperedError
from assay.store import disk, package, signing

FORMAT = 1
RECEIPT, SIGNATURE, RECORD = "receipt.json", "receipt.sig", "run.json"
_OURS = (RECEIPT, SIGNATURE, RECORD)
_MOST_BYTES = 64_000_000


def write(
    folder: Path, record: Mapping[str, Any], *, task: str, outcomes: str, metrics: Mapping[str, Estimate],
    look: Mapping[str, Any],
) -> str:
    """Write the receipt of the run in `folder`, signed where the user has a key; the SHA-256 of its bytes.

    record: what run.json is going to say. task, outcomes: the folder of the task's files and the file of the test
    outcomes, below `folder`. Everything else of the run has to be in its place: what is added or changed later is told
    by `check`."""
    listed = _hashes(folder)
    key = signing.private_key()
    said: dict[str, Any] = {
        "format": FORMAT, "run": disk.finite(record),
        "data": {n: h for n, h in listed.items() if n.startswith(f"{task}/") and "plan" not in n},
        "plan": {n: h for n, h in listed.items() if n.startswith(f"{task}/") and "plan" in n},
        "code": code(), "environment": environment(),
        "model": package.manifest(folder / "model")["digest"], "look": disk.finite(look),
        "outcomes": listed[outcomes],
        "metrics": {name: _exact(e) for name, e in metrics.items()},
        "files": listed, "signer": None if key is None else signing.public_of(key),
    }
    said["seal"] = _sealed(said)
    data = _canonical(said)
    with disk.telling(folder):
        files.write_text(folder / RECEIPT, data.decode())
        (folder / SIGNATURE).unlink(missing_ok=True)
        if key is not None:
            files.write_text(folder / SIGNATURE, _canonical(signing.signed(key, data)).decode())
    return hashlib.sha256(data).hexdigest()


def check(folder: Path, trusted: str | None = None) -> dict[str, Any]:
    """What the receipt says, once every file of the run was compared with it.

    trusted: the path of a public key that has to have signed it. Raises TamperedError, naming the first difference: a
    receipt that is missing or was changed, a signature that does not fit, a file changed, added or removed."""
    data = _bytes(folder / RECEIPT)
    said = _parsed(data, folder / RECEIPT)
    if said.get("format") != FORMAT:
        raise TamperedError(f"{folder / RECEIPT} has format {said.get('format')!r}; this assay reads {FORMAT}.")
    if said.get("seal") != _sealed(said):
        raise TamperedError(f"{folder / RECEIPT} has changed since it was written: its seal does not fit.")
    _check_signature(folder, said, data, trusted)
    expected = {**said["run"], "receipt": hashlib.sha256(data).hexdigest()}
    if _bytes(folder / RECORD) != _written(expected):
        raise TamperedError(f"{folder / RECORD} has changed since the receipt was written.")
    _check_files(folder, said["files"])
    return said


def _check_files(folder: Path, recorded: Mapping[str, str]) -> None:
    there = _paths(folder)
    for name in recorded:
        if name not in there:
            raise TamperedError(f"{folder / name} is missing; the receipt lists it.")
    for name, path in there.items():
        if name not in recorded:
            raise TamperedError(f"{folder / name} was added; the receipt does not list it.")
        if files.sha256(path) != recorded[name]:
            raise TamperedError(f"{folder / name} has changed since the receipt was written.")


def _check_signature(folder: Path, said: Mapping[str, Any], data: bytes, trusted: str | None) -> None:
    signer, path = said["signer"], folder / SIGNATURE
    if signer is None:
        if path.exists():
            raise TamperedError(f"{path} was added; the receipt names no signer.")
        if trusted is not None:
            raise TamperedError(f"{folder / RECEIPT} is not signed; it was asked to be signed by {trusted}.")
        return
    kept = _parsed(_bytes(path), path)
    if kept.get("key") != signer or not signing.fits(kept, data):
        raise TamperedError(f"{path} does not fit the receipt.")
    if trusted is not None and signing.read_public(trusted) != signer:
        raise TamperedError(f"{folder / RECEIPT} was signed by {signing.short(signer)}, not with the key {trusted}.")


# --- what the run was made with ------------------------------------------------------------------------


@cache
def code() -> dict[str, str]:
    """{version, sha256}: of every Python file of assay, by its path and content."""
    root = Path(__file__).parent.parent
    listed = {p.relative_to(root).as_posix(): files.sha256(p) for p in sorted(root.rglob("*.py"))}
    return {"version": __version__, "sha256": hashlib.sha256(_canonical(listed)).hexdigest()}


@cache
def environment() -> dict[str, Any]:
    """{python, platform, packages, sha256}: everything that is installed, by name and version."""
    found = {d.metadata["Name"].lower(): d.version for d in metadata.distributions() if d.metadata["Name"]}
    said = {"python": platform.python_version(), "platform": platform.platform(),
            "packages": dict(sorted(found.items()))}
    return {**said, "sha256": hashlib.sha256(_canonical(said)).hexdigest()}


# --- bytes ---------------------------------------------------------------------------------------------


def _hashes(folder: Path) -> dict[str, str]:
    return {name: files.sha256(path) for name, path in _paths(folder).items()}


def _paths(folder: Path) -> dict[str, Path]:
    """Relative name -> path of every file, by name, besides the three that vouch for each other."""
    found = package.plain_files(folder)
    return {name: found[name] for name in sorted(found) if name not in _OURS}


def _exact(estimate: Estimate) -> dict[str, Any]:
    """As JSON that loses no bit: infinities and NaN as text."""
    return {k: v if not isinstance(v, float) or v - v == 0 else str(v) for k, v in asdict(estimate).items()}


def _sealed(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical({k: v for k, v in said.items() if k != "seal"})).hexdigest()


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False)
    return (text + "\n").encode()


def _written(record: Any) -> bytes:
    """The bytes that `disk.write` puts into run.json."""
    return files.as_json(disk.finite(record)).encode("utf-8")


def _bytes(path: Path) -> bytes:
    with disk.telling(path, "reading"):
        if not path.is_file() or path.is_symlink():
            raise TamperedError(f"{path} is missing or no plain file.")
        if path.stat().st_size > _MOST_BYTES:
            raise TamperedError(f"{path} is larger than any that assay writes.")
        return path.read_bytes()


def _parsed(data: bytes, path: Path) -> dict[str, Any]:
    """An object from canonical JSON: any other spelling of the same content is a change."""
    try:
        said = json.loads(data)
        sound = isinstance(said, dict) and _canonical(said) == data
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        raise TamperedError(f"{path} has changed since it was written: it is not the JSON that assay writes.")
    return dict(said)
