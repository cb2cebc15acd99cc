"""A quick model for questions about the data: a hundred rounds of LightGBM, some inputs left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assay.contract import Context, Table
from assay.paradigms.supervised.model import SupervisedModel
from assay.paradigms.supervised.target import Coder
from assay.paradigms.supervised.task import SupervisedTask


def probe(task: SupervisedTask, fit: Table, held: Table, without: Sequence[str]) -> Table:
    """The outcomes on `held` of a model learned from `fit`; without any input left, of the classes' shares or the mean.

    fit, held: cases of the training part. One thread; the same question gives the same answer."""
    from assay.paradigms.supervised.recipe import constant, lesson_of
    from assay.paradigms.supervised.recipes.baselines import Prior
    from assay.paradigms.supervised.recipes.lightgbm import LightGBM

    signature = task.signature
    kept = tuple(f for f in signature.inputs if f.name not in without)
    asked = replace(task, question=replace(task.question, signature=replace(signature, inputs=kept)), _remembered={})
    coder = Coder.fit(task.target, fit)
    encoder, X = asked.encoded(fit, LightGBM.encoding)
    lesson = lesson_of(coder, fit, X, encoder.categorical, task.metrics[0].name, val=False, seed=task.seed)
    recipe = LightGBM(learning_rate=0.1, num_leaves=16) if X.shape[1] else Prior()
    learner = recipe.learn(lesson, Context(seed=task.seed)) if coder.k else constant(lesson)
    return asked.attempt(SupervisedModel(asked.signature, encoder, learner, coder), held)
