"""Questions that stand in what is searched: then finding them is no skill."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.capabilities import Indexes
from assay.checks import lacked
from assay.checks.exhibits import Exhibits
from assay.checks.minhash import bags
from assay.contract import Array, Finding, Table

CHECK = "data.indexed"
INSIDE = 0.9
"""The share of a question's runs of three words that one passage holds, from which the question stands in it."""

FEWEST_WORDS = 5
MUCH = 0.02
SHOWN = 20


def check(seen: Exhibits) -> Iterator[Finding]:
    """Which questions, of the training and of the test part, stand in a passage of the index word for word or nearly.

    Containment |Q & P| / |Q| of the sets of runs of three words (Broder 1997). Questions of fewer than five words are
    left out. A few may be headings that ask; from 2 % of the questions on the index was made with them in it."""
    task: object = seen.task
    if not isinstance(task, Indexes):
        return
    questions = _questions(seen)
    if questions is None:
        yield lacked(CHECK, "questions: a column `question` in the cases, or one input that is a text")
        return
    inside, where = contained(questions["text"], task.index()["text"])
    hits = questions.with_columns(inside=pl.Series(inside), passage=pl.Series(where)).filter(pl.col("inside") >= INSIDE)
    share, asked = len(hits) / max(len(questions), 1), f"{len(questions):,} questions"
    numbers = {"questions": len(questions), "standing in the index": len(hits), "share": share,
               "of the test part": int(hits["test"].sum())}
    if hits.is_empty():
        yield Finding(CHECK, "ok", f"None of {asked} stands in a passage of the index.", numbers)
        return
    table = hits.sort("inside", descending=True).head(SHOWN).with_columns(pl.col("text").str.slice(0, 80))
    said = (f"{len(hits):,} of {asked} ({share:.1%}) stand word for word, or nearly, in a passage of the index, "
            f"{numbers['of the test part']:,} of them of the test part, such as {table['text'][0]!r}. ")
    if share >= MUCH:
        said += "Finding the passage is then copying: take the questions out of the passages."
    yield Finding(CHECK, "fail" if share >= MUCH else "warn", said.strip(), numbers, table)


def _questions(seen: Exhibits) -> Table | None:
    """case_id, text, test."""
    if "question" in seen.cases.columns:
        parts = [(seen.cases, seen.cases["question"], False)]
        if "question" in seen.test_told.columns:
            parts.append((seen.test_told, seen.test_told["question"], True))
    else:
        column = "question" if "question" in seen.inputs.columns else next(
            (c for c in seen.inputs.columns if seen.kinds.get(c) == "text"), None)
        if column is None:
            return None
        parts = [(seen.cases, seen.inputs[column], False), (seen.test_cases, seen.test_inputs[column], True)]
    return pl.concat([c.select("case_id", text.cast(pl.String).alias("text"), test=pl.lit(test))
                      for c, text, test in parts])


def contained(questions: pl.Series, passages: pl.Series) -> tuple[Array, Array]:
    """(inside (n,), passage (n,)): the largest share of a question's runs of three words in one passage, and which.

    >>> contained(pl.Series(["how do I open a file"]), pl.Series(["nothing", "FAQ: How do I open a file? So: ..."]))
    (array([1.]), array([1]))
    """
    asked, held = _runs(questions), _runs(passages)
    n = asked.group_by("row").agg(n=pl.len())
    shared = asked.join(held, on="run", suffix="_p").group_by("row", "row_p").agg(k=pl.len())
    best = shared.join(n, on="row").with_columns(inside=pl.col("k") / pl.col("n"))
    best = best.sort("inside", "row_p", descending=[True, False]).unique("row", keep="first", maintain_order=True)
    inside, where = np.zeros(len(questions)), np.full(len(questions), -1)
    inside[best["row"].to_numpy()], where[best["row"].to_numpy()] = best["inside"].to_numpy(), best["row_p"].to_numpy()
    inside[bags(questions).sizes < FEWEST_WORDS] = 0.0
    return inside, where


def _runs(texts: pl.Series) -> Table:
    """row, run: a hash of each three words that follow each other, in small letters, once a text."""
    words = texts.cast(pl.String).fill_null("").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+")
    rows = pl.DataFrame({"word": words}).with_row_index("row").explode("word").drop_nulls()
    after = [pl.col("word").shift(-k).over("row") for k in (1, 2)]
    return rows.select("row", run=pl.concat_str("word", *after, separator=" ").hash(7)).drop_nulls().unique()
