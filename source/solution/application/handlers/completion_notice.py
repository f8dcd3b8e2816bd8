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
    """``{"workflow_run", "vault_name", "execution_name", "report", "failure", "begun"}`` → ``{"outcome"}``.

    ``report`` is what RunReport returned, null when it failed. ``begun`` is false for an execution that never was the
    run's.
    """
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run, vault_name=event["vault_name"]):
        announce = orchestration.announce_completion()
        vault_name, execution_name = event["vault_name"], event["execution_name"]
        failure = Failure.parse(event.get("failure"))
        if event["begun"]:
            outcome = announce(
                run=run,
                vault_name=vault_name,
                execution_name=execution_name,
                report=event.get("report"),
                failure=failure,
            )
        else:
            outcome = announce.not_begun(run=run, vault_name=vault_name, execution_name=execution_name, failure=failure)
        return {"outcome": str(outcome)}
