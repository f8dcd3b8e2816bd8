"""`ArchiveScan`, in memory and on DynamoDB; `ArchiveStops` in memory, and what the adapter asks DynamoDB for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from solution.application.adapters.archive_scan import DynamoArchiveScan, DynamoArchiveStops
from solution.application.in_memory.archive_scan import InMemoryArchiveTable
from solution.application.ports.archive_scan import ArchiveRow, Purpose, ScanQuery
from solution.domain.archive import Tier
from solution.domain.status import ArchiveStatus
from tests.ports.orchestration.conftest import TABLE
from tests.unit.application.orchestration.builders import RUN, archive_id, kept

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from solution.application.in_memory.archive_scan import KeptArchive
    from solution.application.ports.archive_scan import ArchiveScan

ARCHIVES = (
    *(kept(number, status) for number, status in enumerate(ArchiveStatus)),
    kept(10, "staged", window_end="2025-03-01T16:00:00.000Z"),
    kept(11, "staged", window_end="2025-03-01T18:00:00.000Z"),
    kept(12, "staged", run="run-10", window_end="2025-03-01T16:00:00.000Z"),
    kept(13, "failed", failure="bad, worse"),
    kept(14, "requested", requested_at="2025-02-28T10:00:00.000Z"),
    kept(15, "requested", requested_at="2025-03-01T01:00:00.000Z"),
    kept(16, "requested", requested_at="2025-03-01T01:00:00.000Z", tier=Tier.STANDARD),
    kept(17, "requested", requested_at="2025-03-01T11:00:00.000Z", tier=Tier.STANDARD),
    kept(18, "requesting", requested_at="2025-02-01T00:00:00.000Z"),
    kept(19, "downloaded", attempt=1),
    kept(20, "downloaded", attempt=2),
)


def _store(client: DynamoDBClient, archive: KeptArchive) -> None:
    row = archive.row
    item: dict[str, Any] = {
        "pk": {"S": f"{archive.run}|{row.archive_id}"},
        "sk": {"S": "meta"},
        "status": {"S": row.status},
        "file_name": {"S": row.file_name},
        "size": {"N": str(row.size)},
    }
    item["tier"] = {"S": archive.tier}
    for name in ("window_end", "requested_at"):
        if value := getattr(archive, name):
            item[name] = {"S": value}
    if archive.attempt:
        item["attempt"] = {"N": str(archive.attempt)}
    if row.failure:
        item["failure"] = {"S": row.failure}
    client.put_item(TableName=TABLE, Item=item)
    for sk in ("progress", "p:00001"):
        client.put_item(TableName=TABLE, Item={"pk": item["pk"], "sk": {"S": sk}})


@pytest.fixture(params=["in memory", "dynamodb"])
def scan(request: pytest.FixtureRequest) -> ArchiveScan:
    if request.param == "in memory":
        return InMemoryArchiveTable(*(one for one in ARCHIVES if one.window_end or one.row.status != "staged"), page=3)
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    client.put_item(TableName=TABLE, Item={"pk": {"S": RUN}, "sk": {"S": "meta"}, "run_status": {"S": "RUNNING"}})
    for archive in ARCHIVES:
        if archive.window_end or archive.row.status != "staged":
            _store(client, archive)
    return DynamoArchiveScan(client=_paged(client), table=TABLE)


def _paged(client: DynamoDBClient) -> DynamoDBClient:
    """Pages of four items, whatever their size."""

    class Paged:
        def scan(self, **request: Any) -> Any:
            return client.scan(**request, Limit=4)

    return cast("DynamoDBClient", Paged())


def _found(scan: ArchiveScan, purpose: Purpose, *, segments: int = 3) -> list[ArchiveRow]:
    query = ScanQuery(
        run=RUN,
        purpose=purpose,
        expiring_before="2025-03-01T17:00:00.000Z",
        overdue_before={Tier.BULK: "2025-02-28T18:00:00.000Z", Tier.STANDARD: "2025-03-01T04:30:00.000Z"},
        before_attempt=2,
    )
    rows: list[ArchiveRow] = []
    for segment in range(segments):
        start: str | None = None
        while True:
            # each page by a scan of its own, as invocations take over from each other
            page = next(iter(scan.pages(query, segment=segment, total_segments=segments, start=start)))
            rows += page.rows
            start = page.next
            if start is None:
                break
    return sorted(rows, key=lambda row: row.archive_id)


def _ids(rows: list[ArchiveRow]) -> list[str]:
    return [row.archive_id for row in rows]


def test_unfinished_and_failed_archives_are_found_once(scan: ArchiveScan) -> None:
    wanted = [0, 1, 4, 10, 11, 13, 14, 15, 16, 17, 18]
    assert _ids(_found(scan, Purpose.UNFINISHED)) == [archive_id(number) for number in wanted]


def test_a_run_that_ends_finds_what_is_unfinished_with_its_state(scan: ArchiveScan) -> None:
    rows = _found(scan, Purpose.CLOSING)
    assert _ids(rows) == [archive_id(number) for number in (0, 1, 10, 11, 14, 15, 16, 17, 18)]
    assert {row.status for row in rows} == {"requesting", "requested", "staged"}


def test_windows_that_close_soon_and_overdue_retrievals_are_found(scan: ArchiveScan) -> None:
    assert _ids(_found(scan, Purpose.DUE)) == [archive_id(number) for number in (10, 14, 16)]


def test_a_report_finds_every_archive_with_its_facts(scan: ArchiveScan) -> None:
    rows = _found(scan, Purpose.REPORT)
    assert _ids(rows) == [archive_id(number) for number in (0, 1, 3, 4, 5, 10, 11, *range(13, 21))]
    assert rows[7] == kept(13, "failed", failure="bad, worse").row


def test_archives_downloaded_in_earlier_attempts_are_found_with_their_size(scan: ArchiveScan) -> None:
    rows = _found(scan, Purpose.DOWNLOADED)
    assert [(row.archive_id, row.size) for row in rows] == [(archive_id(3), 10), (archive_id(19), 10)]


def test_one_call_reads_a_segment_to_its_end(scan: ArchiveScan) -> None:
    query = ScanQuery(run=RUN, purpose=Purpose.REPORT)
    pages = list(scan.pages(query, segment=0, total_segments=1, start=None))
    assert sum(len(page.rows) for page in pages) == 15
    assert [page.next is None for page in pages] == [False] * (len(pages) - 1) + [True]


def test_archives_that_have_moved_on_are_not_stopped() -> None:
    table = InMemoryArchiveTable(*(kept(number, status) for number, status in enumerate(ArchiveStatus)))
    everything = [archive_id(number) for number in range(20)]
    assert table.stop(RUN, everything, attempt=2) == 4
    assert table.stop(RUN, everything, attempt=2) == 0
    assert sorted({one.row.status for one in table.archives}) == ["downloaded", "stopped"]


class _Statements:
    """Takes batches of statements; conditions hold for archives of even number."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.batches.append(Statements)
        refused = {"Error": {"Code": "ConditionalCheckFailed"}}
        return {"Responses": [refused if s["Parameters"][2]["S"][-1] in "13579" else {} for s in Statements]}


def test_stops_are_conditional_statements_in_batches() -> None:
    statements = _Statements()
    stops = DynamoArchiveStops(client=cast("DynamoDBClient", statements), table=TABLE)
    assert stops.stop(RUN, [archive_id(number) for number in range(100)], attempt=2) == 50
    assert [len(batch) for batch in statements.batches] == [25, 25, 25, 25]
    first = statements.batches[0][0]
    assert first["Parameters"] == [
        {"S": "stopped"},
        {"N": "2"},
        *({"S": value} for value in (f"{RUN}|{archive_id(0)}", "meta", "failed", "requested", "requesting", "staged")),
    ]
    assert first["Statement"] == (
        'UPDATE "retrieval" SET "status"=? SET "attempt"=? REMOVE "job_id" REMOVE "upload_id" REMOVE "window_end" '
        'REMOVE "requested_at" REMOVE "staged_at" REMOVE "failure" WHERE "pk"=? AND "sk"=? AND '
        '"status" IN [?, ?, ?, ?]'
    )


def test_archives_are_closed_with_a_word_on_how_far_they_came() -> None:
    statements = _Statements()
    stops = DynamoArchiveStops(client=cast("DynamoDBClient", statements), table=TABLE)
    reasons = {archive_id(number): "why" for number in range(30)}
    assert stops.close(RUN, reasons, attempt=2) == 30
    assert [len(batch) for batch in statements.batches] == [25, 5]
    first = statements.batches[0][0]
    assert first["Parameters"] == [
        *({"S": "stopped"}, {"N": "2"}, {"S": "why"}),
        *({"S": value} for value in (f"{RUN}|{archive_id(0)}", "meta", "requested", "requesting", "staged")),
    ]
    assert first["Statement"] == (
        'UPDATE "retrieval" SET "status"=? SET "attempt"=? SET "failure"=? REMOVE "job_id" REMOVE "upload_id" '
        'REMOVE "window_end" REMOVE "requested_at" REMOVE "staged_at" WHERE "pk"=? AND "sk"=? AND '
        '"status" IN [?, ?, ?]'
    )


def test_closing_leaves_what_has_ended_as_it_is() -> None:
    table = InMemoryArchiveTable(*(kept(number, status) for number, status in enumerate(ArchiveStatus)))
    reasons = {archive_id(number): "why" for number in range(6)}
    assert table.close(RUN, reasons, attempt=2) == 3
    assert table.close(RUN, reasons, attempt=2) == 0
    assert [one.row.failure for one in table.archives].count("why") == 3
    assert sorted(one.row.status for one in table.archives) == ["downloaded", "failed", *["stopped"] * 4]
