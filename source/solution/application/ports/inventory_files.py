"""Files in the inventory bucket: inventories, work lists, reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from solution.application.ports.objects import HashedBody


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file in a listing; ``size`` in bytes; ``version`` is another when the content is another."""

    key: str
    size: int
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part of an upload; ``size`` in bytes."""

    part: int
    size: int


class FileWriter(Protocol):
    """A file being written. It appears when its context ends well, and not at all when it ends in an error."""

    def write(self, data: bytes, /) -> None:
        """Append."""
        ...


class InventoryFiles(Protocol):
    """Reads and writes files by key; writing replaces."""

    def put(self, key: str, body: bytes, *, content_type: str) -> None:
        """Write a small file at once."""
        ...

    def writer(self, key: str, *, content_type: str) -> AbstractContextManager[FileWriter]:
        """Write a file of any size in memory that does not grow with it."""
        ...

    def read(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """A file's bytes, from byte ``start`` of those it has, in pieces of at most some MiB.

        Raises `NotPossible` when there is none or it is replaced meanwhile, `TransientError` when reading breaks off
        time and again.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """Files whose key begins with ``prefix``, in the order of their keys."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes in a file, or None when there is none."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove files; one that is not there is removed already."""
        ...


class InventoryUploads(Protocol):
    """Writes one file from parts that arrive in any order, from several processes."""

    def begin(self, key: str, *, note: str) -> str:
        """Open an upload for ``key`` and return its id; ``note`` stays with the file.

        Earlier uploads for the same key are dropped.
        """
        ...

    def put_part(self, key: str, upload_id: str, *, part: int, body: HashedBody) -> None:
        """Store a part, counted from 1; again: replace it.

        Raises `UploadVanished`, or what the body raises, and nothing is stored then.
        """
        ...

    def parts(self, key: str, upload_id: str) -> Sequence[StoredPart]:
        """The parts stored so far, in order. Raises `UploadVanished`."""
        ...

    def complete(self, key: str, upload_id: str) -> None:
        """Make one file of all stored parts. Raises `UploadVanished`."""
        ...

    def finished(self, key: str, *, note: str) -> int | None:
        """Bytes of the file that an upload with this note became, None when there is none."""
        ...
