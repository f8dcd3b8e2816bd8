"""S3 does what it is asked to and says that it has not, or says that it could not: every archive ends copied, once."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from solution.application.handlers import (
    archive_validation,
    chunk_retrieval,
    initiate_archive_retrieval,
    notifications_processor,
)
from solution.domain.chunk_plan import MIB
from solution.domain.status import ArchiveStatus
from tests.builders import RUN, content
from tests.ports.retrieval.test_handlers import CONTEXT, Stack, batch, received, sqs_event, stack

__all__ = ["stack"]

CONTENTS = {"one chunk.bin": content(3 * MIB + 1, 1), "two chunks.bin": content(9 * MIB + 3, 2)}
ALL = {"batchItemFailures": [{"itemIdentifier": "0"}]}
NONE: dict[str, Any] = {"batchItemFailures": []}


class Trouble:
    """An answer of one operation is turned into an error, after S3 has done what it was asked to."""

    def __init__(self, operation: str, status: int, code: str) -> None:
        self.left = 1
        self._status = status
        self._code = code
        session: Any = boto3.DEFAULT_SESSION
        session.events.register(f"after-call.s3.{operation}", self._turn)

    def _turn(self, http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if self.left and http_response.status_code < 300:
            self.left -= 1
            http_response.status_code = self._status
            parsed["ResponseMetadata"]["HTTPStatusCode"] = self._status
            parsed["Error"] = {"Code": self._code, "Message": "We encountered an internal error. Please try again."}


def work(handler: Any, bodies: list[str]) -> int:
    """Deliver each message until it is done, as SQS would; returns how many deliveries failed."""
    failed = 0
    for body in bodies:
        for deliveries in range(1, 6):
            answer = handler(sqs_event(body, deliveries=deliveries), CONTEXT)
            if answer == NONE:
                break
            assert answer == ALL
            failed += 1
        else:
            pytest.fail("a message was given up")
    return failed


@pytest.mark.holds(3)
@pytest.mark.parametrize("error", [(500, "InternalError"), (409, "ConditionalRequestConflict"), (400, "BadDigest")])
@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_what_s3_has_done_and_denied_is_found_and_proven(
    request: pytest.FixtureRequest,
    stack: Stack,
    operation: str,
    error: tuple[int, str],
) -> None:
    sqs, s3, dynamodb = (request.getfixturevalue(name) for name in ("sqs", "s3", "dynamodb"))
    initiate_archive_retrieval.handler(batch(stack, CONTENTS), CONTEXT)
    stack.clock.advance(13 * 3600)
    stack.glacier.service.run_due()
    trouble = Trouble(operation, *error)
    failed = work(notifications_processor.handler, [json.dumps(message) for _, message in stack.notifier.published])
    failed += work(chunk_retrieval.handler, received(sqs, stack.chunks))
    failed += work(archive_validation.handler, received(sqs, stack.validations))
    assert not trouble.left
    assert failed == 1
    listed = s3.list_objects_v2(Bucket=stack.bucket)["Contents"]
    assert {entry["Key"] for entry in listed} == {f"{RUN}/{name}" for name in CONTENTS}
    for name, data in CONTENTS.items():
        assert s3.get_object(Bucket=stack.bucket, Key=f"{RUN}/{name}")["Body"].read() == data
    items = [item for item in dynamodb.scan(TableName=stack.table)["Items"] if item["sk"] == {"S": "meta"}]
    assert [item["status"]["S"] for item in items] == [ArchiveStatus.DOWNLOADED] * len(CONTENTS)
