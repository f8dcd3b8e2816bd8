"""The system's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """`solution.application.ports.clock.Clock` on the operating system."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(tz=UTC)

    def monotonic(self) -> float:
        """The operating system's monotonic clock, in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)
