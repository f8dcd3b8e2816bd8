"""How fast archives may be asked for: bytes in any stretch of time, and how long a staged archive can be read.

The budget is kept by a ledger of what was asked for lately, whoever asked. Bytes are entered *before* they are asked
for, under the moment by which the last of them will have been asked for; so they weigh on the budget from the entry
until a whole period after that moment.

Why no stretch of one period ever holds more than the budget: take the archives asked for in it, and the latest entry
among theirs. It was made before the stretch ended, and every other entry among theirs had its last moment after the
stretch began, less than a period before; so each of them still weighed when the latest entry was admitted, and together
they were within the budget. Only an archive larger than the budget exceeds it: it is admitted alone, when nothing else
weighs.

The rate is kept by the same ledger: who enters archives takes the next stretch of time that is free, as long as asking
for them takes at the rate, and waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from solution.domain.errors import InvalidInput

_SLOTS: Final = 288
_SHORTEST_GRACE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """``size`` bytes may be asked for in any stretch of ``period`` (a day, in the real service)."""

    size: int
    period: timedelta

    def __post_init__(self) -> None:
        """Refuse a budget that lets nothing through."""
        if self.size <= 0:
            raise InvalidInput(f"a retrieval budget of {self.size} bytes lets nothing through; it must be positive")
        if self.period <= timedelta(0):
            raise InvalidInput(f"a quota period of {self.period} is no stretch of time; it must be positive")

    @property
    def slot_seconds(self) -> int:
        """Moments are rounded up to this, so that a ledger never holds more than some 300 of them."""
        return max(1, int(self.period.total_seconds()) // _SLOTS)

    @property
    def grace(self) -> timedelta:
        """Within this time after its entry an archive must be asked for, or be entered again: five minutes of a day."""
        return max(self.period / _SLOTS, _SHORTEST_GRACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """``entries``: bytes by the moment (epoch seconds) by which they will all have been asked for.

    ``free_at`` is the moment (epoch milliseconds) until which turns to ask are taken.
    """

    entries: Mapping[int, int] = field(default_factory=dict)
    free_at: int = 0

    def weighing(self, budget: Budget, now: datetime) -> Ledger:
        """What still counts against the budget."""
        over = now.timestamp() - budget.period.total_seconds()
        entries = {moment: size for moment, size in self.entries.items() if moment > over}
        return Ledger(entries=entries, free_at=self.free_at)

    def without(self, moment: int, size: int) -> Ledger:
        """The ledger without ``size`` of the bytes that were entered under ``moment`` and will never be asked for."""
        if moment not in self.entries:
            return self
        entries = {**self.entries, moment: max(0, self.entries[moment] - size)}
        return Ledger(entries={one: left for one, left in entries.items() if left}, free_at=self.free_at)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self.entries.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The first ``count`` archives may be asked for once ``ledger`` is in force and ``delay`` has passed.

    Their bytes are entered under ``moment``.
    """

    count: int
    ledger: Ledger
    delay: timedelta = timedelta(0)
    moment: int = 0


def admit(
    ledger: Ledger, budget: Budget, sizes: Sequence[int], now: datetime, *, each: timedelta = timedelta(0)
) -> Admission:
    """Enter as many archives of these sizes, in their order, as the budget allows now.

    Size 0 stands for a request that costs no budget, such as the extension of a window. ``each`` is the time that one
    request takes at the allowed rate.

    An archive larger than the whole budget is admitted by itself once nothing else weighs; it then keeps everybody
    waiting for a period.
    """
    present = ledger.weighing(budget, now)
    room = budget.size - present.size
    count = taken = 0
    for size in sizes:
        if size and taken + size > room and (taken or present.size):
            break
        count, taken = count + 1, taken + size
    if not count:
        return Admission(count=0, ledger=present)
    slot = budget.slot_seconds
    moment = math.ceil((now + budget.grace).timestamp() / slot) * slot
    entries = {**present.entries, moment: present.entries.get(moment, 0) + taken} if taken else present.entries
    # A turn must come well within the grace; Glacier itself throttles those hundreds of runs that this would not hold.
    begin = min(max(now, _moment(present.free_at)), now + budget.grace / 2)
    free_at = math.ceil((begin + count * each).timestamp() * 1000)
    return Admission(count=count, ledger=Ledger(entries=entries, free_at=free_at), delay=begin - now, moment=moment)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def seconds_until_more(ledger: Ledger, budget: Budget, now: datetime) -> int:
    """Whole seconds until more may be asked for than now, at least one; the next entry has ceased to weigh then."""
    present = ledger.weighing(budget, now)
    if not present.entries:
        return 1
    ends = min(present.entries) + budget.period.total_seconds()
    return max(1, math.ceil(ends - now.timestamp()))


def window_end(completed: datetime, window: timedelta) -> datetime:
    """When a staged archive can no longer be read: ``window`` (24 h, in the real service) after the job completed."""
    return completed + window


def needs_extension(*, end: datetime, now: datetime, threshold: timedelta) -> bool:
    """Whether so little of the window is left that the archive must be asked for again."""
    return end - now < threshold
