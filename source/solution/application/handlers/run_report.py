"""Lambda function RunReport: the run's end in writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solution.application.observability import bound
from solution.application.wiring import orchestration
from solution.contract.failures import Failure
from solution.contract.object_keys import failed_archives_key, summary_key
from solution.domain.archive import check_run_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``{"workflow_run", "vault_name", "execution_name", "failure"}``.

    Returns the outcome, what was counted, and where it is written.
    """
    run = check_run_id(event["workflow_run"])
    with bound(workflow_run=run, vault_name=event["vault_name"]):
        report_run = orchestration.report_run()
        report = report_run(
            run=run,
            vault_name=event["vault_name"],
            execution_name=event["execution_name"],
            failure=Failure.parse(event.get("failure")),
        )
        summary = report.as_json(report_run.inventory_bucket, report_run.destination_bucket)
        return {
            "outcome": summary["outcome"],
            "execution_name": summary["execution_name"],
            "archives": summary["archives"],
            "bytes": summary["bytes"],
            "failed_archives_key": failed_archives_key(run),
            "failed_archives_uri": summary["where"]["failed_archives"],
            "summary_key": summary_key(run),
            "summary_uri": summary["where"]["summary"],
        }
