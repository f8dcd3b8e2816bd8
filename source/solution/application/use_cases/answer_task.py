"""Answer the state machine that waits for a job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from solution.contract.messages import JobResult

if TYPE_CHECKING:
    from solution.application.ports.facilitator import TaskGate

_log = logging.getLogger(__name__)

JOB_FAILED = "GlacierJobError"
"""Error name under which a failed job reaches the state machine."""


class AnswerTask:
    """Token and result may be written in either order; the write that completes the pair brings both here."""

    def __init__(self, *, gate: TaskGate) -> None:
        self._gate = gate

    def __call__(self, *, task_token: str | None, job_result: str | None) -> None:
        """Answer if both are there. A task that nobody waits for any more is logged and dropped."""
        if not task_token or not job_result:
            return
        result = JobResult.parse(job_result)
        if result.succeeded:
            answered = self._gate.succeed(task_token, result.dump())
        else:
            answered = self._gate.fail(task_token, error=JOB_FAILED, cause=result.message)
        _log.info(
            "A waiting task was answered" if answered else "Nobody waits for this answer any more",
            extra={"job_id": result.job_id, "succeeded": result.succeeded},
        )
