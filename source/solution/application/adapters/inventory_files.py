"""Files of the inventory bucket, and unfinished uploads of any bucket, on S3.

Every call names the account that must own the bucket: a bucket of the same name in somebody else's account is refused.
"""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from solution.application.adapters.errors import code_of
from solution.application.adapters.objects import S3ObjectStore
from solution.application.ports.inventory_files import StoredFile, StoredPart
from solution.domain.errors import NotPossible, TransientError, UploadVanished

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, GetObjectOutputTypeDef, PartTypeDef

    from solution.application.ports.objects import HashedBody

READ_PIECE: Final = 1024**2
WRITE_PART: Final = 8 * 1024**2
DELETE_AT_ONCE: Final = 1000
CONCURRENT_ABORTS: Final = 10

READ_ATTEMPTS: Final = 3
"""In a row without a byte in between."""

_NOTE: Final = "glacier-job-id"
"""User-defined metadata of a file made of parts."""

_MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_CHANGED: Final = frozenset({"412", "PreconditionFailed"})
_BROKEN: Final = (HTTPClientError, IncompleteReadError, HTTPError, HTTPException, OSError)


def _checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3InventoryFiles:
    """`solution.application.ports.inventory_files.InventoryFiles` in one bucket."""

    client: S3Client
    bucket: str
    owner: str

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """One PutObject, with its SHA-256."""
        self.client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            ChecksumSHA256=_checksum(body),
            ExpectedBucketOwner=self.owner,
        )

    @contextmanager
    def writer(self, key: str, *, content_type: str) -> Iterator[_PartWriter]:
        """One PutObject where the file is small, else a multipart upload."""
        writer = _PartWriter(files=self, key=key, content_type=content_type)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.abort()
            raise

    def read(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """One GetObject, streamed; another from where it broke off, for a long read nearly always does once."""
        version, broken = "", 0
        while True:
            found = self._get(key, start, version)
            version = found["ETag"]
            try:
                with closing(found["Body"]) as body:
                    for piece in body.iter_chunks(READ_PIECE):
                        start, broken = start + len(piece), 0
                        yield piece
                    return
            except _BROKEN as error:
                broken += 1
                if broken == READ_ATTEMPTS:
                    message = f"reading {key} broke off {broken} times at byte {start}: {error}"
                    raise TransientError(message) from error

    def _get(self, key: str, start: int, version: str) -> GetObjectOutputTypeDef:
        condition: dict[str, str] = {"IfMatch": version} if version else {}
        if start:
            condition["Range"] = f"bytes={start}-"
        try:
            return self.client.get_object(
                Bucket=self.bucket,
                Key=key,
                ExpectedBucketOwner=self.owner,
                **condition,  # type: ignore[arg-type]  # the stubs want each by name
            )
        except ClientError as error:
            if code_of(error) in _MISSING:
                message = f"there is no {key} in bucket {self.bucket}"
                raise NotPossible(message) from error
            if code_of(error) in _CHANGED:
                message = f"{key} was replaced while it was read: start again"
                raise NotPossible(message) from error
            raise

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """Pages of a thousand."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, ExpectedBucketOwner=self.owner
        )
        for page in pages:
            for found in page.get("Contents", []):
                yield StoredFile(key=found["Key"], size=found["Size"], version=found["ETag"])

    def size(self, key: str) -> int | None:
        """One HeadObject."""
        try:
            return self.client.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.owner)["ContentLength"]
        except ClientError as error:
            if code_of(error) in _MISSING:
                return None
            raise

    def delete(self, keys: Iterable[str]) -> None:
        """Batches of a thousand; what S3 could not delete is raised."""
        waiting = list(keys)
        for first in range(0, len(waiting), DELETE_AT_ONCE):
            answer = self.client.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": key} for key in waiting[first : first + DELETE_AT_ONCE]], "Quiet": True},
                ExpectedBucketOwner=self.owner,
            )
            for problem in answer.get("Errors", []):
                message = f"{problem.get('Key')} cannot be deleted from bucket {self.bucket}: {problem.get('Message')}"
                raise NotPossible(message)


@dataclass(slots=True, kw_only=True)
class _PartWriter:
    """A file growing by parts; holds at most one part and one piece."""

    files: S3InventoryFiles
    key: str
    content_type: str
    buffer: bytearray = field(default_factory=bytearray)
    upload_id: str = ""
    done: list[CompletedPartTypeDef] = field(default_factory=list)

    def write(self, data: bytes, /) -> None:
        """Append, and send what fills a part."""
        self.buffer += data
        while len(self.buffer) >= WRITE_PART:
            self._send(bytes(self.buffer[:WRITE_PART]))
            del self.buffer[:WRITE_PART]

    def finish(self) -> None:
        """Make the file appear."""
        files = self.files
        if not self.upload_id:
            files.put(self.key, bytes(self.buffer), content_type=self.content_type)
            return
        if self.buffer:
            self._send(bytes(self.buffer))
        files.client.complete_multipart_upload(
            Bucket=files.bucket,
            Key=self.key,
            UploadId=self.upload_id,
            MultipartUpload={"Parts": self.done},
            ExpectedBucketOwner=files.owner,
        )

    def abort(self) -> None:
        """Leave nothing behind."""
        if self.upload_id:
            self.files.client.abort_multipart_upload(
                Bucket=self.files.bucket, Key=self.key, UploadId=self.upload_id, ExpectedBucketOwner=self.files.owner
            )

    def _send(self, body: bytes) -> None:
        files = self.files
        if not self.upload_id:
            self.upload_id = files.client.create_multipart_upload(
                Bucket=files.bucket,
                Key=self.key,
                ContentType=self.content_type,
                ChecksumAlgorithm="SHA256",
                ExpectedBucketOwner=files.owner,
            )["UploadId"]
        number = len(self.done) + 1
        checksum = _checksum(body)
        stored = files.client.upload_part(
            Bucket=files.bucket,
            Key=self.key,
            UploadId=self.upload_id,
            PartNumber=number,
            Body=body,
            ChecksumSHA256=checksum,
            ExpectedBucketOwner=files.owner,
        )
        self.done.append({"PartNumber": number, "ETag": stored["ETag"], "ChecksumSHA256": checksum})


@dataclass(frozen=True, slots=True, kw_only=True)
class S3InventoryUploads:
    """`solution.application.ports.inventory_files.InventoryUploads` as multipart uploads.

    ``streaming`` is a client as `solution.application.adapters.objects.S3ObjectStore` wants it.
    """

    client: S3Client
    streaming: S3Client
    bucket: str
    owner: str

    def begin(self, key: str, *, note: str) -> str:
        """Aborts what an earlier, lost call began, so that no upload is paid for and forgotten."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.bucket, Prefix=key, ExpectedBucketOwner=self.owner
        )
        for page in pages:
            for upload in page.get("Uploads", []):
                if upload["Key"] == key:
                    _abort(self.client, bucket=self.bucket, owner=self.owner, key=key, upload_id=upload["UploadId"])
        return self.client.create_multipart_upload(
            Bucket=self.bucket,
            Key=key,
            ContentType="text/csv; charset=utf-8",
            ChecksumAlgorithm="SHA256",
            Metadata={_NOTE: note},
            ExpectedBucketOwner=self.owner,
        )["UploadId"]

    def put_part(self, key: str, upload_id: str, *, part: int, body: HashedBody) -> None:
        """One UploadPart with a trailing SHA-256."""
        store = S3ObjectStore(self.client, streaming=self.streaming, bucket=self.bucket, owner=self.owner)
        store.upload_part(key, upload_id, part, body)

    def parts(self, key: str, upload_id: str) -> Sequence[StoredPart]:
        """ListParts, all pages."""
        return [size for size, _ in self._parts(key, upload_id)]

    def complete(self, key: str, upload_id: str) -> None:
        """One CompleteMultipartUpload with the checksum of each part."""
        completed = [part for _, part in self._parts(key, upload_id)]
        with _vanishing(key, upload_id):
            self.client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": completed},
                ExpectedBucketOwner=self.owner,
            )

    def finished(self, key: str, *, note: str) -> int | None:
        """One HeadObject."""
        try:
            found = self.client.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.owner)
        except ClientError as error:
            if code_of(error) in _MISSING:
                return None
            raise
        return found["ContentLength"] if found["Metadata"].get(_NOTE) == note else None

    def _parts(self, key: str, upload_id: str) -> list[tuple[StoredPart, CompletedPartTypeDef]]:
        pages = self.client.get_paginator("list_parts").paginate(
            Bucket=self.bucket, Key=key, UploadId=upload_id, ExpectedBucketOwner=self.owner
        )
        with _vanishing(key, upload_id):
            return [_listed(part) for page in pages for part in page.get("Parts", [])]


def _listed(part: PartTypeDef) -> tuple[StoredPart, CompletedPartTypeDef]:
    completed: CompletedPartTypeDef = {"PartNumber": part["PartNumber"], "ETag": part["ETag"]}
    if "ChecksumSHA256" in part:
        completed["ChecksumSHA256"] = part["ChecksumSHA256"]
    return StoredPart(part=part["PartNumber"], size=part["Size"]), completed


@contextmanager
def _vanishing(key: str, upload_id: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) == "NoSuchUpload":
            message = f"the upload {upload_id} of {key} is no longer known to S3: completed, aborted or expired"
            raise UploadVanished(message) from error
        raise


def _abort(client: S3Client, *, bucket: str, owner: str, key: str, upload_id: str) -> None:
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id, ExpectedBucketOwner=owner)
    except ClientError as error:
        if code_of(error) != "NoSuchUpload":
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class S3UnfinishedUploads:
    """`solution.application.ports.notices.UnfinishedUploads` in one bucket."""

    client: S3Client
    bucket: str
    owner: str

    def abort_all(self, key_prefix: str) -> int:
        """Pages of a thousand, aborted some at once."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.bucket, Prefix=key_prefix, ExpectedBucketOwner=self.owner
        )
        aborted = 0
        with ThreadPoolExecutor(max_workers=CONCURRENT_ABORTS) as pool:
            for page in pages:
                aborts = [
                    pool.submit(
                        _abort,
                        self.client,
                        bucket=self.bucket,
                        owner=self.owner,
                        key=upload["Key"],
                        upload_id=upload["UploadId"],
                    )
                    for upload in page.get("Uploads", [])
                ]
                for abort in aborts:
                    abort.result()
                aborted += len(aborts)
        return aborted
