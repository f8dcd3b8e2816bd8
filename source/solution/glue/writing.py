"""Files of the result: sorted inventory, listings, and ``partitions.csv`` at the very end."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.contract import object_keys
from solution.glue import ordering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.readwriter import DataFrameWriter

    from solution.glue.storage import Storage

_LISTING_ROWS: Final = 1_000_000
_PLACE: Final = re.compile(r"(?:/unit=(\d+))?/part-(\d+)-.*?-?c(\d+)\.csv$")


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


def sorted_columns(archives: DataFrame) -> DataFrame:
    """The columns of the sorted inventory, in their order."""
    values = {
        "ArchiveId": F.col("archive_id"),
        "Size": F.col("size"),
        "CreationDate": F.col("creation_date"),
        "SHA256TreeHash": F.col("tree_hash"),
        # Spark breaks base64 into lines of 76 characters
        "ArchiveDescriptionBase64": F.regexp_replace(F.base64(F.encode("description", "UTF-8")), r"[\r\n]", ""),
        "FileName": F.col("name"),
    }
    return archives.select(*(values[name].alias(name) for name in object_keys.SORTED_COLUMNS), "unit", "order_key")


def write_units(archives: DataFrame, staging: str, tasks: int, file_archives: int) -> None:
    """Write archives with their ``unit`` in order, one folder for each unit below ``staging``."""
    columns = sorted_columns(archives)
    placed = columns.repartition(tasks, "unit").sortWithinPartitions("unit", "order_key", "ArchiveId").drop("order_key")
    _csv(placed.write.partitionBy("unit")).option("maxRecordsPerFile", file_archives).csv(staging)


def _place(uri: str) -> tuple[int, int, int]:
    match = _PLACE.search(uri)
    if not match:
        return (-1, -1, -1)
    return (int(match[1] or 0), int(match[2]), int(match[3]))


def publish_units(storage: Storage, staging: str, output_uri: str, partitions: Sequence[ordering.Partition]) -> None:
    """Move the files of each unit to their partition, their names in the order of their rows."""
    files = sorted((place, file.uri) for file in storage.list_files(staging) if (place := _place(file.uri))[0] >= 0)
    partition_of = [partition.number for partition in partitions for _ in partition.units]
    moves = []
    count = dict.fromkeys((partition.number for partition in partitions), 0)
    for (unit, _, _), uri in files:
        number = partition_of[unit]
        moves.append((uri, f"{output_uri}partition_{number:05d}/part-{count[number]:05d}.csv"))
        count[number] += 1
    storage.move_all(moves)
    storage.delete(staging)


def write_listing(storage: Storage, rows: DataFrame, count: int, prefix: str, name: str) -> None:
    """Write ``count`` rows as ``{prefix}{name}.csv``, and ``{name}-00001.csv`` … where one file would be very long."""
    staging = f"{prefix}_staging/"
    ordered = rows.orderBy(*rows.columns).coalesce(-(-count // _LISTING_ROWS))
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
