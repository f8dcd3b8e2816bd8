"""Files of the result: sorted inventory, listings, and ``partitions.csv`` at the very end."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.contract import object_keys
from solution.glue import ordering, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.readwriter import DataFrameWriter

    from solution.glue.buckets import Bucket
    from solution.glue.storage import Storage

_LISTING_ROWS: Final = 1_000_000
_PIECE_LINES: Final = 10_000
_PLACE: Final = re.compile(r"(?:/file=(\d+))?/part-(\d+)-.*?-?c(\d+)\.(?:csv|txt)$")
_HEADER: Final = ",".join(object_keys.SORTED_COLUMNS).encode()

FILE_SCHEMA: Final = "file int, piece int, text binary"


def _csv(writer: DataFrameWriter) -> DataFrameWriter:
    """RFC 4180, values exactly as they are."""
    return writer.mode("overwrite").options(
        header=True,
        quote='"',
        escape='"',
        emptyValue="",
        ignoreLeadingWhiteSpace=False,
        ignoreTrailingWhiteSpace=False,
    )


def pieces(number: int, lines: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """A file of the sorted inventory, in pieces that are not large: its number, theirs, and their text."""
    for piece, start in enumerate(range(0, len(lines), _PIECE_LINES)):
        header = [_HEADER] if piece == 0 else []
        yield number, piece, b"\n".join([*header, *lines[start : start + _PIECE_LINES]])


def write_files(files: DataFrame, staging: str) -> None:
    """Write `pieces` in order, one folder for each file below ``staging``."""
    text = files.select("file", "piece", F.col("text").cast("string").alias("value"))
    placed = text.sortWithinPartitions("file", "piece").drop("piece")
    placed.write.mode("overwrite").partitionBy("file").text(staging)


def _place(uri: str) -> tuple[int, int, int]:
    match = _PLACE.search(uri)
    if not match:
        return (-1, -1, -1)
    return (int(match[1] or 0), int(match[2]), int(match[3]))


def publish_files(storage: Storage, staging: str, output_uri: str, partitions: Sequence[ordering.Partition]) -> None:
    """Move files to their partition, their names in the order of their rows.

    Raises:
        RuntimeError: not every file was written once.
    """
    places = ((_place(file.uri)[0], file.uri) for file in storage.list_files(staging))
    written = sorted((number, uri) for number, uri in places if number >= 0)
    wanted = [
        f"{output_uri}partition_{partition.number:05d}/part-{count:05d}.csv"
        for partition in partitions
        for count in range(len(partition.files))
    ]
    if [number for number, _ in written] != list(range(len(wanted))):
        raise RuntimeError(f"{len(written)} files of the sorted inventory were written, not {len(wanted)}")
    storage.move_all((source, target) for (_, source), target in zip(written, wanted, strict=True))
    storage.delete(staging)


@dataclass(frozen=True, slots=True)
class Listing:
    """A kind of rows that are told and not migrated."""

    name: str
    schema: str


NOT_MIGRATED: Final = Listing(
    "not migrated",
    "ArchiveId string, Size long, CreationDate string, SHA256TreeHash string, ArchiveDescription string, Reason string",
)
REJECTED: Final = Listing("rejected", "ArchiveId string, Size long, CreationDate string, Row string, Reason string")
PROBLEM: Final = Listing("problem", "GlacierArchiveID string, FileName string, Reason string")


def listed(bucket: Bucket) -> Iterator[tuple[str, tuple[str | int | None, ...]]]:
    """Rows of all listings, each with the name of its own."""
    for row in bucket.too_large():
        values = (row.archive_id, row.size, row.creation_date, row.tree_hash, row.description, rows.TOO_LARGE)
        yield NOT_MIGRATED.name, values
    for rejected in bucket.rejected():
        yield REJECTED.name, astuple(rejected)
    for problem in bucket.name_problems():
        yield PROBLEM.name, astuple(problem)


def write_listing(storage: Storage, listing: DataFrame, count: int, prefix: str, name: str) -> None:
    """Write ``count`` lines as ``{prefix}{name}.csv``, and ``{name}-00001.csv`` … where one file would be very long."""
    staging = f"{prefix}_staging/"
    ordered = listing.orderBy(*listing.columns).coalesce(-(-count // _LISTING_ROWS))
    _csv(ordered.write).option("maxRecordsPerFile", _LISTING_ROWS).csv(staging)
    files = [file for file in storage.list_files(staging) if _place(file.uri)[0] >= 0 and file.size > 0]
    files.sort(key=lambda file: _place(file.uri))
    endings = ["", *(f"-{number:05d}" for number in range(1, len(files)))]
    storage.move_all((file.uri, f"{prefix}{name}{ending}.csv") for file, ending in zip(files, endings, strict=False))
    storage.delete(staging)


def partitions_csv(run: str, partitions: Sequence[ordering.Partition]) -> str:
    """Text of ``partitions.csv``; with no archive it is the header alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(object_keys.PARTITION_COLUMNS)
    for partition in partitions:
        row = {
            "Partition": partition.number,
            "Prefix": object_keys.partition_prefix(run, partition.number),
            "Archives": partition.archives,
            "Bytes": partition.size,
            "Last": "true" if partition is partitions[-1] else "false",
        }
        writer.writerow([row[column] for column in object_keys.PARTITION_COLUMNS])
    return text.getvalue()
