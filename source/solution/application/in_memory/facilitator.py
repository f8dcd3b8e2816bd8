"""Job results and task answers in dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from solution.contract.messages import JobResult


class InMemoryFacilitator:
    """`solution.application.ports.facilitator.Facilitator`."""

    def __init__(self) -> None:
        self.results: dict[str, JobResult] = {}
        self.reminders: list[str] = []

    def put_result(self, result: JobResult, now: datetime) -> bool:  # noqa: ARG002
        return self.results.setdefault(result.job_id, result) is result

    def remind(self, job_id: str, now: datetime) -> None:  # noqa: ARG002
        if job_id in self.results:
            self.reminders.append(job_id)


class InMemoryGate:
    """`solution.application.ports.facilitator.TaskGate` over the tokens that somebody waits with."""

    def __init__(self, *waiting: str) -> None:
        self.waiting = set(waiting)
        self.succeeded: dict[str, str] = {}
        self.failed: dict[str, tuple[str, str]] = {}

    def succeed(self, token: str, output: str) -> bool:
        if token not in self.waiting:
            return False
        self.waiting.remove(token)
        self.succeeded[token] = output
        return True

    def fail(self, token: str, *, error: str, cause: str) -> bool:
        if token not in self.waiting:
            return False
        self.waiting.remove(token)
        self.failed[token] = (error, cause)
        return True
