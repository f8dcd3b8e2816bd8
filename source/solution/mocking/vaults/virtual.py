"""Archives whose bytes are computed when they are read, and vaults of any number of them.

A virtual archive is a seed and a size. Every MiB of it (one leaf of its tree) is a function of the seed and
its position, so any range is available at once and nothing is stored. With ``Pattern.REPEATED`` all MiB of
an archive are equal and its tree hash costs O(log size), so that even 40 TB can be described; with
``Pattern.SHARED`` all archives of a vault share that one MiB too, so that there can be millions of large
ones.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from solution.domain.tree_hash import MIB, tree_hash

ARCHIVE_ID_BYTES: Final = 103
"""Bytes behind an archive id: 103 bytes are the 138 characters of base64url that Glacier's ids have."""


class Pattern(StrEnum):
    """How the MiB of a virtual archive differ from each other."""

    RANDOM = "random"
    """Each MiB is different; the tree hash costs a pass over the content."""
    REPEATED = "repeated"
    """All MiB of one archive are equal; archives differ from each other."""
    SHARED = "shared"
    """All MiB of all archives of a virtual vault are equal; archives of one size have equal content."""


@functools.lru_cache(maxsize=8)
def _block(seed: str, position: int, length: int) -> bytes:
    return hashlib.shake_128(f"{seed}/{position}".encode()).digest(length)


@functools.lru_cache(maxsize=4096)
def _tree_hash(content: VirtualContent, first: int, stop: int) -> str:
    if content.pattern is Pattern.RANDOM:
        return tree_hash(content.leaf(position) for position in range(first, stop))
    full = stop - first
    tail: list[bytes] = []
    if stop * MIB > content.size:
        tail = [content.leaf(stop - 1)]
        full -= 1
    return _tree_hash_of_equal_leaves(content.leaf(0) if full else b"", full, tail)


def _tree_hash_of_equal_leaves(leaf: bytes, count: int, tail: list[bytes]) -> str:
    """Root over ``count`` equal leaves and then ``tail`` (at most one), in O(log count) hashes.

    The tree over n leaves has a complete subtree for each bit of n, the largest leftmost; folding them from
    the right gives the root (see ``domain.tree_hash``).
    """
    subtrees: list[bytes] = []
    node = leaf
    while count:
        if count & 1:
            subtrees.append(node)
        node = hashlib.sha256(node + node).digest()
        count >>= 1
    # subtrees run from the smallest, rightmost, to the largest; the tail is a leaf to the right of them all
    ordered = [*tail, *subtrees]
    root = ordered[0]
    for left in ordered[1:]:
        root = hashlib.sha256(left + root).digest()
    return root.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualContent:
    """The bytes of one virtual archive.

    Attributes:
        seed: any text; equal seeds, sizes and patterns give equal bytes.
        size: bytes, 1 or more.
        pattern: how the MiB differ.
    """

    seed: str
    size: int
    pattern: Pattern = Pattern.RANDOM

    def __post_init__(self) -> None:
        if self.size < 1:
            message = f"a virtual archive of {self.size} bytes cannot be: give it a size of 1 or more"
            raise ValueError(message)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes ``start`` to ``stop`` (exclusive), in pieces of at most 1 MiB."""
        while start < stop:
            position, offset = divmod(start, MIB)
            piece = self._mebibyte(position)[offset : offset + stop - start]
            start += len(piece)
            yield piece

    def leaf(self, position: int) -> bytes:
        """SHA-256 of the MiB at ``position``: a leaf of the tree."""
        return hashlib.sha256(self._mebibyte(position)).digest()

    def tree_hash(self, start: int = 0, stop: int | None = None) -> str:
        """Tree hash of a range of whole leaves (by default all of the archive), cached."""
        end = self.size if stop is None else stop
        return _tree_hash(self, start // MIB, -(-end // MIB))

    def _mebibyte(self, position: int) -> bytes:
        length = min(MIB, self.size - position * MIB)
        if self.pattern is Pattern.RANDOM:
            return _block(self.seed, position, length)
        return _block(self.seed, 0, length)

    def to_json(self) -> dict[str, Any]:
        """As kept in the database and sent to the admin path."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> VirtualContent:
        """Inverse of ``to_json``."""
        return cls(
            seed=str(value["seed"]),
            size=int(value["size"]),
            pattern=Pattern(value.get("pattern", Pattern.RANDOM)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualArchive:
    """One row of a virtual vault."""

    index: int
    archive_id: str
    description: str
    created: float
    content: VirtualContent


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualVault:
    """Any number of virtual archives, each computed from its index.

    Attributes:
        seed: any text; decides ids and contents.
        archive_count: how many archives.
        sizes: bytes; archive ``i`` has ``sizes[i % len(sizes)]``.
        description: format of the descriptions; ``{index}`` stands for the archive's index.
        pattern: see ``Pattern``.
        created_from: creation of archive 0, seconds since 1970.
        created_step: seconds from one archive to the next.
    """

    seed: str
    archive_count: int
    sizes: tuple[int, ...] = (1024,)
    description: str = "virtual/{index:09d}.bin"
    pattern: Pattern = Pattern.RANDOM
    created_from: float = 1_356_998_400.0
    created_step: float = 1.0

    def __post_init__(self) -> None:
        if self.archive_count < 0 or not self.sizes or min(self.sizes) < 1:
            message = (
                f"a virtual vault of {self.archive_count} archives with sizes {self.sizes} cannot be: "
                "give it 0 or more archives and at least one size, each of 1 byte or more"
            )
            raise ValueError(message)

    @property
    def total_size(self) -> int:
        """Bytes of all archives."""
        rounds, rest = divmod(self.archive_count, len(self.sizes))
        return rounds * sum(self.sizes) + sum(self.sizes[:rest])

    def archive(self, index: int) -> VirtualArchive:
        """Archive at ``index``, 0 to ``archive_count - 1``."""
        seed = self.seed if self.pattern is Pattern.SHARED else f"{self.seed}#{index}"
        return VirtualArchive(
            index=index,
            archive_id=self._archive_id(index),
            description=self.description.format(index=index),
            created=self.created_from + index * self.created_step,
            content=VirtualContent(seed=seed, size=self.sizes[index % len(self.sizes)], pattern=self.pattern),
        )

    def find(self, archive_id: str) -> VirtualArchive | None:
        """The archive of this id, found in constant time: the id hides the index."""
        try:
            raw = base64.urlsafe_b64decode(archive_id + "==")
        except ValueError:
            return None
        if len(raw) != ARCHIVE_ID_BYTES:
            return None
        index = int.from_bytes(raw[1:9]) ^ self._mask()
        if index >= self.archive_count or self._archive_id(index) != archive_id:
            return None
        return self.archive(index)

    def archives(self, start: int = 0) -> Iterator[VirtualArchive]:
        """All archives from ``start`` on, one at a time."""
        return (self.archive(index) for index in range(start, self.archive_count))

    def _mask(self) -> int:
        return int.from_bytes(hashlib.sha256(f"mask/{self.seed}".encode()).digest()[:8])

    def _archive_id(self, index: int) -> str:
        filler = hashlib.shake_128(f"id/{self.seed}/{index}".encode()).digest(ARCHIVE_ID_BYTES - 8)
        first = filler[0] & 0x7F  # an id that begins with "-" looks like an option on command lines
        raw = bytes([first]) + (index ^ self._mask()).to_bytes(8) + filler[1:]
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def to_json(self) -> dict[str, Any]:
        """As kept in the database and sent to the admin path."""
        return asdict(self) | {"sizes": list(self.sizes)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> VirtualVault:
        """Inverse of ``to_json``; what is left out takes its default."""
        known = {**value, "sizes": tuple(value.get("sizes", (1024,)))}
        if "pattern" in known:
            known["pattern"] = Pattern(known["pattern"])
        return cls(**known)
