"""The rows of one bucket: what its letters say about them, what they ask of others, and what becomes of them.

A row is known by its place among all rows of its bucket in order. Letters may come in any order: rows are sorted
first, so places are the same whenever a bucket is opened.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Final

from solution.domain import naming
from solution.glue import ordering, rows
from solution.glue.mail import (
    IdClaims,
    Letter,
    Lookalikes,
    Marks,
    NameClaims,
    Named,
    Places,
    Posted,
    Problem,
    Refused,
    Rows,
    Survey,
)
from solution.glue.offices import id_digest, office_of
from solution.glue.ordering import Limits, Unit
from solution.glue.rows import LINE, MOMENT, ORDINARY, Rejected, Values

TAKEN: Final = "the file name is taken; the archive got a suffix"

_LIKE_SUFFIXED: Final = re.compile(rf"-[0-9a-f]{{{naming.TAG_DIGITS}}}((?:(?:\.tar)?\.[A-Za-z0-9]{{1,10}})?)$")
_NAME_DIGEST: Final = 8
_ORDINARY: Final = ord(ORDINARY)


class Bucket:
    """All that its letters say of its rows. ``places`` are those of the archives to migrate, in order."""

    def __init__(self, letters: Iterable[Letter]) -> None:
        self.rows: list[bytes] = []
        self.refused: list[Rejected] = []
        self.problems: list[Problem] = []
        self.chosen: dict[int, str] = {}
        self.repeated: set[int] = set()
        self.losing: set[int] = set()
        names: dict[bytes, str] = {}
        taken: set[str] = set()
        for letter in letters:
            match letter:
                case Rows():
                    self.rows += letter.text.split(b"\n")
                case Refused():
                    self.refused += letter.rows
                case Marks():
                    self.repeated.update(letter.repeated)
                    self.losing.update(letter.losing)
                    taken.update(letter.taken)
                case Named():
                    names |= letter.names
                case Problem():
                    self.problems.append(letter)
                case _:
                    raise TypeError(f"a bucket cannot read {letter!r}")
        self._taken = frozenset(taken)
        self.rows.sort()
        if names:
            self._choose(names)
        gone = self.repeated
        self.places = [
            place for place, row in enumerate(self.rows) if row[MOMENT] == _ORDINARY and not (gone and place in gone)
        ]

    def _choose(self, names: dict[bytes, str]) -> None:
        for place, row in enumerate(self.rows):
            name = names.get(row[rows.LINE : rows.KEY])
            if name is not None:
                self.rows[place] = rows.with_name(row, naming.safe_key(name))
                self.chosen[place] = name

    def too_large(self) -> list[Values]:
        """Archives that no S3 object can hold."""
        return [
            rows.values_of(row)
            for place, row in enumerate(self.rows)
            if row[MOMENT] != _ORDINARY and place not in self.repeated
        ]

    def rejected(self) -> list[Rejected]:
        """Rows that cannot be migrated, with the reason."""
        return self.refused + [rows.rejected_twice(self.rows[place]) for place in sorted(self.repeated)]

    def name_problems(self) -> list[Problem]:
        """What is wrong with the user's names."""
        lost = (place for place in self.places if place in self.chosen and place in self.losing)
        return self.problems + [
            Problem(rows.values_of(self.rows[place]).archive_id, self.chosen[place], TAKEN) for place in lost
        ]

    def lines(self, file: Unit) -> list[bytes]:
        """The lines of a file: the archives from its start on, with the names they finally have.

        Raises:
            RuntimeError: they are not as many as were counted.
        """
        places = self.places[file.start : file.start + file.archives]
        if len(places) != file.archives:
            raise RuntimeError(
                f"bucket {file.bucket} has {len(self.places)} archives, not the {file.start + file.archives} that were "
                "counted: the inventory changed while the job read it; run the job again"
            )
        if not self.losing:
            return [self.rows[place][LINE:] for place in places]
        return [
            (rows.with_suffix(self.rows[place], self._taken) if place in self.losing else self.rows[place])[LINE:]
            for place in places
        ]


def present(number: int, letters: Iterable[Letter], offices: int) -> Iterator[Posted]:
    """Which archives there are, told to the offices."""
    ids, places = _ids(Bucket(letters))
    _, claims = _claimed_ids(number, ids, places, offices)
    return claims


def claimed(number: int, letters: Iterable[Letter], limits: Limits, offices: int) -> Iterator[Posted]:
    """What the archives of a bucket want to be theirs alone, asked of the offices; and what the bucket holds."""
    bucket = Bucket(letters)
    repeated, posted = _claimed_ids(number, *_ids(bucket), offices)
    yield from posted
    split = [rows.fields_of(bucket.rows[place]) for place in bucket.places]
    names = [fields[5] for fields in split]
    losing, posted = _claimed_names(number, names, bucket.places, bucket.chosen, offices)
    yield from posted
    yield from _lookalikes(names, offices)
    if repeated or losing:
        yield number % offices, Marks(number, array("I", repeated), array("I", losing), ())
    large = [values.size for values in bucket.too_large()]
    rejected = [row.size or 0 for row in bucket.rejected()]
    survey = Survey(
        bucket=number,
        units=tuple(ordering.cut(number, [int(fields[1]) for fields in split], limits)),
        skipped=len(large),
        skipped_size=sum(large),
        rejected=len(rejected),
        rejected_size=sum(rejected),
    )
    yield number % offices, survey


def _ids(bucket: Bucket) -> tuple[list[bytes], list[int]]:
    """Archive ids of all rows that are not known to repeat one, and their places."""
    places = [place for place in range(len(bucket.rows)) if place not in bucket.repeated]
    return [bucket.rows[place][rows.LINE : rows.KEY] for place in places], places


def _claimed_ids(
    number: int, ids: Sequence[bytes], places: Sequence[int], offices: int
) -> tuple[list[int], Iterator[Posted]]:
    """Places of rows whose id an earlier row of the bucket has, and the claims of all others."""
    digests = list(map(id_digest, ids))
    repeated: list[int] = []
    if len(set(digests)) < len(digests):
        firsts: dict[bytes, int] = {}
        repeated = [
            place for digest, place in zip(digests, places, strict=True) if firsts.setdefault(digest, place) != place
        ]
        digests, places = list(firsts), list(firsts.values())
    return repeated, _posted_ids(number, digests, places, offices)


def _posted_ids(number: int, digests: Sequence[bytes], places: Sequence[int], offices: int) -> Iterator[Posted]:
    shares: list[tuple[list[bytes], Places]] = [([], array("I")) for _ in range(offices)]
    for digest, place in zip(digests, places, strict=True):
        share = shares[office_of(digest, offices)]
        share[0].append(digest)
        share[1].append(place)
    for office, (chosen, where) in enumerate(shares):
        if chosen:
            yield office, IdClaims(number, b"".join(chosen), where)


def _claimed_names(
    number: int, names: Sequence[bytes], places: Sequence[int], chosen: dict[int, str], offices: int
) -> tuple[list[int], Iterator[Posted]]:
    """Places of archives whose name goes to another of the bucket, and the claims of all others.

    A name that the user chose goes first, then the order decides.
    """
    numbers = [name_number(name) for name in names]
    losing: list[int] = []
    by_choice: dict[int, int] = {}
    if chosen:
        for each, place in zip(numbers, places, strict=True):
            if place in chosen and by_choice.setdefault(each, place) != place:
                losing.append(place)
    by_order: dict[int, int] = {}
    for each, place in zip(numbers, places, strict=True):
        if place not in chosen and (each in by_choice or by_order.setdefault(each, place) != place):
            losing.append(place)
    return losing, _posted_names(number, by_choice, by_order, offices)


def _posted_names(number: int, by_choice: dict[int, int], by_order: dict[int, int], offices: int) -> Iterator[Posted]:
    for firsts in (by_choice, by_order):
        shares = [(array("Q"), array("I")) for _ in range(offices if firsts else 0)]
        for each, place in firsts.items():
            share = shares[each % offices]
            share[0].append(each)
            share[1].append(place)
        for office, (numbers, places) in enumerate(shares):
            if numbers:
                yield office, NameClaims(number, numbers, places, firsts is by_choice)


def _lookalikes(names: Sequence[bytes], offices: int) -> Iterator[Posted]:
    found: dict[int, list[tuple[int, str]]] = {}
    for name in names:
        if b"-" in name and (match := _LIKE_SUFFIXED.search(text := rows.unquoted(name).decode())):
            base = name_number(rows.quoted((text[: match.start()] + match[1]).encode()))
            found.setdefault(base % offices, []).append((base, text))
    for office, members in found.items():
        yield office, Lookalikes(tuple(members))


def name_number(name: bytes) -> int:
    """A digest of a name as rows have it. Should two names ever share one, an archive gets a suffix it did not need."""
    return int.from_bytes(blake2b(name, digest_size=_NAME_DIGEST).digest(), "big")
