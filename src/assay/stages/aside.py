"""Work in a thread of its own beside the main one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from assay.errors import ASIDE

T = TypeVar("T")


class Aside(Generic[T]):
    """Something done in a thread of its own; what it gives or raises is handed over by `result`."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._found: list[T | BaseException] = []
        self._thread = threading.Thread(target=self._do, args=(work,), name=ASIDE, daemon=True)
        self._thread.start()

    def _do(self, work: Callable[[], T]) -> None:
        try:
            self._found.append(work())
        except BaseException as error:  # noqa: BLE001 - handed over to whoever asks for the result
            self._found.append(error)

    @property
    def going(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> T:
        self._thread.join()
        found = self._found[0]
        if isinstance(found, BaseException):
            raise found
        return found
