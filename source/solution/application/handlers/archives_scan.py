"""Lambda function ArchivesScan: a segment of the table becomes work lists or manifests, or is closed."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.ports.archive_scan import Purpose
from solution.application.use_cases.scan_archives import ScanPosition
from solution.application.wiring import orchestration
from solution.application.wiring.process import reading_deadline
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from solution.application.use_cases.scan_archives import ScanOutcome


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "purpose", "output_prefix", "segment", "total_segments", "start"}`` → ``{"found", "next"}``.

    ``next`` is null when the segment is done, else it is the ``start`` of the next invocation. With purpose ``closing``
    nothing is written into files: archives that are unfinished are stopped, and ``found`` says how many.
    """
    run = check_run_id(event["workflow_run"])
    start = event["start"]
    purpose = Purpose(event["purpose"])
    with bound(workflow_run=run, purpose=purpose, segment=event["segment"]):
        work: Callable[..., ScanOutcome] = (
            orchestration.close_archives()
            if purpose is Purpose.CLOSING
            else partial(orchestration.scan_archives(), purpose=purpose, output_prefix=event["output_prefix"])
        )
        outcome = work(
            run=run,
            segment=int(event["segment"]),
            total_segments=int(event["total_segments"]),
            start=ScanPosition(**start) if start else None,
            deadline=reading_deadline(context),
        )
        return {"found": outcome.found, "next": asdict(outcome.next) if outcome.next else None}
