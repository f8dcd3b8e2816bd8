"""The user's own names: ``GlacierArchiveID,FileName``, any number of files, and what is wrong with them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.domain.errors import InvalidInput
from solution.glue import names, reading

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from solution.glue.storage import Storage, StoredFile

_HEADER_BYTES: Final = 4096
COLUMNS: Final = ("GlacierArchiveID", "FileName")
MALFORMED: Final = "not a Glacier archive id"
NAMELESS: Final = "the file name is empty, or nothing is left of it in a safe key"
REPEATED: Final = "this archive has another line with another name, which comes first in order and is used"
UNKNOWN: Final = "no archive of the inventory has this id"
TAKEN: Final = "the file name is taken; the archive got a suffix"
_ID: Final = r"^[A-Za-z0-9_-]{138}\z"


def read(spark: SparkSession, storage: Storage, files: list[StoredFile]) -> DataFrame | None:
    """All lines as ``archive_id`` and ``override``, None without files; raises `InvalidInput` for a wrong header."""
    frames = []
    for file in files:
        header = next(
            csv.reader([storage.beginning(file.uri, _HEADER_BYTES).removeprefix("\ufeff").split("\n")[0]]), []
        )
        if not set(COLUMNS).issubset(header):
            raise InvalidInput(f"{file.uri} begins with {header}, not with {','.join(COLUMNS)}: correct its first line")
        lines = spark.read.csv(
            file.uri,
            header=True,
            quote='"',
            escape='"',
            enforceSchema=False,
            mode="PERMISSIVE",
            nullValue=None,
        )
        clean = lines.toDF(*header)
        frames.append(clean.select(F.trim(COLUMNS[0]).alias("archive_id"), F.col(COLUMNS[1]).alias("override")))
    return reading.union_all(frames) if frames else None


def checked(lines: DataFrame) -> DataFrame:
    """Lines with the ``reason`` why one cannot be used, null for a good one."""
    # a null key means that only the reference knows it; such a name has at least one odd character left
    keyed = names.with_safe_key(lines.withColumn("path", F.coalesce("override", F.lit(""))))
    reason = F.when(~F.coalesce("archive_id", F.lit("")).rlike(_ID), MALFORMED).when(F.col("key") == "", NAMELESS)
    return keyed.withColumn("reason", reason).drop("key")


def good(lines: DataFrame) -> DataFrame:
    """One usable name for each archive id."""
    usable = checked(lines).filter("reason is null")
    return usable.groupBy("archive_id").agg(F.min("override").alias("override"))


def problems(lines: DataFrame, archives: DataFrame, taken: DataFrame) -> DataFrame:
    """What to report: ``archive_id``, ``override``, ``reason``; ``taken`` has the ids whose override got a suffix."""
    bad = checked(lines)
    fine = bad.filter("reason is null").drop("reason").distinct()
    first = Window.partitionBy("archive_id").orderBy("override")
    ranked = fine.withColumn("place", F.row_number().over(first))
    used = ranked.filter("place = 1").drop("place")
    return reading.union_all(
        [
            bad.filter("reason is not null"),
            ranked.filter("place > 1").drop("place").withColumn("reason", F.lit(REPEATED)),
            used.join(archives.select("archive_id"), "archive_id", "left_anti").withColumn("reason", F.lit(UNKNOWN)),
            used.join(taken.select("archive_id"), "archive_id", "left_semi").withColumn("reason", F.lit(TAKEN)),
        ]
    )
