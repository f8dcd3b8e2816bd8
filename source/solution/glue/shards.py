"""What a shard decides: which archive of all buckets has an id, or a name, first.

Buckets are ranges of the order, and claims of a bucket come in order; so who is first is told by bucket and place.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from solution.glue import claims
from solution.glue.messages import (
    Addressed,
    Chosen,
    Claims,
    Kind,
    Lookalikes,
    Marks,
    Message,
    Named,
    NewRepeats,
    Problem,
    Survey,
)

REPEATED: Final = "this archive has another line with another name, which comes first in order and is used"
UNKNOWN: Final = "no archive of the inventory has this id"


def decided(messages: Iterable[Message], driver: int) -> Iterator[Addressed]:
    """Marks for the buckets whose rows are not the first with their id or name."""
    claimed: list[Claims] = []
    lookalikes: list[tuple[bytes, str]] = []
    new_repeated = 0
    for message in messages:
        match message:
            case Claims():
                claimed.append(message)
            case Lookalikes():
                lookalikes += message.names
            case Marks():
                new_repeated += len(message.repeated)
                yield message.bucket, message
            case Survey():
                yield driver, message
            case _:
                raise TypeError(f"a shard cannot read {message!r}")
    claimed.sort(key=lambda claim: (claim.kind, claim.bucket))
    names = [claim for claim in claimed if claim.kind is not Kind.ID]
    for bucket, places in claims.later(claim for claim in claimed if claim.kind is Kind.ID).items():
        new_repeated += len(places)
        yield bucket, Marks(bucket, places, array("I"), ())
    for bucket, places in claims.later(names).items():
        yield bucket, Marks(bucket, array("I"), places, ())
    if lookalikes:
        yield from _taken(names, lookalikes)
    if new_repeated:
        yield driver, NewRepeats(new_repeated)


def _taken(claimed: Iterable[Claims], lookalikes: Iterable[tuple[bytes, str]]) -> Iterator[Addressed]:
    """Names that a suffix might give are told to all buckets where somebody might get it."""
    names: dict[bytes, list[str]] = defaultdict(list)
    for digest, name in lookalikes:
        names[digest].append(name)
    for claim in claimed:
        if found := names.keys() & set(claims.digests_in(claim)):
            taken = tuple(name for digest in sorted(found) for name in names[digest])
            yield claim.bucket, Marks(claim.bucket, array("I"), array("I"), taken)


def matched(shard: int, messages: Iterable[Message]) -> Iterator[Addressed]:
    """The user's names for the buckets that have the archives, and which lines name none or are one too many."""
    names: dict[str, set[str]] = defaultdict(set)
    claimed: list[Claims] = []
    for message in messages:
        match message:
            case Chosen():
                for archive_id, name in message.lines:
                    names[archive_id].add(name)
            case Claims():
                claimed.append(message)
            case Problem():
                yield shard, message
            case _:
                raise TypeError(f"a shard cannot read {message!r}")
    ids = dict(zip(claims.digests_of((each.encode() for each in names), Kind.ID), names, strict=True))
    known: set[str] = set()
    for claim in claimed:
        found = sorted(ids[digest] for digest in ids.keys() & set(claims.digests_in(claim)))
        known.update(found)
        if found:
            yield claim.bucket, Named({archive_id.encode(): min(names[archive_id]) for archive_id in found})
    for archive_id, choices in names.items():
        first, *others = sorted(choices)
        for name in others:
            yield shard, Problem(archive_id, name, REPEATED)
        if archive_id not in known:
            yield shard, Problem(archive_id, first, UNKNOWN)
