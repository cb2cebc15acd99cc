"""The configurations that compete for a place in the portfolio: our defaults, and defaults and winners published by
others. LightGBM's come from AutoGluon's portfolios for the CPU (1.5, December 2025; TabRepo, 2023) and pytabkit's tuned
defaults (Holzmüller et al. 2024, arXiv 2407.04491), XGBoost's and CatBoost's from the same two; the rest are ours."""

from __future__ import annotations

from typing import Any

Config = tuple[str, dict[str, Any]]


def lgb(rate: float, leaves: int, least: int, columns: float, rows: float, l1: float, l2: float, extra: bool,
        smooth: float, cat_l2: float, onehot: int, group: int, **more: Any) -> Config:
    return "lightgbm", {
        "learning_rate": rate, "num_leaves": leaves, "min_data_in_leaf": least, "feature_fraction": columns,
        "bagging_fraction": rows, "lambda_l1": l1, "lambda_l2": l2, "extra_trees": extra, "cat_smooth": smooth,
        "cat_l2": cat_l2, "max_cat_to_onehot": onehot, "min_data_per_group": group, **more,
    }


LIGHTGBM: dict[str, Config] = {
    "lightgbm": ("lightgbm", {}),
    "lightgbm r177": lgb(0.01786, 39, 3, 0.4622, 0.8769, 0.2375, 0.3552, True, 15.43, 0.3418, 16, 9),
    "lightgbm r163": lgb(0.01139, 84, 3, 0.528, 0.9784, 0.02693, 0.8375, False, 0.009312, 0.1553, 42, 75),
    "lightgbm r72": lgb(0.01798, 180, 12, 0.4045, 0.9501, 0.7662, 1.604, True, 0.06382, 0.2159, 11, 3),
    "lightgbm r21": lgb(0.01344, 20, 2, 0.4251, 0.7112, 0.5141, 0.5134, False, 48.72, 0.8679, 16, 32),
    "lightgbm r120": lgb(0.01267, 5, 12, 0.7335, 0.8541, 0.2413, 0.2981, True, 5.091, 0.01103, 67, 93),
    "lightgbm r6": lgb(0.03, 8, 24, 0.94, 0.8148, 0.4369, 0.2998, False, 0.02894, 0.005836, 28, 3),
    "lightgbm r47": lgb(0.05371, 32, 1, 0.4974, 0.9918, 0.7971, 1.218, True, 0.004969, 0.9842, 13, 4),
    "lightgbm r17": lgb(0.03513, 64, 1, 0.668, 0.9277, 0.01251, 0.7157, False, 0.1369, 0.07319, 20, 2),
    "lightgbm r1": lgb(0.04127, 128, 9, 0.6189, 0.8836, 0.6514, 1.738, True, 0.04519, 0.6608, 9, 3),
    "lightgbm r31": lgb(0.03976, 16, 1, 0.5792, 0.9592, 0.9385, 0.99, False, 0.02152, 1.896, 27, 39),
    "lightgbm r184": lgb(0.05, 2, 17, 0.5876, 0.8406, 0.07894, 0.7713, False, 0.08982, 0.9285, 16, 11),
    "lightgbm r131": lgb(0.0121, 53, 14, 0.70, 1.0, 0.0, 0.0, False, 10.0, 10.0, 4, 100),
    "lightgbm r96": lgb(0.0152, 16, 48, 0.56, 1.0, 0.0, 0.0, True, 10.0, 10.0, 4, 100),
    "lightgbm xt": lgb(0.05, 31, 20, 1.0, 1.0, 0.0, 0.0, True, 10.0, 10.0, 4, 100),
    "lightgbm td": lgb(0.04, 50, 40, 1.0, 0.75, 0.0, 0.0, False, 10.0, 10.0, 4, 100),
    "lightgbm quick": ("lightgbm", {"learning_rate": 0.2, "num_leaves": 15, "rounds": 60, "patience": 10}),
    "lightgbm small": lgb(0.05, 4, 20, 0.6, 0.8, 0.0, 1.0, False, 10.0, 10.0, 4, 100),
    "lightgbm deep": lgb(0.03, 128, 3, 0.9, 1.0, 0.0, 0.0, False, 10.0, 10.0, 4, 100),
}

XGBOOST: dict[str, Config] = {
    "xgboost": ("xgboost", {}),
    "xgboost td": ("xgboost", {"learning_rate": 0.08, "max_depth": 6, "min_child_weight": 5e-6, "reg_lambda": 0.0,
                               "subsample": 0.65, "colsample_bynode": 0.9}),
    "xgboost td reg": ("xgboost", {"learning_rate": 0.05, "max_depth": 9, "min_child_weight": 2.0, "reg_lambda": 0.0,
                                   "subsample": 0.7, "colsample_bynode": 1.0}),
    "xgboost r33": ("xgboost", {"learning_rate": 0.0181, "max_depth": 10, "colsample_bynode": 0.69, "subsample": 1.0,
                                "min_child_weight": 0.6}),
    "xgboost shallow": ("xgboost", {"learning_rate": 0.05, "max_depth": 3, "min_child_weight": 1.0, "subsample": 0.8,
                                    "colsample_bynode": 0.6, "reg_lambda": 2.0}),
    "xgboost leafwise": ("xgboost", {"learning_rate": 0.03, "max_depth": 10, "grow_policy": "lossguide",
                                     "max_leaves": 24, "subsample": 0.75, "colsample_bynode": 0.6, "reg_alpha": 0.5,
                                     "reg_lambda": 2.0, "min_child_weight": 0.1}),
}

CATBOOST: dict[str, Config] = {
    "catboost": ("catboost", {}),
    "catboost td": ("catboost", {"learning_rate": 0.08, "depth": 7, "l2_leaf_reg": 1e-5, "subsample": 0.9,
                                 "random_strength": 0.8, "leaf_estimation_iterations": 1}),
    "catboost r177": ("catboost", {"learning_rate": 0.0686, "depth": 6, "l2_leaf_reg": 2.15, "one_hot_max_size": 10}),
    "catboost r9": ("catboost", {"learning_rate": 0.0314, "depth": 8, "l2_leaf_reg": 2.8, "grow_policy": "Depthwise"}),
    "catboost shallow": ("catboost", {"learning_rate": 0.05, "depth": 4, "l2_leaf_reg": 5.0, "subsample": 0.8}),
    "catboost quick": ("catboost", {"learning_rate": 0.1, "depth": 6, "l2_leaf_reg": 3.0, "subsample": 0.8,
                                    "leaf_estimation_iterations": 1}),
    "catboost onehot": ("catboost", {"learning_rate": 0.05, "depth": 6, "l2_leaf_reg": 3.0, "one_hot_max_size": 255,
                                     "subsample": 0.8}),
}

FORESTS: dict[str, Config] = {
    "extra_trees": ("extra_trees", {}),
    "extra_trees wide": ("extra_trees", {"max_features": 0.8}),
    "extra_trees fine": ("extra_trees", {"min_samples_leaf": 1, "max_features": 0.5}),
    "random_forest": ("random_forest", {}),
    "random_forest wide": ("random_forest", {"max_features": 0.6}),
    "random_forest narrow": ("random_forest", {"max_features": 0.2}),
}

OTHERS: dict[str, Config] = {
    **{name: (name, {}) for name in ("logistic", "linear", "ridge", "lasso", "elastic_net", "knn", "rbf_svm",
                                     "linear_svm", "mlp", "naive_bayes", "decision_tree", "realmlp", "tabm")},
    "mlp wide": ("mlp", {"width": 256, "learning_rate": 2e-3, "alpha": 1e-2}),
}

CROSSED: dict[str, Config] = {
    "lightgbm crossed": ("lightgbm", {"crossed": True}),
    "lightgbm crossed r13": lgb(0.01932, 64, 28, 0.5534, 0.9923, 0.9144, 1.904, True, 1.866, 0.01429, 18, 54,
                                crossed=True),
    "lightgbm crossed r41": lgb(0.03, 8, 15, 0.4248, 0.7215, 0.113, 0.2623, True, 0.02787, 1.887, 9, 10, crossed=True),
    "lightgbm crossed small": lgb(0.05, 4, 20, 0.6, 0.8, 0.0, 1.0, False, 10.0, 10.0, 4, 100, crossed=True),
    "xgboost crossed": ("xgboost", {"crossed": True}),
    "catboost crossed": ("catboost", {"crossed": True}),
}

CONFIGS: dict[str, Config] = {**LIGHTGBM, **XGBOOST, **CATBOOST, **FORESTS, **OTHERS, **CROSSED}
