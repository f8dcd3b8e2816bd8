"""Lambda function CompletionNotice: the run's record is closed and the operator told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.contract.failures import Failure
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "vault_name", "report", "failure"}`` → ``{"outcome"}``.

    ``report`` is what RunReport returned, null when it failed.
    """
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run, vault_name=event["vault_name"]):
        outcome = orchestration.announce_completion()(
            run=run,
            vault_name=event["vault_name"],
            report=event.get("report"),
            failure=Failure.parse(event.get("failure")),
        )
        return {"outcome": str(outcome)}
