"""boto3 clients: each made once per process, with retries, time-outs and user agent set in one place.

Creating a client loads and interprets a service model, tens of milliseconds of CPU; its connection pool is what makes
the next call cheap. So nothing else in this package may call ``boto3.client``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config

from solution import USER_AGENT_EXTRA
from solution.application.adapters.streaming import stream_bodies

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glacier import GlacierClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
MAX_CONNECTIONS = 50


def _config(*, mode: Literal["standard", "adaptive"] = "standard", attempts: int = 5) -> Config:
    return Config(
        user_agent_extra=USER_AGENT_EXTRA,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": mode, "total_max_attempts": attempts},
    )


SHARED = _config()
"""For calls that are safe to repeat: five attempts in all, exponential back-off with jitter."""

ADAPTIVE = _config(mode="adaptive", attempts=8)
"""For tables and queues, which push back under load: the client slows itself down."""

ONCE = _config(attempts=1)
"""For calls whose repetition is decided by the use case: paced ones, and bodies that cannot be read twice."""


@functools.cache
def dynamodb() -> DynamoDBClient:
    """DynamoDB."""
    return boto3.client("dynamodb", config=ADAPTIVE)


@functools.cache
def dynamodb_streams() -> Any:
    """The streams of DynamoDB's tables."""
    return boto3.client("dynamodbstreams", config=SHARED)


@functools.cache
def sqs() -> SQSClient:
    """SQS."""
    return boto3.client("sqs", config=SHARED)


@functools.cache
def sns() -> SNSClient:
    """SNS."""
    return boto3.client("sns", config=SHARED)


@functools.cache
def s3() -> S3Client:
    """S3, for all but streamed bodies."""
    return boto3.client("s3", config=SHARED)


@functools.cache
def streaming_s3() -> S3Client:
    """S3, for bodies that are sent as they come and cannot be read twice."""
    return stream_bodies(boto3.client("s3", config=ONCE))


@functools.cache
def stepfunctions() -> SFNClient:
    """Step Functions."""
    return boto3.client("stepfunctions", config=SHARED)


@functools.cache
def glue() -> GlueClient:
    """AWS Glue."""
    return boto3.client("glue", config=SHARED)


@functools.cache
def glacier(endpoint_url: str) -> GlacierClient:
    """S3 Glacier at ``endpoint_url``; empty for the real service. Calls are not retried here, the callers pace them."""
    return boto3.client("glacier", config=ONCE, endpoint_url=endpoint_url or None)
