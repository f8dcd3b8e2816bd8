"""Files of the result: sorted inventory, listings, and ``partitions.csv`` at the very end."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

from solution.contract import object_keys
from solution.glue import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from solution.glue.buckets import Bucket
    from solution.glue.ordering import Partition, Unit

LISTING_ROWS: Final = 200_000
"""Most rows of a file of a listing, more or less: files are cut by a sample."""

_HEADER: Final = ",".join(object_keys.SORTED_COLUMNS).encode()

Value = str | int | None


@dataclass(frozen=True, slots=True)
class File:
    """A file of the sorted inventory, and where its archives are."""

    uri: str
    unit: Unit


def files_of(output_uri: str, partitions: Sequence[Partition]) -> list[File]:
    """All files, their names in the order of their rows."""
    return [
        File(f"{output_uri}{object_keys.partition_folder(partition.number)}part-{number:05d}.csv", unit)
        for partition in partitions
        for number, unit in enumerate(partition.files)
    ]


def sorted_csv(lines: Iterable[bytes]) -> bytes:
    """Content of a file of the sorted inventory."""
    return b"\n".join((_HEADER, *lines, b""))


@dataclass(frozen=True, slots=True)
class Listing:
    """A kind of rows that are told and not migrated."""

    name: str
    columns: tuple[str, ...]


NOT_MIGRATED: Final = Listing(
    "not migrated", ("ArchiveId", "Size", "CreationDate", "SHA256TreeHash", "ArchiveDescription", "Reason")
)
REJECTED: Final = Listing("rejected", ("ArchiveId", "Size", "CreationDate", "Row", "Reason"))
PROBLEM: Final = Listing("problem", ("GlacierArchiveID", "FileName", "Reason"))


def listed(bucket: Bucket) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """Rows of all listings, each with the name of its own."""
    for row in bucket.too_large():
        values = (row.archive_id, row.size, row.creation_date, row.tree_hash, row.description, rows.TOO_LARGE)
        yield NOT_MIGRATED.name, values
    for rejected in bucket.rejected():
        yield REJECTED.name, astuple(rejected)
    for problem in bucket.name_problems():
        yield PROBLEM.name, astuple(problem)


def listing_order(values: tuple[Value, ...]) -> str:
    """Rows of a listing are ordered by their values as text."""
    return "\0".join("" if value is None else str(value) for value in values)


def listing_csv(listing: Listing, values: Iterable[tuple[Value, ...]]) -> bytes:
    """Content of a file of a listing, as RFC 4180 has it: descriptions may hold any line break."""
    text = io.StringIO()
    csv.writer(text).writerows([listing.columns, *values])
    return text.getvalue().encode()


def listing_uri(beginning: str, number: int) -> str:
    """``{beginning}.csv``, then ``{beginning}-00001.csv`` … where one file would be very long."""
    return f"{beginning}{f'-{number:05d}' if number else ''}.csv"


def partitions_csv(run: str, partitions: Sequence[Partition]) -> bytes:
    """Content of ``partitions.csv``; with no archive it is the header alone."""
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
    return text.getvalue().encode()
