"""Names and ids are one archive's alone, however the archives are spread over buckets and offices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from solution.domain import naming
from solution.domain.archive import MAX_OBJECT_BYTES
from solution.domain.naming import Claim
from solution.glue import buckets, offices, ordering, overrides, rows
from solution.glue.buckets import Bucket
from solution.glue.mail import Claims, Kind, Letter, Marks, Posted, Rows, Surprise, Survey
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
class PostOffice:
    """The shuffles of the job, with all letters in one place."""

    given: Sequence[bytes]
    borders: list[bytes]
    letters: dict[int, list[Letter]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Every row comes by itself, as from a block of its own."""
        for row in self.given:
            for bucket, members in ordering.dealt([row], self.borders):
                self.post([(bucket, Rows(b"\n".join(members)))])

    @property
    def count(self) -> int:
        """Buckets, and offices."""
        return len(self.borders) + 1

    def post(self, posted: Iterable[Posted]) -> None:
        """Deliver letters to buckets."""
        for address, letter in posted:
            self.letters.setdefault(address, []).append(letter)

    def at_offices(self, posted: Iterable[Posted]) -> dict[int, list[Letter]]:
        """Letters by office."""
        found: dict[int, list[Letter]] = {}
        for address, letter in posted:
            assert 0 <= address < self.count
            found.setdefault(address, []).append(letter)
        return found

    def choose(self, lines: Sequence[overrides.Line]) -> None:
        """The user's names."""
        posted = list(overrides.posted(0, lines, self.count))
        for bucket in range(self.count):
            posted += buckets.present(bucket, self.letters.get(bucket, ()), self.count)
        for office, letters in self.at_offices(posted).items():
            self.post(offices.matched(office, letters))

    def settle(self) -> list[Survey]:
        """As the job does."""
        while True:
            claims = [
                posted
                for bucket in range(self.count)
                for posted in buckets.claimed(bucket, self.letters.get(bucket, ()), LIMITS, self.count)
            ]
            marks = [
                posted
                for letters in self.at_offices(claims).values()
                for posted in offices.decided(letters, self.count)
            ]
            told = [letter for address, letter in marks if address == self.count]
            to_buckets = [(address, letter) for address, letter in marks if address != self.count]
            if not any(isinstance(letter, Surprise) for letter in told):
                self.post(to_buckets)
                return [letter for letter in told if isinstance(letter, Survey)]
            self.post(
                (address, Marks(letter.bucket, letter.repeated, letter.losing[:0], ()))
                for address, letter in to_buckets
                if isinstance(letter, Marks)
            )

    def opened(self) -> list[Bucket]:
        """All buckets in order."""
        return [Bucket(self.letters.get(bucket, ())) for bucket in range(self.count)]

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
    post = PostOffice(made, ordering.borders(made, count))
    post.choose([(archive_id(number), name) for number, name in wishes.items()])
    post.settle()
    claims = []
    for number, (text, moment) in enumerate(entries):
        wish = wishes.get(number) or None
        name = naming.base_name(archive_id(number), described(text), wish)
        claims.append(claim(number, name, moment, chosen=wish is not None))
    assert post.names() == naming.unique_names(claims)
    assert len(set(post.names().values())) == len(entries)


@settings(max_examples=300, database=None, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), paths, st.integers(0, 9)), min_size=1, max_size=16), st.integers(1, 5))
def test_the_first_row_with_an_id_counts_and_others_take_nobodys_name(
    entries: list[tuple[int, str, int]], count: int
) -> None:
    made = [row(*entry) for entry in entries]
    post = PostOffice(made, ordering.borders(made, count))
    surveys = post.settle()
    firsts: dict[bytes, bytes] = {}
    for each in sorted(made):
        firsts.setdefault(each[rows.LINE : rows.KEY], each)
    expected = naming.unique_names(
        Claim(archive_id=values.archive_id, name=values.name, rank=(values.creation_date,))
        for values in map(rows.values_of, firsts.values())
    )
    assert post.names() == expected
    rejected = [entry for bucket in post.opened() for entry in bucket.rejected()]
    assert len(rejected) == len(made) - len(firsts) == sum(survey.rejected for survey in surveys)
    assert {entry.reason for entry in rejected} <= {rows.TWICE}


def test_an_archive_that_is_too_large_takes_no_name() -> None:
    made = [row(0, "a", 0, MAX_OBJECT_BYTES + 1), row(1, "a", 1, MAX_OBJECT_BYTES), row(2, "a", 2)]
    post = PostOffice(made, ordering.borders(made, 3))
    surveys = post.settle()
    assert post.names() == {archive_id(1): "a", archive_id(2): naming.with_suffix("a", archive_id(2))}
    assert [values.archive_id for bucket in post.opened() for values in bucket.too_large()] == [archive_id(0)]
    assert sum(survey.skipped_size for survey in surveys) == MAX_OBJECT_BYTES + 1


def test_a_name_that_all_archives_want_makes_no_office_read_all_of_them() -> None:
    made = [row(number, "same", number % 1000) for number in range(3000)]
    post = PostOffice(made, ordering.borders(made[::30], 6))
    claims = [posted for n in range(6) for posted in buckets.claimed(n, post.letters[n], LIMITS, 6)]
    numbers = [len(letter.places) for _, letter in claims if isinstance(letter, Claims) and letter.kind is Kind.NAME]
    assert numbers == [1] * 6
    post.settle()
    assert len(set(post.names().values())) == 3000
