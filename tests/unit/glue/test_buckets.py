"""Names and ids are one archive's alone, however the archives are spread over buckets and shards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from solution.domain import naming
from solution.domain.archive import MAX_OBJECT_BYTES
from solution.domain.naming import Claim
from solution.glue import buckets, ordering, overrides, rows, shards
from solution.glue.buckets import Bucket
from solution.glue.messages import Addressed, Claims, Kind, Marks, Message, NewRepeats, Rows, Survey
from solution.glue.ordering import Limits, Unit
from solution.glue.records import Record

LIMITS = Limits(partition_bytes=10**15, partition_archives=10**6, file_archives=10**5)
TREE_HASH = "ab" * 32


def archive_id(number: int) -> str:
    return f"{number:0138d}"


def row(number: int, description: str, moment: int, size: int = 1) -> bytes:
    date = f"2012-05-15T17:21:39.{moment:03d}Z"
    found = rows.row_of(Record(archive_id(number), description, date, str(size), TREE_HASH))
    assert isinstance(found, bytes)
    return found


@dataclass
class Shuffles:
    """The shuffles of the job, with all messages in one place."""

    given: Sequence[bytes]
    borders: list[bytes]
    messages: dict[int, list[Message]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Every row comes by itself, as from a block of its own."""
        for row in self.given:
            for bucket, members in ordering.dealt([row], self.borders):
                self.deliver([(bucket, Rows(b"\n".join(members)))])

    @property
    def count(self) -> int:
        """Buckets, and shards."""
        return len(self.borders) + 1

    def deliver(self, addressed: Iterable[Addressed]) -> None:
        """Deliver messages to buckets."""
        for partition, message in addressed:
            self.messages.setdefault(partition, []).append(message)

    def at_shards(self, addressed: Iterable[Addressed]) -> dict[int, list[Message]]:
        """Messages by shard."""
        found: dict[int, list[Message]] = {}
        for partition, message in addressed:
            assert 0 <= partition < self.count
            found.setdefault(partition, []).append(message)
        return found

    def choose(self, lines: Sequence[overrides.Line]) -> None:
        """The user's names."""
        addressed = list(overrides.messages(0, lines, self.count))
        for bucket in range(self.count):
            addressed += buckets.present(bucket, self.messages.get(bucket, ()), self.count)
        for shard, messages in self.at_shards(addressed).items():
            self.deliver(shards.matched(shard, messages))

    def settle(self) -> list[Survey]:
        """As the job does."""
        while True:
            claims = [
                addressed
                for bucket in range(self.count)
                for addressed in buckets.claimed(bucket, self.messages.get(bucket, ()), LIMITS, self.count)
            ]
            marks = [
                addressed
                for messages in self.at_shards(claims).values()
                for addressed in shards.decided(messages, self.count)
            ]
            told = [message for partition, message in marks if partition == self.count]
            to_buckets = [(partition, message) for partition, message in marks if partition != self.count]
            if not any(isinstance(message, NewRepeats) for message in told):
                self.deliver(to_buckets)
                return [message for message in told if isinstance(message, Survey)]
            self.deliver(
                (partition, Marks(message.bucket, message.repeated, message.losing[:0], ()))
                for partition, message in to_buckets
                if isinstance(message, Marks)
            )

    def opened(self) -> list[Bucket]:
        """All buckets in order."""
        return [Bucket(self.messages.get(bucket, ())) for bucket in range(self.count)]

    def names(self) -> dict[str, str]:
        """Final names by archive id."""
        found: dict[str, str] = {}
        for number, bucket in enumerate(self.opened()):
            file = Unit(bucket=number, start=0, archives=len(bucket.places), size=0)
            for line in bucket.lines(file):
                fields = line.split(b",", 5)
                assert fields[0].decode() not in found
                found[fields[0].decode()] = rows.unquoted(fields[5]).decode()
        return found


def claim(number: int, name: str, moment: int, *, chosen: bool = False) -> Claim:
    return Claim(archive_id=archive_id(number), name=name, rank=(0 if chosen else 1, moment))


paths = st.sampled_from(["a", "b.txt", 'c, "d".tar.gz', "", "x/y.z", "long" * 300 + ".tar.gz", "é" * 1200 + ".b"])
archives = st.lists(st.tuples(paths | st.integers(0, 12), st.integers(0, 9)), min_size=1, max_size=16)


def described(entry: str | int) -> str:
    """A path, or a name that looks like one that another archive would get with its suffix."""
    return entry if isinstance(entry, str) else naming.with_suffix("b.txt", archive_id(entry), entry % 2)


@settings(max_examples=500, database=None, deadline=None)
@given(archives, st.integers(1, 5), st.dictionaries(st.integers(0, 15), paths, max_size=4))
def test_names_are_those_of_the_reference_however_archives_are_spread(
    entries: list[tuple[str | int, int]], count: int, wishes: dict[int, str]
) -> None:
    made = [row(number, described(text), moment) for number, (text, moment) in enumerate(entries)]
    shuffles = Shuffles(made, ordering.borders(made, count))
    shuffles.choose([(archive_id(number), name) for number, name in wishes.items()])
    shuffles.settle()
    claims = []
    for number, (text, moment) in enumerate(entries):
        wish = wishes.get(number) or None
        name = naming.base_name(archive_id(number), described(text), wish)
        claims.append(claim(number, name, moment, chosen=wish is not None))
    assert shuffles.names() == naming.unique_names(claims)
    assert len(set(shuffles.names().values())) == len(entries)


@settings(max_examples=300, database=None, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), paths, st.integers(0, 9)), min_size=1, max_size=16), st.integers(1, 5))
def test_the_first_row_with_an_id_counts_and_others_take_nobodys_name(
    entries: list[tuple[int, str, int]], count: int
) -> None:
    made = [row(*entry) for entry in entries]
    shuffles = Shuffles(made, ordering.borders(made, count))
    surveys = shuffles.settle()
    firsts: dict[bytes, bytes] = {}
    for each in sorted(made):
        firsts.setdefault(each[rows.LINE : rows.KEY], each)
    expected = naming.unique_names(
        Claim(archive_id=values.archive_id, name=values.name, rank=(values.creation_date,))
        for values in map(rows.values_of, firsts.values())
    )
    assert shuffles.names() == expected
    rejected = [entry for bucket in shuffles.opened() for entry in bucket.rejected()]
    assert len(rejected) == len(made) - len(firsts) == sum(survey.rejected for survey in surveys)
    assert {entry.reason for entry in rejected} <= {rows.TWICE}


def test_an_archive_that_is_too_large_takes_no_name() -> None:
    made = [row(0, "a", 0, MAX_OBJECT_BYTES + 1), row(1, "a", 1, MAX_OBJECT_BYTES), row(2, "a", 2)]
    shuffles = Shuffles(made, ordering.borders(made, 3))
    surveys = shuffles.settle()
    assert shuffles.names() == {archive_id(1): "a", archive_id(2): naming.with_suffix("a", archive_id(2))}
    assert [values.archive_id for bucket in shuffles.opened() for values in bucket.too_large()] == [archive_id(0)]
    assert sum(survey.skipped_size for survey in surveys) == MAX_OBJECT_BYTES + 1


def test_a_name_that_all_archives_want_makes_no_shard_read_all_of_them() -> None:
    made = [row(number, "same", number % 1000) for number in range(3000)]
    shuffles = Shuffles(made, ordering.borders(made[::30], 6))
    claims = [addressed for n in range(6) for addressed in buckets.claimed(n, shuffles.messages[n], LIMITS, 6)]
    numbers = [
        len(message.places) for _, message in claims if isinstance(message, Claims) and message.kind is Kind.NAME
    ]
    assert numbers == [1] * 6
    shuffles.settle()
    assert len(set(shuffles.names().values())) == 3000
