"""Archives in order of creation, in partitions and files that keep within their limits."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.domain.errors import InvalidInput
from solution.glue import checking, ordering
from solution.glue.ordering import Limits, Unit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def limits(*, size: int = 1000, archives: int = 100, file: int = 10) -> Limits:
    return Limits(partition_bytes=size, partition_archives=archives, file_archives=file)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 1500)), max_size=60))
def test_partitions_keep_within_their_limits_and_lose_nothing(shapes: list[tuple[int, int]]) -> None:
    units = [Unit(first_key=key, archives=archives, size=size) for key, (archives, size) in enumerate(shapes)]
    partitions = ordering.pack(units, limits())
    assert [partition.number for partition in partitions] == list(range(len(partitions)))
    assert sum(partition.archives for partition in partitions) == sum(unit.archives for unit in units)
    assert sum(partition.size for partition in partitions) == sum(unit.size for unit in units)
    sizes = {unit.first_key: unit.size for unit in units}
    for partition in partitions:
        assert partition.archives <= 100
        assert partition.size <= 1000 or sizes[partition.units[0].first_key] == partition.size
        for unit in partition.units:
            assert unit.archives <= 10 or unit.size == sizes[unit.first_key]
    keys = [unit.first_key for partition in partitions for unit in partition.units]
    assert keys == sorted(keys)


def test_a_partition_is_filled_before_the_next_is_begun() -> None:
    units = [Unit(first_key=key, archives=5, size=100) for key in range(25)]
    assert [partition.archives for partition in ordering.pack(units, limits())] == [50, 50, 25]


def test_limits_that_nothing_could_meet_are_refused() -> None:
    with pytest.raises(InvalidInput, match="file_archives"):
        limits(file=0)


def test_units_found_by_spark_tile_the_order_and_stay_small(spark: SparkSession) -> None:
    numbers = random.Random(3)
    rows = [(numbers.randrange(500), numbers.choice([1, 10, 100, 900])) for _ in range(2000)]
    archives = spark.createDataFrame(rows, "order_key long, size long")
    bounds = limits(size=4000, archives=40, file=40)
    found = sorted(ordering.unit_rows(archives, bounds, 3).collect(), key=lambda row: row["first_key"])
    first_keys = [row["first_key"] for row in found]
    counted = [[0, 0] for _ in found]
    for key, size in rows:
        place = counted[ordering.unit_index(key, first_keys)]
        place[0] += 1
        place[1] += size
    assert counted == [[row["archives"], row["size"]] for row in found]
    most_alike = max(sum(1 for key, _ in rows if key == wanted) for wanted in range(500))
    assert max(row["archives"] for row in found) < bounds.unit_archives + most_alike
    placed = archives.select("order_key", ordering.unit_of(F.col("order_key"), first_keys).alias("unit")).distinct()
    assert all(row["unit"] == ordering.unit_index(row["order_key"], first_keys) for row in placed.collect())


def test_the_order_key_sorts_by_date_then_by_archive_id(spark: SparkSession) -> None:
    rows = [
        ("0001-01-01T00:00:00Z", "zz"),
        ("1969-12-31T23:59:59.999Z", "--"),
        ("1969-12-31T23:59:59.999Z", "zz"),
        ("1970-01-01T00:00:00Z", "--"),
        ("2012-05-15T17:21:39Z", "zz"),
        ("2012-05-15T17:21:39.001Z", "--"),
        ("2012-05-15T17:21:39.001Z", "-0"),
        ("2012-05-15T17:21:39.001Z", "A_"),
        ("2012-05-15T17:21:39.001Z", "a-"),
        ("2012-05-15T19:21:39.002+02:00", "AA"),
        ("2031-01-01T00:00:00Z", "AA"),
        ("2109-05-15T07:35:11.103Z", "zz"),
        ("2109-05-15T07:35:11.104Z", "--"),
        ("9999-12-31T23:59:59.999Z", "zz"),
    ]
    dated = spark.createDataFrame([(date, mark * 69) for date, mark in rows], "date string, id string")
    found = dated.select(checking.order_key(F.col("date"), F.col("id")).alias("key")).collect()
    keys = [row["key"] for row in found]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_what_is_no_date_has_no_order_key(spark: SparkSession) -> None:
    dated = spark.createDataFrame([("2012-13-45T00:00:00Z", "x" * 138)], "date string, id string")
    assert dated.select(checking.order_key(F.col("date"), F.col("id")).alias("key")).first() == (None,)
