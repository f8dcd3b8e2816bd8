"""What tasks send each other through a shuffle: messages to a bucket of the order, to a shard, or to the
driver.

Spark would shuffle rows one by one; a message is all that one task has to say to another. *Shards* are as many
as buckets and share the digests of archive ids and names among them. One partition more, the last, is the driver's.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from solution.glue.blocks import Edges
from solution.glue.ordering import Unit
from solution.glue.rows import Rejected

Places: TypeAlias = "array[int]"
"""Places of rows among all of their bucket in order."""


@dataclass(frozen=True, slots=True)
class Rows:
    """To a bucket: sorted rows, a line each."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """To a bucket, any: rows that cannot be migrated, for the listing."""

    rows: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class BlockEnds:
    """To the driver: the edges of a block, and how many rows it sent, good or not."""

    file: int
    block: int
    edges: Edges
    rows: int


class Kind(IntEnum):
    """What a claim is about; of claims to a name those of archives for which the user chose it go first."""

    ID = 0
    CHOSEN_NAME = 1
    NAME = 2


@dataclass(frozen=True, slots=True)
class Claims:
    """To a shard: the first archive of a bucket with an id, or that wants a name, for each by its digest."""

    bucket: int
    kind: Kind
    digests: bytes
    places: Places


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """To a shard: names that look like one with a suffix, each with the digest of the name that would get it."""

    names: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """To a shard: lines of the user's names, by archive id."""

    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """To a bucket, or to a shard for it: what was found out about its rows.

    ``repeated`` are not the first with their archive id, ``losing`` not the first with their name; ``taken`` are names
    that a suffix must not give.
    """

    bucket: int
    repeated: Places
    losing: Places
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """To a bucket: the user's names of its archives, by archive id."""

    names: dict[bytes, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """To a bucket, any: what is wrong with a line of the user's names, for the listing."""

    archive_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """To the driver, by way of a shard: what a bucket holds, as far as it is known which of its rows are repeated."""

    bucket: int
    units: tuple[Unit, ...]
    skipped: int
    skipped_size: int
    rejected: int
    rejected_size: int


@dataclass(frozen=True, slots=True)
class NewRepeats:
    """To the driver: a shard found rows to be repeated that nobody knew of."""

    repeated: int


ToBucket = Rows | Refused | Marks | Named | Problem
ToShard = Claims | Lookalikes | Chosen | Marks | Problem | Survey
ToDriver = BlockEnds | Survey | NewRepeats
Message = ToBucket | ToShard | ToDriver
Addressed = tuple[int, Message]
"""A message with its partition."""


def partition_of(number: int) -> int:
    """Where a message goes: its number is its partition. One function, so that Spark knows two shuffles as alike."""
    return number
