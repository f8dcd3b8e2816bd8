"""The summary of a run for people, in Markdown, and the notice that announces it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from solution.contract.tables import RunStatus
from solution.domain.costs import assumed, dollars_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from solution.application.use_cases.report_run import RunReport
    from solution.contract.failures import Failure

_HEADLINES: Final = {
    RunStatus.COMPLETED: "Every archive of the vault is in the destination bucket.",
    RunStatus.COMPLETED_WITH_FAILURES: "The run has ended, but not every archive was copied.",
    RunStatus.STOPPED: "The run was stopped before every archive was copied. What was copied stays.",
    RunStatus.FAILED: "The run has failed before every archive was copied. What was copied stays.",
}

_NOTHING_MISSING: Final = {
    RunStatus.COMPLETED_WITH_FAILURES: "The run has ended. Every archive that can be an S3 object was copied; "
    "some rows of the inventory cannot.",
    RunStatus.STOPPED: "The run was stopped when every archive was copied already.",
    RunStatus.FAILED: "The run has failed, though every archive was copied.",
}
"""For a run of which a resume would find nothing to transfer."""

_ROWS: Final = {
    "total": "in the inventory",
    "skipped": "larger than an S3 object may be, not migrated",
    "rejected": "unreadable rows of the inventory",
    "recorded": "asked for, in any state",
    "downloaded": "copied and proven",
    "failed": "failed",
    "unfinished": "asked for, not finished",
    "stopped": "stopped before they were copied",
    "not_requested": "never asked for",
}

_STEP: Final = 1024


def write_summary(report: RunReport, where: Mapping[str, str]) -> str:
    """Markdown; ``where`` names the places of ``RunReport.as_json``."""
    return "\n".join(_summary(report, where)) + "\n"


def _summary(report: RunReport, where: Mapping[str, str]) -> Iterator[str]:
    yield f"# Transfer of vault {report.vault_name}: {report.outcome}"
    yield ""
    yield headline(report.outcome, report.missing)
    yield ""
    yield f"- Run: `{report.run}`, attempt {report.attempt}"
    yield f"- Started: {report.started_at}, reported: {report.reported_at}, {duration(report.duration_seconds)}"
    if report.failure is not None:
        yield f"- {_cell(reason_text(report.failure))}"
    yield ""
    yield "| archives | count | bytes | |"
    yield "|---|---:|---:|---|"
    for name, tally in report.archives.items():
        if tally.archives or name in {"total", "downloaded", "failed"}:
            yield f"| {_ROWS[name]} | {tally.archives:,} | {tally.size:,} | {size_text(tally.size)} |"
    yield ""
    yield "## What it has cost so far"
    yield ""
    yield "| | US dollars |"
    yield "|---|---:|"
    for item in report.cost.once:
        yield f"| {item.name} | {dollars_text(item.dollars)} |"
    yield f"| **in all, all attempts of the run together** | **{dollars_text(report.cost.total)}** |"
    yield f"| storage of what is copied, a month | {dollars_text(report.cost.monthly)} |"
    yield ""
    yield f"This is {assumed()}."
    if report.reasons:
        yield ""
        yield "## Why archives failed"
        yield ""
        yield "| archives | reason |"
        yield "|---:|---|"
        for reason, count in report.reasons:
            yield f"| {count:,} | {_cell(reason)} |"
    if report.differences:
        yield ""
        yield "## Counters that differ from the records"
        yield ""
        for difference in report.differences:
            yield f"- {difference}"
    yield ""
    yield "## Where everything is"
    yield ""
    for name, place in where.items():
        yield f"- {name.replace('_', ' ')}: `{place}`"
    if report.missing is None or report.missing:
        yield ""
        yield f"Start `ResumeAutomationRunbook` with WorkflowRun `{report.run}` to transfer what is missing."


def headline(outcome: RunStatus, missing: int | None) -> str:
    """A sentence about the end. ``missing``: how many a resume would transfer; None where nobody can say."""
    return (_NOTHING_MISSING if missing == 0 else _HEADLINES).get(outcome, _HEADLINES[outcome])


def reason_text(failure: Failure) -> str:
    """Why a run ended before its archives did."""
    return f"{'Stopped' if failure.stopped else 'Failure'}: {failure.text}"


def _cell(text: str) -> str:
    """Text that stays within its table cell, and is no tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def duration(seconds: int) -> str:
    """Days, hours, minutes and seconds, as people read them."""
    return str(timedelta(seconds=seconds))


def size_text(size: int) -> str:
    """Bytes in the largest fitting binary unit, such as ``1.5 GiB``."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < _STEP:
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    return f"{value:.1f} PiB"
