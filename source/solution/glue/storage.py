"""Files through Hadoop's FileSystem, the same for ``s3://`` in Glue and for folders on one machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import SparkSession

_THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file with its size in bytes; ``uri`` is absolute, with its scheme."""

    uri: str
    size: int


class Storage:
    """The few things the job does to files beyond reading and writing tables."""

    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark.sparkContext._jvm  # noqa: SLF001 - Hadoop's FileSystem has no public Python door
        self._configuration: Any = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001

    def list_files(self, prefix: str) -> list[StoredFile]:
        """All files below ``prefix``, at any depth, by name; none if there is no such place."""
        path, system = self._open(prefix)
        if not system.exists(path):
            return []
        found = []
        iterator = system.listFiles(path, True)
        while iterator.hasNext():
            status = iterator.next()
            found.append(StoredFile(uri=status.getPath().toString(), size=status.getLen()))
        return sorted(found, key=lambda file: file.uri)

    def beginning(self, uri: str, size: int) -> str:
        """The first ``size`` bytes of a UTF-8 text, or all of it."""
        path, system = self._open(uri)
        stream = system.open(path)
        try:
            return bytes(stream.readNBytes(size)).decode(errors="replace")
        finally:
            stream.close()

    def samples(self, file: StoredFile, count: int, size: int) -> list[str]:
        """Pieces of a UTF-8 text, evenly spread, of ``size`` bytes each; all of it where that is less."""
        starts = [file.size * number // count for number in range(count)] if file.size > count * size else [0]
        length = size if len(starts) > 1 else file.size
        path, system = self._open(file.uri)

        def piece(start: int) -> str:
            stream = system.open(path)
            try:
                stream.seek(start)
                return bytes(stream.readNBytes(length)).decode(errors="replace")
            finally:
                stream.close()

        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(piece, starts))

    def delete(self, prefix: str) -> None:
        """Remove a file, or all below a prefix; nothing happens if it is not there."""
        path, system = self._open(prefix)
        system.delete(path, True)

    def write_text(self, uri: str, text: str) -> None:
        """Write one object, whole or not at all, replacing what was there."""
        # beside the target and renamed: a reader never sees half a file even where creating is not atomic
        temporary = f"{uri}._writing"
        path, system = self._open(temporary)
        stream = system.create(path, True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()
        self.delete(uri)
        self._rename(temporary, uri)

    def move_all(self, moves: Iterable[tuple[str, str]]) -> None:
        """Rename files, several at a time: on S3 each is a copy of an object."""
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda move: self._rename(*move), moves))

    def _rename(self, source: str, target: str) -> None:
        path, system = self._open(source)
        wanted = self._jvm.org.apache.hadoop.fs.Path(target)
        # a folder is made only where one is needed: on S3 it may become an empty object beside the files
        if system.getScheme() == "file":
            system.mkdirs(wanted.getParent())
        if not system.rename(path, wanted):
            raise OSError(f"{source} could not be renamed to {target}; run the job again, it replaces what it wrote")

    def _open(self, uri: str) -> tuple[Any, Any]:
        path = self._jvm.org.apache.hadoop.fs.Path(uri)
        system = path.getFileSystem(self._configuration)
        # no .crc files beside ours on a local disk; other file systems ignore it
        system.setWriteChecksum(False)
        return path, system


def total_size(files: Sequence[StoredFile]) -> int:
    """Bytes in all files."""
    return sum(file.size for file in files)
