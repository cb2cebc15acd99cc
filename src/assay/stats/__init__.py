"""Intervals, resampling and paired comparison: pure functions over tables of outcomes.

    resample.py     units, sums by unit, bootstrap weights, redraws of a table
    rank.py         ROC AUC and average precision with what each case adds to them
    intervals.py    estimate(metric, outcomes) -> Estimate
    paired.py       compare(metric, a, b) -> Difference, holm(p_values)
"""
