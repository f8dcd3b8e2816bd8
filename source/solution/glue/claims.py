"""Digests of what an archive wants to be its alone, its id and its name; who is first is told by bucket and place.

Buckets are ranges of the order and their rows are in order, so the first claim is that of the lowest bucket, and there
the lowest place.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Final

from solution.glue.messages import Addressed, Claims, Kind, Places

_SIZES: Final = {
    # two ids of a hundred million share a digest in one of 10²² inventories
    Kind.ID: 16,
    # two names of a hundred million do in one of four thousand, and then an archive gets a suffix it did not need
    Kind.NAME: 8,
    Kind.CHOSEN_NAME: 8,
}


def digests_of(values: Iterable[bytes], kind: Kind) -> list[bytes]:
    """What stands for ids, or for names as rows have them."""
    size = _SIZES[kind]
    return [blake2b(value, digest_size=size).digest() for value in values]


def shard_of(digest: bytes, shards: int) -> int:
    """The shard that a digest belongs to."""
    return (digest[0] << 8 | digest[1]) % shards


def without_later(
    digests: Sequence[bytes], places: Sequence[int], taken: Iterable[bytes] = ()
) -> tuple[dict[bytes, int], list[int]]:
    """The place of the first with each digest, and the places of all others; ``taken`` digests are nobody's here."""
    firsts = dict(zip(reversed(digests), reversed(places), strict=True))
    gone = firsts.keys() & set(taken)
    for digest in gone:
        del firsts[digest]
    if len(firsts) == len(digests):
        return firsts, []
    return firsts, [place for digest, place in zip(digests, places, strict=True) if firsts.get(digest) != place]


def messages(bucket: int, kind: Kind, firsts: dict[bytes, int], shards: int) -> Iterator[Addressed]:
    """Claims for the shards that their digests belong to."""
    shares: list[tuple[list[bytes], Places]] = [([], array("I")) for _ in range(shards if firsts else 0)]
    add = [(digests.append, places.append) for digests, places in shares]
    for digest, place in firsts.items():
        # as `shard_of`, which would cost more to call than all the rest
        add_digest, add_place = add[(digest[0] << 8 | digest[1]) % shards]
        add_digest(digest)
        add_place(place)
    for shard, (digests, places) in enumerate(shares):
        if digests:
            yield shard, Claims(bucket, kind, b"".join(digests), places)


def digests_in(claim: Claims) -> list[bytes]:
    """The digests of a message, in the order of its places."""
    size = _SIZES[claim.kind]
    return [claim.digests[start : start + size] for start in range(0, len(claim.digests), size)]


def later(claims: Iterable[Claims]) -> dict[int, Places]:
    """By bucket, the places that others come before, given claims with the first ones first."""
    found: dict[int, Places] = defaultdict(lambda: array("I"))
    seen: set[bytes] = set()
    for claim in claims:
        digests = digests_in(claim)
        if not seen.isdisjoint(digests):
            found[claim.bucket].extend(
                place for digest, place in zip(digests, claim.places, strict=True) if digest in seen
            )
        seen.update(digests)
    return found
