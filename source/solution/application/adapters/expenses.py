"""What runs have asked Glacier for, on one item of MetricTable for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from solution.application.adapters.dynamodb import number, text
from solution.contract import tables
from solution.domain.archive import Tier
from solution.domain.costs import Asked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoExpenses:
    """`solution.application.ports.expenses.Expenses`."""

    client: DynamoDBClient
    table: str

    def add(self, run: str, tier: Tier, asked: Asked) -> None:
        """One UpdateItem."""
        names = {"#requests": tables.asked_requests(tier), "#bytes": tables.asked_bytes(tier)}
        self.client.update_item(
            TableName=self.table,
            Key={tables.PK: text(tables.expenses_pk(run))},
            UpdateExpression="ADD #requests :requests, #bytes :bytes",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={":requests": number(asked.requests), ":bytes": number(asked.size)},
        )

    def read(self, run: str) -> dict[Tier, Asked]:
        """One GetItem."""
        key = {tables.PK: text(tables.expenses_pk(run))}
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        return {
            tier: Asked(
                requests=int(item[tables.asked_requests(tier)]["N"]), size=int(item[tables.asked_bytes(tier)]["N"])
            )
            for tier in Tier
            if tables.asked_requests(tier) in item
        }
