"""A block of a file becomes rows; what its first and last lines share with its neighbours is told, and read afterwards.

A reader that honours line breaks inside quotes cannot split a file, and an inventory may be one file of 10 GB. So it is
read by lines, in blocks, each by a task of its own. Four of the five columns have a strict form (an archive id is 138
characters, a tree hash 64), so nearly every line proves by itself that it is a whole record: one pattern takes it
apart. All others go through `records`, in their order. A record has at most `records.MAX_RECORD` characters, so what
crosses the border of two blocks is little, whatever the file holds.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from solution.glue import rows
from solution.glue.layout import Layout, Quoting
from solution.glue.names import name_of
from solution.glue.records import Found, Lead, Reader, Unreadable
from solution.glue.rows import MOMENT, Rejected


@dataclass(slots=True)
class Read:
    """What lines held."""

    rows: list[bytes] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.rows) + len(self.rejected)

    def add(self, found: Iterable[Found]) -> None:
        """Take what a reader found."""
        for entry in found:
            if isinstance(entry, Unreadable):
                self.rejected.append(Rejected("", None, "", entry.text, rows.UNREADABLE))
                continue
            row = rows.row_of(entry)
            if isinstance(row, Rejected):
                self.rejected.append(row)
            else:
                self.rows.append(row)


@dataclass(frozen=True, slots=True)
class Edges:
    """What a block leaves to its neighbours, and what it tells of its file.

    ``head`` lines may end a record of the block before; if they are the whole block (``is_through``), that record may
    go on after it. ``tail`` lines are a record that the block does not end. ``lead`` is the sum of `Layout.lead`.
    """

    head: tuple[str, ...]
    is_through: bool
    tail: tuple[str, ...]
    lead: int


def read_block(text: bytes, layout: Layout, *, is_first: bool) -> tuple[Read, Edges]:
    """Rows of a block's lines, what was no row, and its edges; only the first block of a file has none before it."""
    read, reader, start = Read(), Reader(layout), Lead(layout)
    lead = 0
    add = read.rows.append
    days: set[bytes] = set()
    escape, sign = (b'""', -1) if layout.quoting is Quoting.RFC else (b"\\", 1)
    is_inside = not is_first
    for line, archive_id, quoted, bare, date, size, tree_hash in layout.lines_of(text):
        if archive_id and not is_inside and (date[:10] in days or _is_day(date[:10], days)):
            description = quoted or bare
            if escape in quoted:
                lead += sign * (b'"' in quoted)
                description = _plain(quoted, layout.quoting)
            moment = date[:MOMENT] if len(date) > MOMENT else date[:-1] + b".000"
            add(rows.row(moment, archive_id, size, date, tree_hash, description, name_of(archive_id, description)))
            continue
        characters = line.decode(errors="replace")
        if b'"' in line:
            lead += layout.lead(characters)
        if is_first or start.is_decided:
            read.add(reader.feed(characters))
            is_inside = bool(reader.open_lines)
            continue
        start.feed(characters)
        if start.is_decided:
            if not start.ends_a_record:
                for earlier in start.lines:
                    read.add(reader.feed(earlier))
            is_inside = bool(reader.open_lines)
    is_through = not (is_first or start.is_decided)
    head = tuple(start.lines) if is_through or start.ends_a_record else ()
    return read, Edges(head, is_through, reader.open_lines, lead)


def read_across(blocks: Sequence[Edges], layout: Layout) -> Read:
    """What the blocks of a file, in order, share with their neighbours."""
    read, reader = Read(), Reader(layout)
    for block in blocks:
        for line in block.head:
            read.add(reader.feed(line))
        if not block.is_through:
            read.add(reader.close())
        for line in block.tail:
            read.add(reader.feed(line))
    read.add(reader.close())
    return read


def row_of_line(line: bytes, layout: Layout) -> bytes | None:
    """The row of a line that is a whole record; None for any other."""
    read, edges = read_block(line, layout, is_first=True)
    return read.rows[0] if read.rows and not edges.tail else None


def _plain(description: bytes, quoting: Quoting) -> bytes:
    if quoting is Quoting.RFC:
        return description.replace(b'""', b'"')
    # pairs of backslashes first, by way of a byte that UTF-8 never has
    return description.replace(b"\\\\", b"\xff").replace(b'\\"', b'"').replace(b"\xff", b"\\")


def _is_day(day: bytes, known: set[bytes]) -> bool:
    try:
        datetime.date.fromisoformat(day.decode())
    except ValueError:
        return False
    known.add(day)
    return True
