"""Lambda function ProvidedInventoryCheck: an inventory that the user provided is read to its last row."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.use_cases.check_provided_inventory import CheckPosition
from solution.application.wiring import orchestration
from solution.application.wiring.process import reading_deadline
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "start"}`` → ``{"files", "bytes", "rows", "next"}``.

    ``next`` is null when all is read, else it is the ``start`` of the next invocation; ``rows`` are those so far.
    """
    run, start = check_run_id(event["workflow_run"]), event["start"]
    with bound(workflow_run=run):
        found = orchestration.check_provided_inventory()(
            run,
            deadline=reading_deadline(context),
            start=CheckPosition(**start) if start else None,
        )
        return {
            "files": found.files,
            "bytes": found.size,
            "rows": found.rows,
            "next": asdict(found.next) if found.next else None,
        }
