"""Intervals, resampling and paired comparison: pure functions over tables of outcomes.

    resample.py     units and moments, sums by unit, bootstrap weights, redraws of a table
    serial.py       memory in time: block length and the variance of a sum
    expand.py       a function of means as a sum over cases: standard error, skewness, curvature
    rank.py         ROC AUC and average precision with what each case adds to them
    intervals.py    estimate(metric, outcomes) -> Estimate
    calibration.py  how far probabilities are from frequencies, with chance taken out
    conformal.py    the order statistic of past errors that bounds the next one
    paired.py       compare(metric, a, b) -> Difference, holm(p_values)
    folds.py        against(...): recipes over folds
    selection.py    corrected(...): the best of many
"""
