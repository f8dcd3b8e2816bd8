"""The service as a Lambda function behind a function URL or API Gateway; scheduled events let time pass.

Environment: ``MOCK_GLACIER_DATA_DIR`` (default ``/tmp/glacier``; a mounted file system keeps vaults longer
than one execution environment lives), ``MOCK_GLACIER_TIME_FACTOR`` (default 1),
``MOCK_GLACIER_NETWORK_DISK`` (``true`` on EFS). Reserve a concurrency of 1: the database is one file with
one writer. Lambda's limit of 6 MB per payload, base64 counted, bounds bodies to 4 MiB in both directions; a
larger read is refused in Glacier's error shape.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from solution.mocking.glacier.errors import InvalidParameterError
from solution.mocking.glacier.messages import Request, Response, error_reply
from solution.mocking.glacier.service import GlacierService
from solution.mocking.glacier.settings import GlacierSettings

LARGEST_BODY: Final = 4 * 1024 * 1024


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Entry point: an HTTP event is answered, a scheduled event completes what is due."""
    service = _service(_account_id(context))
    done = service.run_due()
    if "requestContext" not in event:
        return {"done": done}
    response = asyncio.run(service.handle(request_of(event)))
    service.run_due()
    return result_of(response)


def request_of(event: Mapping[str, Any]) -> Request:
    """Read an event of a function URL or HTTP API (format 2.0), or of a REST API (format 1.0)."""
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if event.get("version") == "2.0":
        method = event["requestContext"]["http"]["method"]
        path = event["rawPath"]
        query = dict(parse_qsl(event.get("rawQueryString", ""), keep_blank_values=True))
    else:
        method, path, query = event["httpMethod"], event["path"], event.get("queryStringParameters") or {}
    return Request(method=method, path=unquote(path), query=query, headers=headers, body=body)


def result_of(response: Response) -> dict[str, Any]:
    """The response as Lambda's HTTP integrations take it."""
    length = int(response.headers.get("Content-Length", "0"))
    if length > LARGEST_BODY:
        message = (
            f"The output of {length} bytes exceeds what a Lambda function can send. "
            f"Read ranges of {LARGEST_BODY} bytes."
        )
        response = error_reply(InvalidParameterError(message))
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": base64.b64encode(response.read()).decode(),
        "isBase64Encoded": True,
    }


def _account_id(context: Any) -> str:
    return str(context.invoked_function_arn).split(":")[4]


@functools.cache
def _service(account_id: str) -> GlacierService:
    """Once per execution environment."""
    import boto3  # noqa: PLC0415  # only the function publishes by itself; tests of the shapes need no client

    from solution.mocking.glacier.sns import SnsNotifier  # noqa: PLC0415

    region = os.environ["AWS_REGION"]
    return GlacierService(
        os.environ.get("MOCK_GLACIER_DATA_DIR", "/tmp/glacier"),  # noqa: S108  # Lambda's only own disk
        settings=GlacierSettings(
            account_id=account_id,
            region=region,
            time_factor=float(os.environ.get("MOCK_GLACIER_TIME_FACTOR", "1")),
            network_disk=os.environ.get("MOCK_GLACIER_NETWORK_DISK", "false") == "true",
        ),
        notifier=SnsNotifier(boto3.client("sns", region_name=region)),
    )
