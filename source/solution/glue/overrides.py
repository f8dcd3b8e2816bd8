"""The user's own names: ``GlacierArchiveID,FileName``, any number of files, and what is wrong with them."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Final

from solution.contract.object_keys import OVERRIDE_COLUMNS
from solution.domain import naming
from solution.domain.archive import ARCHIVE_ID_FORM
from solution.domain.errors import InvalidInput
from solution.glue import claims
from solution.glue.messages import Addressed, Chosen, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyspark.rdd import RDD
    from pyspark.sql import SparkSession

    from solution.glue.storage import Storage, StoredFile

MALFORMED: Final = "not a Glacier archive id"
NAMELESS: Final = "the file name is empty, or nothing is left of it in a safe key"
_HEADER_BYTES: Final = 4096
_ID: Final = re.compile(ARCHIVE_ID_FORM)

Line = tuple[str, str]
"""Archive id and name as the user wrote them."""


def read(spark: SparkSession, storage: Storage, files: list[StoredFile]) -> RDD[Line] | None:
    """All lines, None without files; raises `InvalidInput` for a wrong header."""
    found = []
    for file in files:
        header = next(
            csv.reader([storage.beginning(file.uri, _HEADER_BYTES).removeprefix("\ufeff").split("\n")[0]]), []
        )
        if not set(OVERRIDE_COLUMNS).issubset(header):
            raise InvalidInput(
                f"{file.uri} begins with {header}, not with {','.join(OVERRIDE_COLUMNS)}: correct its first line"
            )
        lines = spark.read.csv(
            file.uri,
            header=True,
            quote='"',
            escape='"',
            enforceSchema=False,
            mode="PERMISSIVE",
            nullValue=None,
        )
        found.append(lines.toDF(*header).select(*OVERRIDE_COLUMNS).rdd.map(_line))
    return spark.sparkContext.union(found) if found else None


def _line(values: tuple[str | None, str | None]) -> Line:
    return (values[0] or "").strip(" "), values[1] or ""


def problem_of(line: Line) -> str | None:
    """Why a line cannot be used, None for a good one."""
    if not _ID.fullmatch(line[0]):
        return MALFORMED
    return None if naming.safe_key(line[1]) else NAMELESS


def messages(number: int, lines: Iterable[Line], shards: int) -> Iterator[Addressed]:
    """Good lines for the shards that know the archives, and what is wrong with the others."""
    good: dict[int, list[Line]] = {}
    for line in lines:
        if reason := problem_of(line):
            yield number % shards, Problem(*line, reason)
        else:
            (digest,) = claims.digests_of([line[0].encode()], Kind.ID)
            good.setdefault(claims.shard_of(digest, shards), []).append(line)
    for shard, chosen in good.items():
        yield shard, Chosen(tuple(chosen))
