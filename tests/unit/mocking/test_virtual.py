"""Computed archives and vaults behave like stored ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.domain.tree_hash import MIB
from solution.mocking.vaults.virtual import Pattern, VirtualContent, VirtualVault
from tests.independent import botocore_tree_hash

SIZES = [1, 1000, MIB, MIB + 1, 3 * MIB, 4 * MIB + 7, 7 * MIB]


def whole(content: VirtualContent) -> bytes:
    return b"".join(content.read(0, content.size))


@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("size", SIZES)
def test_the_tree_hash_is_that_of_the_bytes_read(pattern: Pattern, size: int) -> None:
    content = VirtualContent(seed="s", size=size, pattern=pattern)
    data = whole(content)
    assert len(data) == size
    assert content.tree_hash() == botocore_tree_hash(data)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_range_is_a_slice_of_the_whole(data: st.DataObject) -> None:
    content = VirtualContent(seed="range", size=3 * MIB + 5)
    start = data.draw(st.integers(min_value=0, max_value=content.size))
    stop = data.draw(st.integers(min_value=start, max_value=content.size))
    assert b"".join(content.read(start, stop)) == whole(content)[start:stop]


def test_the_tree_hash_of_an_aligned_range_is_that_of_its_bytes() -> None:
    content = VirtualContent(seed="s", size=5 * MIB + 1, pattern=Pattern.REPEATED)
    for start, stop in ((0, 4 * MIB), (4 * MIB, content.size), (5 * MIB, content.size), (2 * MIB, 4 * MIB)):
        assert content.tree_hash(start, stop) == botocore_tree_hash(b"".join(content.read(start, stop)))


def test_forty_terabytes_are_described_without_reading_them() -> None:
    content = VirtualContent(seed="huge", size=40 * 10**12, pattern=Pattern.REPEATED)
    assert len(content.tree_hash()) == 64
    assert len(b"".join(content.read(content.size - 10, content.size))) == 10


def test_contents_differ_by_seed_and_by_mib() -> None:
    one, two = (VirtualContent(seed=seed, size=2 * MIB) for seed in ("one", "two"))
    assert whole(one) != whole(two)
    assert whole(one)[:MIB] != whole(one)[MIB:]


def test_an_empty_archive_cannot_be() -> None:
    with pytest.raises(ValueError, match="0 bytes"):
        VirtualContent(seed="s", size=0)


@settings(max_examples=50, deadline=None)
@given(seed=st.text(max_size=5), index=st.integers(min_value=0, max_value=49_999_999))
def test_an_archive_is_found_by_its_id_among_fifty_million(seed: str, index: int) -> None:
    vault = VirtualVault(seed=seed, archive_count=50_000_000)
    archive = vault.archive(index)
    assert len(archive.archive_id) == 138
    assert not archive.archive_id.startswith("-")
    assert vault.find(archive.archive_id) == archive


def test_an_id_of_another_vault_is_not_found() -> None:
    vault = VirtualVault(seed="mine", archive_count=10)
    assert vault.find(VirtualVault(seed="other", archive_count=10).archive(3).archive_id) is None
    assert vault.find("x" * 138) is None
    assert vault.find("short") is None
    assert vault.find("a") is None


def test_totals_are_those_of_the_archives() -> None:
    vault = VirtualVault(seed="s", archive_count=11, sizes=(1, 10, 100))
    archives = list(vault.archives())
    assert vault.total_size == sum(archive.content.size for archive in archives)
    assert len({archive.archive_id for archive in archives}) == 11


def test_descriptions_survive_json() -> None:
    vault = VirtualVault(seed="s", archive_count=3, sizes=(5,), pattern=Pattern.SHARED)
    content = vault.archive(1).content
    assert VirtualVault.from_json(vault.to_json()) == vault
    assert VirtualContent.from_json(content.to_json()) == content


def test_a_vault_without_sizes_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least one size"):
        VirtualVault(seed="s", archive_count=1, sizes=())
