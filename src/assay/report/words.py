"""The glossary, and the links from any sentence to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from assay.report.figures import said


@dataclass(frozen=True)
class Term:
    """A technical word, how else it is written (regular expressions), and what it means in plain words."""

    word: str
    meaning: str
    also: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        return "word-" + re.sub(r"[^a-z0-9]+", "-", self.word.lower().replace("²", "2")).strip("-")


GLOSSARY = (
    Term("accuracy", "The share of cases that were given their true class."),
    Term("average precision", "Precision averaged over all shares of positives found, from 0 to 1; a model that knows "
         "nothing scores the base rate. Also called PR AUC.", ("PR AUC",)),
    Term("balanced accuracy", "The share of cases answered rightly, computed for each class and averaged: rare classes "
         "count as much as common ones."),
    Term("base rate", "The share of cases that are of the class looked for, whatever a model says."),
    Term("baseline", "A model so simple that anything worth having must beat it: always the commonest answer, or a "
         "rule on one column.", ("baselines",)),
    Term("bootstrap", "Drawing the cases again and again, with replacement, to see how much a number would move if "
         "other cases had been met.", ("cluster bootstrap",)),
    Term("Brier score", "The mean squared gap between probability and what happened (0 or 1). Lower is better."),
    Term("calibration", "Whether probabilities can be read as frequencies: of the cases given 0.8, do eight in ten "
         "turn out so?", ("calibrated",)),
    Term("confusion", "Which true class was taken for which: counts in a square, the right answers on its diagonal.",
         ("confusion matrix",)),
    Term("ensemble", "Several models answering together, by a weighted mean."),
    Term("expected calibration error", "How far the probabilities are from the frequencies seen, on average over the "
         "cases. A perfect model shows a little too, by chance.", ("ECE",)),
    Term("F1", "One number for precision and recall together: their harmonic mean."),
    Term("false alarm", "A case that is not of the class looked for and is called so.", ("false alarms",)),
    Term("fold", "One of the parts that the training cases are cut into: a recipe learns on the others and is judged "
         "on this one, each in turn.", ("folds", "out of fold", "out-of-fold", "held out")),
    Term("Hamming loss", "The share of labels, over all cases, that are wrong. Lower is better."),
    Term("Holm", "A correction for having looked at many things: the more one looks, the smaller a p-value must be to "
         "mean something.", ("corrected",)),
    Term("importance", "How much worse the score gets when one input is shuffled among the cases, so that it says "
         "nothing any more."),
    Term("interval", "The values that the data do not speak against. A 95% interval made like this contains the true "
         "value in 95 of 100 repetitions of the whole study.", ("intervals",)),
    Term("leak", "Something in the inputs that will not be known when the model is used: it makes a score look good "
         "and a model useless.", ("leaks",)),
    Term("log loss", "The mean of minus the logarithm of the probability given to what happened: confident mistakes "
         "cost most. Lower is better."),
    Term("MAE", "The mean absolute error, in units of the target. Lower is better."),
    Term("MAPE", "The mean error as a share of the true value. Lower is better."),
    Term("MCC", "Matthews' correlation between answer and truth, from −1 to 1; 0 is chance, whatever the base rate."),
    Term("optimism", "How much better a score looks than what it will be worth: through a leak, or through having "
         "chosen the best of many."),
    Term("p-value", "How often chance alone would make a difference at least this large.", ("p-values",)),
    Term("paired", "Compared case by case on the same cases, which shows smaller differences than two scores apart."),
    Term("precision", "Of the cases called positive, the share that are so."),
    Term("R²", "The share of the target's variance that is predicted: 1 is perfect, 0 is no better than the mean.",
         ("R2",)),
    Term("recall", "Of the positive cases, the share that were found."),
    Term("recipe", "A way of getting a model: a learning method with its settings.", ("recipes",)),
    Term("region", "The cases for which a few conditions hold at once, such as contract = monthly and tenure up to 9.",
         ("regions",)),
    Term("residual", "What a prediction missed: the true value minus the predicted one.", ("residuals",)),
    Term("RMSE", "The root of the mean squared error, in units of the target: large errors weigh more. Lower is "
         "better."),
    Term("ROC AUC", "The chance that a case of the class looked for is ranked above another case: 0.5 is guessing, "
         "1 is perfect.", ("AUC", "ROC curve", "ROC")),
    Term("seed", "The number that all random choices start from: the same seed repeats the same run.", ()),
    Term("skill", "The share of the errors of always guessing the commonest class that is avoided: 0 is no use, 1 is "
         "perfect."),
    Term("skewness-adjusted t", "An interval from the standard error, leaning to the side on which errors have their "
         "long tail; on a log or logit scale where the value has an end.", ("skewness-adjusted",)),
    Term("slice", "A group of cases that have something in common, such as a region.", ("slices",)),
    Term("specificity", "Of the negative cases, the share that were called negative."),
    Term("test part", "Cases locked away before anything was fitted and opened at the very end, so that the score on "
         "them is honest.", ("test cases",)),
    Term("tied", "Not told apart: two recipes differ by no more than chance can make.", ("not told apart",)),
    Term("Wilson", "An interval for a share that stays honest with few cases and near 0 or 1.", ("Wilson score",)),
)


class Linker:
    """Escapes text and links the first use of each glossary word in it; remembers which words were used."""

    def __init__(self, metrics: Iterable[str]) -> None:
        self.used: set[str] = set()
        self._terms = {w.lower(): t for t in GLOSSARY for w in (t.word, *t.also)}
        spelled = "|".join(re.escape(w) for w in sorted(self._terms, key=len, reverse=True))
        self._words = re.compile(rf"(?<![\w-])(?:{spelled}|p (?:&lt;|=) [0-9.]+[0-9])(?![\w-])", re.IGNORECASE)
        raw = [m for m in metrics if said(m) != m]
        self._raw = re.compile(rf"(?<![\w;.])(?:{'|'.join(map(re.escape, raw))})(?![\w&.])") if raw else None

    def __call__(self, text: object) -> Markup:
        """`text` as HTML. Metric names as the code writes them become what people call them."""
        safe = str(escape(text))
        if self._raw:
            safe = self._raw.sub(lambda m: said(m[0]), safe)
        seen: set[str] = set()

        def link(found: re.Match[str]) -> str:
            term = self._terms.get(found[0].lower()) or self._terms["p-value"]
            if term.word in seen:
                return found[0]
            seen.add(term.word)
            self.used.add(term.word)
            return f'<a class="term" href="#{term.anchor}">{found[0]}</a>'

        return Markup(self._words.sub(link, safe))  # noqa: S704 - escaped above, before any tag was added

    def glossary(self) -> list[Term]:
        return [t for t in GLOSSARY if t.word in self.used]
