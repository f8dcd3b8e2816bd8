"""Lambda function CompletionChecker: the periodic look at a run that may have ended, or stalled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound, logger
from solution.application.wiring import retrieval

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """``{"workflow_run", "vault_name", "execution_name", "completion_job_id"}``. Returns ``{"found"}``."""
    run = event["workflow_run"]
    with bound(workflow_run=run, vault_name=event.get("vault_name")):
        found = retrieval.check_completion()(run=run, execution_name=event["execution_name"])
        logger.info("Looked for completion", extra={"found": found})
        return {"found": found.value}
