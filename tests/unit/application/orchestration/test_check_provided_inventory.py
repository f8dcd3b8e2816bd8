"""Provided inventories, read to their last row."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.application.ports.clock import Deadline
from solution.application.use_cases import check_provided_inventory as module
from solution.application.use_cases.check_provided_inventory import (
    CheckPosition,
    CheckProvidedInventory,
    ProvidedInventory,
)
from solution.domain.errors import InvalidInput, NotPossible
from tests.unit.application.orchestration.builders import HEADER, RUN, archive_id, inventory_row

PLACE = f"{RUN}/original_inventory/"


def _check_files(
    files: dict[str, bytes],
    *,
    piece: int = 50,
    deadline: Deadline | None = None,
    start: CheckPosition | None = None,
) -> ProvidedInventory:
    check = CheckProvidedInventory(files=InMemoryInventoryFiles(files, piece=piece))
    return check(RUN, deadline=deadline or Deadline.after(ManualClock(), 60), start=start)


def _check(text: str | bytes, *, piece: int = 50) -> ProvidedInventory:
    return _check_files({f"{PLACE}mine.csv": text if isinstance(text, bytes) else text.encode()}, piece=piece)


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


def test_all_files_of_the_run_are_read_and_no_others() -> None:
    files = {
        f"{PLACE}": b"",
        f"{PLACE}a.csv": _file(inventory_row(1)).encode(),
        f"{PLACE}deeper/b.csv": _file(inventory_row(2), inventory_row(3)).encode(),
        "run-10/original_inventory/c.csv": b"somebody else's",
    }
    found = _check_files(files)
    assert (found.files, found.rows) == (2, 3)


def test_a_bad_row_of_the_last_file_is_found() -> None:
    files = {f"{PLACE}{name}.csv": _file(inventory_row(1)).encode() for name in "ab"}
    with pytest.raises(InvalidInput, match=r"c\.csv, row 2: found 1 columns"):
        _check_files(files | {f"{PLACE}c.csv": _file("rubbish").encode()})


@pytest.mark.parametrize("name", ["part2.csv.gz", "part2.CSV.zip", "notes.txt", "inventory", "a.csv.bak"])
def test_a_file_that_the_inventory_job_would_leave_out_is_refused(name: str) -> None:
    files = {f"{PLACE}part1.csv": _file(inventory_row(1)).encode(), f"{PLACE}{name}": b"?"}
    with pytest.raises(InvalidInput, match=rf"{PLACE}{name} is no \.csv file and would be left out"):
        _check_files(files)


def test_a_file_that_the_inventory_job_would_read_is_checked_whatever_the_case_of_its_extension() -> None:
    with pytest.raises(InvalidInput, match="put the columns in this order, leave out all others"):
        _check_files({f"{PLACE}MINE.CSV": b"nonsense"})


def test_without_a_file_the_message_says_where_to_put_it() -> None:
    with pytest.raises(InvalidInput, match=f"{PLACE} in the inventory bucket"):
        _check_files({})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b"\x1f\x8b\x08\x00", "compressed with gzip"),
        (b"PK\x03\x04\x14\x00", "zip archive or a workbook"),
        (HEADER.encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_taken_for_csv_by_mistake_is_called_by_its_name(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"mine\.csv cannot be read: .*{reason}"):
        _check(body)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "ArchiveId,Size",
        HEADER.lower(),
        f"{HEADER},More",
        "ArchiveId,CreationDate,ArchiveDescription,Size,SHA256TreeHash",
        HEADER.replace(",", ";"),
        inventory_row(),
    ],
)
def test_another_header_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput, match=r"mine\.csv, row 1: the header is .* it must be 'ArchiveId,"):
        _check(header + "\n" + inventory_row() + "\n")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (inventory_row(1)[1:], "ArchiveId '0.*' is not an archive id: 138"),
        (inventory_row(1, size="-1"), "Size '-1' is not a whole number"),
        (inventory_row(1, size="0"), "Size '0' is not a whole number of bytes, 1 or more"),
        (inventory_row(1, size="123456789012345"), "Size '123456789012345' is not a whole number of bytes"),
        (inventory_row(1, size="12 "), "Size '12 ' is not a whole number"),
        (inventory_row(1).replace("2012-05-15T", "2013-02-29T"), "CreationDate '2013-02-29T.*' is not a time"),
        (inventory_row(1).replace("2012-05-15T", "2012-13-15T"), "CreationDate '2012-13-15T.*' is not a time"),
        (inventory_row(1).replace("T17:21", "T24:21"), "CreationDate '2012-05-15T24.*' is not a time"),
        (inventory_row(1, "").replace(",", ";"), "found 1 columns"),
        (HEADER, "ArchiveId 'ArchiveId' is not an archive id"),
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
    with pytest.raises(InvalidInput, match=rf"mine\.csv, row 4 \(line 5\): {reason}"):
        _check(_file(inventory_row(1, '"two\nlines"'), inventory_row(2), row))


def test_a_bad_row_in_the_middle_is_found() -> None:
    with pytest.raises(InvalidInput, match="row 2: Size"):
        _check(_file(inventory_row(1, '"x"', size="many"), *(inventory_row(number) for number in range(2, 2000))))


def test_a_leap_day_is_a_day() -> None:
    row = inventory_row(1).replace("2012-05-15T", "2012-02-29T")
    assert _check(_file(row, row.replace("-02-29", "-12-31"))).rows == 2


def test_ten_bad_rows_are_told_at_once() -> None:
    rows = (inventory_row(number, size="1" if number % 2 else "x") for number in range(100))
    with pytest.raises(InvalidInput) as raised:
        _check(_file(*rows))
    assert str(raised.value).count(" is not a whole number") == 10
    assert str(raised.value).endswith(": correct the file, put it there again, and resume the run")
    assert "row 2: " in str(raised.value)
    assert "; row 20: " in str(raised.value)


def test_after_a_row_that_is_never_closed_nothing_is_claimed_about_the_rest() -> None:
    with pytest.raises(InvalidInput) as raised:
        _check(_file(inventory_row(1, size="x"), inventory_row(2, '"open'), inventory_row(3, size="x")))
    assert str(raised.value).count("; row") == 1
    assert "row 2: Size 'x'" in str(raised.value)
    assert "row 3: a quote stands alone or is never closed" in str(raised.value)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    body = _file(inventory_row(1, "caf\N{LATIN SMALL LETTER E WITH ACUTE}")).encode("latin-1")
    with pytest.raises(InvalidInput, match=r"row 2: not UTF-8, its byte 143 is 0xe9"):
        _check(body)


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROW_BYTES", 2000)
    rows = (f"{archive_id(number)},\\x" for number in range(500))
    with pytest.raises(InvalidInput, match="row 2: a quote stands alone or is never closed"):
        _check(_file(inventory_row(1, '"open'), *rows))


@pytest.mark.parametrize("body", [b"x" * 300_000, HEADER.encode() + b"\n" + b"x" * 1_500_000])
def test_a_file_without_line_breaks_is_no_inventory_and_fills_no_memory(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="row") as raised:
        _check(body, piece=100_000)
    assert len(str(raised.value)) < 3000


# --- a file that one invocation has not time for --------------------------------------------------------------------


UP = Deadline.after(ManualClock(), 0)
"""Time is up at the first look."""


def _in_steps(files: dict[str, bytes]) -> tuple[ProvidedInventory, int]:
    found, steps = _check_files(files, deadline=UP), 1
    while found.next is not None:
        found, steps = _check_files(files, deadline=UP, start=found.next), steps + 1
    return found, steps


DESCRIPTIONS = ["", "plain", '"two\nlines"', '"a ""b"" c"', r'"a \"b\" c"', '"é\n\n写真"']


@given(
    counts=st.lists(st.integers(0, 7), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
    between=st.integers(1, 4),
    blank=st.booleans(),
)
def test_steps_find_what_one_pass_finds(counts: list[int], seed: int, between: int, blank: bool) -> None:
    choose = random.Random(seed)
    files = {
        f"{PLACE}{number}.csv": _file(
            *(inventory_row(row, choose.choice(DESCRIPTIONS)) for row in range(count)), *([""] if blank else [])
        ).encode()
        for number, count in enumerate(counts)
    }
    whole = _check_files(files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_BETWEEN_LOOKS", between)
        stepped, steps = _in_steps(files)
    assert stepped == whole
    assert whole.rows == sum(counts)
    assert steps >= 1 + sum(count // between for count in counts)


def test_a_bad_row_has_the_same_number_in_a_later_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_BETWEEN_LOOKS", 2)
    rows = [inventory_row(number, '"two\nlines"') for number in range(7)]
    with pytest.raises(InvalidInput, match=r"mine\.csv, row 9 \(line 16\): Size 'x'"):
        _in_steps({f"{PLACE}mine.csv": _file(*rows, inventory_row(8, size="x")).encode()})


@pytest.mark.parametrize("change", ["another file", "other bytes"])
def test_files_that_change_between_steps_are_not_trusted(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_BETWEEN_LOOKS", 1)
    files = {f"{PLACE}mine.csv": _file(inventory_row(1), inventory_row(2)).encode()}
    found = _check_files(files, deadline=UP)
    if change == "another file":
        files[f"{PLACE}another.csv"] = _file(inventory_row(3)).encode()
    else:
        files[f"{PLACE}mine.csv"] = _file(inventory_row(3), inventory_row(2)).encode()
    with pytest.raises(NotPossible, match="changed while they were read"):
        _check_files(files, start=found.next)
