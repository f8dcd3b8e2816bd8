"""Bytes of archives on disk, and one way to read them wherever they come from.

Beside each body lies a file with the digests of its leaves (32 bytes per MiB), so that the tree hash of any
range is known without reading the range twice.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from solution.domain.tree_hash import MIB, TreeHasher, tree_hash
from solution.mocking.glacier.messages import CHUNK

_DIGEST = hashlib.sha256().digest_size


class Content(Protocol):
    """Bytes of an archive; ``VirtualContent`` is one too."""

    @property
    def size(self) -> int:
        """Bytes."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes ``start`` to ``stop`` (exclusive), in pieces of at most 1 MiB."""

    def tree_hash(self, start: int = 0, stop: int | None = None) -> str:
        """Tree hash of a range of whole leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A body on disk."""

    path: Path
    size: int

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes ``start`` to ``stop`` (exclusive), in pieces of at most 1 MiB."""
        with self.path.open("rb") as file:
            file.seek(start)
            while start < stop:
                piece = file.read(min(CHUNK, stop - start))
                if not piece:
                    message = f"{self.path} ends at byte {start}, {stop} were expected: its file was changed"
                    raise OSError(message)
                start += len(piece)
                yield piece

    def tree_hash(self, start: int = 0, stop: int | None = None) -> str:
        """Tree hash of a range of whole leaves, from their stored digests."""
        first, last = start // MIB, -(-(self.size if stop is None else stop) // MIB)
        with leaves_of(self.path).open("rb") as file:
            file.seek(first * _DIGEST)
            digests = file.read((last - first) * _DIGEST)
        return tree_hash(digests[at : at + _DIGEST] for at in range(0, len(digests), _DIGEST))


def leaves_of(body: Path) -> Path:
    """File of leaf digests of a body."""
    return body.with_suffix(".leaves")


class Incoming:
    """A body on its way to disk: written piece by piece, hashed on the way, then kept or thrown away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._tree = TreeHasher(keep_leaves=True)
        self._linear = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append a piece."""
        self._file.write(data)
        self._tree.update(data)
        self._linear.update(data)

    def close(self) -> None:
        """No more pieces."""
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._tree.size

    @property
    def tree_hash(self) -> str:
        """Tree hash so far."""
        return self._tree.hexdigest()

    @property
    def sha256(self) -> str:
        """Plain SHA-256 so far."""
        return self._linear.hexdigest()

    @property
    def leaves(self) -> bytes:
        """Digests of the leaves so far, one after the other."""
        return b"".join(self._tree.leaves())

    def discard(self) -> None:
        """Forget the body."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Bodies:
    """The folders of one data directory: ``bodies``, ``uploads`` (unfinished), ``incoming``, ``inventories``."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir
        for name in ("bodies", "uploads", "incoming", "inventories"):
            (data_dir / name).mkdir(parents=True, exist_ok=True)
        for leftover in (data_dir / "incoming").iterdir():
            leftover.unlink()

    def incoming(self) -> Incoming:
        """A fresh place for a body to arrive at."""
        return Incoming(self._root / "incoming" / uuid.uuid4().hex)

    def keep(self, incoming: Incoming) -> str:
        """Make an arrived body one of an archive; returns its name."""
        incoming.close()
        name = uuid.uuid4().hex
        body = self.body(name)
        body.parent.mkdir(exist_ok=True)
        leaves_of(body).write_bytes(incoming.leaves)
        incoming.path.replace(body)
        return name

    def keep_part(self, incoming: Incoming, upload: str, start: int) -> None:
        """Copy an arrived part into its place in an unfinished upload."""
        incoming.close()
        target = self.unfinished(upload)
        for path in (target, leaves_of(target)):
            path.touch(exist_ok=True)
        with incoming.path.open("rb") as source, target.open("r+b") as file:
            file.seek(start)
            shutil.copyfileobj(source, file, CHUNK)
        with leaves_of(target).open("r+b") as file:
            file.seek(start // MIB * _DIGEST)
            file.write(incoming.leaves)
        incoming.discard()

    def keep_upload(self, upload: str, size: int) -> str:
        """Make a finished upload the body of an archive; returns its name."""
        name = uuid.uuid4().hex
        body, source = self.body(name), self.unfinished(upload)
        body.parent.mkdir(exist_ok=True)
        with source.open("r+b") as file:
            file.truncate(size)
        with leaves_of(source).open("r+b") as file:
            file.truncate(-(-size // MIB) * _DIGEST)
        leaves_of(source).replace(leaves_of(body))
        source.replace(body)
        return name

    def discard_upload(self, upload: str) -> None:
        """Forget an unfinished upload."""
        self._remove(self.unfinished(upload))

    def discard_body(self, name: str) -> None:
        """Forget the body of a deleted archive."""
        self._remove(self.body(name))

    def body(self, name: str) -> Path:
        """Path of a body; spread over 256 folders, for vaults of many archives."""
        return self._root / "bodies" / name[:2] / f"{name}.body"

    def unfinished(self, upload: str) -> Path:
        """Path of an unfinished upload, named by a digest: upload ids are longer than some file systems like."""
        return self._root / "uploads" / f"{hashlib.sha256(upload.encode()).hexdigest()}.body"

    def inventory(self, job_id: str) -> Path:
        """Path of the output of an inventory job."""
        return self._root / "inventories" / hashlib.sha256(job_id.encode()).hexdigest()

    def _remove(self, body: Path) -> None:
        body.unlink(missing_ok=True)
        leaves_of(body).unlink(missing_ok=True)
