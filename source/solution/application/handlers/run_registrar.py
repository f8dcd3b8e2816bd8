"""Lambda function RunRegistrar: the orchestrator's first step."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.contract.messages import OrchestratorInput

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"input", "execution_arn", "execution_name"}``, the input being the orchestrator's.

    Returns ``{"attempt", "completion_job_id", "rule_target_id", "started_at"}``.
    """
    order = OrchestratorInput.parse(event["input"])
    with bound(workflow_run=order.workflow_run, vault_name=order.vault_name):
        return asdict(
            orchestration.register_run()(
                order, execution_arn=event["execution_arn"], execution_name=event["execution_name"]
            )
        )
