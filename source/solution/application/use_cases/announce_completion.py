"""The last step of a run: its record is closed, and the operator is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solution.application.use_cases.report_run import count_missing
from solution.application.use_cases.summary_text import headline, reason_text, size_text
from solution.contract.tables import RunStatus
from solution.domain.archive import format_time
from solution.domain.errors import NotPossible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from solution.application.ports.clock import Clock
    from solution.application.ports.notices import Notices
    from solution.application.ports.runs import RunRecords
    from solution.contract.failures import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceCompletion:
    """Writes the outcome into the run's record and publishes it; done again it says the same again."""

    records: RunRecords
    notices: Notices
    clock: Clock

    def __call__(
        self,
        *,
        run: str,
        vault_name: str,
        execution_name: str,
        report: Mapping[str, Any] | None,
        failure: Failure | None,
    ) -> RunStatus:
        """``report`` is what RunReport returned, None when it failed; then the run counts as failed, or stopped.

        Raises `NotPossible` when a newer attempt owns the run.
        """
        outcome = _outcome(report, failure)
        if not self.records.finish(
            run,
            execution_name=execution_name,
            outcome=outcome,
            ended_at=format_time(self.clock.now()),
            failure=failure.text if failure else "",
        ):
            message = f"run {run!r} is unknown or no longer execution {execution_name!r}'s: its outcome stays as it is"
            raise NotPossible(message)
        self.notices.publish(
            subject=f"Glacier transfer {run}: {outcome}", text=notice_text(run, vault_name, outcome, report, failure)
        )
        return outcome

    def not_begun(self, *, run: str, vault_name: str, execution_name: str, failure: Failure | None) -> RunStatus:
        """The attempt could not be registered, so there is no record of it to close."""
        why = f"{failure.error}: {failure.cause}" if failure else "no reason is known"
        self.notices.publish(
            subject=f"Glacier transfer {run}: not begun",
            text=f"Execution {execution_name}, which was to transfer vault {vault_name} as run {run}, has not begun."
            f"\n\nFailure: {why}\n\nNothing was asked for or copied by it, and what the run may have from other "
            "attempts is as it was. Mend the cause, then start the runbook again.\n",
        )
        return RunStatus.FAILED


def _outcome(report: Mapping[str, Any] | None, failure: Failure | None) -> RunStatus:
    if failure is not None and failure.stopped:
        return RunStatus.STOPPED
    return RunStatus(report["outcome"]) if report and not failure else RunStatus.FAILED


def notice_text(
    run: str, vault_name: str, outcome: RunStatus, report: Mapping[str, Any] | None, failure: Failure | None
) -> str:
    """What the operator reads in a mail."""
    missing = count_missing(report["archives"], failure) if report else None
    lines = [f"Transfer of vault {vault_name}, run {run}: {outcome}", "", headline(outcome, missing), ""]
    if failure:
        lines += [reason_text(failure), ""]
    if report:
        sizes = report.get("bytes") or {}
        for name, count in report["archives"].items():
            size = f"  {size_text(sizes[name])}" if name in sizes else ""
            if count:
                lines.append(f"{name.replace('_', ' ') + ':':<15}{count:>15,} archives{size}")
        lines += ["", f"Report: {report.get('summary_uri') or report['summary_key']}"]
        failed = report.get("failed_archives_uri") or report["failed_archives_key"]
        lines.append(f"What did not arrive, and why: {failed}")
    else:
        lines.append("No report could be written; see the log of the clean-up state machine.")
    if missing is None or missing:
        lines += ["", f"Start ResumeAutomationRunbook with WorkflowRun {run} to transfer what is missing."]
    return "\n".join(lines) + "\n"
