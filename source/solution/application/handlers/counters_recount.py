"""Lambda function CountersRecount: the counters are restated before an attempt begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.ports.clock import Deadline
from solution.application.use_cases.recount import RecountPosition
from solution.application.wiring import orchestration
from solution.application.wiring.process import clock
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SHARE_OF_TIME = 0.8
"""Of the function's time, for reading; the rest is for the page that is under way."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "attempt", "start"}`` → ``{"next"}``.

    ``next`` is null when the counters are restated, else it is the ``start`` of the next invocation. Its bytes are
    text, for Step Functions keeps numbers exactly up to 2**53 only.
    """
    run = check_run_id(event["workflow_run"])
    start = event["start"]
    seconds = context.get_remaining_time_in_millis() / 1000 * SHARE_OF_TIME
    with bound(workflow_run=run):
        position = orchestration.recount()(
            run=run,
            attempt=int(event["attempt"]),
            start=RecountPosition(key=start["key"], archives=start["archives"], bytes=int(start["bytes"]))
            if start
            else None,
            deadline=Deadline.after(clock(), seconds),
        )
    if position is None:
        return {"next": None}
    return {"next": {"key": position.key, "archives": position.archives, "bytes": str(position.bytes)}}
