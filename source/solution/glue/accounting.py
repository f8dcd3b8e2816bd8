"""The run's counters: what there is to do is stated once, what was done already is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solution.contract import tables
from solution.domain.status import Metric

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number of archives and their bytes."""

    archives: int = 0
    size: int = 0

    def __add__(self, other: Amount) -> Amount:
        """The sum of both."""
        return Amount(archives=self.archives + other.archives, size=self.size + other.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where every row of the inventory went. Rows that could not be read count no bytes where they have none."""

    to_transfer: Amount
    skipped: Amount
    rejected: Amount

    @property
    def total(self) -> Amount:
        """All rows."""
        return self.to_transfer + self.skipped + self.rejected


def update_expression(account: Account) -> tuple[str, dict[str, Any]]:
    """Update expression and values: the three stated counters are set, the others begin at 0 if they are not there.

    Doing it again changes nothing, so neither a retried job nor a resumed run resets what has been counted since.
    """
    stated = {Metric.TOTAL: account.total, Metric.SKIPPED: account.skipped, Metric.REJECTED: account.rejected}
    settings: list[str] = []
    values: dict[str, Any] = {":zero": {"N": "0"}}
    for metric in Metric:
        count, size = tables.count_attribute(metric), tables.bytes_attribute(metric)
        if metric in stated:
            values |= {
                f":{count}": {"N": str(stated[metric].archives)},
                f":{size}": {"N": str(stated[metric].size)},
            }
            settings += [f"{count} = :{count}", f"{size} = :{size}"]
        else:
            settings += [f"{name} = if_not_exists({name}, :zero)" for name in (count, size)]
    return "SET " + ", ".join(settings), values


def state(client: DynamoDBClient, table: str, run: str, account: Account) -> None:
    """Write the account to the run's counters in one update."""
    expression, values = update_expression(account)
    client.update_item(
        TableName=table,
        Key={tables.PK: {"S": run}},
        UpdateExpression=expression,
        ExpressionAttributeValues=values,
    )
