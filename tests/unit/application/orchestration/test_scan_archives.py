"""Work lists and manifests from scans."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from solution.application.in_memory.archive_scan import InMemoryArchiveTable
from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.application.ports.archive_scan import Purpose
from solution.application.ports.clock import Deadline
from solution.application.use_cases import scan_archives
from solution.application.use_cases.scan_archives import ScanArchives, ScanOutcome, ScanPosition
from solution.domain.archive import Tier
from tests.unit.application.orchestration.builders import RUN, archive_id, kept

PREFIX = f"{RUN}/archives_status_cleanup/run-1-2/"
ALL_STATES = ("requesting", "requested", "staged", "downloaded", "failed", "stopped")


class _Scanner:
    def __init__(self, table: InMemoryArchiveTable, *, rows_per_second: float = 1e9) -> None:
        self.clock = ManualClock()
        self.files = InMemoryInventoryFiles()
        self.table = table
        self.rows_per_second = rows_per_second

    def scan(
        self,
        purpose: Purpose = Purpose.UNFINISHED,
        start: ScanPosition | None = None,
        *,
        seconds: float = 100,
        segment: int = 0,
        total: int = 1,
    ) -> ScanOutcome:
        scan = ScanArchives(
            scan=self.table,
            files=self.files,
            clock=self.clock,
            extend_when_remaining=timedelta(hours=5),
            overdue={Tier.BULK: timedelta(hours=18), Tier.STANDARD: timedelta(hours=8)},
        )
        return scan(
            run=RUN,
            purpose=purpose,
            output_prefix=PREFIX,
            segment=segment,
            total_segments=total,
            start=start,
            deadline=Deadline.after(self.clock, seconds),
        )

    def rows(self) -> list[dict[str, str]]:
        return [
            row
            for key in sorted(self.files.files)
            for row in csv.DictReader(io.StringIO(self.files.files[key].decode(), newline=""))
        ]


def _ids(scanner: _Scanner) -> list[str]:
    return [row["ArchiveId"] for row in scanner.rows()]


def test_unfinished_and_failed_archives_of_this_run_are_found() -> None:
    archives = [kept(number, status) for number, status in enumerate(ALL_STATES)]
    scanner = _Scanner(InMemoryArchiveTable(*archives, kept(9, "requested", run="run-10")))
    assert scanner.scan() == ScanOutcome(found=4, next=None)
    assert _ids(scanner) == [archive_id(number) for number in (0, 1, 2, 4)]
    assert list(scanner.files.files) == [f"{PREFIX}segment-000-00000.csv"]


def test_windows_about_to_close_are_due() -> None:
    scanner = _Scanner(
        InMemoryArchiveTable(
            kept(1, "staged", window_end="2025-03-01T16:59:59.000Z"),
            kept(2, "staged", window_end="2025-03-01T17:00:01.000Z"),
            kept(3, "downloaded", window_end="2025-03-01T13:00:00.000Z"),
        )
    )
    scanner.scan(Purpose.DUE)
    assert _ids(scanner) == [archive_id(1)]


def test_retrievals_that_glacier_has_said_nothing_of_for_too_long_are_due() -> None:
    scanner = _Scanner(
        InMemoryArchiveTable(
            kept(1, "requested", requested_at="2025-02-28T17:59:59.000Z"),
            kept(2, "requested", requested_at="2025-02-28T18:00:01.000Z"),
            kept(3, "requested", requested_at="2025-03-01T03:59:59.000Z", tier=Tier.STANDARD),
            kept(4, "requested", requested_at="2025-03-01T04:00:01.000Z", tier=Tier.STANDARD),
            kept(5, "requesting", requested_at="2025-02-01T12:00:00.000Z"),
            kept(6, "staged", requested_at="2025-02-01T12:00:00.000Z", window_end="2025-03-02T12:00:00.000Z"),
        )
    )
    scanner.scan(Purpose.DUE)
    assert _ids(scanner) == [archive_id(1), archive_id(3)]


def test_a_manifest_tells_of_every_archive() -> None:
    scanner = _Scanner(InMemoryArchiveTable(kept(1, "downloaded"), kept(2, "failed", failure='no, "really"\nno')))
    assert scanner.scan(Purpose.REPORT).found == 2
    first, second = scanner.rows()
    assert (first["Key"], first["Bytes"], first["Status"]) == ("run-1/file 1", "10", "downloaded")
    assert second["Reason"] == 'no, "really"\nno'


def test_where_nothing_is_found_nothing_is_written() -> None:
    scanner = _Scanner(InMemoryArchiveTable(kept(1, "downloaded")))
    assert scanner.scan() == ScanOutcome(found=0, next=None)
    assert scanner.files.files == {}


def test_segments_together_hold_every_archive_once() -> None:
    scanner = _Scanner(InMemoryArchiveTable(*(kept(number, "staged") for number in range(50))))
    found = [scanner.scan(segment=segment, total=4).found for segment in range(4)]
    assert sum(found) == 50
    assert sorted(_ids(scanner)) == [archive_id(number) for number in range(50)]


def test_files_are_cut_at_their_greatest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_archives, "ROWS_PER_FILE", 10)
    scanner = _Scanner(InMemoryArchiveTable(*(kept(number, "staged") for number in range(25)), page=7))
    scanner.scan()
    sizes = [body.count(b"\n") - 1 for _, body in sorted(scanner.files.files.items())]
    assert sizes == [10, 10, 5]


def test_when_time_runs_short_the_next_invocation_takes_over_where_this_one_stopped() -> None:
    scanner = _Scanner(InMemoryArchiveTable(*(kept(number, "staged") for number in range(25)), page=7))
    outcome, found = scanner.scan(seconds=0), 0
    invocations = 1
    while outcome.next is not None:
        found += outcome.found
        outcome = scanner.scan(start=outcome.next, seconds=0)
        invocations += 1
    assert (found + outcome.found, invocations) == (25, 4)
    assert _ids(scanner) == [archive_id(number) for number in range(25)]


def test_a_repeated_invocation_overwrites_its_files_and_leaves_no_rows_twice() -> None:
    scanner = _Scanner(InMemoryArchiveTable(*(kept(number, "staged") for number in range(25)), page=7))
    outcome = scanner.scan(seconds=0)
    scanner.scan(start=outcome.next, seconds=0)
    # the first one is tried again, has more time, and reads to the end
    scanner.scan()
    assert _ids(scanner) == [archive_id(number) for number in range(25)]
