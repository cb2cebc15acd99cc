"""One row through a LightGBM booster by its call for that: `predict` sets everything up anew, for 45 microseconds."""

from __future__ import annotations

import ctypes
import threading
import weakref
from typing import Any

import lightgbm as lgb
import numpy as np

from assay.contract import Array

_LIB: Any = getattr(lgb.basic, "_LIB", None)
_safe_call: Any = getattr(lgb.basic, "_safe_call", None)
_FLOAT32, _NORMAL, _ALL = 0, 0, -1              # of LightGBM's c_api.h: C_API_DTYPE_FLOAT32, C_API_PREDICT_NORMAL


class OneRow:
    """Answers as `booster.predict` does, to the bit, for one row at a time; each thread has a state of its own.

    LightGBM does not export this call to Python, so it is found where the version at hand keeps it; `known` says
    whether it was."""

    known = _safe_call is not None and hasattr(_LIB, "LGBM_BoosterPredictForMatSingleRowFastInit")

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster, self._mine = booster, threading.local()
        self._features, self._outputs = booster.num_feature(), booster.num_model_per_iteration()

    def __call__(self, x_D: Array) -> Array:
        """Of a row (D,) its scores (outputs,) as float64."""
        row = np.ascontiguousarray(x_D, dtype=np.float32)
        if row.shape != (self._features,):
            raise ValueError(f"a row of {row.shape} for a booster of {self._features} features")
        out, many = np.empty(self._outputs), ctypes.c_int64()
        _safe_call(_LIB.LGBM_BoosterPredictForMatSingleRowFast(
            self._state(), ctypes.c_void_p(row.ctypes.data), ctypes.byref(many), ctypes.c_void_p(out.ctypes.data)))
        return out

    def _state(self) -> Any:
        state = getattr(self._mine, "state", None)
        if state is None:
            state = ctypes.c_void_p()
            _safe_call(_LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster._handle, ctypes.c_int(_NORMAL), ctypes.c_int(0), ctypes.c_int(_ALL),
                ctypes.c_int(_FLOAT32), ctypes.c_int32(self._features), b"num_threads=1", ctypes.byref(state)))
            self._mine.state = state
            weakref.finalize(self, _LIB.LGBM_FastConfigFree, state)
        return state
