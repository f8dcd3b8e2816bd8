"""Lambda function CountersRecount: the counters are restated before an attempt begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.use_cases.recount import RecountPosition
from solution.application.wiring import orchestration
from solution.application.wiring.process import reading_deadline
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "attempt", "start"}`` → ``{"next"}``.

    ``next`` is null when the counters are restated, else it is the ``start`` of the next invocation. Its bytes are
    text, for Step Functions keeps numbers exactly up to 2**53 only.
    """
    run = check_run_id(event["workflow_run"])
    start = event["start"]
    with bound(workflow_run=run):
        position = orchestration.recount()(
            run=run,
            attempt=int(event["attempt"]),
            start=RecountPosition(key=start["key"], archives=start["archives"], bytes=int(start["bytes"]))
            if start
            else None,
            deadline=reading_deadline(context),
        )
    if position is None:
        return {"next": None}
    return {"next": {"key": position.key, "archives": position.archives, "bytes": str(position.bytes)}}
