"""The destination bucket on S3, bodies streamed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from solution.application.adapters.errors import code_of, translated
from solution.application.adapters.streaming import StreamedBody, body_errors
from solution.application.ports.objects import StoredObject, StoredPart
from solution.domain.errors import ObjectExists, PartsReplaced, TransientError, UploadVanished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_s3 import S3Client

    from solution.application.ports.objects import HashedBody
    from solution.application.ports.records import Part
    from solution.domain.archive import StorageClass

_TAKEN = {
    "PreconditionFailed": ObjectExists,
    "ConditionalRequestConflict": TransientError,
    "OperationAborted": TransientError,
    # A body that does not arrive as announced: the connection was cut on the way.
    "IncompleteBody": TransientError,
    "BadDigest": TransientError,
    "XAmzContentSHA256Mismatch": TransientError,
}
_VANISHED = {**_TAKEN, "NoSuchUpload": UploadVanished, "InvalidPart": PartsReplaced}


class S3ObjectStore:
    """`solution.application.ports.objects.ObjectStore` on S3.

    ``streaming`` is a client that makes each call once, prepared by `stream_bodies`: a body cannot be read twice, so a
    failed call is repeated with a new body by whoever asked for it.
    """

    def __init__(self, client: S3Client, *, streaming: S3Client, bucket: str, owner: str) -> None:
        self._client = client
        self._streaming = streaming
        self._bucket = bucket
        self._owner = owner

    def put(self, key: str, body: HashedBody, *, metadata: Mapping[str, str], storage_class: StorageClass) -> str:
        """One PutObject with If-None-Match and a trailing SHA-256."""
        stream = StreamedBody(body)
        with body_errors(stream), translated(_TAKEN):
            answer = self._streaming.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=cast("Any", stream),
                ContentLength=body.length,
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
                Metadata=dict(metadata),
                StorageClass=storage_class.value,
                ExpectedBucketOwner=self._owner,
            )
        return _agreed(answer.get("ChecksumSHA256"), body)

    def create_upload(self, key: str, *, metadata: Mapping[str, str], storage_class: StorageClass) -> str:
        """One CreateMultipartUpload, with composite SHA-256 checksums."""
        with translated():
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                ChecksumAlgorithm="SHA256",
                Metadata=dict(metadata),
                StorageClass=storage_class.value,
                ExpectedBucketOwner=self._owner,
            )
        return answer["UploadId"]

    def upload_part(self, key: str, upload_id: str, number: int, body: HashedBody) -> str:
        """One UploadPart with a trailing SHA-256."""
        stream = StreamedBody(body)
        with body_errors(stream), translated(_VANISHED):
            answer = self._streaming.upload_part(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=cast("Any", stream),
                ContentLength=body.length,
                ChecksumAlgorithm="SHA256",
                ExpectedBucketOwner=self._owner,
            )
        _agreed(answer.get("ChecksumSHA256"), body)
        return answer["ETag"]

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """One CompleteMultipartUpload with If-None-Match and the checksum of every part."""
        with translated(_VANISHED):
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={
                    "Parts": [
                        {"PartNumber": part.number, "ETag": part.etag, "ChecksumSHA256": part.checksum}
                        for part in parts
                    ]
                },
                IfNoneMatch="*",
                ExpectedBucketOwner=self._owner,
            )

    def stored_parts(self, key: str, upload_id: str) -> dict[int, StoredPart]:
        """One ListParts per 1,000."""
        found: dict[int, StoredPart] = {}
        with translated(_VANISHED):
            pages = self._client.get_paginator("list_parts").paginate(
                Bucket=self._bucket, Key=key, UploadId=upload_id, ExpectedBucketOwner=self._owner
            )
            for page in pages:
                for part in page.get("Parts", []):
                    found[part["PartNumber"]] = StoredPart(etag=part["ETag"], checksum=part.get("ChecksumSHA256"))
        return found

    def abort_upload(self, key: str, upload_id: str) -> None:
        """One AbortMultipartUpload."""
        try:
            with translated():
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id, ExpectedBucketOwner=self._owner
                )
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise

    def head(self, key: str) -> StoredObject | None:
        """One HeadObject."""
        try:
            with translated():
                answer = self._client.head_object(
                    Bucket=self._bucket, Key=key, ChecksumMode="ENABLED", ExpectedBucketOwner=self._owner
                )
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        return StoredObject(
            size=answer["ContentLength"], checksum=answer.get("ChecksumSHA256"), metadata=answer["Metadata"]
        )


def _agreed(answered: str | None, body: HashedBody) -> str:
    checksum = body.checksum()
    if answered is not None and base64.b64decode(answered) != base64.b64decode(checksum):
        raise TransientError(f"S3 answered with SHA-256 {answered} to a body of {checksum}")
    return checksum
