"""Lambda function NamingOverrideFetch: the user's names are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "name_override_presigned_url"}`` → ``{"key", "bytes"}``."""
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run):
        fetched = orchestration.fetch_naming_override()(run=run, url=event["name_override_presigned_url"])
        return {"key": fetched.key, "bytes": fetched.size}
