"""How archives are cut, at the edges of what Glacier and S3 allow."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from solution.domain.archive import MAX_OBJECT_BYTES
from solution.domain.chunk_plan import MAX_PARTS, MIB, ChunkPlan, check_chunk_size_mib, plan_chunks
from solution.domain.errors import InvalidInput
from solution.domain.tree_hash import is_tree_hash_aligned

CHUNK = 8 * MIB
SMALLEST_PART, LARGEST_PART = 5 * MIB, 5 * 1024 * MIB


def assert_whole_and_storable(plan: ChunkPlan) -> None:
    """Every byte is in one chunk, Glacier proves each chunk and S3 takes it as a part."""
    assert 1 <= plan.count <= MAX_PARTS
    stop = 0
    for number, chunk in enumerate(plan, 1):
        assert (chunk.part, chunk.first) == (number, stop)
        assert is_tree_hash_aligned(chunk.first, chunk.last, plan.size)
        assert chunk.size <= LARGEST_PART
        assert chunk.size >= SMALLEST_PART or number == plan.count
        stop = chunk.last + 1
    assert stop == plan.size


@pytest.mark.parametrize(
    ("size", "count", "last"),
    [
        (1, 1, 1),
        (CHUNK - 1, 1, CHUNK - 1),
        (CHUNK, 1, CHUNK),
        (CHUNK + 1, 2, 1),
        (MAX_PARTS * CHUNK, MAX_PARTS, CHUNK),
    ],
)
def test_an_archive_is_cut_at_whole_chunks_and_the_last_takes_the_rest(size: int, count: int, last: int) -> None:
    plan = plan_chunks(size, 8)
    assert (plan.chunk_size, plan.count, plan.chunk(count).size) == (CHUNK, count, last)
    assert_whole_and_storable(plan)


def test_a_byte_more_than_ten_thousand_chunks_doubles_the_chunk() -> None:
    plan = plan_chunks(MAX_PARTS * CHUNK + 1, 8)
    assert (plan.chunk_size, plan.count) == (2 * CHUNK, MAX_PARTS // 2 + 1)
    assert_whole_and_storable(plan)


def test_the_largest_object_of_five_terabytes_is_planned_from_the_smallest_chunk_size() -> None:
    plan = plan_chunks(MAX_OBJECT_BYTES, 8)
    assert (plan.chunk_size, plan.count) == (1024 * MIB, 5120)
    assert_whole_and_storable(plan)


@settings(deadline=None)
@given(size=st.integers(1, MAX_OBJECT_BYTES), exponent=st.integers(3, 12))
@example(size=MAX_OBJECT_BYTES - 1, exponent=12)
def test_whatever_the_size_glacier_proves_each_chunk_and_s3_takes_it(size: int, exponent: int) -> None:
    assert_whole_and_storable(plan_chunks(size, 2**exponent))


@pytest.mark.parametrize("size", [0, -1, MAX_OBJECT_BYTES + 1])
def test_what_cannot_be_an_object_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput, match="the largest S3 object"):
        plan_chunks(size, 8)


@pytest.mark.parametrize("mib", [0, 4, 9, 12, 8192])
def test_a_chunk_size_that_glacier_does_not_prove_is_refused(mib: int) -> None:
    with pytest.raises(InvalidInput, match="power of two"):
        check_chunk_size_mib(mib)


@pytest.mark.parametrize("part", [0, 3])
def test_a_part_that_is_not_there_is_refused(part: int) -> None:
    with pytest.raises(InvalidInput, match=r"is not in 1\.\.2"):
        plan_chunks(CHUNK + 1, 8).chunk(part)
