"""What an office decides: which of all archives in the world has an id, or a name, first.

Buckets are ranges of the order, and claims of a bucket come in order; so who is first is told by bucket and place.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from solution.glue.mail import (
    Chosen,
    IdClaims,
    Letter,
    Lookalikes,
    Marks,
    NameClaims,
    Named,
    Posted,
    Problem,
    Surprise,
    Survey,
)

REPEATED: Final = "this archive has another line with another name, which comes first in order and is used"
UNKNOWN: Final = "no archive of the inventory has this id"

_ID_DIGEST: Final = 16


def id_digest(archive_id: bytes) -> bytes:
    """What stands for an archive id in claims."""
    return blake2b(archive_id, digest_size=_ID_DIGEST).digest()


def office_of(digest: bytes, offices: int) -> int:
    """The office that knows about an archive id."""
    return (digest[0] << 8 | digest[1]) % offices


def decided(letters: Iterable[Letter], desk: int) -> Iterator[Posted]:
    """Marks for the buckets whose rows are not the first with their id or name."""
    ids: list[IdClaims] = []
    names: list[NameClaims] = []
    lookalikes: list[tuple[int, str]] = []
    new_repeated = 0
    for letter in letters:
        match letter:
            case IdClaims():
                ids.append(letter)
            case NameClaims():
                names.append(letter)
            case Lookalikes():
                lookalikes += letter.names
            case Marks():
                new_repeated += len(letter.repeated)
                yield letter.bucket, letter
            case Survey():
                yield desk, letter
            case _:
                raise TypeError(f"an office cannot read {letter!r}")
    for bucket, places in _later_ids(ids).items():
        new_repeated += len(places)
        yield bucket, Marks(bucket, places, array("I"), ())
    for bucket, places in _later_names(names).items():
        yield bucket, Marks(bucket, array("I"), places, ())
    if lookalikes:
        yield from _taken(names, lookalikes)
    if new_repeated:
        yield desk, Surprise(new_repeated)


def _later_ids(claims: list[IdClaims]) -> dict[int, array[int]]:
    digests = {claim.bucket: _digests(claim) for claim in claims}
    if sum(map(len, digests.values())) == len(set().union(*digests.values())):
        return {}
    later: dict[int, array[int]] = defaultdict(lambda: array("I"))
    seen: set[bytes] = set()
    for claim in sorted(claims, key=lambda claim: claim.bucket):
        for digest, place in zip(digests[claim.bucket], claim.places, strict=True):
            if digest in seen:
                later[claim.bucket].append(place)
        seen.update(digests[claim.bucket])
    return later


def _digests(claim: IdClaims) -> list[bytes]:
    return [claim.digests[start : start + _ID_DIGEST] for start in range(0, len(claim.digests), _ID_DIGEST)]


def _later_names(claims: list[NameClaims]) -> dict[int, array[int]]:
    later: dict[int, array[int]] = defaultdict(lambda: array("I"))
    seen: set[int] = set()
    for claim in sorted(claims, key=lambda claim: (not claim.by_choice, claim.bucket)):
        if not seen.isdisjoint(claim.numbers):
            for number, place in zip(claim.numbers, claim.places, strict=True):
                if number in seen:
                    later[claim.bucket].append(place)
        seen.update(claim.numbers)
    return later


def _taken(claims: list[NameClaims], lookalikes: list[tuple[int, str]]) -> Iterator[Posted]:
    """Names that a suffix might give are told to all buckets where somebody might get it."""
    names: dict[int, list[str]] = defaultdict(list)
    for number, name in lookalikes:
        names[number].append(name)
    for claim in claims:
        if found := names.keys() & set(claim.numbers):
            taken = tuple(name for number in sorted(found) for name in names[number])
            yield claim.bucket, Marks(claim.bucket, array("I"), array("I"), taken)


def matched(office: int, letters: Iterable[Letter]) -> Iterator[Posted]:
    """The user's names for the buckets that have the archives, and which lines name none or are one too many."""
    names: dict[str, set[str]] = defaultdict(set)
    claims: list[IdClaims] = []
    for letter in letters:
        match letter:
            case Chosen():
                for archive_id, name in letter.lines:
                    names[archive_id].add(name)
            case IdClaims():
                claims.append(letter)
            case Problem():
                yield office, letter
            case _:
                raise TypeError(f"an office cannot read {letter!r}")
    ids = {id_digest(archive_id.encode()): archive_id for archive_id in names}
    known: set[str] = set()
    for claim in claims:
        found = sorted(ids[digest] for digest in ids.keys() & set(_digests(claim)))
        known.update(found)
        if found:
            yield claim.bucket, Named({archive_id.encode(): min(names[archive_id]) for archive_id in found})
    for archive_id, choices in names.items():
        first, *others = sorted(choices)
        for name in others:
            yield office, Problem(archive_id, name, REPEATED)
        if archive_id not in known:
            yield office, Problem(archive_id, first, UNKNOWN)
