"""Archives in order of creation, in partitions and files that keep within their limits."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solution.domain.errors import InvalidInput
from solution.glue import ordering
from solution.glue.ordering import Limits, Unit
from solution.glue.rows import KEY


def limits(*, size: int = 1000, archives: int = 100, file: int = 10) -> Limits:
    return Limits(partition_bytes=size, partition_archives=archives, file_archives=file)


sizes = st.lists(st.one_of(st.integers(1, 30), st.integers(1, 1500)), max_size=80)


@given(st.lists(sizes, max_size=4))
def test_partitions_keep_within_their_limits_and_lose_nothing(buckets: list[list[int]]) -> None:
    units = [unit for number, bucket in enumerate(buckets) for unit in ordering.cut(number, bucket, limits())]
    partitions = ordering.pack(units, limits())
    assert [partition.number for partition in partitions] == list(range(len(partitions)))
    found: list[tuple[int, int]] = []
    for partition in partitions:
        assert 0 < partition.archives <= 100
        assert partition.size <= 1000 or partition.archives == 1
        for file in partition.files:
            assert 0 < file.archives <= 10
            places = range(file.start, file.start + file.archives)
            assert file.size == sum(buckets[file.bucket][place] for place in places)
            found += [(file.bucket, place) for place in places]
    assert found == [(number, place) for number, bucket in enumerate(buckets) for place in range(len(bucket))]


def test_a_partition_is_filled_before_the_next_is_begun() -> None:
    units = [Unit(bucket=0, start=5 * key, archives=5, size=100) for key in range(25)]
    assert [partition.archives for partition in ordering.pack(units, limits())] == [50, 50, 25]


def test_units_are_put_together_to_files_within_their_bucket() -> None:
    units = [Unit(bucket=bucket, start=2 * place, archives=2, size=1) for bucket in (0, 1) for place in range(6)]
    (partition,) = ordering.pack(units, limits())
    assert [(file.bucket, file.start, file.archives) for file in partition.files] == [
        (0, 0, 10),
        (0, 10, 2),
        (1, 0, 10),
        (1, 10, 2),
    ]


def test_limits_that_nothing_could_meet_are_refused() -> None:
    with pytest.raises(InvalidInput, match="file_archives"):
        limits(file=0)


def key(number: int) -> bytes:
    return b"2012-05-15T17:21:39.%03d,%0138d" % (number // 100 % 1000, number)


@given(st.lists(st.integers(0, 10**6), max_size=60, unique=True), st.integers(1, 9), st.randoms(use_true_random=False))
def test_buckets_are_ranges_of_the_order(numbers: list[int], buckets: int, chance: random.Random) -> None:
    rows = [key(number) + b",1,rest" for number in numbers]
    borders = ordering.borders(chance.sample(rows, len(rows) // 2), buckets)
    assert borders == sorted(set(borders))
    assert len(borders) < buckets
    dealt = list(ordering.dealt(list(rows), borders))
    assert [row for _, members in dealt for row in members] == sorted(rows)
    for bucket, members in dealt:
        assert all(bucket == 0 or row >= borders[bucket - 1] for row in members)
        assert all(bucket == len(borders) or row < borders[bucket] for row in members)


def test_buckets_are_about_as_large_as_each_other() -> None:
    rows = [key(number * 7919 % 10_000) for number in range(10_000)]
    borders = ordering.borders(random.Random(1).sample(rows, 800), 8)
    counts = [len(members) for _, members in ordering.dealt(rows, borders)]
    assert len(counts) == 8
    assert max(counts) < 1.5 * 10_000 / 8


def test_a_sample_with_few_rows_gives_few_buckets() -> None:
    assert ordering.borders([], 8) == []
    assert ordering.borders([key(1), key(1)], 8) == []
    assert list(itertools.chain(ordering.borders([key(1), key(2)], 8))) == [key(2)[:KEY]]
