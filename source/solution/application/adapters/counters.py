"""The table MetricTable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from solution.application.adapters.dynamodb import Item, get_many, number, text
from solution.application.adapters.errors import code_of
from solution.application.ports.counters import COUNTED_METRICS, Memory, Pulse, SeenSlot, Tally
from solution.contract import tables
from solution.contract.tables import PulseItem, SeenItem
from solution.domain.archive import format_time, parse_time
from solution.domain.status import Metric

if TYPE_CHECKING:
    from collections.abc import Collection

    from mypy_boto3_dynamodb import DynamoDBClient

    from solution.application.ports.counters import SlotUpdate

MEMORY_SECONDS = 3 * 24 * 3600
"""A stream keeps its records for a day; none can be delivered again after that."""

_CONFLICTS = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


class DynamoCounters:
    """`solution.application.ports.counters.Counters` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, run: str) -> Tally | None:
        """One GetItem."""
        item = self._get(run)
        return None if item is None else parse_tally(item)

    def memory(self, run: str, slots: Collection[int]) -> Memory:
        """One BatchGetItem per 100 slots, the counters being one of them."""
        by_key = {tables.seen_pk(run, slot): slot for slot in slots}
        items = get_many(self._client, self._table, [{tables.PK: text(key)} for key in (run, *by_key)])
        by_pk = {item[tables.PK]["S"]: item for item in items}
        counters = by_pk.pop(run, {})
        return Memory(
            counted_from=int(counters.get(tables.COUNTED_FROM, number(0))["N"]),
            slots={
                by_key[pk]: SeenSlot(
                    version=int(item[SeenItem.VERSION]["N"]),
                    ids=frozenset(bytes(one) for one in item[SeenItem.IDS]["BS"]),
                )
                for pk, item in by_pk.items()
            },
        )

    def commit(self, run: str, delta: Tally, updates: Collection[SlotUpdate], *, counted_from: int) -> bool:
        """One TransactWriteItems."""
        changes = {tables.count_attribute(metric): count for metric, count in delta.archives.items()}
        changes |= {tables.bytes_attribute(metric): size for metric, size in delta.size.items()}
        writes: list[Any] = [{"Update": self._remember(run, update)} for update in updates]
        # where nothing is to be added, the condition matters all the same
        moved = {name: change for name, change in changes.items() if change} or changes
        writes.append({"Update": self._add(run, moved, counted_from)})
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons", [])
            if code_of(error) == "TransactionCanceledException" and any(r.get("Code") in _CONFLICTS for r in reasons):
                return False
            if code_of(error) == "TransactionConflictException":
                return False
            raise
        return True

    def restate(self, run: str, tally: Tally, *, counted_from: int) -> bool:
        """One UpdateItem."""
        values = {tables.count_attribute(metric): tally.count(metric) for metric in COUNTED_METRICS}
        values |= {tables.bytes_attribute(metric): tally.size.get(metric, 0) for metric in COUNTED_METRICS}
        values[tables.COUNTED_FROM] = counted_from
        try:
            self._client.update_item(
                TableName=self._table,
                Key={tables.PK: text(run)},
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
                ConditionExpression=f"attribute_exists({tables.PK}) AND (attribute_not_exists({tables.COUNTED_FROM}) "
                f"OR {tables.COUNTED_FROM} < :{tables.COUNTED_FROM})",
                ExpressionAttributeValues={f":{name}": number(value) for name, value in values.items()},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def pulse(self, run: str) -> Pulse | None:
        """One GetItem."""
        item = self._get(tables.pulse_pk(run))
        if item is None:
            return None
        return Pulse(
            execution_name=item[PulseItem.EXECUTION_NAME]["S"],
            tally=_parse_counters(item[PulseItem.COUNTERS]["S"]),
            moved_at=parse_time(item[PulseItem.MOVED_AT]["S"]),
        )

    def keep_pulse(self, run: str, pulse: Pulse) -> None:
        """One PutItem."""
        self._client.put_item(
            TableName=self._table,
            Item={
                tables.PK: text(tables.pulse_pk(run)),
                PulseItem.EXECUTION_NAME: text(pulse.execution_name),
                PulseItem.COUNTERS: text(_dump_counters(pulse.tally)),
                PulseItem.MOVED_AT: text(format_time(pulse.moved_at)),
            },
        )

    def _get(self, pk: str) -> Item | None:
        key = {tables.PK: text(pk)}
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _remember(self, run: str, update: SlotUpdate) -> Item:
        values: Item = {
            ":ids": {"BS": list(update.ids)},
            ":one": number(1),
            ":expires": number(update.slot + MEMORY_SECONDS),
        }
        if update.version:
            condition = "#version = :version"
            values[":version"] = number(update.version)
        else:
            condition = "attribute_not_exists(#version)"
        return {
            "TableName": self._table,
            "Key": {tables.PK: text(tables.seen_pk(run, update.slot))},
            "UpdateExpression": "SET #expires = :expires ADD #ids :ids, #version :one",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {
                "#ids": SeenItem.IDS,
                "#version": SeenItem.VERSION,
                "#expires": tables.EXPIRES_AT,
            },
            "ExpressionAttributeValues": values,
        }

    def _add(self, run: str, changes: dict[str, int], counted_from: int) -> Item:
        values = {f":{name}": number(change) for name, change in changes.items()}
        if counted_from:
            condition = f"{tables.COUNTED_FROM} = :from"
            values[":from"] = number(counted_from)
        else:
            condition = f"attribute_not_exists({tables.COUNTED_FROM})"
        return {
            "TableName": self._table,
            "Key": {tables.PK: text(run)},
            "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in changes),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        }


def parse_tally(item: Item) -> Tally:
    """Read a run's counters."""
    zero = number(0)
    return Tally(
        archives={metric: int(item.get(tables.count_attribute(metric), zero)["N"]) for metric in Metric},
        size={metric: int(item.get(tables.bytes_attribute(metric), zero)["N"]) for metric in Metric},
    )


def _dump_counters(tally: Tally) -> str:
    return json.dumps({"archives": dict(tally.archives), "bytes": dict(tally.size)}, sort_keys=True)


def _parse_counters(dumped: str) -> Tally:
    source = json.loads(dumped)
    return Tally(
        archives={Metric(name): count for name, count in source["archives"].items()},
        size={Metric(name): size for name, size in source["bytes"].items()},
    )
