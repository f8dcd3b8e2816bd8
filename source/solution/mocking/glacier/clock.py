"""The service's idea of time: real, or set by a test. Moments are seconds since 1970 in UTC."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and tells listeners when time jumps."""

    def now(self) -> float:
        """Seconds since 1970."""

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever time jumps (never, if it only flows)."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Real time does not jump: the listener is never called."""


class ManualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._now

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each ``advance``."""
        self._listeners.append(listener)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            message = f"a clock cannot go back by {-seconds} seconds: advance by 0 or more"
            raise ValueError(message)
        with self._lock:
            self._now += seconds
        for listener in self._listeners:
            listener()


def iso(moment: float) -> str:
    """``2012-05-15T17:21:39.339Z``: the form of Glacier's API responses."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_seconds(moment: float) -> str:
    """``2012-05-15T17:21:39Z``: the form of Glacier's inventories."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> float:
    """Moment of an ISO 8601 text; one without a zone is taken as UTC.

    Raises:
        ValueError: the text is no date.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
