"""When a task is tried again.

Back-off doubles from the interval up to a limit, with full jitter, so that tasks which failed together do not come back
together ("Error handling in Step Functions workflows", AWS Step Functions Developer Guide).
"""

from __future__ import annotations

from typing import Any, Final

State = dict[str, Any]


def retrier(errors: list[str], *, interval: int, attempts: int, limit: int = 60) -> State:
    """One retrier; seconds between attempts double from ``interval`` to ``limit``."""
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": interval,
        "MaxAttempts": attempts,
        "BackoffRate": 2,
        "MaxDelaySeconds": limit,
        "JitterStrategy": "FULL",
    }


LAMBDA_RETRIES: Final = [
    # The Lambda service, not our code: "Transient errors" in "Handling errors in Step Functions".
    retrier(
        [
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.Unknown",
            # the process has ended before its answer: killed, or out of memory
            "Runtime.ExitError",
            "Sandbox.Timedout",
        ],
        interval=2,
        attempts=6,
    ),
    # Glacier or DynamoDB asked us to slow down, beyond what the function waits for by itself.
    retrier(["Throttled"], interval=10, attempts=12, limit=300),
    # What our functions call worth another try, and what botocore raises when a connection breaks.
    retrier(
        [
            "TransientError",
            "NoAnswer",
            "ShortRead",
            "ChecksumMismatch",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "EndpointConnectionError",
            "ConnectionClosedError",
        ],
        interval=2,
        attempts=6,
    ),
]

SDK_RETRIES: Final = [
    retrier(
        [
            "DynamoDB.InternalServerErrorException",
            "DynamoDB.ProvisionedThroughputExceededException",
            "DynamoDB.RequestLimitExceededException",
            "DynamoDB.ThrottlingException",
            "DynamoDb.InternalServerErrorException",
            "DynamoDb.ProvisionedThroughputExceededException",
            "DynamoDb.RequestLimitExceededException",
            "DynamoDb.SdkClientException",
            "DynamoDb.ThrottlingException",
            "EventBridge.ConcurrentModificationException",
            "EventBridge.InternalException",
            "EventBridge.SdkClientException",
            "S3.SdkClientException",
            "CloudWatch.InternalServiceFaultException",
            "CloudWatch.SdkClientException",
        ],
        interval=1,
        attempts=6,
    )
]
"""For calls of AWS services without a function between; every one of them may be repeated."""
