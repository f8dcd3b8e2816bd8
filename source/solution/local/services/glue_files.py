"""Objects of a job run as local files: fetched before the run, brought back after it.

Spark reads ``s3://`` in AWS Glue; the Hadoop libraries for that are not on PyPI. So each ``s3://bucket/prefix`` among
a job's arguments becomes a folder, with the bucket's objects in it, and what the job changes there is uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_S3_URI: Final = re.compile(r"s3[an]?://([^/]+)/?(.*)", re.DOTALL)

Snapshot = dict[Path, tuple[int, int]]
"""Size and time of change, in nanoseconds, of each file."""


class MirroredObjects:
    """The objects below some prefixes, as files of one folder."""

    def __init__(self, s3: Any, root: Path) -> None:
        self._s3 = s3
        self._root = root.resolve()
        self._prefixes: set[tuple[str, str]] = set()
        self._before: Snapshot = {}

    def localise(self, arguments: Mapping[str, str]) -> dict[str, str]:
        """Arguments with ``file://`` URIs for ``s3://`` ones; remembers which prefixes they name."""
        return {name: self._local(str(value)) for name, value in arguments.items()}

    def download(self) -> None:
        """Fetch every object below the prefixes."""
        for bucket, prefix in sorted(self._prefixes):
            self._folder(bucket, prefix).mkdir(parents=True, exist_ok=True)
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    # Markers of folders are no files.
                    if not entry["Key"].endswith("/"):
                        self.fetch(bucket, entry["Key"], self._path(bucket, entry["Key"]))
        self._before = self._snapshot()

    def fetch(self, bucket: str, key: str, target: Path) -> Path:
        """Fetch one object to a file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for piece in self._s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1024 * 1024):
                file.write(piece)
        return target

    def fetch_uri(self, uri: str, folder: Path) -> Path:
        """Fetch the one object that a URI names into a folder."""
        match = _S3_URI.fullmatch(uri)
        if match is None:
            message = f"{uri!r} is no s3:// URI: name the object as s3://bucket/key"
            raise ValueError(message)
        return self.fetch(match[1], match[2], folder / match[2].rpartition("/")[2])

    def upload(self) -> None:
        """Upload new and changed files, and delete objects whose files are gone."""
        after = self._snapshot()
        for path in sorted(after):
            if self._before.get(path) != after[path]:
                bucket, key = self._object(path)
                with path.open("rb") as file:
                    self._s3.upload_fileobj(file, bucket, key)
        for path in sorted(set(self._before) - set(after)):
            bucket, key = self._object(path)
            self._s3.delete_object(Bucket=bucket, Key=key)

    def _local(self, value: str) -> str:
        match = _S3_URI.fullmatch(value)
        if match is None:
            return value
        bucket, prefix = match[1], match[2]
        self._prefixes.add((bucket, prefix))
        return f"file://{self._path(bucket, prefix)}{'/' if prefix.endswith('/') else ''}"

    def _folder(self, bucket: str, prefix: str) -> Path:
        path = self._path(bucket, prefix)
        return path if prefix.endswith("/") else path.parent

    def _path(self, bucket: str, key: str) -> Path:
        path = (self._root / bucket / key).resolve()
        if not path.is_relative_to(self._root / bucket):
            message = f"key {key!r} of bucket {bucket} leaves its folder: no such file can be made"
            raise ValueError(message)
        return path

    def _object(self, path: Path) -> tuple[str, str]:
        bucket, *key = path.relative_to(self._root).parts
        return bucket, "/".join(key)

    def _snapshot(self) -> Snapshot:
        """Files under the prefixes; Hadoop's checksum files exist on local disks alone."""
        found: Snapshot = {}
        for bucket, prefix in self._prefixes:
            start = self._path(bucket, prefix)
            for path in [start] if start.is_file() else start.rglob("*"):
                if path.is_file() and not (path.name.startswith(".") and path.name.endswith(".crc")):
                    status = path.stat()
                    found[path] = (status.st_size, status.st_mtime_ns)
        return found
