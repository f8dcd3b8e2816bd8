"""Pacing of calls: a token bucket for the rate we may use, and full jitter for the times we are told to wait.

Full jitter spreads retries best ("Exponential Backoff And Jitter", AWS Architecture Blog).
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from solution.domain.errors import InvalidInput

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock


class TokenBucket:
    """Lets at most ``rate`` callers per second through, in turn, evenly; shared by threads.

    The bucket holds one token: a burst after a pause would exceed the rate in the second that follows.
    """

    def __init__(self, clock: Clock, rate: float) -> None:
        if rate <= 0:
            raise InvalidInput(f"a rate of {rate} calls per second lets nothing through; it must be positive")
        self._clock = clock
        self._interval = 1 / rate
        self._next = clock.monotonic()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for a token."""
        with self._lock:
            now = self._clock.monotonic()
            due = max(now, self._next)
            self._next = due + self._interval
        if due > now:
            self._clock.sleep(due - now)


class FullJitter:
    """Delays drawn evenly from zero to an exponentially growing bound, in seconds."""

    def __init__(self, *, base: float = 0.25, cap: float = 20.0, seed: int | None = None) -> None:
        self._base = base
        self._cap = cap
        self._random = random.Random(seed)  # noqa: S311 - spreads retries, keeps no secret

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number ``attempt``, counted from 0."""
        return self._random.uniform(0, min(self._cap, self._base * 2 ** min(attempt, 30)))


_REDELIVERY_SECONDS = (60, 600, 3600, 3 * 3600)


def redelivery_delay(deliveries: int) -> int:
    """Seconds until a message that has failed ``deliveries`` times should come again.

    The first are short, for most trouble passes; the last outlast a service's bad hours. With five deliveries a message
    is tried for some four hours, well within the 24 in which Glacier keeps an archive readable.
    """
    return _REDELIVERY_SECONDS[min(max(deliveries, 1), len(_REDELIVERY_SECONDS)) - 1]
