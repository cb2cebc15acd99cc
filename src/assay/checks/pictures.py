"""Pictures as a few bits and a few grey dots, by which copies are found whatever was done to size, light or file.

The hash is the "pHash" of Zauner (2010, "Implementation and benchmarking of perceptual image hash functions", ch. 3.2):
the signs of the lowest frequencies of a cosine transform of the picture in grey.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from assay.contract import Array

SIDE, LOW = 32, 8                               # dots a side before the transform; frequencies a side that are kept
FLAT = 5.0                                      # standard deviation of grey (0 to 255): below, nothing is to be told
_TINY = 1e-9


def read(source: Any) -> Array | None:
    """(32, 32) float32: the picture in grey, squeezed into a square; None where it cannot be read.

    source: a path or the bytes of a file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else Path(source)) as picture:
            picture.draft("L", (4 * SIDE, 4 * SIDE))            # a JPEG is read at an eighth where that is enough
            grey = picture.convert("RGBA").convert("L") if picture.mode in ("P", "PA") else picture.convert("L")
            return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0), dtype=np.float32)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _cosines() -> Array:
    """(8, 32): the lowest rows of the orthonormal DCT-II."""
    k, t = np.arange(LOW)[:, None], np.arange(SIDE)[None, :]
    rows = np.sqrt(2 / SIDE) * np.cos(np.pi * (2 * t + 1) * k / (2 * SIDE))
    rows[0] /= np.sqrt(2)
    return np.asarray(rows)


def hashes(dots: Array) -> Array:
    """(...) uint64: 63 signs, against the median, of the low frequencies of (..., 32, 32); the constant is left out."""
    C = _cosines()
    low = (C @ dots @ C.T).reshape(*dots.shape[:-2], -1)[..., 1:]
    signs = low > np.median(low, axis=-1, keepdims=True)
    return np.asarray(signs @ (np.uint64(1) << np.arange(63, dtype=np.uint64)))


def near(hash_NV: Array, most: int) -> Array:
    """Pairs (m, 2), first < second, the nearest first, where some cut of one picture differs from the whole other in
    `most` bits or fewer.

    hash_NV: the hashes of each picture's cuts, of the whole one first. All pairs are looked at."""
    pairs, bits = [np.empty((0, 2), dtype=np.int64)], [np.empty(0, dtype=np.uint8)]
    for i in range(len(hash_NV)):
        differ = np.bitwise_count(hash_NV[:, 0] ^ hash_NV[i, :, None]).min(axis=0)      # cuts of i in the others
        differ[i] = 64
        hits = np.flatnonzero(differ <= most)
        pairs.append(np.sort(np.stack([np.full(len(hits), i), hits], axis=1), axis=1))
        bits.append(differ[hits])
    order = np.argsort(np.concatenate(bits), kind="stable")
    found, first = np.unique(np.concatenate(pairs)[order], axis=0, return_index=True)
    return np.asarray(found[np.argsort(first, kind="stable")])


def cuts(dots_N: Array) -> Array:
    """(n, 8, 32, 32): each picture whole, without 3, 6 or 9 % at each edge, and without 9 % at two that meet."""
    low, high = (0, 3), (3, 0)
    spans = [((0, 0), (0, 0)), *(((k, k), (k, k)) for k in (1, 2, 3)),
             *((rows, columns) for rows in (low, high) for columns in (low, high))]
    maps = ((_stretch(*rows), _stretch(*columns).T) for rows, columns in spans)
    return np.stack([left @ dots_N @ right for left, right in maps], axis=1)


def _stretch(before: int, after: int) -> Array:
    """(32, 32): what stretches a line of 32 dots, without so many at its ends, to 32 dots again, linearly."""
    n = SIDE - before - after
    at = np.clip((np.arange(SIDE) + 0.5) * n / SIDE - 0.5, 0, n - 1)
    left = np.minimum(np.floor(at).astype(int), n - 2)
    weight = at - left
    out = np.zeros((SIDE, SIDE), dtype=np.float32)
    out[np.arange(SIDE), before + left] = 1 - weight
    out[np.arange(SIDE), before + left + 1] += weight
    return out


def likeness(dots_N: Array, pairs: Array) -> Array:
    """(m,): the largest correlation of a cut of one picture of a pair with the whole other; 1 for a copy any light."""
    best = [np.empty(0)]
    for part in np.array_split(pairs, len(pairs) // 500 + 1):
        a, b = dots_N[part[:, 0]], dots_N[part[:, 1]]
        best.append(np.maximum(_correlation(cuts(a), b), _correlation(cuts(b), a)).max(axis=1))
    return np.concatenate(best)


def _correlation(cut_NV: Array, whole_N: Array) -> Array:
    """(n, v): Pearson's r over the dots."""
    x = cut_NV - cut_NV.mean(axis=(2, 3), keepdims=True)
    y = (whole_N - whole_N.mean(axis=(1, 2), keepdims=True))[:, None]
    return np.asarray((x * y).sum(axis=(2, 3)) / np.sqrt((x * x).sum(axis=(2, 3)) * (y * y).sum(axis=(2, 3)) + _TINY))
