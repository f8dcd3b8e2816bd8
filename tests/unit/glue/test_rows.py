"""A row sorts as its archive does, and keeps all it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the usual name

from solution.domain.archive import MAX_OBJECT_BYTES
from solution.glue import rows
from solution.glue.records import Record
from solution.glue.rows import Rejected, Values
from tests.descriptions import descriptions

if TYPE_CHECKING:
    from pyspark import SparkContext

TREE_HASH = "ab" * 32


def row(date: str, archive_id: str = "a" * 138, description: str = "x", size: str = "7") -> bytes:
    found = rows.row_of(Record(archive_id, description, date, size, TREE_HASH))
    assert isinstance(found, bytes)
    return found


def test_rows_sort_by_date_then_by_archive_id() -> None:
    ordered = [
        ("0001-01-01T00:00:00Z", "z"),
        ("1969-12-31T23:59:59.999Z", "-"),
        ("1969-12-31T23:59:59.999Z", "z"),
        ("1970-01-01T00:00:00Z", "-"),
        ("2012-05-15T17:21:39Z", "-"),
        ("2012-05-15T17:21:39.000Z", "z"),
        ("2012-05-15T17:21:39.001Z", "-"),
        ("2012-05-15T17:21:39.0019Z", "A"),
        ("2012-05-15T17:21:39.001Z", "a"),
        ("2012-05-15T19:21:39.002+02:00", "A"),
        ("2012-05-15T17:21:39.1Z", "A"),
        ("2012-5-15T17:21:40Z", "A"),
        ("2012-05-16", "A"),
        ("2109-05-15T07:35:11.104Z", "-"),
        ("9999-12-31T23:59:59.999Z", "z"),
    ]
    found = [row(date, character * 138) for date, character in ordered]
    assert found == sorted(found)


def test_creation_dates_are_understood_as_spark_understands_them(spark: SparkContext) -> None:
    session = SparkSession(spark)
    session.conf.set("spark.sql.session.timeZone", "UTC")
    numbers = ("0", "1", "02", "12", "23", "24", "30", "31", "59", "60", "010")
    days = [
        f"{year}-{number}-{other}" for year in ("2012", "2013") for number in numbers for other in ("1", "29", "31")
    ]
    times = [f"2012-02-29T{number}:{other}:05Z" for number in numbers for other in numbers]
    seconds = ["5", "05.", "05.1", "05.123", "05.123456", "05.1234567", "05.1234567891", "5.0006"]
    zones = ["", "Z", "+02:00", "-2:5", "+00:60", "+18:00", "-18:00", "+18:01", "+19:00", "ZZ", "T"]
    zones += ["+0200", "-0530", "+02", "-2", "+020", "+"]
    dates = [*days, *times, *(f"2012-02-29T01:02:{second}{zone}" for second in seconds for zone in zones)]
    dates += [f"2012-02-29{time}{zone}" for time in ("", "T", "T01", "T01:", "T01:02", "T01:02:") for zone in zones]
    frame = session.createDataFrame([(date,) for date in dates], "date string")
    moment = F.date_format(F.try_to_timestamp("date"), "yyyy-MM-dd'T'HH:mm:ss.SSS")
    understood = {found["date"]: found["moment"] for found in frame.select("date", moment.alias("moment")).collect()}
    differing = {
        date: (rows.moment_of(date), understood[date]) for date in dates if rows.moment_of(date) != understood[date]
    }
    assert differing == {}


@given(descriptions, st.integers(1, 10**18 - 1))
def test_a_row_keeps_all_that_it_was_made_of(description: str, size: int) -> None:
    made = row("2012-05-15T17:21:39Z", description=description, size=str(size))
    assert b"\n" not in made
    values = rows.values_of(made)
    assert values == Values("a" * 138, size, "2012-05-15T17:21:39Z", TREE_HASH, description, values.name)
    assert (made[rows.MOMENT : rows.LINE] == rows.ORDINARY) == (size <= MAX_OBJECT_BYTES)
    assert rows.values_of(rows.with_name(made, 'other, "well"')).name == 'other, "well"'


def test_what_is_no_date_or_no_size_is_rejected() -> None:
    for date, size, reason in (("2012-13-45T00:00:00Z", "1", rows.NO_DATE), ("2012-05-15", "0", rows.EMPTY)):
        found = rows.row_of(Record("a" * 138, "x", date, size, TREE_HASH))
        assert found == Rejected("a" * 138, int(size), date, "x", reason)


def test_a_suffix_is_varied_until_nobody_has_the_name() -> None:
    made = row("2012-05-15", description="dir/a.tar.gz")
    first = rows.values_of(rows.with_suffix(made, frozenset())).name
    second = rows.values_of(rows.with_suffix(made, frozenset({first}))).name
    assert first != second
    assert first.startswith("dir/a-")
    assert second.endswith(".tar.gz")
