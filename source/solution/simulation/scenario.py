"""What is simulated: the stack's parameters, Glacier's times, and how fast functions are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from solution.domain.archive import Tier
from solution.domain.pacing import Budget

HOUR: Final = 3600.0
TIB: Final = 1024**4
MIB: Final = 1024**2
GIB: Final = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Seconds from request to notification, evenly spread between these."""

    least: float
    most: float


STAGING: Final = {
    Tier.BULK: Staging(least=5 * HOUR, most=12 * HOUR),
    Tier.STANDARD: Staging(least=3 * HOUR, most=5 * HOUR),
}
"""What Glacier typically takes ("Archive Retrieval Options", S3 Glacier Developer Guide)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """How archives are copied: ``functions`` at once, each so many seconds for an archive and bytes per second.

    The number is the template's; the speeds are assumptions, not measurements in an account.
    """

    functions: int = 250
    seconds_per_archive: float = 0.5
    bytes_per_second: float = 60.0 * MIB

    def work(self, archives: int, size: int) -> float:
        """Seconds of one function."""
        return archives * self.seconds_per_archive + size / self.bytes_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Defaults are those of the stack's parameters.

    Attributes:
        budget: bytes that may be asked for in a period, over any such stretch.
        jobs_per_second: how many archives are asked for in a second, at most.
        batch: archives asked for by one invocation.
        seconds_between_batches: what a state machine and a function need beside the requests; an assumption.
        staging: how long Glacier takes.
        copying: how fast archives are copied once they are staged.
        window: how long a staged archive can be read.
        extend_when_remaining: how little of it is too little.
        extension_period: how often it is looked at.
        seed: makes staging times; the same again with the same seed.
    """

    budget: Budget = field(default_factory=lambda: Budget(size=100 * TIB, period=timedelta(days=1)))
    jobs_per_second: float = 100.0
    batch: int = 100
    seconds_between_batches: float = 0.5
    staging: Staging = STAGING[Tier.BULK]
    copying: Copying = Copying()
    window: timedelta = timedelta(hours=24)
    extend_when_remaining: timedelta = timedelta(hours=5)
    extension_period: timedelta = timedelta(hours=1)
    seed: int = 0
