"""Records of archives, parts and runs in the table GlacierObjectRetrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from solution.application.adapters.archive_items import LATER_FACTS, archive_key, facts, parse_archive
from solution.application.adapters.dynamodb import Item, Statement, delete_many, get_many, number, text, write_many
from solution.application.adapters.errors import code_of
from solution.application.ports.records import (
    ASKED_ABOUT,
    ASKED_AGAIN_FROM,
    ASKED_FROM,
    COMPLETE_FROM,
    FAIL_FROM,
    RECLAIM_FROM,
    STAGE_FROM,
    ArchiveRecord,
    Part,
    PartStored,
    Progress,
    RunFacts,
    Staging,
)
from solution.contract import tables
from solution.contract.tables import ArchiveItem as A
from solution.contract.tables import PartItem, ProblemItem, ProgressItem, Run, RunStatus
from solution.domain.archive import format_time
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from solution.application.ports.records import Outcome


class DynamoTransferRecords:
    """`solution.application.ports.records.TransferRecords` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def load_many(self, run: str, archive_ids: Collection[str]) -> dict[str, ArchiveRecord]:
        """One BatchGetItem per 100."""
        keys = [archive_key(run, archive_id) for archive_id in dict.fromkeys(archive_ids)]
        records = map(parse_archive, get_many(self._client, self._table, keys))
        return {record.archive_id: record for record in records}

    def load(self, run: str, archive_id: str) -> ArchiveRecord | None:
        """One GetItem."""
        item = self._get(archive_key(run, archive_id))
        return parse_archive(item) if item else None

    def create(self, records: Sequence[ArchiveRecord]) -> set[str]:
        """One statement per record: INSERT fails where the key exists."""
        statements = [_insert(self._table, record) for record in records]
        return _held(records, write_many(self._client, statements))

    def reclaim(self, records: Sequence[ArchiveRecord], *, seen: Mapping[str, ArchiveRecord]) -> set[str]:
        """One statement per record."""
        mine = [record for record in records if seen[record.archive_id].status in RECLAIM_FROM]
        statements = []
        for record in mine:
            before = seen[record.archive_id]
            statements.append(
                self._update(
                    archive_key(record.run, record.archive_id),
                    facts(record),
                    {before.status},
                    remove=LATER_FACTS,
                    condition=f'"{A.ATTEMPT}"=?' if before.attempt else f'"{A.ATTEMPT}" IS MISSING',
                    values=[number(before.attempt)] if before.attempt else [],
                )
            )
        return _held(mine, write_many(self._client, statements))

    def settle(self, run: str, outcomes: Sequence[Outcome], now: datetime) -> None:
        """One statement per outcome."""
        statements = []
        for outcome in outcomes:
            key = archive_key(run, outcome.archive_id)
            if outcome.job_id is not None:
                change = {
                    A.STATUS: text(ArchiveStatus.REQUESTED),
                    A.JOB_ID: text(outcome.job_id),
                    A.REQUESTED_AT: text(format_time(now)),
                }
                statements.append(self._update(key, change, ASKED_FROM))
            else:
                failure = {A.STATUS: text(ArchiveStatus.FAILED), A.FAILURE: text(outcome.failure or "")}
                statements.append(self._update(key, failure, FAIL_FROM & ASKED_FROM))
        write_many(self._client, statements)

    def stage(self, run: str, archive_id: str, *, job_id: str, window_end: datetime, now: datetime) -> Staging:
        """One UpdateItem, which answers with the record either way."""
        moved, item = self._move(
            archive_key(run, archive_id),
            {
                A.STATUS: text(ArchiveStatus.STAGED),
                A.JOB_ID: text(job_id),
                A.WINDOW_END: text(format_time(window_end)),
                A.STAGED_AT: text(format_time(now)),
            },
            STAGE_FROM,
        )
        return Staging(moved=moved, record=parse_archive(item) if item else None)

    def extend(self, run: str, archive_id: str, *, job_id: str, window_end: datetime) -> bool:
        """One UpdateItem."""
        end = text(format_time(window_end))
        moved, _ = self._move(
            archive_key(run, archive_id),
            {A.JOB_ID: text(job_id), A.WINDOW_END: end},
            frozenset({ArchiveStatus.STAGED}),
            condition=f"{A.WINDOW_END} < :end",
            values={":end": end},
        )
        return moved

    def close_window(self, run: str, archive_id: str, *, expired_job: str, now: datetime) -> bool:
        """One UpdateItem."""
        end = text(format_time(now))
        moved, _ = self._move(
            archive_key(run, archive_id),
            {A.WINDOW_END: end},
            frozenset({ArchiveStatus.STAGED}),
            condition=f"{A.JOB_ID} = :job AND {A.WINDOW_END} > :end",
            values={":job": text(expired_job), ":end": end},
        )
        return moved

    def note_asked(self, run: str, archive_id: str, *, job_id: str, now: datetime) -> bool:
        """One UpdateItem."""
        moved, _ = self._move(
            archive_key(run, archive_id),
            {A.REQUESTED_AT: text(format_time(now))},
            ASKED_ABOUT,
            condition=f"{A.JOB_ID} = :job",
            values={":job": text(job_id)},
        )
        return moved

    def claim_asking(self, seen: Sequence[ArchiveRecord], *, now: datetime) -> set[str]:
        """One statement per archive."""
        return _held(seen, write_many(self._client, [self._ask_at(one, one.requested_at, now) for one in seen]))

    def release_asking(self, seen: Sequence[ArchiveRecord], *, claimed_at: datetime) -> None:
        """One statement per archive."""
        write_many(self._client, [self._ask_at(one, claimed_at, one.requested_at or claimed_at) for one in seen])

    def _ask_at(self, seen: ArchiveRecord, before: datetime | None, after: datetime) -> Statement:
        asked, moment = f'"{A.REQUESTED_AT}"', [text(format_time(before))] if before else []
        return self._update(
            archive_key(seen.run, seen.archive_id),
            {A.REQUESTED_AT: text(format_time(after))},
            ASKED_ABOUT,
            condition=f'"{A.JOB_ID}"=? AND {asked}=?' if moment else f'"{A.JOB_ID}"=? AND {asked} IS MISSING',
            values=[text(seen.job_id or ""), *moment],
        )

    def request_again(self, run: str, archive_id: str, *, expired_job: str, new_job: str, now: datetime) -> bool:
        """One UpdateItem."""
        moved, _ = self._move(
            archive_key(run, archive_id),
            {
                A.STATUS: text(ArchiveStatus.REQUESTED),
                A.JOB_ID: text(new_job),
                A.REQUESTED_AT: text(format_time(now)),
            },
            ASKED_AGAIN_FROM,
            condition=f"{A.JOB_ID} = :job",
            values={":job": text(expired_job)},
        )
        return moved

    def register_upload(self, run: str, archive_id: str, upload_id: str) -> str | None:
        """One UpdateItem."""
        _, item = self._move(
            archive_key(run, archive_id),
            {A.UPLOAD_ID: text(upload_id)},
            frozenset({ArchiveStatus.STAGED}),
            condition=f"attribute_not_exists({A.UPLOAD_ID})",
        )
        in_force = item.get(A.UPLOAD_ID) if item else None
        return in_force["S"] if in_force else None

    def complete(self, run: str, archive_id: str, *, checksum: str, now: datetime) -> ArchiveStatus | None:
        """One UpdateItem."""
        _, item = self._move(
            archive_key(run, archive_id),
            {
                A.STATUS: text(ArchiveStatus.DOWNLOADED),
                A.CHECKSUM: text(checksum),
                A.DOWNLOADED_AT: text(format_time(now)),
            },
            COMPLETE_FROM,
        )
        return _status(item)

    def fail(
        self,
        run: str,
        archive_id: str,
        *,
        reason: str,
        only: frozenset[ArchiveStatus] = FAIL_FROM,
        job_id: str | None = None,
    ) -> ArchiveStatus | None:
        """One UpdateItem."""
        _, item = self._move(
            archive_key(run, archive_id),
            {A.STATUS: text(ArchiveStatus.FAILED), A.FAILURE: text(reason)},
            only & FAIL_FROM,
            condition=f"{A.JOB_ID} = :job" if job_id is not None else None,
            values={":job": text(job_id)} if job_id is not None else {},
        )
        return _status(item)

    def store_part(self, run: str, archive_id: str, *, upload_id: str, part: Part) -> PartStored:
        """One PutItem; two more calls when another upload's part is in the way."""
        in_the_way = self._put_part(run, archive_id, upload_id, part)
        while in_the_way is not None:
            other = in_the_way[PartItem.UPLOAD_ID]["S"]
            if other == upload_id:
                return PartStored.KNOWN
            record = self.load(run, archive_id)
            if record is None or record.upload_id != upload_id:
                return PartStored.ABANDONED
            in_the_way = self._put_part(run, archive_id, upload_id, part, replaced=other)
        return PartStored.NEW

    def count_part(self, run: str, archive_id: str, *, upload_id: str) -> Progress:
        """One UpdateItem."""
        return self._count(run, archive_id, upload_id, ProgressItem.PARTS_DONE)

    def count_replay(self, run: str, archive_id: str, *, upload_id: str) -> Progress:
        """One UpdateItem."""
        return self._count(run, archive_id, upload_id, ProgressItem.REPLAYS)

    def part(self, run: str, archive_id: str, *, upload_id: str, number: int) -> Part | None:
        """One GetItem."""
        item = self._get(_sub_key(run, archive_id, tables.part_sk(number)))
        if item is None or item[PartItem.UPLOAD_ID]["S"] != upload_id:
            return None
        return _parse_part(item)

    def parts(self, run: str, archive_id: str, *, upload_id: str) -> list[Part]:
        """One Query per MB."""
        items = self._query_parts(run, archive_id)
        return [_parse_part(item) for item in items if item[PartItem.UPLOAD_ID]["S"] == upload_id]

    def forget_parts(self, run: str, archive_id: str) -> None:
        """One Query per MB, one BatchWriteItem per 25 parts."""
        keys = [{name: item[name] for name in (tables.PK, tables.SK)} for item in self._query_parts(run, archive_id)]
        delete_many(self._client, self._table, keys)

    def note_problem(self, run: str, archive_id: str, *, problem: str, now: datetime) -> None:
        """One UpdateItem."""
        self._client.update_item(
            TableName=self._table,
            Key=_sub_key(run, archive_id, tables.PROBLEM),
            UpdateExpression=f"SET {ProblemItem.PROBLEM} = :problem, {ProblemItem.NOTED_AT} = :now",
            ExpressionAttributeValues={":problem": text(problem), ":now": text(format_time(now))},
        )

    def problem(self, run: str, archive_id: str) -> str | None:
        """One GetItem."""
        item = self._get(_sub_key(run, archive_id, tables.PROBLEM))
        return item[ProblemItem.PROBLEM]["S"] if item else None

    def _get(self, key: Item) -> Item | None:
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _query_parts(self, run: str, archive_id: str) -> Iterable[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"{tables.PK} = :pk AND begins_with({tables.SK}, :part)",
            ExpressionAttributeValues={
                ":pk": text(tables.archive_pk(run, archive_id)),
                ":part": text(tables.PART_PREFIX),
            },
            ConsistentRead=True,
        )
        return (item for page in pages for item in page["Items"])

    def _put_part(self, run: str, archive_id: str, upload_id: str, part: Part, *, replaced: str = "") -> Item | None:
        """Put a part where there is none, or that of upload ``replaced``; else the one that is there."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_sub_key(run, archive_id, tables.part_sk(part.number)),
                    PartItem.UPLOAD_ID: text(upload_id),
                    PartItem.ETAG: text(part.etag),
                    PartItem.CHECKSUM: text(part.checksum),
                    PartItem.TREE_CHECKSUM: text(part.tree_hash),
                },
                ConditionExpression=f"attribute_not_exists({PartItem.UPLOAD_ID}) OR {PartItem.UPLOAD_ID} = :replaced",
                ExpressionAttributeValues={":replaced": text(replaced)},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return cast("Item", cast("Any", error.response)["Item"])
        return None

    def _count(self, run: str, archive_id: str, upload_id: str, counter: ProgressItem) -> Progress:
        answer = self._client.update_item(
            TableName=self._table,
            Key=_sub_key(run, archive_id, tables.progress_sk(upload_id)),
            UpdateExpression=f"ADD {counter} :one",
            ExpressionAttributeValues={":one": number(1)},
            ReturnValues="ALL_NEW",
        )["Attributes"]
        zero = number(0)
        return Progress(
            counted=int(answer.get(ProgressItem.PARTS_DONE, zero)["N"]),
            replays=int(answer.get(ProgressItem.REPLAYS, zero)["N"]),
        )

    def _move(
        self,
        key: Item,
        change: Mapping[A, Item],
        sources: Collection[ArchiveStatus],
        *,
        condition: str | None = None,
        values: Mapping[str, Item] | None = None,
    ) -> tuple[bool, Item | None]:
        """Change an archive that is in one of ``sources``; whether it was, and the item as it is now."""
        names = {f"#s{position}": str(name) for position, name in enumerate(change)}
        states = {f":from{position}": text(status) for position, status in enumerate(sorted(sources))}
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression="SET " + ", ".join(f"#s{position} = :s{position}" for position in range(len(change))),
                ConditionExpression=f"#status IN ({', '.join(states)})" + (f" AND {condition}" if condition else ""),
                ExpressionAttributeNames={**names, "#status": A.STATUS},
                ExpressionAttributeValues={
                    **{f":s{position}": value for position, value in enumerate(change.values())},
                    **states,
                    **(values or {}),
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            item: Any = error.response.get("Item")
            return False, item
        return True, answer["Attributes"]

    def _update(
        self,
        key: Item,
        change: Mapping[Any, Item],
        sources: Collection[ArchiveStatus],
        *,
        remove: Sequence[A] = (),
        condition: str | None = None,
        values: Sequence[Item] = (),
    ) -> Statement:
        assignments = " ".join(f'SET "{name}"=?' for name in change)
        removals = "".join(f' REMOVE "{name}"' for name in remove)
        states = ", ".join("?" * len(sources))
        return Statement(
            partiql=f'UPDATE "{self._table}" {assignments}{removals} '
            f'WHERE "{tables.PK}"=? AND "{tables.SK}"=? AND "{A.STATUS}" IN [{states}]'
            + (f" AND {condition}" if condition else ""),
            parameters=[*change.values(), key[tables.PK], key[tables.SK], *map(text, sorted(sources)), *values],
        )


class DynamoRunFacts:
    """`solution.application.ports.records.RunFactsReader` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def facts(self, run: str) -> RunFacts | None:
        """One GetItem."""
        item = self._client.get_item(
            TableName=self._table, Key={tables.PK: text(run), tables.SK: text(tables.META)}, ConsistentRead=True
        ).get("Item")
        if item is None:
            return None
        return RunFacts(
            run=run,
            execution_name=item[Run.EXECUTION_NAME]["S"],
            attempt=int(item[Run.ATTEMPT]["N"]) if Run.ATTEMPT in item else 0,
            status=RunStatus(item[Run.STATUS]["S"]) if Run.STATUS in item else RunStatus.RUNNING,
        )


def _insert(table: str, record: ArchiveRecord) -> Statement:
    item = {**archive_key(record.run, record.archive_id), **facts(record)}
    members = ", ".join(f"'{name}': ?" for name in item)
    return Statement(partiql=f'INSERT INTO "{table}" VALUE {{{members}}}', parameters=list(item.values()))


def _held(records: Sequence[ArchiveRecord], held: Sequence[bool]) -> set[str]:
    return {record.archive_id for record, true in zip(records, held, strict=True) if true}


def _sub_key(run: str, archive_id: str, sk: str) -> Item:
    return {tables.PK: text(tables.archive_pk(run, archive_id)), tables.SK: text(sk)}


def _status(item: Item | None) -> ArchiveStatus | None:
    return ArchiveStatus(item[A.STATUS]["S"]) if item else None


def _parse_part(item: Item) -> Part:
    return Part(
        number=int(item[tables.SK]["S"].removeprefix(tables.PART_PREFIX)),
        etag=item[PartItem.ETAG]["S"],
        checksum=item[PartItem.CHECKSUM]["S"],
        tree_hash=item[PartItem.TREE_CHECKSUM]["S"],
    )
