"""Archives of many runs in a list, scanned and stopped as the table is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from solution.application.ports.archive_scan import ArchiveRow, Purpose, ScanPage
from solution.domain.archive import Tier
from solution.domain.status import ALLOWED_FROM, UNFINISHED, ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from solution.application.ports.archive_scan import ScanQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptArchive:
    """An archive with what a scan looks at but does not tell."""

    run: str
    row: ArchiveRow
    window_end: str = ""
    tier: Tier = Tier.BULK
    requested_at: str = ""
    attempt: int = 0


class InMemoryArchiveTable:
    """`ArchiveScan` and `ArchiveStops` of `solution.application.ports.archive_scan`; pages hold ``page`` archives."""

    def __init__(self, *archives: KeptArchive, page: int = 100) -> None:
        self.archives = list(archives)
        self.page = page

    def pages(self, query: ScanQuery, *, segment: int, total_segments: int, start: str | None) -> Iterator[ScanPage]:
        mine = [one for one in self.archives if zlib.crc32(one.row.archive_id.encode()) % total_segments == segment]
        position = int(start) if start is not None else 0
        while True:
            rows = [one.row for one in mine[position : position + self.page] if _matches(one, query)]
            if query.purpose is Purpose.DOWNLOADED:
                rows = [ArchiveRow(archive_id=row.archive_id, size=row.size) for row in rows]
            elif query.purpose is Purpose.CLOSING:
                rows = [ArchiveRow(archive_id=row.archive_id, status=row.status) for row in rows]
            elif query.purpose is not Purpose.REPORT:
                rows = [ArchiveRow(archive_id=row.archive_id) for row in rows]
            position += self.page
            following = str(position) if position < len(mine) else None
            yield ScanPage(rows=rows, next=following)
            if following is None:
                return

    def stop(self, run: str, archive_ids: Sequence[str], *, attempt: int) -> int:
        stopped = 0
        for position, one in enumerate(self.archives):
            if (
                one.run == run
                and one.row.archive_id in archive_ids
                and ArchiveStatus(one.row.status) in ALLOWED_FROM[ArchiveStatus.STOPPED]
            ):
                row = replace(one.row, status=str(ArchiveStatus.STOPPED), failure="")
                self.archives[position] = KeptArchive(run=run, row=row, attempt=attempt)
                stopped += 1
        return stopped

    def close(self, run: str, reasons: Mapping[str, str], *, attempt: int) -> int:
        stopped = 0
        for position, one in enumerate(self.archives):
            if one.run == run and one.row.archive_id in reasons and ArchiveStatus(one.row.status) in UNFINISHED:
                row = replace(one.row, status=str(ArchiveStatus.STOPPED), failure=reasons[one.row.archive_id])
                self.archives[position] = KeptArchive(run=run, row=row, attempt=attempt)
                stopped += 1
        return stopped


def _matches(one: KeptArchive, query: ScanQuery) -> bool:
    status = ArchiveStatus(one.row.status)
    if one.run != query.run:
        return False
    match query.purpose:
        case Purpose.UNFINISHED:
            return status in UNFINISHED | {ArchiveStatus.FAILED}
        case Purpose.CLOSING:
            return status in UNFINISHED
        case Purpose.DUE:
            expiring = status is ArchiveStatus.STAGED and one.window_end < query.expiring_before
            before = query.overdue_before.get(one.tier, "")
            overdue = status is ArchiveStatus.REQUESTED and "" < one.requested_at < before
            return expiring or overdue
        case Purpose.DOWNLOADED:
            return status is ArchiveStatus.DOWNLOADED and one.attempt < query.before_attempt
        case Purpose.REPORT:
            return True
