"""Files of the inventory bucket in a dictionary."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from solution.application.ports.inventory_files import StoredFile, StoredPart
from solution.domain.errors import NotPossible, UploadVanished

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from solution.application.ports.objects import HashedBody


class _Collector:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> None:
        self.data += data


class InMemoryInventoryFiles:
    """`solution.application.ports.inventory_files.InventoryFiles`; bodies are read in pieces of ``piece`` bytes."""

    def __init__(self, files: dict[str, bytes] | None = None, *, piece: int = 1000) -> None:
        self.files = files if files is not None else {}
        self.piece = piece

    def put(self, key: str, body: bytes, *, content_type: str) -> None:  # noqa: ARG002 - kept by S3 alone
        self.files[key] = body

    @contextmanager
    def writer(self, key: str, *, content_type: str) -> Iterator[_Collector]:
        collector = _Collector()
        yield collector
        self.put(key, bytes(collector.data), content_type=content_type)

    def read(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        if key not in self.files:
            raise NotPossible(f"there is no {key}")
        body = self.files[key]
        for first in range(start, len(body), self.piece):
            yield body[first : first + self.piece]

    def list(self, prefix: str) -> Iterator[StoredFile]:
        for key in sorted(self.files):
            if key.startswith(prefix):
                body = self.files[key]
                yield StoredFile(key=key, size=len(body), version=hashlib.sha256(body).hexdigest())

    def size(self, key: str) -> int | None:
        return len(self.files[key]) if key in self.files else None

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.files.pop(key, None)


class InMemoryInventoryUploads:
    """`solution.application.ports.inventory_files.InventoryUploads` into the files of another."""

    def __init__(self, files: InMemoryInventoryFiles) -> None:
        self.open: dict[tuple[str, str], dict[int, bytes]] = {}
        self.notes: dict[str, str] = {}
        self._files = files
        self._noted: dict[str, str] = {}
        self._made = 0

    def begin(self, key: str, *, note: str) -> str:
        for upload in [upload for upload in self.open if upload[0] == key]:
            del self.open[upload]
        self._made += 1
        self.open[key, f"upload-{self._made}"] = {}
        self._noted[f"upload-{self._made}"] = note
        return f"upload-{self._made}"

    def put_part(self, key: str, upload_id: str, *, part: int, body: HashedBody) -> None:
        content = b"".join(map(bytes, body.blocks()))
        self._upload(key, upload_id)[part] = content

    def parts(self, key: str, upload_id: str) -> Sequence[StoredPart]:
        parts = self._upload(key, upload_id)
        return [StoredPart(part=part, size=len(parts[part])) for part in sorted(parts)]

    def complete(self, key: str, upload_id: str) -> None:
        parts = self._upload(key, upload_id)
        self._files.put(key, b"".join(parts[part] for part in sorted(parts)), content_type="text/csv")
        del self.open[key, upload_id]
        self.notes[key] = self._noted[upload_id]

    def finished(self, key: str, *, note: str) -> int | None:
        return self._files.size(key) if self.notes.get(key) == note else None

    def _upload(self, key: str, upload_id: str) -> dict[int, bytes]:
        if (key, upload_id) not in self.open:
            raise UploadVanished(f"there is no upload {upload_id} of {key}")
        return self.open[key, upload_id]
