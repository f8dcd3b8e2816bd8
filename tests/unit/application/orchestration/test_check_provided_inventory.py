"""Provided inventories, read to their last row."""

from __future__ import annotations

import pytest

from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.application.use_cases import check_provided_inventory as module
from solution.application.use_cases.check_provided_inventory import CheckProvidedInventory, ProvidedInventory
from solution.domain.errors import InvalidInput
from tests.unit.application.orchestration.builders import HEADER, RUN, archive_id, inventory_row

PLACE = f"{RUN}/original_inventory/"


def _check(text: str | bytes, *, piece: int = 50) -> ProvidedInventory:
    body = text if isinstance(text, bytes) else text.encode()
    return CheckProvidedInventory(files=InMemoryInventoryFiles({f"{PLACE}mine.csv": body}, piece=piece))(RUN)


def _file(*rows: str, end: str = "\n") -> str:
    return end.join([HEADER, *rows]) + end


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_rows_are_counted_however_the_file_arrives(end: str, piece: int) -> None:
    text = _file(*(inventory_row(number) for number in range(5)), end=end)
    assert _check(text, piece=piece) == ProvidedInventory(files=1, size=len(text), rows=5)


@pytest.mark.parametrize(
    "description",
    [
        "",
        "plain",
        '""',
        '"with, comma"',
        r'"he said \"yes\""',
        '"he said ""yes"""',
        r'"C:\\photos\\"',
        '"C:\\photos\\"',
        '"two\nlines"',
        '"two\r\nlines, and \\"quotes\\"\n"',
        '"two\nlines, and ""quotes""\n"',
        '"línea — 写真 🎞"',
        f'"{"x" * 1024}"',
        '"<m><v>4</v><p>cGhvdG8=</p></m>"',
        '"{""Path"":""a/b""}"',
        r'"{\"Path\":\"a/b\"}"',
    ],
)
def test_descriptions_of_either_quoting_are_read(description: str) -> None:
    text = _file(inventory_row(1, description), inventory_row(2, description))
    assert _check(text).rows == 2


def test_every_field_may_be_quoted() -> None:
    row = ",".join(f'"{field}"' for field in inventory_row(1, "note").split(","))
    assert _check(_file(row)).rows == 1


def test_an_inventory_of_an_empty_vault_is_an_inventory() -> None:
    assert _check(_file()).rows == 0


def test_a_byte_order_mark_and_blank_lines_do_no_harm() -> None:
    assert _check("\N{BYTE ORDER MARK}" + _file(inventory_row(), "")).rows == 1


def test_all_csv_files_below_the_prefix_are_read_and_nothing_else() -> None:
    files = {
        f"{PLACE}a.csv": _file(inventory_row(1)).encode(),
        f"{PLACE}deeper/b.csv": _file(inventory_row(2), inventory_row(3)).encode(),
        f"{PLACE}notes.txt": b"not an inventory",
        "run-10/original_inventory/c.csv": b"somebody else's",
    }
    found = CheckProvidedInventory(files=InMemoryInventoryFiles(files))(RUN)
    assert (found.files, found.rows) == (2, 3)


def test_a_file_that_the_inventory_job_would_read_is_checked_whatever_the_case_of_its_extension() -> None:
    files = InMemoryInventoryFiles({f"{PLACE}MINE.CSV": b"nonsense"}, piece=50)
    with pytest.raises(InvalidInput, match="put the columns in this order, leave out all others"):
        CheckProvidedInventory(files=files)(RUN)


def test_without_a_file_the_message_says_where_to_put_it() -> None:
    with pytest.raises(InvalidInput, match=f"{PLACE} in the inventory bucket"):
        CheckProvidedInventory(files=InMemoryInventoryFiles())(RUN)


@pytest.mark.parametrize("header", ["", "ArchiveId,Size", HEADER.lower(), f"{HEADER},More", inventory_row()])
def test_another_header_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput, match=r"mine\.csv, row 1: the header is .* it must be 'ArchiveId,"):
        _check(header + "\n" + inventory_row() + "\n")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (inventory_row(1)[1:], "ArchiveId '0.*' is not an archive id: 138"),
        (inventory_row(1, size="-1"), "Size '-1' is not a whole number"),
        (inventory_row(1, size="1.5"), r"Size '1\.5' is not a whole number"),
        (inventory_row(1, size=""), "Size '' is not a whole number"),
        (inventory_row(1, tree_hash="0f"), "SHA256TreeHash '0f' is not a SHA-256 tree hash"),
        (
            inventory_row(1).replace("2012-05-15T17:21:39.339Z", "15 May 2012"),
            "CreationDate '15 May 2012' is not a time",
        ),
        (inventory_row(1) + ",more", "found 6 columns"),
        ("just text", "found 1 columns"),
        (inventory_row(1, 'a "quote" alone'), "a quote stands alone"),
        (inventory_row(1, '"never closed'), "a quote stands alone or is never closed"),
    ],
)
def test_a_bad_row_is_refused_with_its_number_and_reason(row: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"mine\.csv, row 4: {reason}"):
        _check(_file(inventory_row(1, '"two\nlines"'), inventory_row(2), row))


def test_a_bad_row_in_the_middle_is_found() -> None:
    with pytest.raises(InvalidInput, match="row 2: Size"):
        _check(_file(inventory_row(1, '"x"', size="many"), *(inventory_row(number) for number in range(2, 2000))))


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    body = _file(inventory_row(1, "caf\N{LATIN SMALL LETTER E WITH ACUTE}")).encode("latin-1")
    with pytest.raises(InvalidInput, match=r"row 2: not UTF-8, its byte 143 is 0xe9"):
        _check(body)


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROW_BYTES", 2000)
    rows = (f"{archive_id(number)},\\x" for number in range(500))
    with pytest.raises(InvalidInput, match="row 2: a quote stands alone or is never closed"):
        _check(_file(inventory_row(1, '"open'), *rows))
