"""An account with a vault, a stack's resources, and an orchestrator that remembers what it was given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "123456789012"
MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:Orchestrator"


class Orchestrator:
    """Step Functions as far as the scripts use it: names are used once, executions run until they are ended."""

    class exceptions:  # noqa: N801 - as boto3 names it
        class ExecutionAlreadyExists(ClientError): ...  # noqa: N818 - as AWS names it

        class ExecutionDoesNotExist(ClientError): ...  # noqa: N818 - as AWS names it

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Any]] = {}
        self.status: dict[str, str] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, str]:  # noqa: A002, N803
        assert stateMachineArn == MACHINE
        arn = MACHINE.replace(":stateMachine:", ":execution:") + f":{name}"
        if arn in self.status:
            raise self.exceptions.ExecutionAlreadyExists(
                {"Error": {"Code": "ExecutionAlreadyExists"}}, "StartExecution"
            )
        self.started[name] = json.loads(input)
        self.status[arn] = "RUNNING"
        return {"executionArn": arn}

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:  # noqa: N803
        if executionArn not in self.status:
            raise self.exceptions.ExecutionDoesNotExist(
                {"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution"
            )
        return {"status": self.status[executionArn]}


class Glacier:
    """S3 Glacier with one vault, ``photos``."""

    class exceptions:  # noqa: N801 - as boto3 names it
        class ResourceNotFoundException(ClientError): ...  # noqa: N818 - as AWS names it

    def describe_vault(self, *, accountId: str, vaultName: str) -> dict[str, str]:  # noqa: N803
        if (accountId, vaultName) != ("-", "photos"):
            raise self.exceptions.ResourceNotFoundException(
                {"Error": {"Code": "ResourceNotFoundException"}}, "DescribeVault"
            )
        return {"VaultName": vaultName}


@pytest.fixture
def orchestrator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Orchestrator]:
    """The account; yields its orchestrator."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    machine = Orchestrator()
    fakes = {"stepfunctions": machine, "glacier": Glacier()}
    real = boto3.client

    def client(service: Any, **options: Any) -> Any:
        return fakes.get(service) or real(service, **options)

    with mock_aws():
        s3 = real("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="copies")
        s3.create_bucket(Bucket="inventory")
        s3.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        real("dynamodb", region_name="us-east-1").create_table(
            TableName="retrieval",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        real("dynamodb", region_name="us-east-1").create_table(
            TableName="metrics",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        monkeypatch.setattr(boto3, "client", client)
        yield machine


RESOURCES = {
    "OrchestratorStateMachineArn": MACHINE,
    "AsyncFacilitatorTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:facilitator",
    "DestinationBucketName": "copies",
    "InventoryBucketName": "inventory",
    "RetrievalTableName": "retrieval",
    "MetricTableName": "metrics",
    "GlacierEndpointUrl": "",
    "Region": "us-east-1",
    "AccountId": ACCOUNT,
}
