"""Executions of state machines, and runs of the inventory job, as those who end a run see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ABORTED: Final = "ABORTED"
"""Status of an execution that somebody has stopped."""

_UNDER_WAY: Final = frozenset({"RUNNING", "PENDING_REDRIVE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How an execution stands. ``error`` and ``cause`` are empty for one that has not failed."""

    status: str
    error: str = ""
    cause: str = ""
    stopped_at: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status in _UNDER_WAY


def execution_arn(machine_arn: str, name: str) -> str:
    """ARN of the execution of this name."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


class Executions(Protocol):
    """Executions of all state machines."""

    def look(self, arn: str) -> Execution | None:
        """How the execution stands; None when there is, or was, none. Step Functions forgets after 90 days."""
        ...

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        """End the execution, unless it has ended or never was."""
        ...

    def start(self, machine_arn: str, *, name: str, payload: Mapping[str, Any]) -> bool:
        """Start an execution; False when the name is taken."""
        ...


class InventoryJobs(Protocol):
    """Runs of the inventory job."""

    def stop(self, run: str) -> int:
        """Ask those that work for ``run`` to stop; returns how many have not ended yet."""
        ...
