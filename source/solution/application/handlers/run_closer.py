"""Lambda function RunCloser: the clean-up's first step, and its look whether the run has come to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.contract.failures import Failure
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "execution_name", "failure", "memory"}``; ``memory`` is the last answer's, null at first.

    Returns ``{"found", "quiet", "failure", "memory"}``, of which the next steps take the failure.
    """
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run):
        closing = orchestration.close_run()(
            run,
            execution_name=event["execution_name"],
            failure=Failure.parse(event.get("failure")),
            memory=event.get("memory"),
        )
        return {
            "found": closing.found.value,
            "quiet": closing.quiet,
            "failure": closing.failure.dump() if closing.failure else None,
            "memory": dict(closing.memory),
        }
