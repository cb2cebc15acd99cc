"""Pictures that are there twice but for size, light, a small cut or the file's format."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from assay.checks import lacked, pictures
from assay.checks.both_sides import Parts, together
from assay.checks.exhibits import Exhibits
from assay.contract import Array, Finding

CHECK = "data.near_images"
MOST_PICTURES = 10_000
READING_S = 8.0
BITS, LIKE, HOMOGENEOUS = 11, 0.92, 0.8
MOST_PAIRS, DRAWN, FEW = 5_000, 1_000, 300
AT_ONCE = 500
MANY = 0.01
_BEGINNINGS = (b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"\xff\xd8\xff")
_ENDING = r"(?i)\.(?:png|jpe?g|gif|bmp|tiff?|webp)$"


def check(seen: Exhibits) -> Iterator[Finding]:
    """For each column of picture files (paths, or their bytes): cases whose pictures are nearly the same.

    Pairs whose 63-bit hashes, of one perhaps cut a little at its edges, differ in at most 11 bits (pictures.py), and
    whose 32 x 32 grey dots then correlate with 0.92 or more. Flat pictures are left out. At most 10,000 pictures, drawn
    at random, and as many as can be read in 8 seconds."""
    for column in seen.inputs.get_columns():
        if not _pictures(column):
            continue
        if find_spec("PIL") is None:
            yield lacked(CHECK, "pillow: pip install 'assay[image]'")
            return
        yield _found(seen, column.name)


def _pictures(column: pl.Series) -> bool:
    some = column.drop_nulls().head(50)
    if column.dtype == pl.Binary:
        return any(value.startswith(_BEGINNINGS) for value in some.to_list())
    if column.dtype != pl.String or some.is_empty() or not some.str.contains(_ENDING).all():
        return False
    return any(Path(p).is_file() for p in some.head(5))


def _found(seen: Exhibits, column: str) -> Finding:
    parts = Parts.of(seen, MOST_PICTURES)
    rows, dots_N = _read(parts.values(seen, column), min(READING_S, seen.seconds_left))
    told = dots_N.std(axis=(1, 2)) >= pictures.FLAT if len(rows) else np.zeros(0, dtype=bool)
    looked = f"{len(rows):,} of {len(seen.cases) + len(seen.test_cases):,} pictures looked at"
    pairs, like = alike(dots_N[told])
    pairs = rows[told][pairs]
    kept = parts.apart(pairs) if len(pairs) else np.zeros(0, dtype=bool)
    pairs, like = pairs[kept], like[kept]
    numbers = {"column": column, "looked at": len(rows), "flat": int((~told).sum())}
    if not len(pairs):
        return Finding(CHECK, "ok", f"No two pictures of {column!r} are nearly the same, among {looked}.", numbers)
    groups = together(parts, pairs)
    across, share = parts.across(groups), len(groups) / max(len(rows), 1)
    said = (f"{len(groups):,} cases ({share:.1%}) have a picture in {column!r} that is nearly the same as another's, "
            f"but for size, light, a small cut or the file; {across:,} of them are test cases that meet a training "
            f"case ({looked}).")
    return Finding(CHECK, "warn" if share >= MANY else "note", said,
                   numbers | {"cases": len(groups), "share": share, "across the split": across},
                   parts.shown(pairs, like), together=groups)


def _read(values: pl.Series, seconds: float) -> tuple[Array, Array]:
    """(rows (m,), dots (m, 32, 32)) of the pictures that could be read in time, those to be read drawn at random."""
    until = time.monotonic() + seconds
    rows, found = [], []
    for row in np.random.default_rng(0).permutation(len(values)).tolist():
        if time.monotonic() > until:
            break
        grid = pictures.read(values[row]) if values[row] is not None else None
        if grid is not None:
            rows.append(row)
            found.append(grid)
    order = np.argsort(rows)
    stacked = np.stack(found) if found else np.empty((0, pictures.SIDE, pictures.SIDE))
    return np.array(rows, dtype=np.int64)[order], stacked[order]


def alike(dots_N: Array) -> tuple[Array, Array]:
    """(pairs (m, 2), likeness (m,)) of pictures given as grey dots (n, 32, 32).

    Where all pictures are much alike (digits, radiographs), so that one in a hundred pairs of unlike hashes, drawn at
    random, correlates with 0.8, a copy has to be eight times closer to 1 than those. At most 5,000 pairs, the nearest
    by their hashes, are compared dot by dot."""
    if len(dots_N) < 2:
        return np.empty((0, 2), dtype=np.int64), np.empty(0)
    parts = np.array_split(dots_N, len(dots_N) // AT_ONCE + 1)
    pairs = pictures.near(np.concatenate([pictures.hashes(pictures.cuts(part)) for part in parts]), BITS)[:MOST_PAIRS]
    like = pictures.likeness(dots_N, pairs)
    others = _others(len(dots_N), pairs)
    usual = float(np.quantile(pictures.likeness(dots_N, others), 0.99)) if len(dots_N) >= FEW else 0.0
    kept = like >= (LIKE if usual < HOMOGENEOUS else max(LIKE, 1 - (1 - usual) / 8))
    return pairs[kept], like[kept]


def _others(n: int, pairs: Array) -> Array:
    """Up to 1,000 different pairs (m, 2) of n pictures, at random, that are not among `pairs`."""
    drawn = np.unique(np.sort(np.random.default_rng(1).integers(0, n, (DRAWN, 2)), axis=1), axis=0)
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    return np.asarray(drawn[~np.isin(drawn[:, 0] * n + drawn[:, 1], pairs[:, 0] * n + pairs[:, 1])])
