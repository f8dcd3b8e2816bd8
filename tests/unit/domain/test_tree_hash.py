"""The tree hash agrees with an independent implementation, however the bytes arrive."""

from __future__ import annotations

import hashlib
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.domain.tree_hash import MIB, TreeHasher, combine, is_tree_hash_aligned, tree_hash
from tests.independent import botocore_tree_hash

SIZES = [1, 2, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB, 3 * MIB + 7, 7 * MIB, 8 * MIB, 9 * MIB + 1]
NINE_MIB = random.Random(1).randbytes(9 * MIB + 1)


@pytest.mark.parametrize("size", SIZES)
def test_the_hash_of_bytes_is_the_one_botocore_computes(size: int) -> None:
    data = NINE_MIB[:size]
    assert tree_hash(data) == botocore_tree_hash(data)


def test_nothing_hashes_to_the_sha256_of_nothing() -> None:
    assert TreeHasher().hexdigest() == hashlib.sha256().hexdigest() == botocore_tree_hash(b"")


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(min_value=1, max_value=len(NINE_MIB)),
    cuts=st.lists(st.integers(min_value=0, max_value=len(NINE_MIB)), max_size=8),
)
def test_how_a_stream_is_cut_makes_no_difference(size: int, cuts: list[int]) -> None:
    data = memoryview(NINE_MIB)[:size]
    hasher = TreeHasher(keep_leaves=True)
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    for start, stop in itertools.pairwise(edges):
        hasher.update(data[start:stop])
        hasher.digest()  # asking early must not disturb what follows
    assert hasher.size == size
    assert hasher.hexdigest() == botocore_tree_hash(data)
    assert tree_hash(hasher.leaves()) == hasher.hexdigest()


@settings(max_examples=20, deadline=None)
@given(size=st.integers(min_value=1, max_value=len(NINE_MIB)), exponent=st.integers(min_value=0, max_value=4))
def test_parts_of_a_power_of_two_mib_combine_to_the_whole(size: int, exponent: int) -> None:
    part = MIB << exponent
    data = NINE_MIB[:size]
    parts = [tree_hash(data[start : start + part]) for start in range(0, size, part)]
    assert combine(parts) == botocore_tree_hash(data)


@pytest.mark.parametrize("buffer", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_any_bytes_like_object_is_accepted(buffer: bytes | bytearray | memoryview) -> None:
    assert tree_hash(buffer) == hashlib.sha256(b"abc").hexdigest()


def test_a_leaf_that_is_no_digest_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="32 bytes, not b'short'"):
        tree_hash([b"short"])


def test_leaves_are_only_there_when_they_were_asked_for() -> None:
    with pytest.raises(ValueError, match="keep_leaves=True"):
        TreeHasher(b"abc").leaves()


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int, int]:
    total = draw(st.integers(min_value=1, max_value=40 * MIB))
    leaf = st.integers(min_value=0, max_value=(total - 1) // MIB)
    start = draw(st.one_of(leaf.map(lambda n: n * MIB), st.integers(min_value=0, max_value=total - 1)))
    stop = draw(st.one_of(leaf.map(lambda n: n * MIB + MIB), st.just(total), st.integers(min_value=1, max_value=total)))
    stop = min(stop, total)
    return (min(start, stop - 1), stop - 1, total)


def nodes_of_the_tree(leaves: int) -> set[tuple[int, int]]:
    """Every node as the range of leaves below it, built level by level as the AWS page draws it."""
    level = [(n, n + 1) for n in range(leaves)]
    nodes = set(level)
    while len(level) > 1:
        level = [(level[n][0], level[min(n + 1, len(level) - 1)][1]) for n in range(0, len(level), 2)]
        nodes.update(level)
    return nodes


@settings(max_examples=300, deadline=None)
@given(ranges())
def test_a_range_is_aligned_exactly_when_it_is_a_node_of_the_tree(case: tuple[int, int, int]) -> None:
    start, end, total = case
    whole_leaves = start % MIB == 0 and ((end + 1) % MIB == 0 or end + 1 == total)
    below = (start // MIB, -(-(end + 1) // MIB))
    expected = whole_leaves and below in nodes_of_the_tree(-(-total // MIB))
    assert is_tree_hash_aligned(start, end, total) is expected


@pytest.mark.parametrize(("start", "end", "total"), [(0, 10, 10), (-1, 3, 10), (5, 4, 10)])
def test_a_range_outside_the_archive_is_refused(start: int, end: int, total: int) -> None:
    with pytest.raises(ValueError, match="not inside an archive"):
        is_tree_hash_aligned(start, end, total)
