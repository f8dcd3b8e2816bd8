"""How an archive is cut into ranges that Glacier can prove and S3 can store.

Glacier gives a tree hash only for ranges that are megabyte and tree-hash aligned ("Downloading an Archive in S3
Glacier"), which powers of two MiB are. S3 takes parts of 5 MiB to 5 GiB, at most 10,000 of them, the last one of any
size ("Amazon S3 multipart upload limits").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from solution.domain.archive import MAX_OBJECT_BYTES
from solution.domain.errors import InvalidInput

MIB = 1024**2
MIN_CHUNK_MIB = 8
MAX_CHUNK_MIB = 4096
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One range of an archive; ``part`` counts from 1, ``first`` and ``last`` are byte offsets, both included."""

    part: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlan:
    """The cut of one archive: ``size`` and ``chunk_size`` in bytes."""

    size: int
    chunk_size: int

    @property
    def count(self) -> int:
        """Number of chunks, at least one."""
        return -(-self.size // self.chunk_size)

    def chunk(self, part: int) -> Chunk:
        """Chunk number ``part``, counted from 1."""
        if not 1 <= part <= self.count:
            raise InvalidInput(f"part {part} is not in 1..{self.count} of an archive of {self.size} bytes")
        first = (part - 1) * self.chunk_size
        return Chunk(part=part, first=first, last=min(first + self.chunk_size, self.size) - 1)

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks in order."""
        return (self.chunk(part) for part in range(1, self.count + 1))


def check_chunk_size_mib(chunk_size_mib: int) -> int:
    """Return the size, or raise `InvalidInput`: a power of two from 8 to 4096 MiB."""
    if not MIN_CHUNK_MIB <= chunk_size_mib <= MAX_CHUNK_MIB or chunk_size_mib & (chunk_size_mib - 1):
        raise InvalidInput(
            f"ChunkSizeMiB {chunk_size_mib} is not a power of two from {MIN_CHUNK_MIB} to {MAX_CHUNK_MIB}; "
            "Glacier proves only such ranges"
        )
    return chunk_size_mib


def plan_chunks(size: int, chunk_size_mib: int) -> ChunkPlan:
    """Cut ``size`` bytes into chunks of ``chunk_size_mib``, doubled until 10,000 parts suffice.

    Raises `InvalidInput` for an archive that is empty or larger than the largest S3 object.
    """
    if not 1 <= size <= MAX_OBJECT_BYTES:
        raise InvalidInput(f"archive size {size} is not from 1 byte to {MAX_OBJECT_BYTES} bytes, the largest S3 object")
    chunk_size = check_chunk_size_mib(chunk_size_mib) * MIB
    while -(-size // chunk_size) > MAX_PARTS:
        chunk_size *= 2
    return ChunkPlan(size=size, chunk_size=chunk_size)
