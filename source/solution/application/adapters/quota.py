"""The quota's ledger in MetricTable."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from solution.application.adapters.dynamodb import Item, number, text
from solution.application.ports.quota import LedgerPage
from solution.contract import tables
from solution.contract.tables import QuotaItem
from solution.domain.pacing import Ledger, Waiter

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

_KEY: Item = {tables.PK: text(tables.QUOTA_PK)}


class DynamoQuotaLedger:
    """`solution.application.ports.quota.QuotaLedger` on DynamoDB: one item, some 300 numbers at most."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self) -> LedgerPage:
        """One GetItem."""
        item = self._client.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True).get("Item")
        if item is None:
            return LedgerPage(ledger=Ledger(), version=0)
        entries = {int(moment): int(size["N"]) for moment, size in item[QuotaItem.ENTRIES]["M"].items()}
        ledger = Ledger(
            entries=entries,
            free_at=int(item[QuotaItem.FREE_AT]["N"]),
            waiting=tuple(_parse_waiter(one["M"]) for one in item.get(QuotaItem.WAITING, {"L": []})["L"]),
        )
        return LedgerPage(ledger=ledger, version=int(item[QuotaItem.VERSION]["N"]))

    def replace(self, ledger: Ledger, *, version: int, expires: datetime) -> bool:
        """One PutItem.

        Time to live may have removed the item since it was read, which then is as good as its old version: nothing in
        it mattered any more.
        """
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_KEY,
                    QuotaItem.VERSION: number(version + 1),
                    QuotaItem.ENTRIES: {"M": {str(moment): number(size) for moment, size in ledger.entries.items()}},
                    QuotaItem.FREE_AT: number(ledger.free_at),
                    QuotaItem.WAITING: {"L": [{"M": _waiter(one)} for one in ledger.waiting]},
                    tables.EXPIRES_AT: number(math.ceil(expires.timestamp())),
                },
                ConditionExpression="attribute_not_exists(#version) OR #version = :version",
                ExpressionAttributeNames={"#version": QuotaItem.VERSION},
                ExpressionAttributeValues={":version": number(version)},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _waiter(waiter: Waiter) -> Item:
    return {"owner": text(waiter.owner), "size": number(waiter.size), "until": number(waiter.until)}


def _parse_waiter(item: Item) -> Waiter:
    return Waiter(owner=item["owner"]["S"], size=int(item["size"]["N"]), until=int(item["until"]["N"]))
