"""How fast archives may be asked for: bytes per period, and how long a staged archive can be read."""

from __future__ import annotations

from datetime import datetime, timedelta

from solution.domain.errors import InvalidInput


def wait_after_partition(
    *,
    requested_bytes: int,
    budget_bytes: int,
    period: timedelta,
    started: datetime,
    now: datetime,
    last: bool,
) -> int:
    """Whole seconds to wait before the next partition may be asked for.

    A partition of ``requested_bytes``, begun at ``started``, has used its share of the period's budget once
    ``period * requested / budget`` has passed since; then the next may begin. After the last one there is nothing to
    wait for. The budget is bytes per ``period`` (a day, in the real service).
    """
    if budget_bytes <= 0:
        raise InvalidInput(f"daily retrieval budget {budget_bytes} is not a positive number of bytes")
    if last or requested_bytes <= 0:
        return 0
    due = started + period * (requested_bytes / budget_bytes)
    remaining = (due - now).total_seconds()
    return max(0, -int(-remaining // 1))


def window_end(completed: datetime, window: timedelta) -> datetime:
    """When a staged archive can no longer be read: ``window`` (24 h, in the real service) after the job completed."""
    return completed + window


def needs_extension(*, end: datetime, now: datetime, threshold: timedelta) -> bool:
    """Whether so little of the window is left that the archive must be asked for again."""
    return end - now < threshold
