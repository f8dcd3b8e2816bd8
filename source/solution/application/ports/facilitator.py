"""Answers that a state machine waits for: the table where task tokens and job results meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from solution.contract.messages import JobResult


class Facilitator(Protocol):
    """Stores results of awaited jobs; either side, token or result, may be written first."""

    def put_result(self, result: JobResult, now: datetime) -> bool:
        """Store the result of a job unless it has one already; returns whether this call stored it."""
        ...

    def remind(self, job_id: str, now: datetime) -> None:
        """Have the waiting task answered once more, for an answer can get lost; nothing without a result."""
        ...


class TaskGate(Protocol):
    """Answers waiting tasks. Each returns False when nobody waits any more, which is not an error."""

    def succeed(self, token: str, output: str) -> bool:
        """Let the task succeed with ``output``, JSON."""
        ...

    def fail(self, token: str, *, error: str, cause: str) -> bool:
        """Let the task fail with the error's name and its cause for people."""
        ...
