"""What every function of a process shares: its environment, read once, and its clock."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, TypeVar

from solution.application.adapters.clock import SystemClock

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.contract.settings import Settings

S = TypeVar("S", bound="Settings")


@functools.cache
def settings(kind: type[S]) -> S:
    """The function's settings, read from the environment once; raises `SettingsError` naming what is missing."""
    return kind.from_environment(os.environ)


@functools.cache
def clock() -> Clock:
    """The system's clock."""
    return SystemClock()
