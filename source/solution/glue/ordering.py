"""Order of creation, cut into partitions and files: nothing but two numbers per archive is shuffled to decide.

The order key of an archive is one number, so a *unit*, a run of neighbours that becomes one file, is known by the
lowest key in it. Units come from running sums within range partitions; packing units into partitions is arithmetic
over a few thousand rows, in plain Python.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pyspark.sql import Column, Window
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.domain.errors import InvalidInput

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

UNITS_PER_PARTITION: Final = 16
"""A partition is cut at units, and this much smaller they are: at most a sixteenth of its bytes stays unused."""


UNITS_PER_FILE: Final = 4
"""Likewise for archives: where range partitions meet, a unit is smaller than it might be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At most this much in a partition and in a file."""

    partition_bytes: int
    partition_archives: int
    file_archives: int

    def __post_init__(self) -> None:
        """Refuse limits that nothing could meet."""
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} {getattr(self, name)} is not a positive number; raise it")

    @property
    def unit_archives(self) -> int:
        """Archives in a unit, unless several have the very same key."""
        return max(1, min(self.partition_archives, self.file_archives) // UNITS_PER_FILE)

    @property
    def unit_bytes(self) -> int:
        """Bytes in a unit, beyond its last archive."""
        return max(1, self.partition_bytes // UNITS_PER_PARTITION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Neighbours in the order: the lowest order key among them, their number and bytes."""

    first_key: int
    archives: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Consecutive units that are asked for together, put together so that each is worth a file."""

    number: int
    units: tuple[Unit, ...]

    @property
    def archives(self) -> int:
        """Archives in it."""
        return sum(unit.archives for unit in self.units)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return sum(unit.size for unit in self.units)


def collect_units(archives: DataFrame, limits: Limits, buckets: int) -> list[Unit]:
    """Units in order."""
    rows = unit_rows(archives, limits, buckets).orderBy("first_key").collect()
    return [Unit(first_key=row["first_key"], archives=row["archives"], size=int(row["size"])) for row in rows]


def unit_rows(archives: DataFrame, limits: Limits, buckets: int) -> DataFrame:
    """Units of archives that have ``order_key`` and ``size``: ``first_key``, ``archives``, ``size``, not in order.

    Archives with the same key stay together. One archive that is larger than a unit is a unit of its own.
    """
    ranged = archives.select("order_key", "size").repartitionByRange(buckets, "order_key")
    cells = ranged.groupBy("order_key").agg(F.count("*").alias("archives"), F.sum("size").alias("size"))
    bucketed = cells.withColumn("bucket", F.spark_partition_id())
    before = Window.partitionBy("bucket").orderBy("order_key").rowsBetween(Window.unboundedPreceding, -1)
    upto = Window.partitionBy("bucket").orderBy("order_key").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    large = (F.col("size") >= limits.unit_bytes).cast("bigint")
    cut = F.struct(
        F.floor(F.coalesce(F.sum("archives").over(before), F.lit(0)) / limits.unit_archives),
        F.floor(F.coalesce(F.sum("size").over(before), F.lit(0)) / limits.unit_bytes),
        F.sum(large).over(upto),
        large,
    )
    units = bucketed.withColumn("cut", cut).groupBy("bucket", "cut")
    return units.agg(
        F.min("order_key").alias("first_key"), F.sum("archives").alias("archives"), F.sum("size").alias("size")
    ).select("first_key", "archives", "size")


def are_within(units: Iterable[Unit], limits: Limits) -> bool:
    """Whether every unit fits a file and a partition, or is a single archive that fits none."""
    most = min(limits.partition_archives, limits.file_archives)
    return all(unit.archives == 1 or (unit.archives <= most and unit.size <= limits.partition_bytes) for unit in units)


def ranked(archives: DataFrame, buckets: int) -> DataFrame:
    """Archives with their ``bucket``, a range of the order, and their ``place`` in it. Keep the result.

    Needed only where so many archives have one date and ids that begin alike that no unit can be cut between them.
    """
    ranged = archives.repartitionByRange(buckets, "order_key", "archive_id").withColumn(
        "bucket", F.spark_partition_id()
    )
    within = Window.partitionBy("bucket").orderBy("order_key", "archive_id")
    return ranged.withColumn("place", F.row_number().over(within))


def with_positions(placed: DataFrame) -> DataFrame:
    """`ranked` archives with their position in the whole order as ``order_key``: no two have the same.

    ``placed`` must be kept: borders of buckets are sampled, and another computation may draw them elsewhere.
    """
    sizes = {row["bucket"]: row["count"] for row in placed.groupBy("bucket").count().collect()}
    offsets = [sum(sizes.get(earlier, 0) for earlier in range(bucket)) for bucket in range(max(sizes, default=0) + 1)]
    offset = F.element_at(F.array(*map(F.lit, offsets)), F.col("bucket") + 1)
    return placed.withColumn("order_key", offset.cast("bigint") + F.col("place")).drop("bucket", "place")


def pack(units: Iterable[Unit], limits: Limits) -> list[Partition]:
    """Put units, in order, into as few partitions as the limits allow, and within one into as few files."""
    partitions: list[Partition] = []
    for members in _grouped(units, limits.partition_archives, limits.partition_bytes):
        files = tuple(_joined(group) for group in _grouped(members, limits.file_archives))
        partitions.append(Partition(number=len(partitions), units=files))
    return partitions


def _grouped(units: Iterable[Unit], most_archives: int, most_bytes: float = math.inf) -> Iterator[list[Unit]]:
    """Neighbours together as long as they keep within the limits; one that exceeds them stays alone."""
    group: list[Unit] = []
    archives = size = 0
    for unit in units:
        archives, size = archives + unit.archives, size + unit.size
        if group and (archives > most_archives or size > most_bytes):
            yield group
            group, archives, size = [], unit.archives, unit.size
        group.append(unit)
    if group:
        yield group


def _joined(group: Sequence[Unit]) -> Unit:
    return Unit(
        first_key=group[0].first_key,
        archives=sum(unit.archives for unit in group),
        size=sum(unit.size for unit in group),
    )


def unit_of(key: Column, first_keys: Sequence[int]) -> Column:
    """Index of the unit a key belongs to; ``first_keys`` in order.

    Looks up in two steps, about twice the square root of the number of units.
    """
    width = max(1, math.isqrt(len(first_keys)))
    groups = [list(first_keys[start : start + width]) for start in range(0, len(first_keys), width)]
    group = F.greatest(F.lit(0), _rank(key, F.expr(_longs([members[0] for members in groups]))) - 1)
    members = F.element_at(F.expr(f"array({','.join(_longs(members) for members in groups)})"), group + 1)
    return F.greatest(F.lit(0), group * width + _rank(key, members) - 1)


def _longs(values: Sequence[int]) -> str:
    return "array(" + ",".join(f"{value}L" for value in values) + ")"


def _rank(key: Column, bounds: Column) -> Column:
    return F.size(F.filter(bounds, lambda bound: bound <= key))


def unit_index(key: int, first_keys: Sequence[int]) -> int:
    """`unit_of` in plain Python."""
    return max(0, bisect_right(first_keys, key) - 1)
