"""`InventoryUploads`, in memory and on S3: parts stream into one file, and a part that breaks off is none."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from solution.application.adapters.inventory_files import S3InventoryFiles, S3InventoryUploads
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles, InMemoryInventoryUploads
from solution.application.ports.glacier import JobOutput
from solution.application.ports.inventory_files import StoredPart
from solution.application.use_cases.sized_stream import SizedStream
from solution.domain.chunk_plan import MIB
from solution.domain.errors import ShortRead, UploadVanished
from tests.builders import content
from tests.ports.retrieval.conftest import OWNER

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from solution.application.ports.inventory_files import InventoryFiles, InventoryUploads

PART = 5 * MIB
FIRST, LAST = content(PART), b"the end"

Desk = tuple["InventoryUploads", "InventoryFiles"]


@pytest.fixture(params=["in memory", "S3"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """Both implementations, and the files that uploads become."""
    if request.param == "in memory":
        kept = InMemoryInventoryFiles()
        return InMemoryInventoryUploads(kept), kept
    s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    streaming = request.getfixturevalue("streaming_s3")
    return (
        S3InventoryUploads(client=s3, streaming=streaming, bucket=bucket, owner=OWNER),
        S3InventoryFiles(client=s3, bucket=bucket, owner=OWNER),
    )


def stream(data: bytes, *, sent: bytes | None = None) -> SizedStream:
    """A body that should be ``data``."""
    body = io.BytesIO(data if sent is None else sent)
    return SizedStream(JobOutput(body=body, length=len(data), tree_hash=None), length=len(data))


def test_parts_in_any_order_become_one_file(desk: Desk) -> None:
    uploads, files = desk
    upload = uploads.begin("a", note="job-1")
    for part, body in ((2, b"end"), (1, FIRST), (2, LAST)):
        uploads.put_part("a", upload, part=part, body=stream(body))
    assert list(uploads.parts("a", upload)) == [StoredPart(part=1, size=PART), StoredPart(part=2, size=len(LAST))]
    assert files.size("a") is None
    uploads.complete("a", upload)
    assert b"".join(files.read("a")) == FIRST + LAST


@pytest.mark.parametrize("sent", [FIRST[:-1], FIRST[:100], b""])
def test_a_body_that_ends_early_is_no_part(desk: Desk, sent: bytes) -> None:
    uploads, _ = desk
    upload = uploads.begin("a", note="job-1")
    with pytest.raises(ShortRead, match=f"ended after {len(sent)} of {PART} bytes"):
        uploads.put_part("a", upload, part=1, body=stream(FIRST, sent=sent))
    assert list(uploads.parts("a", upload)) == []


def test_beginning_again_drops_earlier_uploads_of_the_same_key_alone(desk: Desk) -> None:
    uploads, _ = desk
    first, other = uploads.begin("a", note="job-1"), uploads.begin("a.csv", note="job-1")
    second = uploads.begin("a", note="job-1")
    assert first != second
    with pytest.raises(UploadVanished):
        uploads.parts("a", first)
    uploads.put_part("a.csv", other, part=1, body=stream(LAST))
    assert [part.size for part in uploads.parts("a.csv", other)] == [len(LAST)]


def test_a_completed_upload_has_vanished(desk: Desk) -> None:
    uploads, _ = desk
    upload = uploads.begin("a", note="job-1")
    uploads.put_part("a", upload, part=1, body=stream(LAST))
    uploads.complete("a", upload)
    with pytest.raises(UploadVanished):
        uploads.parts("a", upload)
    with pytest.raises(UploadVanished):
        uploads.complete("a", upload)
    with pytest.raises(UploadVanished):
        uploads.put_part("a", upload, part=1, body=stream(LAST))


def test_a_finished_file_is_known_by_the_note_of_its_upload(desk: Desk) -> None:
    uploads, files = desk
    assert uploads.finished("a", note="job-1") is None
    files.put("a", b"something else", content_type="text/csv")
    assert uploads.finished("a", note="job-1") is None
    upload = uploads.begin("a", note="job-2")
    uploads.put_part("a", upload, part=1, body=stream(LAST))
    uploads.complete("a", upload)
    assert uploads.finished("a", note="job-2") == len(LAST)
    assert uploads.finished("a", note="job-1") is None


def test_every_call_names_the_owner(s3: S3Client, streaming_s3: S3Client, bucket: str) -> None:
    seen: list[tuple[str, str | None]] = []

    def watch(request: Any, operation_name: str, **_: Any) -> None:
        seen.append((operation_name, request.headers.get("x-amz-expected-bucket-owner")))

    for client in (s3, streaming_s3):
        client.meta.events.register_last("request-created.s3", watch)
    try:
        uploads = S3InventoryUploads(client=s3, streaming=streaming_s3, bucket=bucket, owner=OWNER)
        uploads.begin("a", note="job-1")
        upload = uploads.begin("a", note="job-1")
        uploads.put_part("a", upload, part=1, body=stream(LAST))
        uploads.complete("a", upload)
        uploads.finished("a", note="job-1")
    finally:
        for client in (s3, streaming_s3):
            client.meta.events.unregister("request-created.s3", watch)
    used = {"AbortMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload", "HeadObject"}
    assert used <= {name for name, _ in seen}
    assert {_plain(owner) for _, owner in seen} == {OWNER}


def _plain(header: object) -> str:
    return header.decode() if isinstance(header, bytes) else str(header)
