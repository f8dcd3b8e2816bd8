"""Records of runs, and the list of attempts, on DynamoDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from solution.application.ports.runs import Attempt, RunRecord
from solution.contract.tables import ATTEMPTS_PK, META, PK, SEPARATOR, SK, AttemptsItem, Run, RunStatus
from solution.domain.archive import MigrationType, StorageClass, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize

_UNDER_WAY = {f":{status.lower()}": str(status) for status in RunStatus if not status.ended}
"""The statuses of a run that has not ended, as values of a condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoRunRecords:
    """`solution.application.ports.runs.RunRecords` on the table GlacierObjectRetrieval."""

    client: DynamoDBClient
    table: str

    def read(self, run: str) -> RunRecord | None:
        """Read the run's item consistently."""
        found = self.client.get_item(TableName=self.table, Key=_key(run), ConsistentRead=True)
        return (
            _record({name: _deserialize(value) for name, value in found["Item"].items()}) if "Item" in found else None
        )

    def create(self, record: RunRecord) -> bool:
        """Conditional on there being no such run, or this execution's."""
        return self._write(
            record,
            condition="attribute_not_exists(#pk) OR #arn = :arn",
            names={"#pk": PK},
            values={":arn": record.execution_arn},
        )

    def renew(self, record: RunRecord, *, previous_attempt: int) -> bool:
        """Conditional on the attempt and its end."""
        return self._write(
            record,
            condition=f"#attempt = :previous AND NOT #status IN ({', '.join(_UNDER_WAY)})",
            names={},
            values={":previous": previous_attempt, **_UNDER_WAY},
        )

    def stop(self, run: str, *, execution_name: str, reason: str) -> bool:
        """Conditional on execution and status."""
        return self._update(
            run,
            assignments={Run.STATUS: str(RunStatus.STOPPING), Run.STOP_REASON: reason},
            removals=(),
            condition="#execution = :execution AND #status = :running",
            names={"#execution": Run.EXECUTION_NAME, "#status": Run.STATUS},
            values={":execution": execution_name, ":running": str(RunStatus.RUNNING)},
        )

    def begin_end(self, run: str, *, execution_name: str, reason: str) -> bool:
        """Conditional on execution and status."""
        return self._update(
            run,
            assignments={Run.STATUS: str(RunStatus.ENDING), Run.END_REASON: reason},
            removals=(),
            condition=f"#execution = :execution AND #status IN ({', '.join(_UNDER_WAY)})",
            names={"#execution": Run.EXECUTION_NAME, "#status": Run.STATUS},
            values={":execution": execution_name, **_UNDER_WAY},
        )

    def finish(self, run: str, *, execution_name: str, outcome: RunStatus, ended_at: str, failure: str = "") -> bool:
        """Conditional on the execution."""
        return self._update(
            run,
            assignments={
                Run.STATUS: str(outcome),
                Run.OUTCOME: str(outcome),
                Run.ENDED_AT: ended_at,
                Run.FAILURE: failure,
            },
            removals=(),
            condition="#execution = :execution",
            names={"#execution": Run.EXECUTION_NAME},
            values={":execution": execution_name},
        )

    def _write(
        self, record: RunRecord, *, condition: str, names: Mapping[str, str], values: Mapping[str, object]
    ) -> bool:
        return self._update(
            record.run,
            assignments=_attributes(record),
            removals=(
                Run.ENDED_AT,
                Run.OUTCOME,
                Run.FAILURE,
                Run.PARTITION_STARTED_AT,
                Run.STOP_REASON,
                Run.END_REASON,
            ),
            condition=condition,
            names={"#arn": Run.EXECUTION_ARN, "#attempt": Run.ATTEMPT, "#status": Run.STATUS, **names},
            values=values,
        )

    def _update(
        self,
        run: str,
        *,
        assignments: Mapping[Run, object],
        removals: tuple[Run, ...],
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, object],
    ) -> bool:
        sets = [
            # the first start is the run's start
            f"#{name} = if_not_exists(#{name}, :{name})" if name is Run.STARTED_AT else f"#{name} = :{name}"
            for name in assignments
        ]
        expression = "SET " + ", ".join(sets)
        if removals:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removals)
        used = {f"#{name}": str(name) for name in (*assignments, *removals)}
        used |= {alias: str(name) for alias, name in names.items() if alias in condition}
        given = {f":{name}": value for name, value in assignments.items()} | dict(values)
        try:
            self.client.update_item(
                TableName=self.table,
                Key=_key(run),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames=used,
                ExpressionAttributeValues={name: _serialize(value) for name, value in given.items()},
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoAttempts:
    """`solution.application.ports.runs.Attempts` on one item of MetricTable."""

    client: DynamoDBClient
    table: str

    def add(self, attempt: Attempt) -> None:
        """One UpdateItem."""
        self._update("ADD", attempt)

    def remove(self, attempt: Attempt) -> None:
        """One UpdateItem."""
        self._update("DELETE", attempt)

    def all(self) -> list[Attempt]:
        """One GetItem."""
        item = self.client.get_item(TableName=self.table, Key={PK: {"S": ATTEMPTS_PK}}, ConsistentRead=True).get("Item")
        entries = item.get(AttemptsItem.ATTEMPTS, {}).get("SS", []) if item else []
        parted = [entry.partition(SEPARATOR) for entry in sorted(entries)]
        return [Attempt(run=run, execution_arn=arn) for run, _, arn in parted]

    def _update(self, verb: str, attempt: Attempt) -> None:
        entry = f"{attempt.run}{SEPARATOR}{attempt.execution_arn}"
        self.client.update_item(
            TableName=self.table,
            Key={PK: {"S": ATTEMPTS_PK}},
            UpdateExpression=f"{verb} #attempts :entry",
            ExpressionAttributeNames={"#attempts": AttemptsItem.ATTEMPTS},
            ExpressionAttributeValues={":entry": {"SS": [entry]}},
        )


def _key(run: str) -> dict[str, Any]:
    return {PK: {"S": run}, SK: {"S": META}}


def _attributes(record: RunRecord) -> dict[Run, object]:
    return {
        Run.VAULT_NAME: record.vault_name,
        Run.TIER: str(record.tier),
        Run.STORAGE_CLASS: str(record.storage_class),
        Run.MIGRATION_TYPE: str(record.migration_type),
        Run.PROVIDED_INVENTORY: record.provided_inventory,
        Run.NAME_OVERRIDE: record.name_override,
        Run.CROSS_REGION: record.cross_region,
        Run.DESCRIPTION: record.description,
        Run.ATTEMPT: record.attempt,
        Run.EXECUTION_ARN: record.execution_arn,
        Run.EXECUTION_NAME: record.execution_name,
        Run.STATUS: str(record.status),
        Run.STARTED_AT: record.started_at,
    }


def _record(item: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        run=item[PK],
        vault_name=item[Run.VAULT_NAME],
        tier=Tier(item[Run.TIER]),
        storage_class=StorageClass(item[Run.STORAGE_CLASS]),
        migration_type=MigrationType(item[Run.MIGRATION_TYPE]),
        provided_inventory=item[Run.PROVIDED_INVENTORY],
        name_override=item[Run.NAME_OVERRIDE],
        cross_region=item[Run.CROSS_REGION],
        description=item[Run.DESCRIPTION],
        attempt=int(item[Run.ATTEMPT]),
        execution_arn=item[Run.EXECUTION_ARN],
        execution_name=item[Run.EXECUTION_NAME],
        status=RunStatus(item[Run.STATUS]),
        started_at=item[Run.STARTED_AT],
        ended_at=item.get(Run.ENDED_AT, ""),
        failure=item.get(Run.FAILURE, ""),
        stop_reason=item.get(Run.STOP_REASON, ""),
        end_reason=item.get(Run.END_REASON, ""),
    )
