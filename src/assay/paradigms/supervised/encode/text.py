"""Text as columns of an array: TF-IDF of words and pairs of words, reduced to a few topics by a truncated SVD.

Deerwester et al. (1990), Indexing by latent semantic analysis. No pickle, no tokenizer to install: the
vocabulary is a list of words, the topics a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl

from assay.contract import Array

if TYPE_CHECKING:
    from scipy import sparse  # a tenth of a second, which tables without texts need not wait for

MOST_GRAMS = 4_000                              # words and pairs kept, by how many texts hold them
LONGEST = 20_000                                # characters read of a text
FIT_ROWS = 10_000                               # texts the topics are learned from
CHUNK = 20_000
_WORD = r"[\p{L}\p{N}]+(?:['’]\p{L}+)?"


@dataclass(frozen=True)
class Topics:
    """`rank` topics, then log(1 + characters) and log(1 + words). A missing text is an empty one.

    Weights are (1 + ln tf) (ln((1 + n) / (1 + df)) + 1), rows of unit length, times `topics` (grams, rank)."""

    kind: ClassVar[str] = "topics"
    grams: tuple[str, ...]
    idf: Array                                  # (grams,) float32
    topics: Array                               # (grams, rank) float32

    @classmethod
    def fit(cls, values: pl.Series, *, rank: int) -> Self:
        step = max(len(values) // FIT_ROWS, 1)
        row, gram = _grams(values.gather_every(step))
        met = pl.DataFrame({"row": row, "gram": gram}).unique().group_by("gram").len("df")
        n = int(row.max() + 1) if len(row) else 0
        kept = met.filter((pl.col("df") >= (2 if n < 1_000 else 3)) & (pl.col("df") <= 0.95 * n))
        kept = kept.sort(["df", "gram"], descending=[True, False]).head(MOST_GRAMS)
        idf = (np.log((1 + n) / (1 + kept["df"].to_numpy())) + 1).astype(np.float32)
        bare = cls(tuple(kept["gram"].to_list()), idf, np.zeros((len(idf), 0), np.float32))
        return cls(bare.grams, idf, _topics(bare._weights(row, gram, n), rank))

    @property
    def names(self) -> tuple[str, ...]:
        return (*(f" topic {i + 1}" for i in range(self.topics.shape[1])), " characters", " words")

    @cached_property
    def _enum(self) -> pl.Enum:
        return pl.Enum(list(self.grams))

    def cell(self, value: str | None) -> tuple[float, ...]:
        """What `transform` makes of one value."""
        return tuple(self.transform(pl.Series([value], dtype=pl.String))[0])

    def transform(self, values: pl.Series) -> Array:
        chunks = [self._chunk(values[at : at + CHUNK]) for at in range(0, len(values), CHUNK)]
        return np.concatenate(chunks) if chunks else np.empty((0, len(self.names)))

    def _chunk(self, values: pl.Series) -> Array:
        row, gram = _grams(values)
        words = np.bincount(row[~gram.str.contains(" ", literal=True).to_numpy()], minlength=len(values))
        characters = values.str.len_chars().fill_null(0).to_numpy()
        X = self._weights(row, gram, len(values)) @ self.topics
        return np.column_stack([X, np.log1p(characters), np.log1p(words)])

    def _weights(self, row: Array, gram: pl.Series, n: int) -> sparse.csr_array:
        """(n, grams) with rows of unit length, or of zeros."""
        from scipy import sparse

        code = gram.cast(self._enum, strict=False).to_physical()
        known = code.is_not_null().to_numpy()
        ones = np.ones(int(known.sum()), np.float32)
        at = (row[known], code.drop_nulls().to_numpy().astype(np.int64))
        W = sparse.coo_array((ones, at), shape=(n, len(self.grams))).tocsr()   # adds up repeated grams
        W.data = (1 + np.log(W.data)) * self.idf[W.indices]
        held = np.repeat(np.arange(n), np.diff(W.indptr))
        W.data /= np.sqrt(np.bincount(held, W.data**2, minlength=n))[held]
        return W

    def state(self) -> dict[str, Any]:
        return {"grams": self.grams, "idf": self.idf, "topics": self.topics}

    @classmethod
    def build(cls, said: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        grams, idf, topics = tuple(said["grams"]), arrays["idf"], arrays["topics"]
        if idf.shape != (len(grams),) or topics.ndim != 2 or len(topics) != len(grams) or len(set(grams)) != len(grams):
            raise ValueError("words and topics do not fit together")
        return cls(grams, idf, topics)


def _grams(values: pl.Series) -> tuple[Array, pl.Series]:
    """Every word and every pair of words next to each other: the row it stands in, and its text."""
    words = values.fill_null("").str.slice(0, LONGEST).str.to_lowercase().str.extract_all(_WORD)
    long = pl.DataFrame({"row": np.arange(len(words)), "gram": words}).explode("gram").drop_nulls()
    pairs = long.select("row", (pl.col("gram") + " " + pl.col("gram").shift(-1)).alias("gram")).filter(
        pl.col("row") == pl.col("row").shift(-1))
    both = pl.concat([long, pairs])
    return both["row"].to_numpy(), both["gram"]


def _topics(W: sparse.csr_array, rank: int) -> Array:
    """The `rank` leading right singular vectors of W, scaled: columns of W @ topics have unit spread on average.

    Signs are fixed by the largest entry, so that the same texts give the same topics."""
    from scipy.sparse.linalg import svds

    rank = min(rank, min(W.shape) - 1)
    if rank < 1 or not W.nnz:
        return np.zeros((W.shape[1], 0), np.float32)
    _, s, Vt = svds(W.astype(np.float64), k=rank, v0=np.ones(min(W.shape)))
    V = Vt[np.argsort(-s, kind="stable")].T
    V *= np.sign(V[np.abs(V).argmax(axis=0), np.arange(rank)])
    spread = np.sqrt((W @ V).var(axis=0).mean()) or 1.0
    return np.ascontiguousarray((V / spread).astype(np.float32))
