"""A destination bucket in dictionaries, as strict as S3 about conditions, checksums and part sizes."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from solution.application.ports.objects import StoredObject, StoredPart
from solution.domain.errors import ObjectExists, PartsReplaced, UploadVanished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from solution.application.ports.objects import HashedBody
    from solution.application.ports.records import Part
    from solution.domain.archive import StorageClass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptObject:
    """An object and all that is known of it."""

    content: bytes
    stored: StoredObject
    storage_class: StorageClass


@dataclass(slots=True, kw_only=True)
class _Upload:
    key: str
    metadata: Mapping[str, str]
    storage_class: StorageClass
    parts: dict[int, bytes] = field(default_factory=dict)
    etags: dict[int, str] = field(default_factory=dict)


class InMemoryObjectStore:
    """`solution.application.ports.objects.ObjectStore`; ``objects`` and ``uploads`` lie open."""

    def __init__(self) -> None:
        self.objects: dict[str, KeptObject] = {}
        self.uploads: dict[str, _Upload] = {}
        self._numbers = 0

    def put(self, key: str, body: HashedBody, *, metadata: Mapping[str, str], storage_class: StorageClass) -> str:
        if key in self.objects:
            raise ObjectExists("At least one of the pre-conditions you specified did not hold")
        content = b"".join(map(bytes, body.blocks()))
        checksum = _sha256(content)
        self._keep(key, content, checksum, metadata, storage_class)
        return checksum

    def create_upload(self, key: str, *, metadata: Mapping[str, str], storage_class: StorageClass) -> str:
        self._numbers += 1
        upload_id = f"upload-{self._numbers}"
        self.uploads[upload_id] = _Upload(key=key, metadata=dict(metadata), storage_class=storage_class)
        return upload_id

    def upload_part(self, key: str, upload_id: str, number: int, body: HashedBody) -> str:
        upload = self._upload(key, upload_id)
        content = b"".join(map(bytes, body.blocks()))
        upload.parts[number] = content
        self._numbers += 1  # as in a bucket that encrypts with keys of KMS: another ETag each time
        upload.etags[number] = f'"{self._numbers:032x}"'
        return upload.etags[number]

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        upload = self._upload(key, upload_id)
        if key in self.objects:
            raise ObjectExists("At least one of the pre-conditions you specified did not hold")
        digests = b""
        if any(part.etag != upload.etags.get(part.number) for part in parts):
            raise PartsReplaced("One or more of the specified parts could not be found")
        for part in parts:
            checksum = _sha256(upload.parts[part.number])
            if checksum != part.checksum:
                raise ValueError(f"part {part.number} was stored with SHA-256 {checksum}, not {part.checksum}")
            digests += base64.b64decode(checksum)
        content = b"".join(upload.parts[part.number] for part in parts)
        self._keep(key, content, f"{_sha256(digests)}-{len(parts)}", upload.metadata, upload.storage_class)
        del self.uploads[upload_id]

    def stored_parts(self, key: str, upload_id: str) -> dict[int, StoredPart]:
        upload = self._upload(key, upload_id)
        return {
            number: StoredPart(etag=upload.etags[number], checksum=_sha256(content))
            for number, content in upload.parts.items()
        }

    def abort_upload(self, key: str, upload_id: str) -> None:  # noqa: ARG002
        self.uploads.pop(upload_id, None)

    def head(self, key: str) -> StoredObject | None:
        return self.objects[key].stored if key in self.objects else None

    def _upload(self, key: str, upload_id: str) -> _Upload:
        upload = self.uploads.get(upload_id)
        if upload is None or upload.key != key:
            raise UploadVanished("The specified multipart upload does not exist")
        return upload

    def _keep(
        self, key: str, content: bytes, checksum: str, metadata: Mapping[str, str], storage_class: StorageClass
    ) -> None:
        stored = StoredObject(size=len(content), checksum=checksum, metadata=dict(metadata))
        self.objects[key] = KeptObject(content=content, stored=stored, storage_class=storage_class)


def _sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
