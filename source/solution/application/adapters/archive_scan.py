"""Scans of the table GlacierObjectRetrieval, and archives stopped in bulk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from solution.application.adapters.archive_items import archive_key
from solution.application.adapters.dynamodb import Item, Statement, number, text, write_many
from solution.application.ports.archive_scan import ArchiveRow, Purpose, ScanPage
from solution.contract.tables import META, PK, SEPARATOR, SK, ArchiveItem, split_archive_pk
from solution.domain.status import ALLOWED_FROM, UNFINISHED, ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from solution.application.ports.archive_scan import ScanQuery

_STATUSES: Final = {
    # a resume tries failed archives again
    Purpose.UNFINISHED: UNFINISHED | {ArchiveStatus.FAILED},
    Purpose.DUE: frozenset({ArchiveStatus.REQUESTED, ArchiveStatus.STAGED}),
    Purpose.CLOSING: UNFINISHED,
    Purpose.REPORT: frozenset(ArchiveStatus),
    Purpose.DOWNLOADED: frozenset({ArchiveStatus.DOWNLOADED}),
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

_READ: Final = {
    Purpose.REPORT: _REPORTED,
    Purpose.DOWNLOADED: (ArchiveItem.SIZE,),
    Purpose.CLOSING: (ArchiveItem.STATUS,),
}

_FORGOTTEN: Final = (
    ArchiveItem.JOB_ID,
    ArchiveItem.UPLOAD_ID,
    ArchiveItem.WINDOW_END,
    ArchiveItem.REQUESTED_AT,
    ArchiveItem.STAGED_AT,
    ArchiveItem.FAILURE,
)
"""What belonged to the attempt that is over; see ``use_cases.stop_archives`` for the upload."""

_FORGOTTEN_AT_THE_END: Final = tuple(name for name in _FORGOTTEN if name is not ArchiveItem.FAILURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoArchiveScan:
    """`solution.application.ports.archive_scan.ArchiveScan` as a parallel Scan ("Scanning tables in DynamoDB")."""

    client: DynamoDBClient
    table: str

    def pages(self, query: ScanQuery, *, segment: int, total_segments: int, start: str | None) -> Iterator[ScanPage]:
        """Consistent reads, but for what is due: an archive that is missed once is found by the next scan."""
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
        attributes = _READ.get(query.purpose, ())
        statuses = {f":status{i}": {"S": str(status)} for i, status in enumerate(sorted(_STATUSES[query.purpose]))}
        condition = f"begins_with(#pk, :run) AND #sk = :meta AND #status IN ({', '.join(statuses)})"
        names = {"#pk": PK, "#sk": SK, "#status": str(ArchiveItem.STATUS)}
        names |= {f"#{name}": str(name) for name in attributes}
        values: dict[str, Any] = {":run": {"S": query.run + SEPARATOR}, ":meta": {"S": META}, **statuses}
        if query.purpose is Purpose.DUE:
            due, more_names, more_values = _due(query)
            condition += f" AND {due}"
            names |= more_names
            values |= more_values
        if query.purpose is Purpose.DOWNLOADED:
            condition += " AND (attribute_not_exists(#attempt) OR #attempt < :attempt)"
            names["#attempt"] = str(ArchiveItem.ATTEMPT)
            values[":attempt"] = {"N": str(query.before_attempt)}
        return {
            "TableName": self.table,
            "FilterExpression": condition,
            "ProjectionExpression": ", ".join(["#pk", *(f"#{name}" for name in attributes)]),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ConsistentRead": query.purpose is not Purpose.DUE,
        }


def _due(query: ScanQuery) -> tuple[str, dict[str, str], dict[str, Any]]:
    """The condition of `Purpose.DUE`, with its names and values."""
    terms = ["(#status = :staged AND #window_end < :expiring)"]
    names = {"#window_end": str(ArchiveItem.WINDOW_END)}
    values: dict[str, Any] = {":staged": text(ArchiveStatus.STAGED), ":expiring": text(query.expiring_before)}
    for index, (tier, before) in enumerate(sorted(query.overdue_before.items())):
        terms.append(f"(#status = :requested AND #tier = :tier{index} AND #requested_at < :overdue{index})")
        names |= {"#tier": str(ArchiveItem.TIER), "#requested_at": str(ArchiveItem.REQUESTED_AT)}
        values |= {
            ":requested": text(ArchiveStatus.REQUESTED),
            f":tier{index}": text(tier),
            f":overdue{index}": text(before),
        }
    return f"({' OR '.join(terms)})", names, values


def _row(item: dict[str, Any]) -> ArchiveRow:
    def value(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    parts = split_archive_pk(value(PK))
    return ArchiveRow(
        archive_id=parts[1] if parts else "",
        status=value(ArchiveItem.STATUS),
        file_name=value(ArchiveItem.FILE_NAME),
        size=int(item.get(ArchiveItem.SIZE, {}).get("N", 0)),
        tree_hash=value(ArchiveItem.TREE_HASH),
        checksum=value(ArchiveItem.CHECKSUM),
        storage_class=value(ArchiveItem.STORAGE_CLASS),
        failure=value(ArchiveItem.FAILURE),
        creation_date=value(ArchiveItem.CREATION_DATE),
        downloaded_at=value(ArchiveItem.DOWNLOADED_AT),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoArchiveStops:
    """`solution.application.ports.archive_scan.ArchiveStops`: conditional statements, in batches."""

    client: DynamoDBClient
    table: str

    def stop(self, run: str, archive_ids: Sequence[str], *, attempt: int) -> int:
        """One statement per archive."""
        allowed = frozenset(status for status in ALLOWED_FROM[ArchiveStatus.STOPPED] if status is not None)
        by = {ArchiveItem.ATTEMPT: number(attempt)} if attempt else {}
        statements = [self._stop(run, archive_id, by, _FORGOTTEN, allowed) for archive_id in archive_ids]
        return sum(write_many(self.client, statements))

    def close(self, run: str, reasons: Mapping[str, str], *, attempt: int) -> int:
        """One statement per archive."""
        by = {ArchiveItem.ATTEMPT: number(attempt)}
        statements = [
            self._stop(run, archive_id, by | {ArchiveItem.FAILURE: text(why)}, _FORGOTTEN_AT_THE_END, UNFINISHED)
            for archive_id, why in reasons.items()
        ]
        return sum(write_many(self.client, statements))

    def _stop(
        self,
        run: str,
        archive_id: str,
        facts: Mapping[ArchiveItem, Item],
        removals: Sequence[ArchiveItem],
        sources: frozenset[ArchiveStatus],
    ) -> Statement:
        changes = {ArchiveItem.STATUS: text(ArchiveStatus.STOPPED), **facts}
        assignments = " ".join(f'SET "{name}"=?' for name in changes)
        removed = " ".join(f'REMOVE "{name}"' for name in removals)
        states = ", ".join("?" * len(sources))
        return Statement(
            partiql=f'UPDATE "{self.table}" {assignments} {removed} '
            f'WHERE "{PK}"=? AND "{SK}"=? AND "{ArchiveItem.STATUS}" IN [{states}]',
            parameters=[*changes.values(), *archive_key(run, archive_id).values(), *map(text, sorted(sources))],
        )
