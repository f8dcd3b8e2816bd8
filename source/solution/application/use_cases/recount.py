"""Sets the counters of a run to the truth before its next attempt begins, whatever became of the changes until then."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solution.application.ports.archive_scan import Purpose, ScanQuery
from solution.application.ports.counters import Tally
from solution.domain.status import ArchiveStatus, milestones

if TYPE_CHECKING:
    from solution.application.ports.archive_scan import ArchiveScan
    from solution.application.ports.clock import Deadline
    from solution.application.ports.counters import Counters

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecountPosition:
    """Where an invocation takes over: the table's position, and the archives and bytes that were found before it."""

    key: str
    archives: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """Looks at every archive of the run and restates the counters, exactly.

    An attempt begins by stopping all that the attempts before it left unfinished. After that their archives are either
    downloaded or stopped, and none of them changes any more but by being claimed for the new attempt. So a look at the
    table, which takes its time, finds what holds at one moment; and changes are told apart by the attempt that the
    archive belongs to, not by when they happened. The counters begin anew with what is downloaded, and only changes of
    the new attempt are added to them: a record of the stream that was counted wrongly, twice or never until then makes
    no difference, and one that comes late makes none either.

    A scan by one reader: ten million archives take it some ten minutes, and asking for them takes days.
    """

    scan: ArchiveScan
    counters: Counters

    def __call__(
        self, *, run: str, attempt: int, start: RecountPosition | None, deadline: Deadline
    ) -> RecountPosition | None:
        """Count the archives of attempts before ``attempt``; None when the counters are restated."""
        if self.counters.memory(run, ()).counted_from >= attempt:
            return None
        archives, size = (start.archives, start.bytes) if start else (0, 0)
        query = ScanQuery(run=run, purpose=Purpose.DOWNLOADED, before_attempt=attempt)
        for page in self.scan.pages(query, segment=0, total_segments=1, start=start.key if start else None):
            archives += len(page.rows)
            size += sum(row.size for row in page.rows)
            if page.next is not None and deadline.remaining() <= 0:
                return RecountPosition(key=page.next, archives=archives, bytes=size)
        self._restate(run, attempt, archives, size)
        return None

    def _restate(self, run: str, attempt: int, archives: int, size: int) -> None:
        before = self.counters.read(run)
        reached = milestones(ArchiveStatus.DOWNLOADED)
        tally = Tally(archives=dict.fromkeys(reached, archives), size=dict.fromkeys(reached, size))
        if self.counters.restate(run, tally, counted_from=attempt):
            _log.info(
                "The counters are restated",
                extra={"attempt": attempt, "tally_before": before and dict(before.archives), "downloaded": archives},
            )
