"""A signature of one's own: Ed25519 keys in PEM or OpenSSH files, through `cryptography` (the extra `sign`).

The private key is the file that ASSAY_SIGNING_KEY names; without it nothing is signed. One is made by

    openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub

OpenSSF's model-signing would do the same with more: its 1.1.1 does not import beside today's cryptography.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import UserError

VARIABLE = "ASSAY_SIGNING_KEY"
ALGORITHM = "ed25519"


def private_key() -> Any | None:
    """The user's key, or None where no variable names one.

    Raises UserError where the file cannot be read, is no Ed25519 key or wants a passphrase, or `cryptography` is
    missing."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    serialization, kinds = _library()
    data = _read(named, VARIABLE)
    for read in (serialization.load_pem_private_key, serialization.load_ssh_private_key):
        try:
            key = read(data, password=None)
        except (ValueError, TypeError):
            continue
        if isinstance(key, kinds.Ed25519PrivateKey):
            return key
    raise UserError(f"{VARIABLE} names {named}, which is not an Ed25519 private key without a passphrase. Make one: "
                    "openssl genpkey -algorithm ed25519 -out key.pem")


def public_of(key: Any) -> str:
    """The public half of a private key, as base64 of its 32 bytes."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def read_public(path: str) -> str:
    """The public key in a PEM or OpenSSH file, as `public_of` gives it. Raises UserError where it is none."""
    serialization, kinds = _library()
    data = _read(path, "the key")
    for read in (serialization.load_pem_public_key, serialization.load_ssh_public_key):
        try:
            key = read(data)
        except (ValueError, TypeError):
            continue
        if isinstance(key, kinds.Ed25519PublicKey):
            return base64.b64encode(key.public_bytes_raw()).decode()
    raise UserError(f"{path} is not an Ed25519 public key in PEM or OpenSSH form. Make one: "
                    "openssl pkey -in key.pem -pubout -out key.pub")


def signed(key: Any, data: bytes) -> dict[str, str]:
    """{algorithm, key, signature} of these bytes."""
    signature = base64.b64encode(key.sign(data)).decode()
    return {"algorithm": ALGORITHM, "key": public_of(key), "signature": signature}


def fits(kept: Mapping[str, Any], data: bytes) -> bool:
    """Whether a record that `signed` made is a true signature of these bytes by the key it names."""
    from cryptography.exceptions import InvalidSignature

    _, kinds = _library()
    try:
        key = kinds.Ed25519PublicKey.from_public_bytes(_decoded(kept["key"]))
        key.verify(_decoded(kept["signature"]), data)
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return kept.get("algorithm") == ALGORITHM


def _decoded(text: str) -> bytes:
    """Raises ValueError unless it is the one spelling of its bytes: the last letter of base64 has bits to spare."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError(text)
    return data


def short(public: str) -> str:
    """What a person compares: the beginning of the SHA-256 of a public key."""
    return "ed25519:" + hashlib.sha256(base64.b64decode(public)).hexdigest()[:16]


def _read(path: str, what: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as wrong:
        raise UserError(f"{what} names {path}, which cannot be read: {wrong.strerror}.") from None


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError:
        raise UserError("signing and checking a signature need cryptography: pip install 'assay[sign]'") from None
    return serialization, ed25519
