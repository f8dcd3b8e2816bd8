"""Spark gives each task a block of a file, and what comes of all blocks is what the file holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from solution.glue import blocks, reading, rows
from solution.glue.layout import Quoting
from solution.glue.messages import BlockEnds, Refused, Rows
from solution.glue.reading import Source
from solution.glue.storage import Storage
from tests.unit.glue.test_records import HEADER, archive_id, expected, glacier_row, rfc_row

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def sources(spark: SparkSession, folder: Path, *texts: str, names: Sequence[str] = ()) -> list[Source]:
    """Files with these texts, looked at."""
    for number, text in enumerate(texts):
        name = names[number] if names else f"inventory_{number}.csv"
        (folder / name).write_bytes(text.encode())
    storage = Storage(spark)
    return [reading.look_at(storage, file, 4) for file in storage.list_files(f"file://{folder}")]


def read(spark: SparkSession, found: Sequence[Source], block_bytes: int = 1 << 20) -> tuple[dict[str, str], list[str]]:
    """Descriptions by archive id, and the rows that could not be read."""
    lines, counts = reading.lines_of(spark, found, block_bytes)
    places, layouts = reading.places_of(counts), [source.layout for source in found]
    addressed = lines.mapPartitionsWithIndex(
        lambda number, text: reading.block_messages(*places[number], text, layouts[places[number][0]], [])
    ).collect()
    ends = [message for partition, message in addressed if partition == 1 and isinstance(message, BlockEnds)]
    assert len(ends) == len(places)
    texts = [message.text for _, message in addressed if isinstance(message, Rows)]
    refused = [row.row for _, message in addressed if isinstance(message, Refused) for row in message.rows]
    made = [row for text in texts for row in text.split(b"\n")]
    for file, source in enumerate(found):
        across = blocks.read_across(reading.edges_of(ends, file), source.layout)
        made += across.rows
        refused += [row.row for row in across.rejected]
        assert reading.corrected(source, reading.edges_of(ends, file)) == source
    values = [rows.values_of(row) for row in made]
    assert len({value.archive_id for value in values}) == len(values)
    return {value.archive_id: value.description for value in values}, refused


def test_records_torn_by_the_borders_of_blocks_are_put_together(spark: SparkSession, tmp_path: Path) -> None:
    texts = [f"line {number}\nand another\r\n{'x' * (number % 300)}\nlast" for number in range(200)]
    found = sources(spark, tmp_path, "\n".join([HEADER, *(glacier_row(n, text) for n, text in enumerate(texts))]))
    assert reading.lines_of(spark, found, 2048)[0].getNumPartitions() > 20
    assert read(spark, found, 2048) == (expected(texts), [])


def test_files_are_read_by_themselves_whatever_they_are_called(spark: SparkSession, tmp_path: Path) -> None:
    first = "\n".join([HEADER, glacier_row(0, "a\nb"), glacier_row(1, 'x "y"')])
    second = "\r\n".join([HEADER, rfc_row(2, 'c "d"'), HEADER, "", rfc_row(3, "")])
    names = ["my inventory, part [1]?.csv", "my inventory, part {2}*.csv"]
    found = sources(spark, tmp_path, first, second, names=names)
    assert [source.layout.quoting for source in found] == [Quoting.GLACIER, Quoting.RFC]
    assert read(spark, found, 64) == (expected(["a\nb", 'x "y"', 'c "d"', ""]), [])


def test_the_end_of_a_line_is_a_line_feed_alone(spark: SparkSession, tmp_path: Path) -> None:
    texts = ["lone\rreturn", "line\u2028separator\x85and\x0bothers\x1c", "\r"]
    text = "\n".join([HEADER, *(glacier_row(number, text) for number, text in enumerate(texts))])
    assert read(spark, sources(spark, tmp_path, text)) == (expected(texts), [])


def test_bytes_that_are_not_utf_8_do_not_hide_an_archive(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "inventory.csv"
    file.write_bytes(f"\ufeff{HEADER}\n{rfc_row(0, 'caf?')}\n".encode().replace(b"?", b"\xe9"))
    found = sources(spark, tmp_path)
    assert read(spark, found) == (expected(["caf\ufffd"]), [])


def test_a_file_tells_by_pieces_of_all_of_it_how_it_is_written(spark: SparkSession, tmp_path: Path) -> None:
    plain = [rfc_row(number, "plain") for number in range(4000)]
    quoted = [rfc_row(number, 'say "so"') for number in range(4000, 8000)]
    (source,) = sources(spark, tmp_path, "\n".join([HEADER, *plain, *quoted]))
    assert source.layout.quoting is Quoting.RFC
    sampled = {rows.values_of(row).archive_id for row in source.sample}
    assert min(sampled) < archive_id(500)
    assert max(sampled) > archive_id(7500)
    assert 100 < len(sampled) < 7000


def test_a_small_file_is_looked_at_whole(spark: SparkSession, tmp_path: Path) -> None:
    (source,) = sources(spark, tmp_path, "\n".join([HEADER, *(rfc_row(number, "x") for number in range(9))]))
    assert len(source.sample) == 9
