"""Lambda function UnrequestedListing: what a file of the sorted inventory holds that the run has no record of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "key", "output_prefix"}`` → ``{"found"}``."""
    run, key = check_run_id(event["workflow_run"]), event["key"]
    with bound(workflow_run=run, key=key):
        found = orchestration.list_unrequested()(run=run, key=key, output_prefix=event["output_prefix"])
        return {"found": found}
