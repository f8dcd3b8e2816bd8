"""What the service was asked to do, counted since it started; for tests and for the curious."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any


class Statistics:
    """Counters, safe to use from several threads. They live in memory and start at zero with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Everything back to zero."""
        with self._lock:
            self._operations: Counter[str] = Counter()
            self._errors: Counter[str] = Counter()
            self._totals: Counter[str] = Counter()
            self._archives: dict[str, Counter[str]] = {}

    def operation(self, name: str) -> None:
        """A request for the operation arrived."""
        with self._lock:
            self._operations[name] += 1

    def error(self, code: str) -> None:
        """A request was answered with this error code."""
        with self._lock:
            self._errors[code] += 1

    def total(self, name: str, amount: int = 1) -> None:
        """Add to a total such as ``bytes_out`` or ``notifications_published``."""
        with self._lock:
            self._totals[name] += amount

    def archive(self, archive_id: str | None, **amounts: int) -> None:
        """Add to the counters of an archive; no archive, no count."""
        if archive_id is None:
            return
        with self._lock:
            self._archives.setdefault(archive_id, Counter()).update(amounts)

    def to_json(self) -> dict[str, Any]:
        """``operations``, ``errors``, ``totals`` and, by archive id, ``archives`` (jobs, reads, bytes)."""
        with self._lock:
            return {
                "operations": dict(self._operations),
                "errors": dict(self._errors),
                "totals": dict(self._totals),
                "archives": {archive: dict(counts) for archive, counts in self._archives.items()},
            }
