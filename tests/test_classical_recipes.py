"""The recipes of scikit-learn's families promise: they beat the prior, say what scikit-learn says, come back
from plain files as they were, end in time, and refuse a file that was changed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn import datasets
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import ElasticNet as SkElasticNet
from sklearn.linear_model import Lasso as SkLasso
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.linear_model import Ridge as SkRidge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from assay import registry
from assay.contract import Context
from assay.errors import TamperedError
from assay.paradigms.supervised.learner import Lesson, sigmoid
from assay.paradigms.supervised.recipes.additive import Additive
from assay.paradigms.supervised.recipes.bayes import NaiveBayes
from assay.paradigms.supervised.recipes.fitted import ARRAYS, FACTS
from assay.paradigms.supervised.recipes.inner import inner_folds, loss, part
from assay.paradigms.supervised.recipes.linear import ElasticNet, Lasso, Linear, Logistic, Ridge
from assay.paradigms.supervised.recipes.mlp import MLP, MLPLearner
from assay.paradigms.supervised.recipes.neighbours import KNN
from assay.paradigms.supervised.recipes.platt import coupled, platt
from assay.paradigms.supervised.recipes.svm import RBFSVM, LinearSVM
from assay.paradigms.supervised.recipes.trees import DecisionTree, ExtraTrees, ForestLearner, RandomForest, flattened
from assay.splits import random_plan

RECIPES = {
    "additive": Additive(),
    "linear": Linear(), "ridge": Ridge(), "lasso": Lasso(), "elastic_net": ElasticNet(), "logistic": Logistic(),
    "linear_svm": LinearSVM(), "rbf_svm": RBFSVM(), "knn": KNN(), "naive_bayes": NaiveBayes(),
    "decision_tree": DecisionTree(), "random_forest": RandomForest(trees=60), "extra_trees": ExtraTrees(trees=60),
    "mlp": MLP(width=32, epochs=60),
}
GOALS = ("regression", "binary", "multiclass", "multilabel")
PAIRS = [(n, g) for n, g in product(RECIPES, GOALS) if g in RECIPES[n].goals]
FRESH = """
import sys
seen = []
sys.addaudithook(lambda event, args: seen.append(args) if event == "pickle.find_class" else None)
import importlib, json, pathlib
import numpy as np
from safetensors.numpy import load_file
from assay import registry
root = pathlib.Path(sys.argv[1])
for folder in sorted(root.iterdir()):
    kind = (folder / "kind.txt").read_text()
    learner = registry.load("assay.learners", "supervised." + kind).load(folder)
    before = load_file(folder / "expected.safetensors")
    assert np.array_equal(learner.scores(before["X"]), before["scores"]), folder
assert not seen, seen
print("same")
"""


def standardised(X):
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


@cache
def table(goal):
    """(X, y, k) of a real table: diabetes, breast cancer, digits; for labels five measurements above their median."""
    if goal == "regression":
        X, y = datasets.load_diabetes(return_X_y=True)
        return standardised(X), standardised(y), 1
    if goal == "multiclass":
        X, y = datasets.load_digits(return_X_y=True)
        return standardised(X[:700]), y[:700].astype(np.int64), 10
    X, y = datasets.load_breast_cancer(return_X_y=True)
    if goal == "binary":
        return standardised(X), y.astype(np.int64), 2
    worst = X[:, [20, 21, 24, 27]]
    Y = np.column_stack([worst > np.median(worst, axis=0), y])
    return standardised(X[:, :10]), Y.astype(np.float64), 5


@cache
def lessons(goal):
    """What to learn from, and what to judge by: the other third."""
    X, y, k = table(goal)
    whole = Lesson(goal, X, y, k)
    strata = y if goal in ("binary", "multiclass") else None
    judged = random_plan(len(X), test=0.33, folds=1, seed=3, strata=strata).roles < 0
    return part(whole, np.flatnonzero(~judged)), part(whole, np.flatnonzero(judged))


def seen_by(recipe, lesson):
    return replace(lesson, X=lesson.X.astype(np.float32)) if recipe.encoding == "codes" else lesson


@cache
def fitted(name, goal):
    return RECIPES[name].learn(seen_by(RECIPES[name], lessons(goal)[0]), Context(seed=1))


def prior_loss(goal, learned, judged):
    if goal in ("regression", "multilabel"):
        constant = learned.y.mean(axis=0)
        return loss(goal, np.broadcast_to(constant, judged.y.shape), judged.y)
    shares = np.bincount(learned.y, minlength=learned.k) / len(learned.y)
    return loss(goal, np.tile(shares, (len(judged.y), 1)), judged.y)


@pytest.mark.parametrize("name", RECIPES)
def test_each_name_is_registered_as_its_class_and_so_is_its_learner(name):
    assert registry.load("assay.recipes", f"supervised.{name}") is type(RECIPES[name])
    goal = sorted(RECIPES[name].goals)[0]
    learner = fitted(name, goal)
    assert registry.load("assay.learners", f"supervised.{learner.kind}") is type(learner)
    assert set(RECIPES[name].space()) <= set(RECIPES[name].__dataclass_fields__)


@pytest.mark.parametrize(("name", "goal"), PAIRS)
def test_it_beats_the_prior_clearly(name, goal):
    learned, judged = lessons(goal)
    scores = fitted(name, goal).scores(seen_by(RECIPES[name], judged).X)
    assert loss(goal, scores, judged.y) < 0.7 * prior_loss(goal, learned, judged)


@pytest.mark.parametrize(("name", "goal"), PAIRS)
def test_scores_have_the_shape_and_sums_promised(name, goal):
    X = seen_by(RECIPES[name], lessons(goal)[1]).X
    before, scores = X.copy(), fitted(name, goal).scores(X)
    assert scores.dtype == np.float64 and np.array_equal(X, before)
    assert scores.shape == ((len(X),) if goal == "regression" else (len(X), lessons(goal)[0].k))
    if goal in ("binary", "multiclass"):
        assert np.abs(scores.sum(axis=1) - 1).max() < 1e-12
    if goal != "regression":
        assert scores.min() >= 0 and scores.max() <= 1
    assert len(fitted(name, goal).scores(X[:0])) == 0


@pytest.mark.parametrize(("name", "goal"), PAIRS)
def test_a_row_scores_the_same_alone_as_among_others(name, goal):
    X, learner = seen_by(RECIPES[name], lessons(goal)[1]).X[:40], fitted(name, goal)
    alone = np.concatenate([learner.scores(X[i : i + 1]) for i in range(len(X))])
    if learner.kind in ("forest", "neighbours"):
        assert np.array_equal(alone, learner.scores(X))
    assert np.abs(alone - learner.scores(X)).max() < 1e-9


@pytest.mark.parametrize(("name", "goal"), PAIRS)
def test_the_same_seed_gives_the_same_learner(name, goal):
    lesson, judged = (seen_by(RECIPES[name], each) for each in lessons(goal))
    again = RECIPES[name].learn(lesson, Context(seed=1))
    assert np.array_equal(again.scores(judged.X), fitted(name, goal).scores(judged.X))


@pytest.mark.parametrize(("name", "goal"), PAIRS)
def test_saved_and_loaded_it_scores_the_same(name, goal, tmp_path):
    learner, X = fitted(name, goal), seen_by(RECIPES[name], lessons(goal)[1]).X
    learner.save(tmp_path)
    back = type(learner).load(tmp_path)
    assert np.array_equal(back.scores(X), learner.scores(X))
    assert sorted(p.name for p in tmp_path.iterdir()) == [FACTS, ARRAYS]


def test_a_fresh_process_scores_the_same_and_unpickles_nothing(tmp_path):
    for name, goal in PAIRS:
        folder = tmp_path / f"{name}-{goal}"
        folder.mkdir()
        learner, X = fitted(name, goal), seen_by(RECIPES[name], lessons(goal)[1]).X
        learner.save(folder)
        (folder / "kind.txt").write_text(learner.kind)
        save_file({"X": np.ascontiguousarray(X), "scores": learner.scores(X)}, folder / "expected.safetensors")
    done = subprocess.run([sys.executable, "-c", FRESH, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("budget_s", [0.0, 0.3])
def test_with_little_time_it_ends_soon_and_can_be_used(name, budget_s):
    recipe = RECIPES[name]
    goal = "regression" if recipe.goals == {"regression"} else "binary"
    rng = np.random.default_rng(0)
    X, y, k = table(goal)
    rows = rng.integers(0, len(X), 30_000)
    lesson = seen_by(recipe, Lesson(goal, X[rows] + 0.1 * rng.normal(size=(len(rows), X.shape[1])), y[rows], k))
    began = time.monotonic()
    learner = recipe.learn(lesson, Context(seed=0, budget_s=budget_s))
    assert time.monotonic() - began < 5.0
    scores = learner.scores(lesson.X[:500])
    assert loss(goal, scores, y[rows[:500]]) < (0.95 if budget_s else 1.3) * prior_loss(goal, lesson, lesson)


@pytest.mark.parametrize("name", [n for n in RECIPES if "multiclass" in RECIPES[n].goals])
def test_two_classes_of_a_larger_task_and_a_class_of_one_row_are_learned(name):
    recipe = RECIPES[name]
    X, y, _ = table("multiclass")
    two = np.flatnonzero(y < 2)
    learner = recipe.learn(seen_by(recipe, Lesson("multiclass", X[two], y[two], 2)), Context())
    right = learner.scores(seen_by(recipe, Lesson("multiclass", X[two], y[two], 2)).X).argmax(axis=1) == y[two]
    assert right.mean() > 0.9
    lone = np.concatenate([two, np.flatnonzero(y == 2)[:1]])
    learner = recipe.learn(seen_by(recipe, Lesson("multiclass", X[lone], y[lone], 3)), Context())
    assert learner.scores(seen_by(recipe, Lesson("multiclass", X, y, 3)).X).shape == (len(X), 3)


@pytest.mark.parametrize("name", RECIPES)
def test_rows_that_weigh_more_draw_the_answers_to_them(name):
    goal = "regression" if RECIPES[name].goals == {"regression"} else "binary"
    lesson, judged = (seen_by(RECIPES[name], each) for each in lessons(goal))
    weight = np.where(lesson.y > lesson.y.mean(), 4.0, 0.25)
    heavy = RECIPES[name].learn(replace(lesson, weight=weight / weight.mean()), Context(seed=1)).scores(judged.X)
    plain = fitted(name, goal).scores(judged.X)
    column = slice(None) if goal == "regression" else (slice(None), 1)
    assert heavy[column].mean() > plain[column].mean() + 0.01


@pytest.mark.parametrize("name", RECIPES)
def test_six_rows_are_enough_to_learn_something(name):
    recipe = RECIPES[name]
    goal = "regression" if recipe.goals == {"regression"} else "binary"
    X, y, k = table(goal)
    rows = np.concatenate([np.flatnonzero(y > y.mean())[:3], np.flatnonzero(y < y.mean())[:3]])
    lesson = seen_by(recipe, Lesson(goal, X[rows], y[rows], k))
    assert np.isfinite(recipe.learn(lesson, Context()).scores(lesson.X)).all()


# --- the same numbers as scikit-learn's own --------------------------------------------------


@pytest.mark.parametrize(("recipe", "reference"), [
    (Linear(), LinearRegression(tol=1e-9)), (Ridge(alpha=3.0), SkRidge(alpha=3.0)),
    (Lasso(alpha=0.01), SkLasso(alpha=0.01, tol=1e-9)),
    (ElasticNet(alpha=0.02, l1_ratio=0.3), SkElasticNet(alpha=0.02, l1_ratio=0.3, tol=1e-9)),
])
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_regressions_agree(recipe, reference, weighted):
    lesson, judged = lessons("regression")
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(lesson.X)) if weighted else None
    weight = weight / weight.mean() if weighted else None
    reference.fit(lesson.X, lesson.y, weight)
    ours = recipe.learn(replace(lesson, weight=weight), Context()).scores(judged.X)
    close = 1e-9 if isinstance(recipe, Linear | Ridge) else 2e-3        # descent stops at scikit-learn's default tol
    assert np.abs(ours - reference.predict(judged.X)).max() < close


@pytest.mark.parametrize("goal", ["binary", "multiclass"])
def test_logistic_regressions_agree(goal):
    lesson, judged = lessons(goal)
    reference = LogisticRegression(C=0.5, max_iter=500).fit(lesson.X, lesson.y)
    ours = Logistic(C=0.5).learn(lesson, Context()).scores(judged.X)
    assert np.abs(ours - reference.predict_proba(judged.X)).max() < 1e-9


@pytest.mark.parametrize("goal", ["binary", "multiclass"])
def test_naive_bayes_agrees(goal):
    lesson, judged = lessons(goal)
    reference = GaussianNB(var_smoothing=1e-2).fit(lesson.X, lesson.y)
    ours = NaiveBayes(smoothing=1e-2, temper=1.0).learn(lesson, Context()).scores(judged.X)
    assert np.abs(ours - reference.predict_proba(judged.X)).max() < 1e-9


def test_margins_of_support_vector_machines_agree():
    lesson, judged = lessons("binary")
    gamma = 1 / (lesson.X.shape[1] * lesson.X.var())
    for recipe, reference in [(LinearSVM(C=0.1), LinearSVC(C=0.1, dual="auto", random_state=0)),
                              (RBFSVM(C=2.0), SVC(C=2.0, gamma=gamma))]:
        margins = recipe.learn(lesson, Context()).margins(judged.X)[:, 0]
        assert np.abs(margins - reference.fit(lesson.X, lesson.y).decision_function(judged.X)).max() < 1e-9
    lesson, judged = lessons("regression")
    reference = SVR(C=2.0, gamma=1 / (lesson.X.shape[1] * lesson.X.var())).fit(lesson.X, lesson.y)
    assert np.abs(RBFSVM(C=2.0).learn(lesson, Context()).scores(judged.X) - reference.predict(judged.X)).max() < 1e-9


def test_margins_of_all_pairs_agree_with_libsvm():
    lesson, judged = lessons("multiclass")
    gamma = 1 / (lesson.X.shape[1] * lesson.X.var())
    reference = SVC(C=1.0, gamma=gamma, decision_function_shape="ovo").fit(lesson.X, lesson.y)
    margins = RBFSVM(C=1.0).learn(lesson, Context()).margins(judged.X)
    assert margins.shape[1] == 45
    assert np.abs(margins - reference.decision_function(judged.X)).max() < 0.01     # two solves, each to tol 1e-3


def test_a_perceptron_passes_forward_as_scikit_learn_does():
    for goal in ("binary", "multiclass", "multilabel"):
        lesson, judged = lessons(goal)
        model = MLPClassifier(hidden_layer_sizes=(16, 16), random_state=0, batch_size=32)
        for _ in range(3):
            model.partial_fit(lesson.X, lesson.y.astype(np.int64), classes=np.arange(lesson.k))
        link = {"binary": "two", "multiclass": "softmax", "multilabel": "each"}[goal]
        ours = MLPLearner(tuple(model.coefs_), tuple(model.intercepts_), link).scores(judged.X)
        assert np.abs(ours - model.predict_proba(judged.X)).max() < 1e-9


@pytest.mark.parametrize("goal", ["regression", "binary", "multilabel"])
def test_forests_agree_also_where_values_are_missing(goal):
    lesson, judged = (seen_by(RandomForest(), each) for each in lessons(goal))
    rng = np.random.default_rng(0)
    for each in (lesson, judged):
        each.X[rng.random(each.X.shape) < 0.1] = np.nan
    family = RandomForestRegressor if goal == "regression" else RandomForestClassifier
    settings = {"max_features": 0.4, "min_samples_leaf": 3} if goal == "regression" else {"max_features": "sqrt"}
    y = lesson.y.astype(np.int64) if goal == "multilabel" else lesson.y
    reference = family(30, random_state=0, **settings).fit(lesson.X, y)
    ours = flattened([tree.tree_ for tree in reference.estimators_], goal)
    if goal == "regression":
        theirs = reference.predict(judged.X)
    else:
        theirs = np.asarray(reference.predict_proba(judged.X))
        theirs = theirs[:, :, 1].T if goal == "multilabel" else theirs
    assert np.abs(ours.scores(judged.X) - theirs).max() < 1e-6
    assert np.array_equal(ours.scores(judged.X[:5]), ours.scores(judged.X)[:5])


def test_a_cut_between_missing_and_not_missing_survives_the_file(tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
    X[::2] = np.nan
    y = np.isnan(X[:, 0]).astype(np.int64)
    DecisionTree(min_samples_leaf=1).learn(Lesson("binary", X, y, 2), Context()).save(tmp_path)
    assert np.array_equal(ForestLearner.load(tmp_path).scores(X).argmax(axis=1), y)


def test_thresholds_kept_in_float32_cut_where_those_in_float64_did():
    X = np.full((40, 1), 8.0, dtype=np.float32)
    X[::2] = np.nextafter(np.float32(8), np.float32(9))      # two neighbours: the cut between them is no float32
    tree = DecisionTreeClassifier().fit(X, X[:, 0] > 8)
    assert np.float32(tree.tree_.threshold[0]) != tree.tree_.threshold[0]
    assert np.array_equal(flattened([tree.tree_], "binary").scores(X)[:, 1] > 0.5, X[:, 0] > 8)


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_forests_grown_in_chunks_are_those_grown_at_once(name):
    lesson = seen_by(RECIPES[name], lessons("binary")[0])
    family = {"random_forest": RandomForestClassifier, "extra_trees": ExtraTreesClassifier}[name]
    reference = family(60, random_state=1, min_samples_leaf=2).fit(lesson.X, lesson.y)
    theirs = flattened([tree.tree_ for tree in reference.estimators_], "binary", pseudo=1.0)
    ours = replace(RECIPES[name], min_samples_leaf=2).learn(lesson, Context(seed=1))
    for array in ("start", "left", "right", "feature", "threshold", "missing_left", "value"):
        assert np.array_equal(getattr(ours, array), getattr(theirs, array)), array


def test_neighbours_are_the_nearest_and_ties_are_all_heard():
    lesson, judged = lessons("regression")
    learner = KNN(k=7).learn(lesson, Context())
    X = judged.X.astype(np.float32)
    row, point, distance, _ = learner._neighbours(X)
    far, near = NearestNeighbors(n_neighbors=7, algorithm="kd_tree").fit(learner.points).kneighbors(X)
    assert np.array_equal(row, np.repeat(np.arange(len(X)), 7))
    assert np.array_equal(point.reshape(-1, 7), np.sort(near, axis=1))
    assert np.allclose(np.sort(distance.reshape(-1, 7), axis=1), far, atol=1e-6)
    tied = Lesson("binary", np.array([[0.0], [1.0], [-1.0], [5.0]]), np.array([0, 1, 0, 1]), 2)
    both = KNN(k=2).learn(tied, Context()).scores(np.array([[0.0]]))[0]
    alone = KNN(k=3).learn(tied, Context()).scores(np.array([[0.0]]))[0]
    assert np.array_equal(both, alone)


# --- probabilities from margins ---------------------------------------------------------------


def test_platts_sigmoid_recovers_the_one_that_drew_the_answers():
    rng = np.random.default_rng(0)
    margin = rng.normal(size=20_000)
    a, b = platt(margin, rng.random(20_000) < sigmoid(2.0 * margin - 1.0))
    assert abs(a - 2.0) < 0.1 and abs(b + 1.0) < 0.1
    assert platt(margin, np.ones(20_000, dtype=bool)) == (1.0, 0.0)


def test_coupling_gives_back_probabilities_that_made_the_pairs():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    i, j = np.array([(i, j) for i in range(4) for j in range(i + 1, 4)]).T
    assert np.abs(coupled(p[:, i] / (p[:, i] + p[:, j])) - p).max() < 1e-9


@pytest.mark.parametrize("recipe", [LinearSVM(C=0.1), RBFSVM(C=1.0)])
@pytest.mark.parametrize("strategy", ["ovr", "ovo"])
def test_both_strategies_know_the_digits(recipe, strategy):
    lesson, judged = lessons("multiclass")
    learner = replace(recipe, strategy=strategy).learn(lesson, Context())
    assert learner.combine == strategy
    assert (learner.scores(judged.X).argmax(axis=1) == judged.y).mean() > 0.9


# --- files that were changed --------------------------------------------------------------------


def changed(folder, arrays=None, facts=None):
    held, said = load_file(folder / ARRAYS), json.loads((folder / FACTS).read_text())
    held.update(arrays or {})
    said.update(facts or {})
    save_file({k: v for k, v in held.items() if v is not None}, folder / ARRAYS)
    (folder / FACTS).write_text(json.dumps(said))


@pytest.mark.parametrize("name", ["ridge", "logistic", "rbf_svm", "knn", "naive_bayes", "random_forest", "mlp"])
def test_a_missing_misshapen_or_unfinite_array_is_refused(name, tmp_path):
    learner = fitted(name, sorted(RECIPES[name].goals)[0])
    learner.save(tmp_path)
    for array, kept in load_file(tmp_path / ARRAYS).items():
        spoiled = [None, kept.astype(np.int16), kept.ravel()[: kept.size - 1]]
        if array != "weight.0":                  # with fewer inputs a perceptron is another one, but a sound one
            spoiled.append(kept[:-1])
        if kept.dtype.kind == "f":
            spoiled.append(np.full_like(kept, np.nan))
        for wrong in spoiled:
            learner.save(tmp_path)
            changed(tmp_path, {array: wrong})
            with pytest.raises(TamperedError):
                type(learner).load(tmp_path)
    learner.save(tmp_path)
    for fact in json.loads((tmp_path / FACTS).read_text()):
        for wrong in (None, "nonsense", -1, []):
            learner.save(tmp_path)
            changed(tmp_path, facts={fact: wrong})
            with pytest.raises(TamperedError):
                type(learner).load(tmp_path)
    (tmp_path / ARRAYS).write_bytes(b"no tensors")
    with pytest.raises(TamperedError, match="reading a learner"):
        type(learner).load(tmp_path)


@pytest.mark.parametrize(("array", "spoil", "says"), [
    ("left", lambda a: np.where(np.arange(len(a)) == 0, 10**6, a), "outside its tree"),
    ("right", lambda a: np.where(np.arange(len(a)) == 1, 0, a), "before its parent"),
    ("left", lambda a: np.where(np.arange(len(a)) == 0, -1, a), "child"),
    ("feature", lambda a: np.where(np.arange(len(a)) == 0, 999, a), "column"),
    ("feature", lambda a: np.where(np.arange(len(a)) == 0, -5, a), "column"),
    ("start", lambda a: a[::-1].copy(), "cover"),
])
def test_a_tree_that_leads_astray_is_refused(array, spoil, says, tmp_path):
    fitted("random_forest", "binary").save(tmp_path)
    kept = load_file(tmp_path / ARRAYS)[array]
    changed(tmp_path, {array: spoil(kept).astype(kept.dtype)})
    with pytest.raises(TamperedError, match=says):
        ForestLearner.load(tmp_path)


def test_inner_folds_keep_the_rows_of_one_unit_together():
    """Settings chosen on folds that share customers with what was fitted would be settings that remember customers."""
    rng = np.random.default_rng(0)
    unit = rng.integers(0, 60, 600)
    lesson = Lesson("regression", rng.normal(size=(600, 3)), rng.normal(size=600), 1, unit=unit)
    for fit, held in inner_folds(lesson, seed=0):
        assert not set(unit[fit]) & set(unit[held])
    assert set(part(lesson, np.arange(10)).unit) == set(unit[:10])


def test_an_additive_model_finds_the_curve_of_each_column():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6_000, 3))
    X[rng.random(6_000) < 0.1, 1] = np.nan
    code = rng.integers(0, 5, 6_000).astype(float)
    y = np.sin(2 * X[:, 0]) + np.where(np.isnan(X[:, 1]), 2.0, 0.0)
    y += np.array([0.0, 1.0, 0.0, -1.0, 0.5])[code.astype(int)]
    X[:, 2] = code
    y = (y - y.mean()) / y.std()
    lesson = Lesson("regression", X.astype(np.float32), y + 0.2 * rng.normal(size=6_000), 1, categorical=(2,))
    learner = Additive().learn(lesson, Context())
    assert np.corrcoef(learner.scores(lesson.X), y)[0, 1] > 0.98
    grid = np.array([[0.0, 0.0, c] for c in range(5)], dtype=np.float32)
    steps = learner.scores(grid)
    assert np.argsort(steps).tolist()[0] == 3 and np.argsort(steps).tolist()[-1] == 1
    drawn = Additive(smoothing=1e6).learn(lesson, Context()).scores(lesson.X)
    assert drawn.std() < 0.05                   # so many rows say that there is nothing
