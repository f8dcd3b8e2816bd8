"""Lambda function RunWatcher: the periodic look for runs that nobody carries out any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import logger
from solution.application.wiring import orchestration

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """A rule's tick, or the end of an orchestrator; either way it looks at every run. Returns how many it found how."""
    found = orchestration.watch_runs()()
    logger.info("Looked at the runs", extra={"found": found})
    return found
