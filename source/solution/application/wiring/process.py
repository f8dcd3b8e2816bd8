"""What every function of a process shares: its environment, read once, and its clock."""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from solution.application.adapters.clock import SystemClock
from solution.domain.archive import Tier

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.contract.settings import OverdueSettings, Settings

S = TypeVar("S", bound="Settings")


@functools.cache
def settings(kind: type[S]) -> S:
    """The function's settings, read from the environment once; raises `SettingsError` naming what is missing."""
    return kind.from_environment(os.environ)


@functools.cache
def clock() -> Clock:
    """The system's clock."""
    return SystemClock()


def overdue(own: OverdueSettings) -> dict[Tier, timedelta]:
    """For how long Glacier may say nothing of a retrieval, by tier."""
    return {
        Tier.BULK: timedelta(seconds=own.bulk_overdue_seconds),
        Tier.STANDARD: timedelta(seconds=own.standard_overdue_seconds),
    }
