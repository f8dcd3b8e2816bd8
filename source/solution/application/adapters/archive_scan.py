"""Scans of the table GlacierObjectRetrieval, and archives stopped in bulk."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from solution.application.ports.archive_scan import ArchiveRow, Purpose, ScanPage
from solution.contract.tables import META, PK, SEPARATOR, SK, ArchiveItem, archive_pk, split_archive_pk
from solution.domain.status import ALLOWED_FROM, UNFINISHED, ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from solution.application.ports.archive_scan import ScanQuery

_STATUSES: Final = {
    # a resume tries failed archives again
    Purpose.UNFINISHED: UNFINISHED | {ArchiveStatus.FAILED},
    Purpose.EXPIRING: frozenset({ArchiveStatus.STAGED}),
    Purpose.REPORT: frozenset(ArchiveStatus),
}

_REPORTED: Final = (
    ArchiveItem.STATUS,
    ArchiveItem.FILE_NAME,
    ArchiveItem.SIZE,
    ArchiveItem.TREE_HASH,
    ArchiveItem.CHECKSUM,
    ArchiveItem.STORAGE_CLASS,
    ArchiveItem.FAILURE,
    ArchiveItem.CREATION_DATE,
    ArchiveItem.DOWNLOADED_AT,
)

_FORGOTTEN: Final = (
    ArchiveItem.JOB_ID,
    ArchiveItem.UPLOAD_ID,
    ArchiveItem.WINDOW_END,
    ArchiveItem.REQUESTED_AT,
    ArchiveItem.STAGED_AT,
    ArchiveItem.FAILURE,
)
"""What belonged to the attempt that is over; see ``use_cases.stop_archives`` for the upload."""

CONCURRENT_STOPS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoArchiveScan:
    """`solution.application.ports.archive_scan.ArchiveScan` as a parallel Scan ("Scanning tables in DynamoDB")."""

    client: DynamoDBClient
    table: str

    def pages(self, query: ScanQuery, *, segment: int, total_segments: int, start: str | None) -> Iterator[ScanPage]:
        """Consistent reads, but for expiring windows: an archive that is missed once is found by the next scan."""
        request = self._request(query) | {"Segment": segment, "TotalSegments": total_segments}
        while True:
            if start is not None:
                request["ExclusiveStartKey"] = json.loads(start)
            answer = self.client.scan(**request)
            key = answer.get("LastEvaluatedKey")
            start = json.dumps(key, separators=(",", ":")) if key else None
            yield ScanPage(rows=[_row(item) for item in answer["Items"]], next=start)
            if start is None:
                return

    def _request(self, query: ScanQuery) -> dict[str, Any]:
        attributes = _REPORTED if query.purpose is Purpose.REPORT else ()
        statuses = {f":status{i}": {"S": str(status)} for i, status in enumerate(sorted(_STATUSES[query.purpose]))}
        condition = f"begins_with(#pk, :run) AND #sk = :meta AND #status IN ({', '.join(statuses)})"
        names = {"#pk": PK, "#sk": SK, "#status": str(ArchiveItem.STATUS)}
        names |= {f"#{name}": str(name) for name in attributes}
        values: dict[str, Any] = {":run": {"S": query.run + SEPARATOR}, ":meta": {"S": META}, **statuses}
        if query.purpose is Purpose.EXPIRING:
            condition += " AND #window_end < :before"
            names["#window_end"] = str(ArchiveItem.WINDOW_END)
            values[":before"] = {"S": query.expiring_before}
        return {
            "TableName": self.table,
            "FilterExpression": condition,
            "ProjectionExpression": ", ".join(["#pk", *(f"#{name}" for name in attributes)]),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ConsistentRead": query.purpose is not Purpose.EXPIRING,
        }


def _row(item: dict[str, Any]) -> ArchiveRow:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    parts = split_archive_pk(text(PK))
    return ArchiveRow(
        archive_id=parts[1] if parts else "",
        status=text(ArchiveItem.STATUS),
        file_name=text(ArchiveItem.FILE_NAME),
        size=int(item.get(ArchiveItem.SIZE, {}).get("N", 0)),
        tree_hash=text(ArchiveItem.TREE_HASH),
        checksum=text(ArchiveItem.CHECKSUM),
        storage_class=text(ArchiveItem.STORAGE_CLASS),
        failure=text(ArchiveItem.FAILURE),
        creation_date=text(ArchiveItem.CREATION_DATE),
        downloaded_at=text(ArchiveItem.DOWNLOADED_AT),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoArchiveStops:
    """`solution.application.ports.archive_scan.ArchiveStops`: one conditional update per archive, many at once."""

    client: DynamoDBClient
    table: str

    def stop(self, run: str, archive_ids: Sequence[str]) -> int:
        """Updates cost the same alone as in a batch, and alone each has its own condition."""
        with ThreadPoolExecutor(max_workers=CONCURRENT_STOPS) as pool:
            return sum(pool.map(lambda archive_id: self._stop_one(run, archive_id), archive_ids))

    def _stop_one(self, run: str, archive_id: str) -> bool:
        allowed = sorted(status for status in ALLOWED_FROM[ArchiveStatus.STOPPED] if status is not None)
        sources = {f":from{i}": {"S": str(status)} for i, status in enumerate(allowed)}
        try:
            self.client.update_item(
                TableName=self.table,
                Key={PK: {"S": archive_pk(run, archive_id)}, SK: {"S": META}},
                UpdateExpression="SET #status = :stopped REMOVE " + ", ".join(f"#{name}" for name in _FORGOTTEN),
                ConditionExpression=f"#status IN ({', '.join(sources)})",
                ExpressionAttributeNames={f"#{name}": str(name) for name in (ArchiveItem.STATUS, *_FORGOTTEN)},
                ExpressionAttributeValues={":stopped": {"S": str(ArchiveStatus.STOPPED)}, **sources},
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True
