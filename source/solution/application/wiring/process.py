"""What every function of a process shares: its environment, read once, and its clock."""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from solution.application.adapters.clock import SystemClock
from solution.application.ports.clock import Deadline
from solution.domain.archive import Tier

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from solution.application.ports.clock import Clock
    from solution.contract.settings import OverdueSettings, Settings

S = TypeVar("S", bound="Settings")

_SHARE_OF_TIME = 0.8


@functools.cache
def settings(kind: type[S]) -> S:
    """The function's settings, read from the environment once; raises `SettingsError` naming what is missing."""
    return kind.from_environment(os.environ)


@functools.cache
def clock() -> Clock:
    """The system's clock."""
    return SystemClock()


def reading_deadline(context: LambdaContext) -> Deadline:
    """Until when a function may read that goes on in another invocation.

    The fifth of its time that is left is for what is under way then: a page, the last file, a read that breaks off.
    """
    return Deadline.after(clock(), context.get_remaining_time_in_millis() / 1000 * _SHARE_OF_TIME)


def overdue(own: OverdueSettings) -> dict[Tier, timedelta]:
    """For how long Glacier may say nothing of a retrieval, by tier."""
    return {
        Tier.BULK: timedelta(seconds=own.bulk_overdue_seconds),
        Tier.STANDARD: timedelta(seconds=own.standard_overdue_seconds),
    }
