"""Each task has a block of a file, and what comes of all blocks is what the file holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from solution.glue import blocks, reading, rows
from solution.glue.layout import Quoting
from solution.glue.messages import BlockEnds, Refused, Rows
from solution.glue.reading import Source
from solution.glue.storage import FolderStorage, StoredFile
from tests.unit.glue.test_records import HEADER, archive_id, expected, glacier_row, rfc_row

STORAGE = FolderStorage()


class Memory(FolderStorage):
    """One file in memory, whatever it is called."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def read(self, uri: str, start: int, end: int) -> bytes:  # noqa: ARG002 - there is but one
        return self._text[start:end]


def sources(folder: Path, *texts: str, names: Sequence[str] = ()) -> list[Source]:
    """Files with these texts, looked at."""
    for number, text in enumerate(texts):
        name = names[number] if names else f"inventory_{number}.csv"
        (folder / name).write_bytes(text.encode())
    return [reading.look_at(STORAGE, file, 4) for file in STORAGE.list_files(f"file://{folder}")]


def read(found: Sequence[Source], block_bytes: int = 1 << 20) -> tuple[dict[str, str], list[str]]:
    """Descriptions by archive id, and the rows that could not be read."""
    files = [source.file for source in found]
    cut = reading.blocks_of(files, block_bytes, parallel=2)
    addressed = [
        message
        for block in cut
        for message in reading.block_messages(
            block, reading.text_of(STORAGE, files[block.file], block), found[block.file].layout, []
        )
    ]
    ends = [message for partition, message in addressed if partition == 1 and isinstance(message, BlockEnds)]
    assert len(ends) == len(cut)
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


def test_records_torn_by_the_borders_of_blocks_are_put_together(tmp_path: Path) -> None:
    texts = [f"line {number}\nand another\r\n{'x' * (number % 300)}\nlast" for number in range(200)]
    found = sources(tmp_path, "\n".join([HEADER, *(glacier_row(n, text) for n, text in enumerate(texts))]))
    assert len(reading.blocks_of([source.file for source in found], 2048, parallel=2)) > 20
    assert read(found, 2048) == (expected(texts), [])


def test_files_are_read_by_themselves_whatever_they_are_called(tmp_path: Path) -> None:
    first = "\n".join([HEADER, glacier_row(0, "a\nb"), glacier_row(1, 'x "y"')])
    second = "\r\n".join([HEADER, rfc_row(2, 'c "d"'), HEADER, "", rfc_row(3, "")])
    names = ["my inventory, part [1]?.csv", "my inventory, part {2}*.csv"]
    found = sources(tmp_path, first, second, names=names)
    assert [source.layout.quoting for source in found] == [Quoting.GLACIER, Quoting.RFC]
    assert read(found, 64) == (expected(["a\nb", 'x "y"', 'c "d"', ""]), [])


def test_the_end_of_a_line_is_a_line_feed_alone(tmp_path: Path) -> None:
    texts = ["lone\rreturn", "line\u2028separator\x85and\x0bothers\x1c", "\r"]
    text = "\n".join([HEADER, *(glacier_row(number, text) for number, text in enumerate(texts))])
    assert read(sources(tmp_path, text)) == (expected(texts), [])


@given(st.lists(st.text("ab\r\n", max_size=30), max_size=20), st.integers(1, 40), st.booleans())
def test_blocks_have_every_line_once_and_whole(lines: list[str], block_bytes: int, is_ended: bool) -> None:
    text = "\n".join(lines).encode() + b"\n" * is_ended
    file = StoredFile(uri="memory", size=len(text))
    found = [reading.text_of(Memory(text), file, block) for block in reading.blocks_of([file], block_bytes, parallel=2)]
    assert b"".join(found) == text
    assert all(each.endswith(b"\n") or text.endswith(each) for each in found if each)


def test_of_a_line_without_end_only_so_much_is_read_as_a_record_may_have() -> None:
    text = b"x\n" + b"y" * 5_000_000 + b"\nz\n"
    file = StoredFile(uri="memory", size=len(text))
    found = [reading.text_of(Memory(text), file, block) for block in reading.blocks_of([file], 1_000_000, parallel=1)]
    assert found[0].startswith(b"x\nyyy")
    assert 1_000_000 < len(found[0]) < 2_200_000
    assert found[1:-1] == [b""] * (len(found) - 2)
    assert found[-1] == b"z\n"


def test_bytes_that_are_not_utf_8_do_not_hide_an_archive(tmp_path: Path) -> None:
    file = tmp_path / "inventory.csv"
    file.write_bytes(f"\ufeff{HEADER}\n{rfc_row(0, 'caf?')}\n".encode().replace(b"?", b"\xe9"))
    found = sources(tmp_path)
    assert read(found) == (expected(["caf\ufffd"]), [])


def test_a_file_tells_by_pieces_of_all_of_it_how_it_is_written(tmp_path: Path) -> None:
    plain = [rfc_row(number, "plain") for number in range(4000)]
    quoted = [rfc_row(number, 'say "so"') for number in range(4000, 8000)]
    (source,) = sources(tmp_path, "\n".join([HEADER, *plain, *quoted]))
    assert source.layout.quoting is Quoting.RFC
    sampled = {rows.values_of(row).archive_id for row in source.sample}
    assert min(sampled) < archive_id(500)
    assert max(sampled) > archive_id(7500)
    assert 100 < len(sampled) < 7000


def test_a_small_file_is_looked_at_whole(tmp_path: Path) -> None:
    (source,) = sources(tmp_path, "\n".join([HEADER, *(rfc_row(number, "x") for number in range(9))]))
    assert len(source.sample) == 9
