"""Ports of archive retrieval, each against its in-memory version and its adapter.

DynamoDB, S3 and SQS are MiniStack's, in a process of its own: moto has no batches of PartiQL statements without an
extra package. Glacier is our own, over HTTP.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from solution.application.adapters import clients
from solution.application.adapters.streaming import stream_bodies
from tests import ministack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

OWNER = "000000000000"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MiniStack on a free port."""
    with ministack.running(tmp_path_factory.mktemp("ministack")) as url:
        yield url


def _client(service: Any, endpoint: str, config: Any = clients.SHARED) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )


@pytest.fixture(scope="session")
def dynamodb(endpoint: str) -> DynamoDBClient:
    """DynamoDB."""
    return _client("dynamodb", endpoint)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def sqs(endpoint: str) -> SQSClient:
    """SQS."""
    return _client("sqs", endpoint)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def s3(endpoint: str) -> S3Client:
    """S3."""
    return _client("s3", endpoint)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def streaming_s3(endpoint: str) -> S3Client:
    """S3 for streamed bodies."""
    return stream_bodies(_client("s3", endpoint, clients.ONCE))


@pytest.fixture
def retrieval_table(dynamodb: DynamoDBClient) -> str:
    """An empty GlacierObjectRetrieval."""
    name = f"retrieval-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def metric_table(dynamodb: DynamoDBClient) -> str:
    """An empty MetricTable."""
    return _table(dynamodb, "pk")


@pytest.fixture
def facilitator_table(dynamodb: DynamoDBClient) -> str:
    """An empty AsyncFacilitatorTable."""
    return _table(dynamodb, "job_id")


def _table(dynamodb: DynamoDBClient, key: str) -> str:
    name = f"table-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """An empty bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name
