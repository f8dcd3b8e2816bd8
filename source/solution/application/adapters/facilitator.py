"""The table where task tokens and job results meet, and Step Functions' task answers."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from solution.application.adapters.errors import code_of
from solution.contract.tables import FacilitatorItem
from solution.domain.archive import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_stepfunctions import SFNClient

    from solution.contract.messages import JobResult

RESULT_LIFETIME = timedelta(days=100)
"""Longer than any wait; then the table's time to live removes the item."""

_NOBODY = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})
_MAX_CAUSE = 32768


class DynamoFacilitator:
    """`solution.application.ports.facilitator.Facilitator` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def put_result(self, result: JobResult, now: datetime) -> bool:
        """One conditional UpdateItem; a task token that is there already stays."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={FacilitatorItem.JOB_ID: {"S": result.job_id}},
                UpdateExpression="SET #result = :result, #finished = :finished, #expires = :expires",
                ConditionExpression="attribute_not_exists(#result)",
                ExpressionAttributeNames={
                    "#result": FacilitatorItem.JOB_RESULT,
                    "#finished": FacilitatorItem.FINISH_TIMESTAMP,
                    "#expires": FacilitatorItem.EXPIRES_AT,
                },
                ExpressionAttributeValues={
                    ":result": {"S": result.dump()},
                    ":finished": {"S": format_time(now)},
                    ":expires": {"N": str(int((now + RESULT_LIFETIME).timestamp()))},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def remind(self, job_id: str, now: datetime) -> None:
        """One conditional UpdateItem, which the table's stream tells again."""
        with contextlib.suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key={FacilitatorItem.JOB_ID: {"S": job_id}},
                UpdateExpression="SET #reminded = :now",
                ConditionExpression="attribute_exists(#result)",
                ExpressionAttributeNames={
                    "#result": FacilitatorItem.JOB_RESULT,
                    "#reminded": FacilitatorItem.REMINDED_AT,
                },
                ExpressionAttributeValues={":now": {"S": format_time(now)}},
            )


class StepFunctionsGate:
    """`solution.application.ports.facilitator.TaskGate` on Step Functions."""

    def __init__(self, client: SFNClient) -> None:
        self._client = client

    def succeed(self, token: str, output: str) -> bool:
        """One SendTaskSuccess."""
        try:
            self._client.send_task_success(taskToken=token, output=output)
        except ClientError as error:
            return _nobody_or_raise(error)
        return True

    def fail(self, token: str, *, error: str, cause: str) -> bool:
        """One SendTaskFailure."""
        try:
            self._client.send_task_failure(taskToken=token, error=error, cause=cause[:_MAX_CAUSE])
        except ClientError as problem:
            return _nobody_or_raise(problem)
        return True


def _nobody_or_raise(error: ClientError) -> bool:
    if code_of(error) not in _NOBODY:
        raise error
    return False
