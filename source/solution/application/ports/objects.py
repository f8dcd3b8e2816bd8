"""The destination bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from solution.application.ports.records import Part
    from solution.domain.archive import StorageClass


BLOCK_BYTES: Final = 4 * 1024**2
"""Bodies pass in blocks of this size; only the last may be shorter.

Large enough that receiving and sending alternate rarely: with 1 MiB they took a quarter more CPU (``tox -e bench``).
"""


class HashedBody(Protocol):
    """Bytes on their way, hashed as they pass, that break off rather than end wrongly."""

    @property
    def length(self) -> int:
        """Bytes in all."""
        ...

    def blocks(self) -> Iterator[memoryview]:
        """The bytes, once, in blocks of `BLOCK_BYTES`; each holds only until the next is asked for.

        Raises before the last block is handed over if length or hash are not as announced.
        """
        ...

    def checksum(self) -> str:
        """SHA-256 of all bytes, base64; only after the last block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What the bucket says of an object. ``checksum`` is S3's SHA-256: base64, with ``-N`` for N parts."""

    size: int
    checksum: str | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """What the bucket says of a part. ``checksum`` is its SHA-256 in base64."""

    etag: str
    checksum: str | None


class ObjectStore(Protocol):
    """The destination bucket; every call names the bucket's expected owner.

    Raises `TransientError` for trouble that passes and `Throttled` when asked to slow down. What a body raises comes
    out as it is, and nothing is stored then.
    """

    def put(self, key: str, body: HashedBody, *, metadata: Mapping[str, str], storage_class: StorageClass) -> str:
        """Store a new object and return its SHA-256 in base64. Raises `ObjectExists`; the body may be unread then."""
        ...

    def create_upload(self, key: str, *, metadata: Mapping[str, str], storage_class: StorageClass) -> str:
        """Begin a multipart upload; returns its id."""
        ...

    def upload_part(self, key: str, upload_id: str, number: int, body: HashedBody) -> str:
        """Store a part and return its ETag. Raises `UploadVanished`."""
        ...

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the parts one new object. Raises `ObjectExists`, `UploadVanished` or `PartsReplaced`."""
        ...

    def stored_parts(self, key: str, upload_id: str) -> dict[int, StoredPart]:
        """The parts that a multipart upload has, by number. Raises `UploadVanished`."""
        ...

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop a multipart upload; one that is gone already is no error."""
        ...

    def head(self, key: str) -> StoredObject | None:
        """The object with that key, if there is one."""
        ...
