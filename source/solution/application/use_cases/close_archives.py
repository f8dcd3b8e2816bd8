"""What a run that ends before its time leaves unfinished is stopped, so that nothing of it moves any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from solution.application.ports.archive_scan import Purpose, ScanQuery
from solution.application.use_cases.scan_archives import ScanOutcome, ScanPosition
from solution.contract.tables import RunStatus
from solution.domain.errors import NotPossible
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from solution.application.ports.archive_scan import ArchiveScan, ArchiveStops
    from solution.application.ports.clock import Deadline
    from solution.application.ports.records import RunFactsReader

WHY_STOPPED: Final = {
    ArchiveStatus.REQUESTING: "stopped: the run ended before it was asked for; a resume asks for it",
    ArchiveStatus.REQUESTED: "stopped: the run ended while Glacier was retrieving it; a resume asks for it again",
    ArchiveStatus.STAGED: "stopped: the run ended before it was copied; a resume asks for it again",
}
"""What stands with an archive that was stopped, by its state before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseArchives:
    """Stops every unfinished archive of a run whose clean-up has begun; failed ones stay, with their reasons.

    Every move of an archive is conditional on its state. So whatever is still on its way, a copy, a message, a window's
    extension, finds the archive stopped and changes nothing, however late it comes: what the report is about to say
    stays true. An object that is stored all the same is found, and proven, by the resume.

    Stopped archives belong to the next attempt: what an invocation of this one may still be about to claim, it cannot.
    """

    scan: ArchiveScan
    stops: ArchiveStops
    runs: RunFactsReader

    def __call__(
        self, *, run: str, segment: int, total_segments: int, start: ScanPosition | None, deadline: Deadline
    ) -> ScanOutcome:
        """Stop what a segment of the table holds, until time runs short. Raises `NotPossible` while the run goes on."""
        facts = self.runs.facts(run)
        if facts is None or facts.status is not RunStatus.ENDING:
            status = facts.status if facts else "not known"
            raise NotPossible(f"run {run!r} is {status}: its archives are stopped when it is cleaned up, not before")
        found = start.sequence if start else 0
        query = ScanQuery(run=run, purpose=Purpose.CLOSING)
        pages = self.scan.pages(
            query, segment=segment, total_segments=total_segments, start=start.key if start else None
        )
        for page in pages:
            if page.rows:
                reasons = {row.archive_id: WHY_STOPPED[ArchiveStatus(row.status)] for row in page.rows}
                found += self.stops.close(run, reasons, attempt=facts.attempt + 1)
            if page.next is not None and deadline.remaining() <= 0:
                return ScanOutcome(found=found, next=ScanPosition(key=page.next, sequence=found))
        return ScanOutcome(found=found, next=None)
