"""Lambda function InitiateArchiveRetrieval: asks Glacier for a batch of archives."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from solution.application.batches import seconds_left
from solution.application.observability import bound
from solution.application.wiring import retrieval
from solution.contract.messages import RetrievalBatch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """A `RetrievalBatch`. Returns ``{"requested", "failed", "already"}``; raises `Throttled` or `QuotaUsed`."""
    batch = RetrievalBatch.parse(event)
    with bound(workflow_run=batch.workflow_run, vault_name=batch.vault_name):
        return asdict(retrieval.request_archives()(batch, retrieval.deadline(seconds_left(context))))
