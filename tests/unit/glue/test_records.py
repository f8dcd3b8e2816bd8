"""What lines hold, however descriptions tear them, and wherever a file is cut into blocks."""

from __future__ import annotations

import csv
import io
import itertools
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.inventory_files import InMemoryInventoryFiles
from solution.application.ports.clock import Deadline
from solution.application.use_cases.check_provided_inventory import CheckProvidedInventory
from solution.domain.errors import InvalidInput
from solution.glue import blocks, layout, rows
from solution.glue.blocks import Edges, Read
from solution.glue.layout import GLACIER_COLUMNS, Layout, Quoting
from solution.glue.records import Reader, Record, Unreadable
from tests.descriptions import CORPUS, descriptions

HEADER = ",".join(GLACIER_COLUMNS)
DATE, TREE_HASH = "2012-05-15T17:21:39.339Z", "ab" * 32
GLACIER = Layout(columns=GLACIER_COLUMNS, quoting=Quoting.GLACIER)
RFC = Layout(columns=GLACIER_COLUMNS, quoting=Quoting.RFC)
UNKNOWN = Layout(columns=GLACIER_COLUMNS)

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


def archive_id(number: int) -> str:
    return f"{number:0138d}"


def glacier_row(number: int, description: str) -> str:
    escaped = description.replace("\\", "\\\\").replace('"', '\\"')
    return f'{archive_id(number)},"{escaped}",{DATE},{number + 1},{TREE_HASH}'


def bare_row(number: int, description: str) -> str:
    """As tools write it that put a backslash before quotes alone."""
    escaped = description.replace('"', '\\"')
    return f'{archive_id(number)},"{escaped}",{DATE},{number + 1},{TREE_HASH}'


def rfc_row(number: int, description: str) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([archive_id(number), description, DATE, number + 1, TREE_HASH])
    return text.getvalue().removesuffix("\r\n")


def sparing_row(number: int, description: str) -> str:
    """RFC 4180 with quotes where they are needed alone."""
    text = io.StringIO()
    csv.writer(text).writerow([archive_id(number), description, DATE, number + 1, TREE_HASH])
    return text.getvalue().removesuffix("\r\n")


Row = Callable[[int, str], str]


def plain_row(number: int) -> str:
    """A row without a quote."""
    return sparing_row(number, "plain")


def read(pieces: Iterable[str], how: Layout) -> tuple[dict[str, str], list[str]]:
    """Descriptions by archive id, and what could not be read, of a file in blocks of lines."""
    found = Read()
    ends: list[Edges] = []
    for number, piece in enumerate(pieces):
        block, edges = blocks.read_block(piece.encode(), how, is_first=number == 0)
        ends.append(edges)
        found.rows += block.rows
        found.rejected += block.rejected
    across = blocks.read_across(ends, how)
    described: dict[str, str] = {}
    for row in found.rows + across.rows:
        values = rows.values_of(row)
        assert (values.creation_date, values.tree_hash) == (DATE, TREE_HASH)
        assert values.size == int(values.archive_id) + 1
        assert values.archive_id not in described
        described[values.archive_id] = values.description
    return described, [entry.row for entry in found.rejected + across.rejected]


def read_whole(text: str) -> tuple[dict[str, str], list[str]]:
    """The same for a file in one block, of which nothing is known before."""
    return read([text], layout.detect(text))


def expected(texts: Iterable[str]) -> dict[str, str]:
    return {archive_id(number): text for number, text in enumerate(texts)}


WRITERS = [
    pytest.param(GLACIER, glacier_row, id="glacier"),
    pytest.param(RFC, rfc_row, id="rfc"),
    pytest.param(RFC, sparing_row, id="sparing"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("row", [glacier_row, rfc_row, sparing_row])
def test_awkward_descriptions_are_read_as_they_were_written(row: Row, end: str) -> None:
    text = end.join([HEADER, *(row(number, text) for number, text in enumerate(ODD_TEXTS)), ""])
    assert read_whole(text) == (expected(ODD_TEXTS), [])


def test_backslashes_that_nobody_doubled_are_kept() -> None:
    texts = ["C:\\dir\\file.txt", 'say \\n "no"', "a\\b,c"]
    assert read_whole("\n".join([HEADER, *itertools.starmap(bare_row, enumerate(texts))])) == (expected(texts), [])


@pytest.mark.parametrize(("how", "row"), WRITERS)
@pytest.mark.parametrize(
    "inside", [plain_row(7), f"{plain_row(7)}\n{plain_row(8)}", f'{archive_id(7)},"",{DATE},1,x', rfc_row(7, "x")]
)
def test_a_row_inside_a_description_is_text_wherever_the_file_is_cut(how: Layout, row: Row, inside: str) -> None:
    description = f"see\n{inside}\nend"
    lines = "\n".join([row(0, "first"), row(1, description), row(2, "last")]).split("\n")
    for cut in range(len(lines) + 1):
        found = read(["".join(f"{line}\n" for line in part) for part in (lines[:cut], lines[cut:])], how)
        assert found == (expected(["first", description, "last"]), []), cut


@pytest.mark.parametrize("how", [GLACIER, RFC, UNKNOWN])
def test_quotes_that_nothing_closes_swallow_no_row(how: Layout) -> None:
    broken = f'{archive_id(9)},"opens and never closes'
    text = "\n".join([broken, "more of it", plain_row(0), plain_row(1), glacier_row(2, "quoted"), "nonsense"])
    assert read([text], how) == (expected(["plain", "plain", "quoted"]), [f"{broken}\nmore of it", "nonsense"])


def test_quotes_that_nothing_closes_swallow_no_more_than_a_record_can_have() -> None:
    broken = f'{archive_id(999_999)},"opens and never closes'
    found, unreadable = read(["\n".join([broken, *(plain_row(number) for number in range(1000))])], RFC)
    assert found == expected(["plain"] * 1000)
    assert unreadable == [broken]


def test_an_escaped_end_inside_a_torn_description_is_text() -> None:
    description = f'begins\nx",{DATE},5,{TREE_HASH}\nends'
    assert read([glacier_row(0, description)], GLACIER) == (expected([description]), [])


@pytest.mark.parametrize(("how", "row"), WRITERS)
def test_wherever_a_file_is_cut_every_record_is_read(how: Layout, row: Row) -> None:
    @settings(max_examples=400, database=None, deadline=None)
    @given(
        st.lists(descriptions | st.text(alphabet='",\\\n\r ab', max_size=40), min_size=1, max_size=6),
        st.lists(st.integers(0, 1000), max_size=4),
    )
    def check(texts: list[str], cuts: list[int]) -> None:
        lines = "\n".join(row(number, text) for number, text in enumerate(texts)).split("\n")
        borders = sorted(cut % (len(lines) + 1) for cut in cuts)
        parts = itertools.pairwise([0, *borders, len(lines)])
        pieces = ["".join(f"{line}\n" for line in lines[start:end]) for start, end in parts]
        assert read(pieces, how) == (expected(texts), [])

    check()


def test_a_head_and_a_tail_that_something_parts_are_no_record() -> None:
    head, _, tail = glacier_row(1, "a\nb").partition("\n")
    reader = Reader(GLACIER)
    found = [entry for line in (head, glacier_row(0, "x"), tail) for entry in reader.feed(line)]
    assert found == [
        Unreadable(head),
        Record(archive_id(0), "x", DATE, "1", TREE_HASH),
        Unreadable(tail),
    ]


def test_columns_may_stand_in_any_order_and_have_company() -> None:
    names = ["Comment", "Size", "ArchiveDescription", "SHA256TreeHash", "ArchiveId", "CreationDate"]
    texts = ["plain", 'a "q", and\na line', "", "back\\slash"]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for number, text in enumerate(texts):
        writer.writerow(["any, thing", number + 1, text, TREE_HASH, archive_id(number), DATE])
    assert read_whole("\ufeff" + out.getvalue()) == (expected(texts), [])


def test_without_a_header_the_columns_are_those_of_glacier() -> None:
    text = "\n".join(rfc_row(number, text) for number, text in enumerate(["a", "b\nc"]))
    assert read_whole(text) == (expected(["a", "b\nc"]), [])


def test_blank_lines_and_headers_between_rows_say_nothing() -> None:
    text = "\r\n".join([HEADER, rfc_row(0, 'c "d"'), HEADER, "", rfc_row(1, "")])
    assert read_whole(text) == (expected(['c "d"', ""]), [])


def test_rows_that_cannot_be_read_are_told_and_hurt_no_others() -> None:
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
    found, unreadable = read_whole("\n".join(lines))
    assert found == expected(good)
    assert sorted(unreadable) == sorted(bad)


def test_a_description_against_the_rules_is_taken_as_it_stands() -> None:
    row = f'{archive_id(0)},he said "hi", and left,{DATE},1,{TREE_HASH}'
    assert read_whole(f"{HEADER}\n{row}\n") == (expected(['he said "hi", and left']), [])


def test_values_in_unusual_forms_are_read() -> None:
    row = f'{archive_id(6)},"x",2012-5-15T19:21:39.3+02:00,007,{TREE_HASH.upper()}'
    found, _ = blocks.read_block(row.encode(), GLACIER, is_first=True)
    assert [rows.values_of(row) for row in found.rows] == [
        rows.Values(archive_id(6), 7, "2012-5-15T19:21:39.3+02:00", TREE_HASH, "x", "x")
    ]
    assert found.rows[0].startswith(b"2012-05-15T17:21:39.300,")


def test_a_header_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="SHA256TreeHash"):
        layout.detect("ArchiveId,ArchiveDescription,CreationDate,Size")


def test_what_a_block_tells_of_its_quotes_does_not_depend_on_how_it_is_read() -> None:
    texts = ['a "b"', "c\\d", "plain", 'e "f" g', ""]
    for row, rule in ((glacier_row, Quoting.GLACIER), (rfc_row, Quoting.RFC)):
        text = "\n".join(itertools.starmap(row, enumerate(texts))).encode()
        leads = {blocks.read_block(text, how, is_first=True)[1].lead for how in (GLACIER, RFC, UNKNOWN)}
        assert len(leads) == 1
        assert layout.quoting_of(leads.pop()) is rule


def test_however_many_descriptions_have_line_breaks_blocks_share_one_record_at_most() -> None:
    texts = [f"{number}\nnext\nlast" for number in range(500)]
    lines = "\n".join(itertools.starmap(glacier_row, enumerate(texts))).encode().split(b"\n")
    for start in range(400, 410):
        found, edges = blocks.read_block(b"\n".join(lines[start : start + 900]), GLACIER, is_first=False)
        assert len(found.rows) >= 299
        assert len(edges.head) + len(edges.tail) <= 4


AWKWARD_FILES = {
    "rfc": (rfc_row, [*ODD_TEXTS, "plain", plain_row(1), f"see\n{plain_row(2)}\nend"]),
    "sparing": (sparing_row, [*ODD_TEXTS, "plain"]),
    "glacier": (glacier_row, [*ODD_TEXTS, "plain", f"see\n{glacier_row(2, 'x')}\nend"]),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", AWKWARD_FILES)
def test_the_check_of_provided_inventories_reads_as_many_rows_as_the_job(name: str, end: str) -> None:
    row, texts = AWKWARD_FILES[name]
    text = end.join([HEADER, *itertools.starmap(row, enumerate(texts)), ""])
    files = InMemoryInventoryFiles({"r/original_inventory/mine.csv": text.encode()})
    checked = CheckProvidedInventory(files=files)("r", deadline=Deadline.after(ManualClock(), 60))
    found, unreadable = read_whole(text)
    assert (found, unreadable) == (expected(texts), [])
    assert checked.rows == len(found)


def test_the_order_of_rows_in_the_file_does_not_matter() -> None:
    texts = [f"{number}\n{number}" if number % 3 else str(number) for number in range(60)]
    written = list(itertools.starmap(glacier_row, enumerate(texts)))
    random.Random(1).shuffle(written)
    assert read_whole("\n".join([HEADER, *written])) == (expected(texts), [])
