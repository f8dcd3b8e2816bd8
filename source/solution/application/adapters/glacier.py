"""S3 Glacier's jobs on boto3."""

from __future__ import annotations

from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from solution.application.adapters.errors import translated
from solution.application.ports.glacier import JobOutput, JobState
from solution.domain.errors import JobExpired, JobRefused, ShortRead, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.response import StreamingBody
    from mypy_boto3_glacier import GlacierClient
    from mypy_boto3_glacier.type_defs import GetJobOutputOutputTypeDef

    from solution.domain.archive import Tier

_REFUSALS = {
    "ResourceNotFoundException": JobRefused,
    "InvalidParameterValueException": JobRefused,
    "MissingParameterValueException": JobRefused,
}
_GONE = {"ResourceNotFoundException": JobExpired, "InvalidParameterValueException": TransientError}


class BotoGlacierJobs:
    """`solution.application.ports.glacier.GlacierJobs` on boto3; notifications go to the topic."""

    def __init__(self, client: GlacierClient, *, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def request_archive(self, *, vault: str, archive_id: str, tier: Tier, run: str) -> str:
        """One InitiateJob of type archive-retrieval."""
        with translated(_REFUSALS):
            answer = self._client.initiate_job(
                vaultName=vault,
                jobParameters={
                    "Type": "archive-retrieval",
                    "ArchiveId": archive_id,
                    "Tier": tier.value,
                    "Description": run,
                    "SNSTopic": self._topic_arn,
                },
            )
        return answer["jobId"]

    def request_inventory(self, *, vault: str, run: str) -> str:
        """One InitiateJob of type inventory-retrieval, CSV."""
        with translated(_REFUSALS):
            answer = self._client.initiate_job(
                vaultName=vault,
                jobParameters={
                    "Type": "inventory-retrieval",
                    "Format": "CSV",
                    "Description": run,
                    "SNSTopic": self._topic_arn,
                },
            )
        return answer["jobId"]

    def describe(self, *, vault: str, job_id: str) -> JobState:
        """One DescribeJob."""
        with translated({"ResourceNotFoundException": JobExpired}):
            answer = self._client.describe_job(vaultName=vault, jobId=job_id)
        return JobState(
            job_id=job_id,
            completed=answer["Completed"],
            succeeded=answer["StatusCode"] == "Succeeded",
            status_message=answer.get("StatusMessage") or "",
            inventory_size=answer.get("InventorySizeInBytes"),
            completion_date=answer.get("CompletionDate") or "",
        )

    @contextmanager
    def open_output(
        self, *, vault: str, job_id: str, first: int | None = None, last: int | None = None
    ) -> Iterator[JobOutput]:
        """One GetJobOutput; the connection is closed when the body was not read to its end."""
        with translated(_GONE):
            if first is None:
                answer = self._client.get_job_output(vaultName=vault, jobId=job_id)
            else:
                answer = self._client.get_job_output(vaultName=vault, jobId=job_id, range=f"bytes={first}-{last}")
        body = answer["body"]
        try:
            length = _announced_length(answer, first, last)
            yield JobOutput(
                body=_Source(body, length),
                length=length,
                tree_hash=answer.get("checksum"),
            )
        finally:
            body.close()


def _announced_length(answer: GetJobOutputOutputTypeDef, first: int | None, last: int | None) -> int:
    """Bytes of the body. Raises `TransientError` where there is no telling, or where they are others than asked for."""
    length = answer["ResponseMetadata"]["HTTPHeaders"].get("content-length")
    if length is None:
        raise TransientError("the job's output came without its length")
    sent = answer.get("contentRange")
    if first is not None and sent and not sent.startswith(f"bytes {first}-{last}/"):
        raise TransientError(f"Glacier sent {sent!r} when asked for the bytes {first}-{last}")
    return int(length)


class _Source:
    """A streaming body of ``length`` bytes whose trouble is a `ShortRead`.

    botocore and urllib3 read into new memory, a MiB of it for each MiB, and clearing that costs as much as receiving.
    So all but the last byte of a body is received by Python's own HTTP response below them, into the caller's buffer.
    The last one is read through them, from which they know that the connection is free for the next request.
    """

    def __init__(self, body: StreamingBody, length: int) -> None:
        self._body = body
        self._remaining = length
        below = getattr(getattr(body, "_raw_stream", None), "_fp", None)
        self._below = below if isinstance(below, HTTPResponse) else None

    def read(self, amt: int = -1, /) -> bytes:
        with _breaking_off():
            piece = self._body.read(None if amt < 0 else amt)
        self._remaining -= len(piece)
        return piece

    def readinto(self, buffer: memoryview, /) -> int:
        with _breaking_off():
            if self._below is not None and self._remaining > 1:
                received = self._below.readinto(buffer[: self._remaining - 1])
            else:
                received = self._body.readinto(cast("Any", buffer))  # the stubs want a file
        self._remaining -= received
        return received


@contextmanager
def _breaking_off() -> Iterator[None]:
    try:
        yield
    except (IncompleteReadError, HTTPClientError, HTTPError, HTTPException, OSError) as error:
        raise ShortRead(f"the job's output broke off: {error}") from error
