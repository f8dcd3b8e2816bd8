"""The rows of one bucket: what its messages say about them, what they ask of others, and what becomes of them.

A row is known by its place among all rows of its bucket in order. Messages may come in any order: rows are sorted
first, so places are the same whenever a bucket is opened.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Final

from solution.domain import naming
from solution.glue import claims, ordering, rows
from solution.glue.messages import (
    Addressed,
    Kind,
    Lookalikes,
    Marks,
    Message,
    Named,
    Problem,
    Refused,
    Rows,
    Survey,
)
from solution.glue.ordering import Limits, Unit
from solution.glue.rows import KEY, LINE, MOMENT, ORDINARY, Rejected, Values

TAKEN: Final = "the file name is taken; the archive got a suffix"

_LIKE_SUFFIXED: Final = re.compile(rf"-[0-9a-f]{{{naming.TAG_DIGITS}}}((?:(?:\.tar)?\.[A-Za-z0-9]{{1,10}})?)$")
_ORDINARY: Final = ord(ORDINARY)


class Bucket:
    """All that its messages say of its rows. ``places`` are those of the archives to migrate, in order."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.rows: list[bytes] = []
        self.refused: list[Rejected] = []
        self.problems: list[Problem] = []
        self.chosen: dict[int, str] = {}
        self.repeated: set[int] = set()
        self.losing: set[int] = set()
        names: dict[bytes, str] = {}
        taken: set[str] = set()
        for message in messages:
            match message:
                case Rows():
                    self.rows += message.text.split(b"\n")
                case Refused():
                    self.refused += message.rows
                case Marks():
                    self.repeated.update(message.repeated)
                    self.losing.update(message.losing)
                    taken.update(message.taken)
                case Named():
                    names |= message.names
                case Problem():
                    self.problems.append(message)
                case _:
                    raise TypeError(f"a bucket cannot read {message!r}")
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
            name = names.get(row[LINE:KEY])
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


def present(number: int, messages: Iterable[Message], shards: int) -> Iterator[Addressed]:
    """Which archives there are, told to the shards."""
    firsts, _ = _first_ids(Bucket(messages))
    return claims.messages(number, Kind.ID, firsts, shards)


def claimed(number: int, messages: Iterable[Message], limits: Limits, shards: int) -> Iterator[Addressed]:
    """What the archives of a bucket want to be theirs alone, asked of the shards; and what the bucket holds."""
    bucket = Bucket(messages)
    firsts, repeated = _first_ids(bucket)
    yield from claims.messages(number, Kind.ID, firsts, shards)
    sizes: list[int] = []
    names: list[bytes] = []
    for place in bucket.places:
        _, size, _, _, _, name = rows.fields_of(bucket.rows[place])
        sizes.append(int(size))
        names.append(name)
    losing = yield from _claimed_names(number, names, bucket, shards)
    yield from _lookalikes(names, shards)
    if repeated or losing:
        yield number % shards, Marks(number, array("I", repeated), array("I", losing), ())
    large = [values.size for values in bucket.too_large()]
    rejected = [row.size or 0 for row in bucket.rejected()]
    survey = Survey(
        bucket=number,
        units=tuple(ordering.cut(number, sizes, limits)),
        skipped=len(large),
        skipped_size=sum(large),
        rejected=len(rejected),
        rejected_size=sum(rejected),
    )
    yield number % shards, survey


def _first_ids(bucket: Bucket) -> tuple[dict[bytes, int], list[int]]:
    """The first rows with each archive id, and the places of those that repeat one and are not known to."""
    places = [place for place in range(len(bucket.rows)) if place not in bucket.repeated]
    ids = (bucket.rows[place][LINE:KEY] for place in places)
    return claims.without_later(claims.digests_of(ids, Kind.ID), places)


def _claimed_names(
    number: int, names: Sequence[bytes], bucket: Bucket, shards: int
) -> Generator[Addressed, None, list[int]]:
    """Claims to names; returns the places of archives whose name goes to another of the bucket."""
    digests, places = claims.digests_of(names, Kind.NAME), bucket.places
    chosen: dict[bytes, int] = {}
    losing: list[int] = []
    if bucket.chosen:
        by_choice = [at for at, place in enumerate(places) if place in bucket.chosen]
        others = [at for at, place in enumerate(places) if place not in bucket.chosen]
        chosen, losing = claims.without_later([digests[at] for at in by_choice], [places[at] for at in by_choice])
        yield from claims.messages(number, Kind.CHOSEN_NAME, chosen, shards)
        digests, places = [digests[at] for at in others], [places[at] for at in others]
    firsts, later = claims.without_later(digests, places, chosen)
    yield from claims.messages(number, Kind.NAME, firsts, shards)
    return losing + later


def _lookalikes(names: Sequence[bytes], shards: int) -> Iterator[Addressed]:
    found: dict[int, list[tuple[bytes, str]]] = {}
    for name in names:
        if b"-" in name and (match := _LIKE_SUFFIXED.search(text := rows.unquoted(name).decode())):
            base = rows.quoted((text[: match.start()] + match[1]).encode())
            (digest,) = claims.digests_of([base], Kind.NAME)
            found.setdefault(claims.shard_of(digest, shards), []).append((digest, text))
    for shard, members in found.items():
        yield shard, Lookalikes(tuple(members))
