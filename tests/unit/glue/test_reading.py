"""Whatever an archive is called, its row is read as it was written, however the file is split."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.domain.errors import InvalidInput
from solution.glue import reading
from solution.glue.storage import Storage
from tests.descriptions import CORPUS, descriptions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HEADER = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"
DATE, TREE_HASH = "2012-05-15T17:21:39.339Z", "ab" * 32


def archive_id(number: int) -> str:
    return f"{number:0138d}"


def glacier_row(number: int, description: str) -> str:
    escaped = description.replace("\\", "\\\\").replace('"', '\\"')
    return f'{archive_id(number)},"{escaped}",{DATE},{number + 1},{TREE_HASH}'


def bare_row(number: int, description: str) -> str:
    escaped = description.replace('"', '\\"')
    return f'{archive_id(number)},"{escaped}",{DATE},{number + 1},{TREE_HASH}'


def rfc_row(number: int, description: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL if number % 2 else csv.QUOTE_MINIMAL)
    writer.writerow([archive_id(number), description, DATE, number + 1, TREE_HASH])
    return text.getvalue().removesuffix("\r\n")


def read(spark: SparkSession, folder: Path, *texts: str, split: int = 1 << 20) -> tuple[dict[str, str], list[str]]:
    """Descriptions by archive id, and the rows that could not be read."""
    for number, text in enumerate(texts):
        (folder / f"inventory_{number}.csv").write_bytes(text.encode())
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(split))
    spark.conf.set("spark.sql.files.openCostInBytes", "1")
    storage = Storage(spark)
    found: dict[str, str] = {}
    unreadable: list[str] = []
    for file in storage.list_files(str(folder)):
        layout = reading.detect_layout(storage.beginning(file.uri, 1 << 20))
        lines = reading.split_records(reading.read_lines(spark, [file]), layout)
        again = reading.reread(reading.join_fragments(lines.filter("fragment is not null"), layout), layout)
        rows = lines.filter("fragment is null").collect() + again.filter("unreadable is null").collect()
        for row in rows:
            assert (row["creation_date"], row["tree_hash"]) == (DATE, TREE_HASH)
            assert int(row["size"]) == int(row["archive_id"]) + 1
            assert row["archive_id"] not in found
            found[row["archive_id"]] = row["description"]
        unreadable += [row["unreadable"] for row in again.filter("unreadable is not null").collect()]
    return found, unreadable


def expected(texts: Iterable[str]) -> dict[str, str]:
    return {archive_id(number): text for number, text in enumerate(texts)}


ODD_TEXTS = [
    *(description for description, _ in CORPUS),
    HEADER,
    'a "quoted" word',
    '"',
    '""',
    '"quoted whole"',
    'ends with a quote"',
    "ends with a backslash\\",
    "ends with two\\\\",
    'backslash quote \\"',
    "\n",
    "\n\n\n",
    "a\n\nb",
    "begins\r\nand ends\r\n",
    "lone\rreturn",
    ",,,",
    f'x",{DATE},5,{TREE_HASH}',
    "\x01marks\x01",
    "line\u2028separator\x85and\x0bothers",
    "a" * 1024,
    "\\" * 1024,
    '"' * 1024,
    "\n" * 1024,
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("row", [glacier_row, rfc_row])
def test_awkward_descriptions_are_read_as_they_were_written(
    spark: SparkSession, tmp_path: Path, row: type, end: str
) -> None:
    text = end.join([HEADER, *(row(number, text) for number, text in enumerate(ODD_TEXTS)), ""])
    assert read(spark, tmp_path, text) == (expected(ODD_TEXTS), [])


def test_records_torn_by_the_borders_of_splits_are_put_together(spark: SparkSession, tmp_path: Path) -> None:
    texts = [f"line {number}\nand another\r\n{'x' * (number % 300)}\nlast" for number in range(200)]
    text = "\n".join([HEADER, *(glacier_row(number, text) for number, text in enumerate(texts))])
    assert read(spark, tmp_path, text, split=4096) == (expected(texts), [])


def test_backslashes_that_nobody_doubled_are_kept(spark: SparkSession, tmp_path: Path) -> None:
    texts = ["C:\\dir\\file.txt", 'say \\n "no"', "a\\b,c"]
    text = "\n".join([HEADER, *(bare_row(number, text) for number, text in enumerate(texts))])
    assert read(spark, tmp_path, text) == (expected(texts), [])


def test_any_description_is_read_as_it_was_written(spark: SparkSession, tmp_path: Path) -> None:
    texts: list[str] = []

    @settings(max_examples=400, database=None, deadline=None)
    @given(descriptions | st.text(alphabet='",\\\n\r ab', max_size=40))
    def collect(description: str) -> None:
        texts.append(description)

    collect()
    for name, row in (("glacier", glacier_row), ("rfc", rfc_row)):
        (tmp_path / name).mkdir()
        text = "\n".join([HEADER, *(row(number, text) for number, text in enumerate(texts))])
        assert read(spark, tmp_path / name, text, split=8192) == (expected(texts), [])


def test_columns_may_stand_in_any_order_and_have_company(spark: SparkSession, tmp_path: Path) -> None:
    names = ["Comment", "Size", "ArchiveDescription", "SHA256TreeHash", "ArchiveId", "CreationDate"]
    texts = ["plain", 'a "q", and\na line', "", "back\\slash"]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for number, text in enumerate(texts):
        writer.writerow(["any, thing", number + 1, text, TREE_HASH, archive_id(number), DATE])
    assert read(spark, tmp_path, "\ufeff" + out.getvalue()) == (expected(texts), [])


def test_without_a_header_the_columns_are_those_of_glacier(spark: SparkSession, tmp_path: Path) -> None:
    text = "\n".join(rfc_row(number, text) for number, text in enumerate(["a", "b\nc"]))
    assert read(spark, tmp_path, text) == (expected(["a", "b\nc"]), [])


def test_several_files_are_read_as_one(spark: SparkSession, tmp_path: Path) -> None:
    first = "\n".join([HEADER, glacier_row(0, "a\nb")])
    second = "\r\n".join([HEADER, rfc_row(1, 'c "d"'), HEADER, "", rfc_row(2, "")])
    assert read(spark, tmp_path, first, second) == (expected(["a\nb", 'c "d"', ""]), [])


def test_rows_that_cannot_be_read_are_told_and_hurt_no_others(spark: SparkSession, tmp_path: Path) -> None:
    bad = [
        "nonsense",
        f'{archive_id(7)[:-1]},"short id",{DATE},1,{TREE_HASH}',
        f'{archive_id(8)},"no size",{DATE},,{TREE_HASH}',
        f'{archive_id(9)},"short hash",{DATE},1,{TREE_HASH[:-1]}',
        f'{archive_id(10)},"opens but never closes,{DATE},1',
    ]
    good = ["first", "second\nline", 'third "one"', "fourth", "fifth"]
    lines = [HEADER]
    for number, text in enumerate(good):
        lines += [bad[number], glacier_row(number, text)]
    lines[-2:] = lines[-2:][::-1]
    found, unreadable = read(spark, tmp_path, "\n".join(lines))
    assert found == expected(good)
    assert sorted(unreadable) == sorted(bad)


def test_a_description_against_the_rules_is_taken_as_it_stands(spark: SparkSession, tmp_path: Path) -> None:
    row = f'{archive_id(0)},he said "hi", and left,{DATE},1,{TREE_HASH}'
    assert read(spark, tmp_path, f"{HEADER}\n{row}\n") == (expected(['he said "hi", and left']), [])


def test_bytes_that_are_not_utf_8_do_not_hide_an_archive(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "inventory.csv").write_bytes(f"{HEADER}\n{rfc_row(0, 'caf?')}\n".encode().replace(b"?", b"\xe9"))
    assert read(spark, tmp_path) == (expected(["caf\ufffd"]), [])


def test_a_header_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="SHA256TreeHash"):
        reading.detect_layout("ArchiveId,ArchiveDescription,CreationDate,Size")


def test_the_order_of_rows_in_the_file_does_not_matter(spark: SparkSession, tmp_path: Path) -> None:
    texts = [f"{number}\n{number}" if number % 3 else str(number) for number in range(60)]
    rows = [glacier_row(number, text) for number, text in enumerate(texts)]
    random.Random(1).shuffle(rows)
    assert read(spark, tmp_path, "\n".join([HEADER, *rows]), split=2048) == (expected(texts), [])
