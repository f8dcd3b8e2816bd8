"""The mock as a Lambda function: events in, results out, within Lambda's limits."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from solution.mocking.glacier import lambda_handler
from solution.mocking.vaults.virtual import VirtualContent
from tests.unit.mocking.caller import Glacier

if TYPE_CHECKING:
    from pathlib import Path

VERSION = {"X-Amz-Glacier-Version": "2012-06-01"}


class Invocation:
    """What Lambda tells a function about itself."""

    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:mock"


def url_event(method: str, path: str, query: str = "", body: bytes = b"") -> dict[str, object]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": VERSION,
        "requestContext": {"http": {"method": method}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("MOCK_GLACIER_DATA_DIR", str(tmp_path / "lambda"))
    monkeypatch.setenv("MOCK_GLACIER_TIME_FACTOR", "3600")


@pytest.mark.usefixtures("environment")
def test_events_are_answered_and_time_passes_on_schedule() -> None:
    lambda_handler._service.cache_clear()
    created = lambda_handler.handler(url_event("PUT", "/-/vaults/v"), Invocation())
    assert created["statusCode"] == 201
    assert created["headers"]["Location"] == "/123456789012/vaults/v"
    listed = lambda_handler.handler(url_event("GET", "/-/vaults", "limit=5"), Invocation())
    [vault] = json.loads(base64.b64decode(listed["body"]))["VaultList"]
    assert vault["VaultARN"] == "arn:aws:glacier:eu-west-1:123456789012:vaults/v"
    assert lambda_handler.handler({"source": "aws.events"}, Invocation()) == {"done": 0}
    lambda_handler._service("123456789012").close()
    lambda_handler._service.cache_clear()


def test_both_event_formats_read_the_same() -> None:
    first = lambda_handler.request_of(url_event("POST", "/-/vaults/v%2Ex/jobs", "a=b", b"\x00body"))
    second = lambda_handler.request_of(
        {
            "httpMethod": "POST",
            "path": "/-/vaults/v.x/jobs",
            "queryStringParameters": {"a": "b"},
            "headers": VERSION,
            "requestContext": {},
            "body": base64.b64encode(b"\x00body").decode(),
            "isBase64Encoded": True,
        }
    )
    assert first == second
    assert first.headers == {"x-amz-glacier-version": "2012-06-01"}


def test_an_output_lambda_cannot_send_is_refused_and_a_range_of_it_is_not(glacier: Glacier) -> None:
    size = lambda_handler.LARGEST_BODY + 1
    job = glacier.retrieve(glacier.service.add_archive("v", VirtualContent(seed="s", size=size)))
    glacier.wait()
    refused = lambda_handler.result_of(glacier.output(job))
    assert refused["statusCode"] == 400
    assert b"Read ranges" in base64.b64decode(refused["body"])
    sent = lambda_handler.result_of(glacier.output(job, first=0, last=lambda_handler.LARGEST_BODY - 1))
    assert len(base64.b64decode(sent["body"])) == lambda_handler.LARGEST_BODY
