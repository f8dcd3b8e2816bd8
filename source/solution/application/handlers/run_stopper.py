"""Lambda function RunStopper: a run ends because somebody wishes it so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """``{"workflow_run", "reason"}`` → ``{"found"}``, one of `Stopping`; the reason is for people."""
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run):
        return {"found": orchestration.stop_run()(run, reason=event["reason"]).value}
