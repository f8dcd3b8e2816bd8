"""Lambda function ArchivesStatusStop: unfinished archives of an earlier attempt are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.contract.messages import WorkBatch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A batch of a work list (`WorkBatch`) → ``{"stopped"}``."""
    batch = WorkBatch.parse(event)
    with bound(workflow_run=batch.workflow_run, vault_name=batch.vault_name):
        return {"stopped": orchestration.stop_archives()(batch)}
