"""What the values of a record mean, and why a row cannot be migrated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyspark.sql import Column, Window
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.domain.archive import MAX_OBJECT_BYTES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

UNREADABLE: Final = "not a row of an inventory: archive id, creation date, size and tree hash were not found in it"
NO_DATE: Final = "its creation date is not a date"
EMPTY: Final = "its size is 0: an archive has at least one byte"
TWICE: Final = "its archive id appears in an earlier row"
TOO_LARGE: Final = f"larger than {MAX_OBJECT_BYTES} bytes, the largest S3 object"

_ID_BITS: Final = 14


def order_key(creation_date: Column, archive_id: Column) -> Column:
    """One number by which archives are in order of creation, ties by the beginning of their id; null for no date.

    Milliseconds since 1970, before it negative, then two characters of seven bits. Dates have years of four digits, so
    milliseconds need 48 bits and their sign, and all fits into 64.
    """
    milliseconds = F.unix_millis(F.try_to_timestamp(creation_date))
    characters = [F.ascii(F.substring(archive_id, place, 1)) for place in (1, 2)]
    rank = characters[0] * 2**7 + characters[1]
    return milliseconds * 2**_ID_BITS + rank


def typed(records: DataFrame) -> DataFrame:
    """Sizes become numbers of bytes and every row gets its ``order_key``."""
    return records.withColumn("size", F.col("size").cast("bigint")).withColumn(
        "order_key", order_key(F.col("creation_date"), F.col("archive_id"))
    )


def reason() -> Column:
    """Why a readable row is rejected, null for a good one."""
    return F.when(F.col("order_key").isNull(), NO_DATE).when(F.col("size") < 1, EMPTY)


def is_too_large() -> Column:
    """Whether the archive exceeds what S3 can hold."""
    return F.col("size") > MAX_OBJECT_BYTES


def repeated_hashes(archives: DataFrame) -> DataFrame:
    """Hashes of archive ids that may appear more than once."""
    hashes = archives.select(F.xxhash64("archive_id").alias("id_hash"))
    return hashes.groupBy("id_hash").count().filter("count > 1").select("id_hash")


def split_repeated(archives: DataFrame, hashes: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Archives whose id is surely there once, and the others with their ``place`` among rows of the same id.

    The oldest row comes first; rows that differ in nothing are as good as each other.
    """
    hashed = archives.withColumn("id_hash", F.xxhash64("archive_id"))
    same = Window.partitionBy("archive_id").orderBy("order_key", "size", "tree_hash", "description")
    suspects = hashed.join(hashes, "id_hash", "left_semi").drop("id_hash")
    return (
        hashed.join(hashes, "id_hash", "left_anti").drop("id_hash"),
        suspects.withColumn("place", F.row_number().over(same)),
    )


def rejection(rows: DataFrame) -> DataFrame:
    """Lines of the listing for readable rows that have a ``reason``."""
    return rows.select(
        F.col("archive_id").alias("ArchiveId"),
        F.col("size").alias("Size"),
        F.col("creation_date").alias("CreationDate"),
        F.col("description").alias("Row"),
        F.col("reason").alias("Reason"),
    )


def unreadable_rejection(rows: DataFrame) -> DataFrame:
    """Lines of the listing for rows of which only the text is known."""
    return rows.select(
        F.lit("").alias("ArchiveId"),
        F.lit(None).cast("bigint").alias("Size"),
        F.lit("").alias("CreationDate"),
        F.col("unreadable").alias("Row"),
        F.lit(UNREADABLE).alias("Reason"),
    )
