"""Lambda function ExtendWindowRequest: keeps windows open, and asks what became of overdue retrievals."""

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
    """A `WorkBatch` with a tier. Returns archives by outcome: the fields of `Extended` and `FollowedUp`.

    Raises `Throttled` to be tried again. Windows come first: they close, while a retrieval that is overdue can wait.
    """
    batch = WorkBatch.parse(event)
    with bound(workflow_run=batch.workflow_run, vault_name=batch.vault_name):
        deadline = retrieval.deadline(seconds_left(context))
        extended = retrieval.extend_windows()(batch, deadline)
        followed_up = retrieval.follow_up_retrievals()(batch, deadline)
        return asdict(extended) | asdict(followed_up)
