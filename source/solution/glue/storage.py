"""Files of the job: objects of S3, or files of one machine.

Tasks read and write them themselves. Spark could do it through Hadoop, but would hand over lines one by one, and write
aside and rename, which on S3 is a copy of every byte; an object that is put is there whole or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import HTTPClientError, IncompleteReadError

from solution.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_S3: Final = re.compile(r"s3://([^/]+)/(.*)", re.DOTALL)
_FOLDER: Final = "file://"
_RETRIES: Final = Config(retries={"mode": "standard", "max_attempts": 10})
_READS: Final = 5
_CUT_SHORT: Final = (HTTPClientError, IncompleteReadError)
"""What reading a body raises when its connection breaks; the client repeats what fails before that alone."""

_DELETED_AT_ONCE: Final = 1000
"""Most keys of one request ("DeleteObjects")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file with its size in bytes; ``uri`` is absolute, with its scheme."""

    uri: str
    size: int


class Storage(Protocol):
    """What the job does to files. It travels to tasks, and connects where it is used."""

    def list_files(self, prefix: str) -> list[StoredFile]:
        """All files below ``prefix``, at any depth, by URI; none if there is no such place."""

    def read(self, uri: str, start: int, end: int) -> bytes:
        """Bytes from ``start`` to before ``end``; fewer where the file ends."""

    def write(self, uri: str, content: bytes) -> None:
        """Write a file, whole or not at all, replacing what was there."""

    def delete(self, prefix: str) -> None:
        """Remove what `list_files` finds."""


def storage_of(uri: str) -> Storage:
    """Where files with such URIs are.

    Raises:
        InvalidInput: neither ``s3://bucket/`` nor ``file://``.
    """
    if _S3.match(uri):
        return S3Storage(region=boto3.session.Session().region_name)
    if uri.startswith(_FOLDER):
        return FolderStorage()
    raise InvalidInput(f"{uri!r} is neither s3://bucket/prefix nor file:///folder: give one of these")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Storage:
    """Objects. ``region`` is the driver's: other machines of a cluster need not know theirs."""

    region: str | None

    def list_files(self, prefix: str) -> list[StoredFile]:
        """All objects whose keys begin so."""
        bucket, start = _parts(prefix)
        pages = _client(self.region).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
        entries = (entry for page in pages for entry in page.get("Contents", ()))
        files = (StoredFile(uri=f"s3://{bucket}/{entry['Key']}", size=entry["Size"]) for entry in entries)
        return sorted(files, key=lambda file: file.uri)

    def read(self, uri: str, start: int, end: int) -> bytes:
        """One range, asked for again if its connection breaks."""
        for _ in range(_READS - 1):
            body = self._body(uri, start, end)
            with suppress(*_CUT_SHORT):
                return body.read()
        return self._body(uri, start, end).read()

    def _body(self, uri: str, start: int, end: int) -> StreamingBody:
        bucket, key = _parts(uri)
        return _client(self.region).get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")["Body"]

    def write(self, uri: str, content: bytes) -> None:
        """One PutObject: a file of the result has some ten megabytes."""
        bucket, key = _parts(uri)
        _client(self.region).put_object(Bucket=bucket, Key=key, Body=content)

    def delete(self, prefix: str) -> None:
        """A thousand at a time."""
        bucket, _ = _parts(prefix)
        keys = [_parts(file.uri)[1] for file in self.list_files(prefix)]
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            objects: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys[start : start + _DELETED_AT_ONCE]]
            answer = _client(self.region).delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise OSError(f"objects of an earlier try could not be removed below {prefix}: {answer['Errors'][:3]}")


class FolderStorage:
    """Files of this machine, for tests, benchmarks and a try at home."""

    def list_files(self, prefix: str) -> list[StoredFile]:
        """All below a folder, or the file that is called so."""
        path = _path(prefix)
        found = (each for each in ([path] if path.is_file() else path.rglob("*")) if each.is_file())
        files = (StoredFile(uri=f"{_FOLDER}{each}", size=each.stat().st_size) for each in found)
        return sorted(files, key=lambda file: file.uri)

    def read(self, uri: str, start: int, end: int) -> bytes:
        """Part of a file."""
        with _path(uri).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def write(self, uri: str, content: bytes) -> None:
        """Beside its place, then moved there."""
        path = _path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(path)

    def delete(self, prefix: str) -> None:
        """The file, or the folder with all in it."""
        path = _path(prefix)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def total_size(files: Sequence[StoredFile]) -> int:
    """Bytes in all files."""
    return sum(file.size for file in files)


@cache
def _client(region: str | None) -> S3Client:
    """One for each process."""
    return boto3.client("s3", region_name=region, config=_RETRIES)


def _parts(uri: str) -> tuple[str, str]:
    match = _S3.fullmatch(uri)
    if not match:
        raise InvalidInput(f"{uri!r} is not s3://bucket/key")
    return match[1], match[2]


def _path(uri: str) -> Path:
    return Path(uri.removeprefix(_FOLDER))
