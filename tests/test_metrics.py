"""Metrics equal scikit-learn's, are functions of the means of their terms, and are found by the names people use."""

import doctest
import pickle
import subprocess
import sys
import warnings

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as sk
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB

import assay.metrics
from assay.errors import UnknownName
from assay.metrics import ALIASES, FAMILIES, GOALS, applicable, lookup


def binary_table(y, p, cut=0.5):
    return pl.DataFrame({"case_id": np.arange(len(y)), "target.positive": np.asarray(y, dtype=bool),
                         "out.p": np.asarray(p, dtype=float), "out.positive": np.asarray(p) > cut})


def multiclass_table(y, p, classes):
    said = [classes[k] for k in np.argmax(p, axis=1)]
    return pl.DataFrame({"case_id": np.arange(len(y)), "target": list(y), "out.label": said,
                         **{f"out.p.{c}": p[:, k] for k, c in enumerate(classes)}})


def regression_table(y, value):
    columns = {"case_id": np.arange(len(y)), "target": y, "out.value": value}
    return pl.DataFrame(columns).with_columns(pl.col("target", "out.value").cast(float))


def multilabel_table(truth, p):
    columns = {"case_id": np.arange(len(truth))}
    for k in range(truth.shape[1]):
        columns |= {f"target.l{k}": truth[:, k], f"out.p.l{k}": p[:, k], f"out.label.l{k}": p[:, k] > 0.5}
    return pl.DataFrame(columns)


def values(goal, table):
    return {m.name: m.fn(table) for m in FAMILIES[goal]}


@pytest.fixture(scope="module")
def tumours():
    x, y = load_breast_cancer(return_X_y=True)
    return y, cross_val_predict(GaussianNB(), x[:, :3], y, method="predict_proba")[:, 1]


@pytest.fixture(scope="module")
def flowers():
    x, y = load_iris(return_X_y=True)
    p = cross_val_predict(LogisticRegression(max_iter=1000), x[:, :2], y, method="predict_proba")
    return np.array(["setosa", "versicolor", "virginica"])[y], p


@pytest.fixture(scope="module")
def progression():
    x, y = load_diabetes(return_X_y=True)
    return y, cross_val_predict(LinearRegression(), x, y)


@pytest.mark.parametrize("digits", [15, 1], ids=["as predicted", "with many ties"])
def test_binary_metrics_equal_scikit_learn(tumours, digits):
    y, p = tumours
    p = p.round(digits)
    said = p > 0.5
    assert values("binary", binary_table(y, p)) == pytest.approx({
        "roc_auc": sk.roc_auc_score(y, p), "average_precision": sk.average_precision_score(y, p),
        "log_loss": sk.log_loss(y, p), "brier": sk.brier_score_loss(y, p), "accuracy": sk.accuracy_score(y, said),
        "balanced_accuracy": sk.balanced_accuracy_score(y, said), "precision": sk.precision_score(y, said),
        "recall": sk.recall_score(y, said), "specificity": sk.recall_score(y, said, pos_label=0),
        "f1": sk.f1_score(y, said), "mcc": sk.matthews_corrcoef(y, said),
    }, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("y", "p"), [
    ([1], [0.9]), ([0, 0, 0], [0.2, 0.7, 0.2]), ([1, 1], [0.1, 0.2]), ([0, 1], [0.0, 0.0]),
])
def test_binary_metrics_of_hardly_anything(y, p):
    said = np.asarray(p) > 0.5
    got = values("binary", binary_table(y, p))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")             # scikit-learn warns, and answers
        wanted = {
            "log_loss": sk.log_loss(y, p, labels=[0, 1]), "accuracy": sk.accuracy_score(y, said),
            "balanced_accuracy": sk.balanced_accuracy_score(y, said),
            "precision": sk.precision_score(y, said, zero_division=0),
            "recall": sk.recall_score(y, said, zero_division=0), "f1": sk.f1_score(y, said, zero_division=0),
            "mcc": sk.matthews_corrcoef(y, said),
        }
    assert {k: got[k] for k in wanted} == pytest.approx(wanted, abs=1e-12)
    assert np.isnan(got["roc_auc"]) == (len(set(y)) == 1)


def test_multiclass_metrics_equal_scikit_learn(flowers):
    y, p = flowers
    classes = ["setosa", "versicolor", "virginica"]
    said = np.array(classes)[p.argmax(axis=1)]
    assert values("multiclass", multiclass_table(y, p, classes)) == pytest.approx({
        "accuracy": sk.accuracy_score(y, said), "balanced_accuracy": sk.balanced_accuracy_score(y, said),
        "macro_f1": sk.f1_score(y, said, average="macro"), "log_loss": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p), "mcc": sk.matthews_corrcoef(y, said),
        "macro_roc_auc": sk.roc_auc_score(y, p, multi_class="ovr"),
        "top_2_accuracy": sk.top_k_accuracy_score(y, p, k=2),
    }, rel=1e-12, abs=1e-12)


def test_multiclass_metrics_with_classes_missing(flowers):
    y, p = flowers
    classes = ["setosa", "versicolor", "virginica"]
    there = y != "versicolor"
    table = multiclass_table(y[there], p[there], classes)
    got, said = values("multiclass", table), table["out.label"].to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")             # "y_pred contains classes not in y_true"
        assert got["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y[there], said), abs=1e-12)
    assert got["macro_f1"] == pytest.approx(sk.f1_score(y[there], said, average="macro"), abs=1e-12)
    assert got["log_loss"] == pytest.approx(sk.log_loss(y[there], p[there], labels=classes), abs=1e-12)
    areas = [sk.roc_auc_score(y[there] == classes[k], p[there, k]) for k in (0, 2)]
    assert got["macro_roc_auc"] == pytest.approx(np.mean(areas), abs=1e-12)


def test_a_class_the_model_never_met_is_a_class_it_gave_no_probability(flowers):
    y, p = flowers
    table = multiclass_table(y, p, ["setosa", "versicolor", "virginica"])[:5].with_columns(target=pl.lit("lily"))
    got = values("multiclass", table)
    assert got["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps))
    assert got["top_2_accuracy"] == got["accuracy"] == 0
    assert got["brier"] > 1


def test_constant_answers_have_no_correlation():
    table = multiclass_table(["a", "b", "c"] * 7, np.tile([0.8, 0.1, 0.1], (21, 1)), ["a", "b", "c"])
    assert lookup("multiclass", "mcc").fn(table) == 0


def test_regression_metrics_equal_scikit_learn(progression):
    y, value = progression
    table = regression_table(y, value)
    assert {**values("regression", table), "rmsle": lookup("regression", "rmsle").fn(table)} == pytest.approx({
        "rmse": sk.root_mean_squared_error(y, value), "mae": sk.mean_absolute_error(y, value),
        "r2": sk.r2_score(y, value),
        "median_ae": sk.median_absolute_error(y, value), "mape": sk.mean_absolute_percentage_error(y, value),
        "rmsle": sk.root_mean_squared_log_error(y, value),
    }, rel=1e-12)


def test_r2_does_not_cancel_far_from_zero(progression):
    y, value = progression
    far = regression_table(y + 1e9, value + 1e9)
    assert lookup("regression", "r2").fn(far) == pytest.approx(sk.r2_score(y + 1e9, value + 1e9), abs=1e-9)


@pytest.mark.parametrize(("value", "wanted"), [([3, 3, 3], 1.0), ([3, 4, 3], 0.0)])
def test_r2_of_a_target_that_does_not_vary(value, wanted):
    r2 = lookup("regression", "r2")
    assert r2.fn(regression_table([3, 3, 3], value)) == wanted == sk.r2_score([3, 3, 3], value)
    tenth = regression_table([0.1] * 3, np.where(np.asarray(value) == 3, 0.1, 0.2))      # whose mean is not exactly 0.1
    assert r2.fn(tenth) == wanted


def test_mape_leaves_out_targets_of_zero_and_says_so():
    mape = lookup("regression", "mape")
    assert mape.fn(regression_table([0, 2, 4], [5, 1, 5])) == pytest.approx(0.375)
    assert np.isnan(mape.fn(regression_table([0, 0], [5, 1])))
    assert "0 are left out" in mape.says


def test_rmsle_is_undefined_below_zero():
    assert np.isnan(lookup("regression", "rmsle").fn(regression_table([1, 2], [-0.5, 2])))


def test_multilabel_metrics_equal_scikit_learn():
    x, y = load_wine(return_X_y=True)
    truth = np.column_stack([y == 0, y != 1, x[:, 0] > 13])
    columns = [cross_val_predict(GaussianNB(), x[:, 1:4], truth[:, k], method="predict_proba")[:, 1] for k in range(3)]
    p = np.column_stack(columns)
    said = p > 0.5
    assert values("multilabel", multilabel_table(truth, p)) == pytest.approx({
        "macro_f1": sk.f1_score(truth, said, average="macro"), "micro_f1": sk.f1_score(truth, said, average="micro"),
        "hamming_loss": sk.hamming_loss(truth, said), "subset_accuracy": sk.accuracy_score(truth, said),
        "macro_average_precision": sk.average_precision_score(truth, p),
    }, rel=1e-12)
    as_numbers = multilabel_table(truth.astype(int), p)
    assert values("multilabel", as_numbers) == values("multilabel", multilabel_table(truth, p))


def tables(tumours, flowers, progression):
    rng = np.random.default_rng(0)
    return {"binary": binary_table(*tumours), "regression": regression_table(*progression),
            "multiclass": multiclass_table(*flowers, ["setosa", "versicolor", "virginica"]),
            "multilabel": multilabel_table(rng.random((60, 3)) < 0.4, rng.random((60, 3)))}


@pytest.mark.parametrize("goal", GOALS)
def test_every_metric_keeps_the_contract(goal, tumours, flowers, progression):
    table = tables(tumours, flowers, progression)[goal]
    for metric in FAMILIES[goal]:
        assert not metric.missing(table.columns), metric.name
        assert metric.says.endswith("."), metric.name
        assert pickle.loads(pickle.dumps(metric)).fn(table) == metric.fn(table), metric.name
        assert np.isnan(metric.fn(table.clear())), metric.name
        if metric.terms is not None:
            terms = metric.terms(table)
            assert terms.ndim == 2 and len(terms) == table.height, metric.name
            assert metric.link is not None
            stacked = np.stack([terms.mean(axis=0), terms[:20].mean(axis=0)])
            assert metric.link(stacked).shape == (2,), metric.name
            assert metric.link(stacked)[0] == pytest.approx(metric.fn(table), abs=1e-12), metric.name


@pytest.mark.parametrize("goal", GOALS)
def test_each_goal_is_recognised_by_its_columns(goal, tumours, flowers, progression):
    table = tables(tumours, flowers, progression)[goal]
    assert applicable(table.columns) == FAMILIES[goal]


def test_no_columns_allow_no_metrics():
    assert applicable(["case_id", "unit"]) == ()


def test_names_people_type():
    wanted = {"AUC": "roc_auc", "auroc": "roc_auc", "PR-AUC": "average_precision", "logloss": "log_loss",
              "acc": "accuracy", "Balanced Accuracy": "balanced_accuracy"}
    assert {typed: lookup("binary", typed).name for typed in wanted} == wanted
    assert lookup("regression", "RMSE").name == "rmse"
    known = {m.name for goal in GOALS for m in FAMILIES[goal]}
    assert set(ALIASES.values()) <= known


def test_an_unknown_metric_is_answered_with_those_that_fit():
    with pytest.raises(UnknownName, match=r"no metric 'rcall' for binary\. Did you mean 'recall'\? Those that"):
        lookup("binary", "rcall")
    with pytest.raises(UnknownName, match=r"no metric 'rmse' for binary\. Those that fit: "):
        lookup("binary", "rmse")
    with pytest.raises(UnknownName, match=r"goal 'binari'\. Did you mean 'binary'"):
        lookup("binari", "auc")


def test_looking_at_the_package_loads_nothing_heavy():
    code = "import sys, assay.metrics; print({'numpy', 'polars', 'scipy', 'sklearn'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_doctests():
    assert doctest.testmod(assay.metrics).failed == 0
