"""Work lists and manifests: archives of a run, found by scanning the table, written to numbered CSV files.

The table has no index by run: an index would cost one more write for each change of each archive, a scan costs reads
a few times in a run. A scan is cut into segments, each read by a chain of invocations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from solution.application.ports.archive_scan import ArchiveRow, Purpose, ScanQuery
from solution.application.use_cases.csv_text import CONTENT_TYPE, encode_rows
from solution.contract.object_keys import MANIFEST_COLUMNS, WORK_LIST_COLUMNS, destination_key
from solution.domain.archive import Tier, format_time

if TYPE_CHECKING:
    from solution.application.ports.archive_scan import ArchiveScan
    from solution.application.ports.clock import Clock, Deadline
    from solution.application.ports.inventory_files import InventoryFiles

ROWS_PER_FILE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPosition:
    """Where an invocation takes over: the table's position, and the number of the next file."""

    key: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    """How many archives were found, and where to go on; None when the segment is done."""

    found: int
    next: ScanPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanArchives:
    """Scans one segment until it ends or time runs short. The same position again overwrites the same files.

    ``extend_when_remaining``: how little of a window is too little. ``overdue``: for how long Glacier may be silent
    about a retrieval, by tier.
    """

    scan: ArchiveScan
    files: InventoryFiles
    clock: Clock
    extend_when_remaining: timedelta
    overdue: Mapping[Tier, timedelta]

    def __call__(
        self,
        *,
        run: str,
        purpose: Purpose,
        output_prefix: str,
        segment: int,
        total_segments: int,
        start: ScanPosition | None,
        deadline: Deadline,
    ) -> ScanOutcome:
        """Write ``{output_prefix}segment-000-00000.csv`` and so on; nothing where nothing is found."""
        now = self.clock.now()
        query = ScanQuery(
            run=run,
            purpose=purpose,
            expiring_before=format_time(now + self.extend_when_remaining),
            overdue_before={tier: format_time(now - silence) for tier, silence in self.overdue.items()},
        )
        stem = f"{output_prefix}segment-{segment:03d}-"
        output = _NumberedFiles(self.files, stem, start.sequence if start else 0, purpose, run)
        pages = self.scan.pages(
            query, segment=segment, total_segments=total_segments, start=start.key if start else None
        )
        for page in pages:
            output.extend(page.rows)
            if page.next is not None and deadline.remaining() <= 0:
                output.flush()
                return ScanOutcome(found=output.found, next=ScanPosition(key=page.next, sequence=output.sequence))
        output.flush()
        output.remove_later_files()
        return ScanOutcome(found=output.found, next=None)


@dataclass(slots=True)
class _NumberedFiles:
    files: InventoryFiles
    stem: str
    sequence: int
    purpose: Purpose
    run: str
    found: int = 0
    rows: list[ArchiveRow] = field(default_factory=list)

    def extend(self, rows: Sequence[ArchiveRow]) -> None:
        self.found += len(rows)
        self.rows.extend(rows)
        while len(self.rows) >= ROWS_PER_FILE:
            self._write(self.rows[:ROWS_PER_FILE])
            del self.rows[:ROWS_PER_FILE]

    def flush(self) -> None:
        if self.rows:
            self._write(self.rows)
            self.rows.clear()

    def remove_later_files(self) -> None:
        # an invocation that died may have written more files than the one that took its place
        last = self._key(self.sequence)
        self.files.delete([file.key for file in self.files.list(self.stem) if file.key >= last])

    def _key(self, sequence: int) -> str:
        return f"{self.stem}{sequence:05d}.csv"

    def _write(self, rows: Sequence[ArchiveRow]) -> None:
        if self.purpose is Purpose.REPORT:
            body = encode_rows([MANIFEST_COLUMNS, *(manifest_row(row, self.run) for row in rows)])
        else:
            # Step Functions reads these line by line
            body = encode_rows([WORK_LIST_COLUMNS, *((row.archive_id,) for row in rows)], line_end="\n")
        self.files.put(self._key(self.sequence), body, content_type=CONTENT_TYPE)
        self.sequence += 1


def manifest_row(row: ArchiveRow, run: str) -> tuple[object, ...]:
    """One line of the manifest (`MANIFEST_COLUMNS`)."""
    return (
        row.archive_id,
        destination_key(run, row.file_name),
        row.size,
        row.tree_hash,
        row.checksum,
        row.storage_class,
        row.status,
        row.failure,
        row.creation_date,
        row.downloaded_at,
    )
