"""`assay verify`: a finished run checked against its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.cli.common import Common
from assay.cli.told import metric_lines

if TYPE_CHECKING:
    from assay.stages.verify import Verified


def verify(run: str = "last", /, *, key: str | None = None, common: Common = Common()) -> None:
    """Check every file of a run against its receipt, ask its model again, and compute every number anew.

    Any difference ends with exit code 3 and a sentence that names the first.

    Parameters
    ----------
    run
        A run's id, the beginning of one that is unique, 'last', or a run's folder.
    key
        A public key, PEM or OpenSSH, that has to have signed the receipt.
    """
    from assay.stages.verify import verify as check

    found = check(run, key=key, store=common.named_store())
    common.say(found, _lines(found, key))


def _lines(found: Verified, key: str | None) -> Iterator[str]:
    yield f"run {found.run} is what its receipt says:"
    yield f"  {found.files:,} files have the hashes that were recorded"
    yield f"  the model, loaded and asked again, gives the same answers for {found.cases:,} test cases"
    yield f"  {len(found.metrics)} metrics, computed anew, agree to nine digits"
    if found.signer is None:
        yield "  nobody signed it: a receipt that was made anew would not be noticed"
    else:
        trust = "the key you named" if key else "compare it with a key you trust: --key FILE"
        yield f"  signed by {found.signer} ({trust})"
    yield from (f"note: {note}" for note in found.notes)
    yield from metric_lines(found.metrics, {})
