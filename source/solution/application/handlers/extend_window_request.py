"""Lambda function ExtendWindowRequest: asks again for staged archives whose window is about to close."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from solution.application.batches import seconds_left
from solution.application.observability import bound
from solution.application.wiring import retrieval
from solution.contract.messages import WorkBatch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """A `WorkBatch` with a tier. Returns ``{"extended", "requested_again"}``; raises `Throttled` to be tried again."""
    batch = WorkBatch.parse(event)
    with bound(workflow_run=batch.workflow_run, vault_name=batch.vault_name):
        return asdict(retrieval.extend_windows()(batch, retrieval.deadline(seconds_left(context))))
