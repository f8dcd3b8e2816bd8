"""A chunk passes through the real adapters in memory that does not grow with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.bench import servers, throughput
from tests.bench.transfer import MOST_MEMORY_MIB

MIB = 1024**2


@pytest.fixture(scope="module")
def ends() -> Iterator[dict[str, str]]:
    """A Glacier and an S3 that hold nothing, each in a process of its own."""
    with servers.running("glacier", "s3") as urls:
        yield urls


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is read from /proc")
@pytest.mark.parametrize("mib", [64, 256])
def test_a_chunk_of_any_size_is_copied_in_a_few_mebibytes(ends: dict[str, str], mib: int) -> None:
    growth = throughput.memory_growth(ends["glacier"], ends["s3"], mib)
    assert growth is not None
    assert 0 < growth < MOST_MEMORY_MIB * MIB
