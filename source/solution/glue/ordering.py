"""Order of creation, cut into buckets that are worked on apart, and into the files and partitions of the result.

A *bucket* is a range of the order; borders come from a sample of the files. A *unit* is a run of neighbours in
a bucket. Packing units into files and partitions is arithmetic over a few thousand of them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from solution.domain.errors import InvalidInput
from solution.glue.rows import KEY

UNITS_PER_PARTITION: Final = 16
"""A partition is cut at units, and this much smaller they are: at most a sixteenth of its bytes stays unused."""

UNITS_PER_FILE: Final = 4
"""Likewise for archives."""


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
        """Most archives in a unit."""
        return max(1, min(self.partition_archives, self.file_archives) // UNITS_PER_FILE)

    @property
    def unit_bytes(self) -> int:
        """Most bytes in a unit, unless it is a single archive."""
        return max(1, self.partition_bytes // UNITS_PER_PARTITION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Neighbours in the order of a bucket, from place ``start`` on; or, put together, a file."""

    bucket: int
    start: int
    archives: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Consecutive files that are asked for together."""

    number: int
    files: tuple[Unit, ...]

    @property
    def archives(self) -> int:
        """Archives in it."""
        return sum(file.archives for file in self.files)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return sum(file.size for file in self.files)


def borders(sample: Iterable[bytes], buckets: int) -> list[bytes]:
    """Where each bucket but the first begins: as many keys as part a sample of rows evenly, fewer if they repeat."""
    keys = sorted({row[:KEY] for row in sample})
    places = (len(keys) * bucket // buckets for bucket in range(1, buckets))
    return [keys[place] for place in sorted(set(places)) if place > 0]


def dealt(rows: list[bytes], borders: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The buckets of ``rows``, which are sorted in place, that have any."""
    rows.sort()
    start = 0
    for bucket, border in enumerate(borders):
        end = bisect_left(rows, border, start)
        if end > start:
            yield bucket, rows[start:end]
        start = end
    if start < len(rows):
        yield len(borders), rows[start:]


def cut(bucket: int, sizes: Sequence[int], limits: Limits) -> Iterator[Unit]:
    """Units of the archives of a bucket, given their sizes in order."""
    most_archives, most_bytes = limits.unit_archives, limits.unit_bytes
    start = archives = size = 0
    for place, each in enumerate(sizes):
        if archives and (archives == most_archives or size + each > most_bytes):
            yield Unit(bucket=bucket, start=start, archives=archives, size=size)
            start, archives, size = place, 0, 0
        archives, size = archives + 1, size + each
    if archives:
        yield Unit(bucket=bucket, start=start, archives=archives, size=size)


def pack(units: Iterable[Unit], limits: Limits) -> list[Partition]:
    """Put units, in order, into as few partitions as the limits allow, and within one into few files.

    A file is of one bucket, for it is written by one task.
    """
    partitions: list[Partition] = []
    for members in _grouped(units, limits.partition_archives, limits.partition_bytes):
        files = tuple(_joined(group) for group in _grouped(members, limits.file_archives, of_one_bucket=True))
        partitions.append(Partition(number=len(partitions), files=files))
    return partitions


def _grouped(
    units: Iterable[Unit], most_archives: int, most_bytes: float = math.inf, *, of_one_bucket: bool = False
) -> Iterator[list[Unit]]:
    """Neighbours together as long as they keep within the limits; one that exceeds them stays alone."""
    group: list[Unit] = []
    archives = size = 0
    for unit in units:
        archives, size = archives + unit.archives, size + unit.size
        is_other = of_one_bucket and group and group[0].bucket != unit.bucket
        if group and (is_other or archives > most_archives or size > most_bytes):
            yield group
            group, archives, size = [], unit.archives, unit.size
        group.append(unit)
    if group:
        yield group


def _joined(group: Sequence[Unit]) -> Unit:
    return Unit(
        bucket=group[0].bucket,
        start=group[0].start,
        archives=sum(unit.archives for unit in group),
        size=sum(unit.size for unit in group),
    )
