"""How fast archives may be asked for: bytes in any stretch of time, and how long a staged archive can be read.

The budget is kept by a ledger of what was asked for lately, whoever asked. Bytes are entered *before* they are asked
for, under the moment by which the last of them will have been asked for; so they weigh on the budget from the entry
until a whole period after that moment.

Why no stretch of one period ever holds more than the budget: take the archives asked for in it, and the latest entry
among theirs. It was made before the stretch ended, and every other entry among theirs had its last moment after the
stretch began, less than a period before; so each of them still weighed when the latest entry was admitted, and together
they were within the budget. Only an archive larger than the budget exceeds it: it is admitted alone, when nothing else
weighs.

Why nobody waits for ever: who is refused is noted in the ledger, behind those who were refused before, and what those
wait for is set aside until they have it. So an archive that needs much room gets it, although others could use each
piece of it that becomes free, and one that needs more than the budget finds the day on which nothing else weighs: it
keeps its place, and nothing is let in before it. Each is served after those before it, who then wait behind it. Who
does not come back when it said it would, for its run was stopped, has lost its place a little later.

The rate is kept by the same ledger: who enters archives takes the next stretch of time that is free, as long as asking
for them takes at the rate, and waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
class Waiter:
    """Who was refused an archive of ``size`` bytes, and comes back before ``until`` (epoch seconds)."""

    owner: str
    size: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """``entries``: bytes by the moment (epoch seconds) by which they will all have been asked for.

    ``free_at`` is the moment (epoch milliseconds) until which turns to ask are taken. ``waiting`` are those who were
    refused, in the order in which they are served.
    """

    entries: Mapping[int, int] = field(default_factory=dict)
    free_at: int = 0
    waiting: tuple[Waiter, ...] = ()

    def weighing(self, budget: Budget, now: datetime) -> Ledger:
        """What still counts against the budget, and who still waits."""
        over = now.timestamp() - budget.period.total_seconds()
        entries = {moment: size for moment, size in self.entries.items() if moment > over}
        waiting = tuple(one for one in self.waiting if one.until > now.timestamp())
        return replace(self, entries=entries, waiting=waiting)

    def without(self, moment: int, size: int) -> Ledger:
        """The ledger without ``size`` of the bytes that were entered under ``moment`` and will never be asked for."""
        if moment not in self.entries:
            return self
        entries = {**self.entries, moment: max(0, self.entries[moment] - size)}
        return replace(self, entries={one: left for one, left in entries.items() if left})

    def before(self, owner: str) -> tuple[Waiter, ...]:
        """Those who are served before ``owner``: all who wait, for one who does not."""
        names = [one.owner for one in self.waiting]
        return self.waiting[: names.index(owner)] if owner in names else self.waiting

    def with_waiter(self, waiter: Waiter) -> Ledger:
        """With one who keeps its place, or gets the last one."""
        before = self.before(waiter.owner)
        return replace(self, waiting=(*before, waiter, *self.waiting[len(before) + 1 :]))

    def served(self, owner: str, size: int) -> Ledger:
        """Without ``owner``, if it waited for no more than the ``size`` it has got."""
        waiting = tuple(one for one in self.waiting if one.owner != owner or one.size > size)
        return replace(self, waiting=waiting)

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
    ledger: Ledger,
    budget: Budget,
    sizes: Sequence[int],
    now: datetime,
    *,
    each: timedelta = timedelta(0),
    owner: str = "",
    back_within: timedelta | None = None,
) -> Admission:
    """Enter as many archives of these sizes, in their order, as the budget allows now.

    Size 0 stands for a request that costs no budget, such as the extension of a window. ``each`` is the time that one
    request takes at the allowed rate.

    An ``owner`` that gets nothing of what it needs waits in the ledger from then on, if it has a name; it comes back
    ``back_within`` this time, or when `seconds_until_more` says so. An archive larger than the whole budget is admitted
    by itself once nothing else weighs; it then keeps everybody waiting for a period.
    """
    present = ledger.weighing(budget, now)
    before = present.before(owner)
    room = budget.size - present.size - sum(one.size for one in before)
    count = taken = largest = 0
    for size in sizes:
        if size and taken + size > room and (taken or present.size or before):
            break
        count, taken, largest = count + 1, taken + size, max(largest, size)
    if owner and taken:
        present = present.served(owner, largest)
    elif owner and count < len(sizes):
        patience = back_within or timedelta(seconds=seconds_until_more(present, budget, now)) + budget.grace
        until = math.ceil((now + patience).timestamp())
        present = present.with_waiter(Waiter(owner=owner, size=sizes[count], until=until))
    if not count:
        return Admission(count=0, ledger=present)
    slot = budget.slot_seconds
    moment = math.ceil((now + budget.grace).timestamp() / slot) * slot
    entries = {**present.entries, moment: present.entries.get(moment, 0) + taken} if taken else present.entries
    # A turn must come well within the grace; Glacier itself throttles those hundreds of runs that this would not hold.
    begin = min(max(now, _moment(present.free_at)), now + budget.grace / 2)
    free_at = math.ceil((begin + count * each).timestamp() * 1000)
    entered = replace(present, entries=entries, free_at=free_at)
    return Admission(count=count, ledger=entered, delay=begin - now, moment=moment)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def seconds_until_more(ledger: Ledger, budget: Budget, now: datetime) -> int:
    """Whole seconds until more may be asked for than now, at least one; the next entry has ceased to weigh then."""
    present = ledger.weighing(budget, now)
    if not present.entries:
        # the way is free, but for one who is served first and must come any moment
        return max(1, math.ceil(budget.grace.total_seconds() / 10)) if present.waiting else 1
    ends = min(present.entries) + budget.period.total_seconds()
    return max(1, math.ceil(ends - now.timestamp()))


def window_end(completed: datetime, window: timedelta) -> datetime:
    """When a staged archive can no longer be read: ``window`` (24 h, in the real service) after the job completed."""
    return completed + window


def needs_extension(*, end: datetime, now: datetime, threshold: timedelta) -> bool:
    """Whether so little of the window is left that the archive must be asked for again."""
    return end - now < threshold
