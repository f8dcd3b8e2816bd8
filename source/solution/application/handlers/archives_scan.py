"""Lambda function ArchivesScan: a segment of the table becomes work lists or manifests."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.ports.archive_scan import Purpose
from solution.application.use_cases.scan_archives import ScanPosition
from solution.application.wiring import orchestration
from solution.application.wiring.process import reading_deadline
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "purpose", "output_prefix", "segment", "total_segments", "start"}`` → ``{"found", "next"}``.

    ``next`` is null when the segment is done, else it is the ``start`` of the next invocation.
    """
    run = check_run_id(event["workflow_run"])
    start = event["start"]
    with bound(workflow_run=run, purpose=event["purpose"], segment=event["segment"]):
        outcome = orchestration.scan_archives()(
            run=run,
            purpose=Purpose(event["purpose"]),
            output_prefix=event["output_prefix"],
            segment=int(event["segment"]),
            total_segments=int(event["total_segments"]),
            start=ScanPosition(**start) if start else None,
            deadline=reading_deadline(context),
        )
        return {"found": outcome.found, "next": asdict(outcome.next) if outcome.next else None}
