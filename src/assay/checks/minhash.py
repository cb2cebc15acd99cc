"""Which texts are nearly the same: sets of words, MinHash signatures, and bands of them as buckets.

Broder (1997), "On the resemblance and containment of documents": two sets share the minimum of a random
permutation with a probability equal to their Jaccard index |A & B| / |A | B|. Leskovec, Rajaraman & Ullman,
"Mining of Massive Datasets", ch. 3: bands of r such minima put a pair into one bucket with probability
1 - (1 - J^r)^b. Sets of words do not see order, case or punctuation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.contract import Array

BANDS, ROWS = 20, 6                             # finds a pair of J = 0.8 with 0.998, one of J = 0.2 with 0.001
LIKE = 0.75
FEWEST_WORDS = 8
MOST_WORDS = 256                                # of a longer text, the words whose hashes are smallest: a fair sample
_AT_ONCE = 1 << 18
_UNSPACED = 15                                  # letters a word from which a script has no blanks between its words


@dataclass(frozen=True)
class Bags:
    """The sets of words of n texts: `words` holds 32-bit hashes, those of text i between start[i] and start[i + 1]."""

    words: Array
    start: Array

    @property
    def sizes(self) -> Array:
        return np.diff(self.start)

    def of(self, rows: Array) -> tuple[Array, Array]:
        """(owner, words): the words of these texts, one after the other, and the position in `rows` they are of."""
        sizes = self.sizes[rows]
        owner = np.repeat(np.arange(len(rows)), sizes)
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return owner, self.words[self.start[rows][owner] + within]


def bags(texts: pl.Series) -> Bags:
    """The set of words of each text, in small letters; of three-letter pieces where words are not spaced apart."""
    low = texts.cast(pl.String).fill_null("").str.to_lowercase()
    pattern = r"[\p{L}\p{N}]{1,3}" if _unspaced(low) else r"[\p{L}\p{N}]+"
    rows = pl.DataFrame({"text": low.str.extract_all(pattern)}).with_row_index("row").explode("text").drop_nulls()
    rows = rows.select("row", word=pl.col("text").hash(7) & 0xFFFFFFFF).unique().sort("row", "word")
    rows = rows.filter(pl.int_range(pl.len()).over("row") < MOST_WORDS)
    size = np.bincount(rows["row"].to_numpy(), minlength=len(texts))
    return Bags(rows["word"].to_numpy().astype(np.uint64), np.concatenate([[0], np.cumsum(size)]))


def _unspaced(low: pl.Series) -> bool:
    some = low.filter(low.str.len_chars() >= _UNSPACED).head(500)
    letters, words = some.str.count_matches(r"[\p{L}\p{N}]").sum(), some.str.count_matches(r"[\p{L}\p{N}]+").sum()
    return bool(letters > _UNSPACED * words)


def signatures(sets: Bags, seed: int = 0) -> Array:
    """(n, BANDS * ROWS) uint32: for each hash function h(x) = (a x + b) / 2^32 its least value over each set.

    An empty set has the largest value everywhere."""
    draw = np.random.default_rng(seed)
    many = BANDS * ROWS
    a = draw.integers(1, 1 << 63, many, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    b = draw.integers(0, 1 << 63, many, dtype=np.uint64)
    out = np.full((len(sets.sizes), many), 0xFFFFFFFF, dtype=np.uint32)
    filled = np.flatnonzero(sets.sizes)
    for part in _parts(sets, filled):
        first = sets.start[part]
        words = sets.words[first[0]: sets.start[part[-1] + 1]]
        for k in range(many):
            hashed = (words * a[k] + b[k]) >> np.uint64(32)
            out[part, k] = np.minimum.reduceat(hashed, first - first[0])
    return out


def _parts(sets: Bags, filled: Array) -> Iterator[Array]:
    """The texts that have words, in parts of about as many words as fit into a cache."""
    step = np.cumsum(sets.sizes[filled]) // _AT_ONCE
    cuts = np.flatnonzero(np.diff(step)) + 1
    return (part for part in np.split(filled, cuts) if len(part))


def candidates(signed: Array) -> Array:
    """Pairs (m, 2), first < second, that share a bucket of some band: each member with the bucket's first and next.

    So a bucket of k costs 2k pairs and not k², and what it holds together stays connected."""
    found = []
    for band in range(BANDS):
        piece = np.ascontiguousarray(signed[:, band * ROWS:(band + 1) * ROWS])
        key = piece.view(np.dtype((np.void, 4 * ROWS)))[:, 0]
        _, code = np.unique(key, return_inverse=True)
        order = np.argsort(code, kind="stable")
        same = code[order][1:] == code[order][:-1]
        starts = np.flatnonzero(np.concatenate([[True], ~same]))
        first = order[np.repeat(starts, np.diff(np.append(starts, len(order))))]
        found += [np.stack([order[:-1], order[1:]], axis=1)[same], np.stack([first[1:], order[1:]], axis=1)[same]]
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.asarray(np.unique(pairs, axis=0)) if len(pairs) else pairs


def jaccard(sets: Bags, pairs: Array) -> Array:
    """(m,): |A & B| / |A | B| of each pair; of texts beyond 256 words, that of their least hashes."""
    sizes = sets.sizes
    shared = np.zeros(len(pairs), dtype=np.int64)
    step = max(1, _AT_ONCE * 4 // max(int(sizes.max(initial=1)), 1))
    for at in range(0, len(pairs), step):
        part = pairs[at: at + step]
        keys = []
        for side in (0, 1):
            owner, words = sets.of(part[:, side])
            keys.append(owner.astype(np.uint64) << np.uint64(32) | words)
        both = np.sort(np.concatenate(keys))
        twice = both[1:][both[1:] == both[:-1]] >> np.uint64(32)
        shared[at: at + len(part)] = np.bincount(twice.astype(np.int64), minlength=len(part))
    whole = sizes[pairs[:, 0]] + sizes[pairs[:, 1]] - shared
    return np.asarray(shared / np.maximum(whole, 1))


def alike(texts: pl.Series, *, like: float = LIKE, fewest: int = FEWEST_WORDS) -> tuple[Array, Array]:
    """(pairs (m, 2), likeness (m,)): texts of `fewest` words or more whose sets of words have J >= `like`.

    >>> a = "the quick brown fox jumps over that lazy old dog"
    >>> alike(pl.Series([a, "nothing of the kind " + a[:9], "That lazy old dog: the Quick brown fox jumps over!"]))
    (array([[0, 2]]), array([1.]))
    """
    sets = bags(texts)
    long = np.flatnonzero(sets.sizes >= fewest)
    signed = signatures(sets)[long]
    near = candidates(signed)
    rough = _agreement(signed, near)
    pairs = long[near[rough >= like - 0.15]] if len(near) else near
    exact = jaccard(sets, pairs)
    return pairs[exact >= like], exact[exact >= like]


def _agreement(signed: Array, pairs: Array) -> Array:
    """(m,): the share of equal entries of two signatures, an unbiased estimate of J; standard error up to 0.046."""
    return np.concatenate([(signed[part[:, 0]] == signed[part[:, 1]]).mean(axis=1)
                           for part in np.array_split(pairs, len(pairs) // 50_000 + 1)])
