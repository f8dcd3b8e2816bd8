"""What a run of ten million archives writes at its end and at a resume is streamed: memory does not grow with it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.in_memory.expenses import InMemoryExpenses
from solution.application.in_memory.records import InMemoryRunFacts
from solution.application.in_memory.runs import InMemoryRunRecords
from solution.application.ports.archive_scan import ArchiveRow, Purpose, ScanPage, ScanQuery
from solution.application.ports.clock import Deadline
from solution.application.ports.inventory_files import StoredFile
from solution.application.ports.records import RunFacts
from solution.application.use_cases.close_archives import CloseArchives
from solution.application.use_cases.csv_text import encode_rows
from solution.application.use_cases.list_unrequested import ListUnrequested
from solution.application.use_cases.recount import Recount
from solution.application.use_cases.report_run import ReportRun, manifest_folder
from solution.application.use_cases.scan_archives import ScanArchives
from solution.contract.messages import dump_sorted_row
from solution.contract.object_keys import MANIFEST_COLUMNS, SORTED_COLUMNS
from solution.contract.tables import RunStatus
from solution.domain.archive import Archive
from tests.unit.application.orchestration.builders import RUN, archive_id, run_record

FEW, MANY = 15_000, 45_000
MIB = 1024**2


class EndlessTable:
    """A table with ``archives`` archives, made as they are read; what is written to it is counted."""

    def __init__(self, archives: int) -> None:
        self.archives = archives
        self.stopped = 0

    def pages(self, _query: ScanQuery, *, segment: int, total_segments: int, start: str | None) -> Iterator[ScanPage]:
        assert (segment, total_segments, start) == (0, 1, None)
        for first in range(0, self.archives, 500):
            last = first + 500 >= self.archives
            yield ScanPage(rows=[row(number) for number in range(first, first + 500)], next=None if last else "on")

    def stop(self, run: str, archive_ids: Sequence[str], *, attempt: int) -> int:
        raise NotImplementedError(run, archive_ids, attempt)

    def close(self, _run: str, reasons: Mapping[str, str], *, attempt: int) -> int:
        assert attempt == 2
        self.stopped += len(reasons)
        return len(reasons)


class Sink:
    """Files that are read from a generator and written to nowhere."""

    def __init__(self, lines: Callable[[], Iterable[bytes]] = lambda: ()) -> None:
        self.lines = lines
        self.written = 0

    def put(self, _key: str, body: bytes, *, content_type: str) -> None:
        assert content_type
        self.written += len(body)

    def list(self, prefix: str) -> list[StoredFile]:
        return [StoredFile(key=f"{prefix}segment-000-00000.csv", size=1)] if prefix.endswith("/") else []

    def delete(self, _keys: Collection[str]) -> None:
        return

    def read(self, _key: str) -> Iterator[bytes]:
        yield from self.lines()

    @contextmanager
    def writer(self, _key: str, *, content_type: str) -> Iterator[Sink]:
        assert content_type
        yield self

    def write(self, piece: bytes) -> None:
        self.written += len(piece)


class NoRecords:
    """Of no archive there is a record."""

    def load_many(self, _run: str, archive_ids: Collection[str]) -> dict[str, Any]:
        assert len(archive_ids) <= 100
        return {}


def row(number: int) -> ArchiveRow:
    """An archive that is under way."""
    return ArchiveRow(archive_id=archive_id(number), status="staged", file_name=f"file {number}", size=number)


def manifest(archives: int) -> Iterator[bytes]:
    """Every archive has failed, each for a reason of its own."""
    yield encode_rows([MANIFEST_COLUMNS])
    for number in range(archives):
        reason = f"Glacier's retrieval job {number} ended as Failed"
        yield encode_rows([(archive_id(number), f"{RUN}/{number}", number, "", "", "", "failed", reason, "", "")])


def sorted_file(archives: int) -> Iterator[bytes]:
    """A file of the sorted inventory."""
    yield encode_rows([SORTED_COLUMNS])
    for number in range(archives):
        one = Archive(
            archive_id=archive_id(number),
            size=1 + number,
            tree_hash="0f" * 32,
            creation_date="2012-05-15T17:21:39.339Z",
            description="",
            file_name=f"file {number}",
        )
        line = dump_sorted_row(one)
        yield encode_rows([tuple(line[column] for column in SORTED_COLUMNS)])


def close(archives: int) -> int:
    """A clean-up stops what is left."""
    table = EndlessTable(archives)
    facts = InMemoryRunFacts(RunFacts(run=RUN, execution_name="run-1-1", attempt=1, status=RunStatus.ENDING))
    deadline = Deadline.after(ManualClock(), 900)
    outcome = CloseArchives(scan=table, stops=table, runs=facts)(
        run=RUN, segment=0, total_segments=1, start=None, deadline=deadline
    )
    assert outcome.found == table.stopped
    return table.stopped


def scan(purpose: Purpose) -> Callable[[int], int]:
    """A resume finds what is to be stopped; a clean-up writes the manifest."""

    def of(archives: int) -> int:
        clock = ManualClock()
        files = Sink()
        outcome = ScanArchives(
            scan=EndlessTable(archives),
            files=cast("Any", files),
            clock=clock,
            extend_when_remaining=timedelta(0),
            overdue={},
        )(
            run=RUN,
            purpose=purpose,
            output_prefix=f"{RUN}/x/",
            segment=0,
            total_segments=1,
            start=None,
            deadline=Deadline.after(clock, 900),
        )
        assert files.written > 100 * archives
        return outcome.found

    return of


def recount(archives: int) -> int:
    """A resume states the counters anew."""
    counters = InMemoryCounters()
    recounted = Recount(scan=EndlessTable(archives), counters=counters)
    assert recounted(run=RUN, attempt=2, start=None, deadline=Deadline.after(ManualClock(), 900)) is None
    return archives


def report(archives: int) -> int:
    """A clean-up writes the report."""
    report_run = ReportRun(
        records=InMemoryRunRecords(run_record()),
        counters=InMemoryCounters(),
        expenses=InMemoryExpenses(),
        files=cast("Any", Sink(lambda: manifest(archives))),
        clock=ManualClock(),
        chunk_size_mib=256,
        inventory_bucket="inventory",
        destination_bucket="copies",
    )
    assert manifest_folder(RUN, "run-1-1").endswith("/")
    made = report_run(run=RUN, vault_name="photos", execution_name="run-1-1", failure=None)
    return made.archives["failed"].archives


def unrequested(archives: int) -> int:
    """A clean-up lists what was never asked for."""
    files = Sink(lambda: sorted_file(archives))
    listing = ListUnrequested(records=cast("Any", NoRecords()), files=cast("Any", files))
    return listing(run=RUN, key=f"{RUN}/sorted_inventory/partition_00000/part-00000.csv", output_prefix=f"{RUN}/x/")


@pytest.mark.parametrize(
    "work",
    [close, scan(Purpose.UNFINISHED), scan(Purpose.REPORT), recount, report, unrequested],
    ids=["stop what is left", "list what to stop", "manifest", "recount", "report", "list what was not asked for"],
)
def test_memory_does_not_grow_with_the_number_of_archives(work: Callable[[int], int]) -> None:
    peaks = []
    for archives in (FEW, MANY):
        tracemalloc.start()
        assert work(archives) == archives
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + MIB
    assert peaks[1] < 40 * MIB
