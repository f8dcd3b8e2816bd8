r"""Lines that are not plainly one row become records: torn by line breaks, oddly quoted, or no rows at all.

What is read how:

- A *whole* line has all strict columns and a description that is written by the rule of its file.
- A *head* opens the description's quotes, a *tail* closes them. A head and the lines to the next tail are one record if
  all between them may stand within quotes: no other head, no quote that is not escaped. So a description may hold
  lines that look like rows: within open quotes they are text.
- A head that nothing closes is unreadable, together with the lines after it that are no rows. Rows after it are read.
- Any other line is read leniently: what has all strict columns is kept, however odd its description.

Lines are fed one by one, so a file may be read in blocks: `Lead` says which lines at the beginning of a block may
belong to a record of the block before, and the end of a block is what is still open in its `Reader`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from solution.glue.layout import (
    ARCHIVE_ID,
    CREATION_DATE,
    DESCRIPTION,
    SIZE,
    TREE_HASH,
    Layout,
    Quoting,
    Style,
    is_noise,
    style_of,
)

MAX_RECORD: Final = 64 * 1024
"""Characters. A description has at most 1,024, and each is at most two characters in a file."""

_ESCAPED: Final = re.compile(r'\\(["\\])')
_ODD_BACKSLASHES: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")


@dataclass(frozen=True, slots=True)
class Record:
    """The values of a row, as text."""

    archive_id: str
    description: str
    creation_date: str
    size: str
    tree_hash: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Lines that are no row."""

    text: str


Found = Record | Unreadable


def strict(text: str, layout: Layout) -> Record | None:
    """A record that keeps to the rule of its file."""
    return _record(text, layout, leniently=False)


def lenient(text: str, layout: Layout) -> Record | None:
    """A record with all its strict columns; a description that follows no rule is taken as it stands."""
    return _record(text, layout, leniently=True)


class Reader:
    """Reads lines in their order; a record is told when its last line is fed."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._open: list[str] = []
        self._length = 0

    @property
    def open_lines(self) -> tuple[str, ...]:
        """A head, and what followed it without closing it."""
        return tuple(self._open)

    def feed(self, line: str) -> Iterator[Found]:
        """Take the next line; yield what is complete with it."""
        if self._open:
            if self._length + len(line) < MAX_RECORD and not _opens(line, self._layout):
                if closes(line, self._layout):
                    record = strict("\n".join((*self._open, line)), self._layout)
                    if record is not None:
                        self._open = []
                        yield record
                        return
                elif style_of(line, self._layout.quoting) is not None:
                    self._open.append(line)
                    self._length += len(line) + 1
                    return
            yield from self.close()
        if (record := strict(line, self._layout)) is not None:
            yield record
        elif _opens(line, self._layout):
            self._open, self._length = [line], len(line)
        else:
            yield from _single(line, self._layout)

    def close(self) -> Iterator[Found]:
        """No line follows that belongs to these: yield what an open head and the lines after it hold."""
        lines, self._open = self._open, []
        return _abandoned(lines, self._layout)


class Lead:
    """The first lines of a block, as long as they may stand within quotes that the block before opened."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._length = 0
        self.lines: list[str] = []
        self.is_decided = False
        self.ends_a_record = False

    def feed(self, line: str) -> None:
        """Take the next line, and decide if it tells."""
        self.lines.append(line)
        self._length += len(line) + 1
        self.ends_a_record = self._length <= MAX_RECORD and closes(line, self._layout)
        self.is_decided = (
            self.ends_a_record or self._length > MAX_RECORD or style_of(line, self._layout.quoting) is None
        )


def closes(text: str, layout: Layout) -> bool:
    """Whether a line is a tail: the end of a record from within the description's quotes on."""
    match = layout.tail.search(text)
    if match is None:
        return False
    before = text[: match.start()]
    # a quote after a backslash is text, not the end
    is_escaped = layout.quoting is not Quoting.RFC and _ODD_BACKSLASHES.search(before) is not None
    return style_of(before, layout.quoting) is not None and not is_escaped


def _opens(text: str, layout: Layout) -> bool:
    match = layout.head.match(text)
    return match is not None and style_of(text[match.end() :], layout.quoting) is not None


def _record(text: str, layout: Layout, *, leniently: bool) -> Record | None:
    match = layout.record.match(text) if len(text) <= MAX_RECORD else None
    if not match:
        return None
    raw = match[layout.place_of(DESCRIPTION)]
    if len(raw) >= 2 and raw[0] == raw[-1] == '"':
        inner = raw[1:-1]
        style = style_of(inner, layout.quoting)
        if style is None and not leniently:
            return None
        description = _plain(inner, style)
    elif leniently or not (raw.startswith('"') or "," in raw or '"' in raw):
        description = raw
    else:
        return None
    date, size, tree_hash = (match[layout.place_of(name)] for name in (CREATION_DATE, SIZE, TREE_HASH))
    return Record(match[layout.place_of(ARCHIVE_ID)], description, date, size, tree_hash.lower())


def _plain(inner: str, style: Style | None) -> str:
    match style:
        case Style.GLACIER:
            return _ESCAPED.sub(r"\1", inner)
        case Style.RFC:
            return inner.replace('""', '"')
        case Style.BARE:
            return inner.replace('\\"', '"')
        case _:
            return inner


def _abandoned(lines: Sequence[str], layout: Layout) -> Iterator[Found]:
    """What lines from a head on hold when nothing closes it: the head with what follows, and rows after it."""
    pending: list[str] = []
    for line in lines:
        record = strict(line, layout)
        if record is None:
            pending.append(line)
            continue
        if pending:
            yield from _single("\n".join(pending), layout)
        pending = []
        yield record
    if pending:
        yield from _single("\n".join(pending), layout)


def _single(text: str, layout: Layout) -> Iterator[Found]:
    if not is_noise(text, layout):
        yield lenient(text, layout) or Unreadable(text)
