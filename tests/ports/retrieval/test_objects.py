"""ObjectStore: nothing is overwritten, nothing wrong is stored, and what is stored can be proven."""

from __future__ import annotations

import base64
import hashlib
import io
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from solution.application.adapters.objects import S3ObjectStore
from solution.application.in_memory.objects import InMemoryObjectStore
from solution.application.ports.glacier import JobOutput
from solution.application.ports.objects import ObjectStore, StoredPart
from solution.application.ports.records import Part
from solution.application.use_cases.object_metadata import object_metadata
from solution.application.use_cases.proof import composite_checksum, difference
from solution.application.use_cases.verified_stream import VerifiedStream
from solution.domain.archive import StorageClass
from solution.domain.chunk_plan import MIB
from solution.domain.errors import ChecksumMismatch, ObjectExists, PartsReplaced, ShortRead, UploadVanished
from solution.domain.tree_hash import tree_hash
from tests.builders import archive, content
from tests.ports.retrieval.conftest import OWNER

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "run-1/fotos/Übersicht & Söhne.jpg"
SIX = content(6 * MIB + 7)


@pytest.fixture(params=["in memory", "S3"])
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    """Both implementations."""
    if request.param == "in memory":
        return InMemoryObjectStore()
    return S3ObjectStore(
        request.getfixturevalue("s3"),
        streaming=request.getfixturevalue("streaming_s3"),
        bucket=request.getfixturevalue("bucket"),
        owner=OWNER,
    )


def stream(data: bytes, *, sent: bytes | None = None) -> VerifiedStream:
    """A body that should be ``data``."""
    body = io.BytesIO(data if sent is None else sent)
    output = JobOutput(body=body, length=len(data), tree_hash=None)
    return VerifiedStream(output, length=len(data), tree_hash=tree_hash(data))


def put(objects: ObjectStore, body: VerifiedStream, **metadata: str) -> str:
    """Store under the key."""
    return objects.put(KEY, body, metadata=metadata, storage_class=StorageClass.GLACIER_IR)


@pytest.mark.parametrize("size", [1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_an_object_is_stored_with_its_checksum_and_metadata(objects: ObjectStore, size: int) -> None:
    data = content(size)
    checksum = put(objects, stream(data), note="a note")
    assert checksum == base64.b64encode(hashlib.sha256(data).digest()).decode()
    stored = objects.head(KEY)
    assert stored is not None
    assert (stored.size, stored.checksum, stored.metadata) == (size, checksum, {"note": "a note"})


def test_a_short_body_is_never_stored(objects: ObjectStore) -> None:
    with pytest.raises(ShortRead):
        put(objects, stream(SIX, sent=SIX[:-1]))
    assert objects.head(KEY) is None


def test_a_wrong_body_is_never_stored(objects: ObjectStore) -> None:
    with pytest.raises(ChecksumMismatch):
        put(objects, stream(SIX, sent=SIX[:-1] + b"?"))
    assert objects.head(KEY) is None


def test_an_object_is_never_overwritten(objects: ObjectStore) -> None:
    put(objects, stream(b"first"))
    with pytest.raises(ObjectExists):
        put(objects, stream(SIX))
    stored = objects.head(KEY)
    assert stored is not None
    assert stored.size == 5


def test_a_body_nobody_wanted_can_still_be_hashed_for_the_proof(objects: ObjectStore) -> None:
    put(objects, stream(SIX))
    body = stream(SIX)
    with pytest.raises(ObjectExists):
        put(objects, body)
    body.drain()
    stored = objects.head(KEY)
    assert stored is not None
    assert body.checksum() == stored.checksum


def upload(objects: ObjectStore, data: bytes) -> tuple[str, list[Part]]:
    """A multipart upload with all parts of 5 MiB."""
    one = archive(data=data, description="mehrteilig: ä")
    upload_id = objects.create_upload(KEY, metadata=object_metadata(one), storage_class=StorageClass.STANDARD)
    parts = []
    for number, start in enumerate(range(0, len(data), 5 * MIB), 1):
        body = stream(data[start : start + 5 * MIB])
        etag = objects.upload_part(KEY, upload_id, number, body)
        parts.append(Part(number=number, etag=etag, checksum=body.checksum(), tree_hash=body.tree_hash))
    return upload_id, parts


def test_parts_become_an_object_that_is_proven_to_be_the_archive(objects: ObjectStore) -> None:
    upload_id, parts = upload(objects, SIX)
    objects.complete_upload(KEY, upload_id, parts)
    stored = objects.head(KEY)
    assert stored is not None
    one = archive(data=SIX, description="mehrteilig: ä")
    assert difference(stored, one, composite_checksum(parts)) is None
    assert difference(stored, archive("other", data=SIX), composite_checksum(parts)) is not None


def test_an_upload_that_is_completed_again_changes_nothing(objects: ObjectStore) -> None:
    upload_id, parts = upload(objects, SIX)
    objects.complete_upload(KEY, upload_id, parts)
    before = objects.head(KEY)
    with suppress(UploadVanished, ObjectExists):  # S3 remembers recent uploads and may answer as the first time
        objects.complete_upload(KEY, upload_id, parts)
    assert objects.head(KEY) == before


def test_parts_under_other_etags_are_told_and_shown_with_their_checksums(objects: ObjectStore) -> None:
    upload_id, parts = upload(objects, SIX)
    stale = [replace(parts[0], etag=f'"{"0" * 32}"'), *parts[1:]]
    with pytest.raises(PartsReplaced):
        objects.complete_upload(KEY, upload_id, stale)
    stored = objects.stored_parts(KEY, upload_id)
    assert stored == {part.number: StoredPart(etag=part.etag, checksum=part.checksum) for part in parts}
    objects.complete_upload(KEY, upload_id, parts)
    with pytest.raises(UploadVanished):
        objects.stored_parts(KEY, "unknown")


def test_an_upload_never_overwrites_an_object(objects: ObjectStore) -> None:
    upload_id, parts = upload(objects, SIX)
    put(objects, stream(b"first"))
    with pytest.raises(ObjectExists):
        objects.complete_upload(KEY, upload_id, parts)


def test_a_short_part_is_never_stored_and_may_come_again(objects: ObjectStore) -> None:
    upload_id = objects.create_upload(KEY, metadata={}, storage_class=StorageClass.STANDARD)
    with pytest.raises(ShortRead):
        objects.upload_part(KEY, upload_id, 1, stream(SIX, sent=SIX[:MIB]))
    body = stream(SIX)
    etag = objects.upload_part(KEY, upload_id, 1, body)
    part = Part(number=1, etag=etag, checksum=body.checksum(), tree_hash=body.tree_hash)
    objects.complete_upload(KEY, upload_id, [part])
    stored = objects.head(KEY)
    assert stored is not None
    assert stored.size == len(SIX)


def test_an_aborted_upload_has_vanished_and_may_be_aborted_again(objects: ObjectStore) -> None:
    upload_id, parts = upload(objects, SIX)
    objects.abort_upload(KEY, upload_id)
    objects.abort_upload(KEY, upload_id)
    with pytest.raises(UploadVanished):
        objects.upload_part(KEY, upload_id, 1, stream(SIX))
    with pytest.raises(UploadVanished):
        objects.complete_upload(KEY, upload_id, parts)
    assert objects.head(KEY) is None


def test_every_call_names_the_owner_and_hashes_no_byte_a_third_time(
    s3: S3Client, streaming_s3: S3Client, bucket: str
) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def watch(request: Any, operation_name: str, **_: Any) -> None:
        seen.append((operation_name, {name: str(value) for name, value in request.headers.items()}))

    for client in (s3, streaming_s3):
        client.meta.events.register_last("request-created.s3", watch)
    try:
        objects = S3ObjectStore(s3, streaming=streaming_s3, bucket=bucket, owner=OWNER)
        upload_id, parts = upload(objects, SIX)
        objects.complete_upload(KEY, upload_id, parts)
        objects.head(KEY)
        objects.abort_upload("gone", upload_id)
        objects.put("other", stream(SIX), metadata={}, storage_class=StorageClass.STANDARD)
    finally:
        for client in (s3, streaming_s3):
            client.meta.events.unregister("request-created.s3", watch)
    operations = [operation for operation, _ in seen]
    assert operations == [
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPart",
        "CompleteMultipartUpload",
        "HeadObject",
        "AbortMultipartUpload",
        "PutObject",
    ]
    for operation, headers in seen:
        assert headers["x-amz-expected-bucket-owner"] == OWNER, operation
        if operation in ("PutObject", "UploadPart"):
            assert headers["X-Amz-Content-SHA256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            assert headers["X-Amz-Trailer"] == "x-amz-checksum-sha256"
            assert int(headers["X-Amz-Decoded-Content-Length"]) < int(headers["Content-Length"])
            assert "Transfer-Encoding" not in headers
