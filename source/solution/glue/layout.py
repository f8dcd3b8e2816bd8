"""What the beginning of a file tells: its columns, whether they are named, and how it writes a quote within quotes."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Final, TypeAlias

from solution.domain.archive import ARCHIVE_ID_FORM
from solution.domain.errors import InvalidInput

ARCHIVE_ID: Final = "ArchiveId"
DESCRIPTION: Final = "ArchiveDescription"
CREATION_DATE: Final = "CreationDate"
SIZE: Final = "Size"
TREE_HASH: Final = "SHA256TreeHash"
GLACIER_COLUMNS: Final = (ARCHIVE_ID, DESCRIPTION, CREATION_DATE, SIZE, TREE_HASH)
REQUIRED: Final = frozenset(GLACIER_COLUMNS)

_FORMS: Final = {
    ARCHIVE_ID: ARCHIVE_ID_FORM,
    CREATION_DATE: r"[0-9]{4}-[0-9TZ:.+-]{6,40}",
    SIZE: "[0-9]{1,18}",
    TREE_HASH: "[0-9A-Fa-f]{64}",
}
# what almost every row has: no leading zeros, seconds or milliseconds of UTC, digits in lower case
_USUAL_FORMS: Final = {
    ARCHIVE_ID: ARCHIVE_ID_FORM,
    CREATION_DATE: r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3})?Z",
    SIZE: "[1-9][0-9]{0,17}",
    TREE_HASH: "[0-9a-f]{64}",
}
_OTHER_COLUMN: Final = r'(?:"[^"]*"|[^",\r\n]*)'
_OTHER_COLUMN_OF_A_LINE: Final = r'(?:"[^"\n]*"|[^",\r\n]*)'
_PIECE_BYTES: Final = 64 * 1024
"""What is found in so much stays in a processor's cache: pieces of a MiB take a sixth more."""
_BYTE_ORDER_MARK: Final = "\ufeff"
_ESCAPED: Final = re.compile(r'\\["\\]')
_BARE_QUOTE: Final = re.compile(r'(?<!\\)"')


Line: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""The line; archive id, description within quotes (with its escapes) and without, date, size, tree hash."""


class Quoting(StrEnum):
    """How a quote within quotes is written."""

    GLACIER = "glacier"
    RFC = "rfc"
    UNKNOWN = "unknown"


class Style(StrEnum):
    """How one description is written; bare has a backslash before quotes alone, as some tools write it."""

    NONE = "none"
    GLACIER = "glacier"
    RFC = "rfc"
    BARE = "bare"


def style_of(inner: str, rule: Quoting) -> Style | None:
    """How text within quotes is written, None if in no way that the rule of its file allows."""
    if '"' not in inner and "\\" not in inner:
        return Style.NONE
    if rule is not Quoting.RFC:
        rest = _ESCAPED.sub("", inner)
        if '"' not in rest and "\\" not in rest:
            return Style.GLACIER
    if rule is not Quoting.GLACIER and '"' not in inner.replace('""', ""):
        return Style.RFC
    if rule is not Quoting.RFC and not _BARE_QUOTE.search(inner):
        return Style.BARE
    return None


@dataclass(frozen=True)
class Layout:
    """The columns of a file in their order; others than Glacier's five are allowed and ignored."""

    columns: tuple[str, ...]
    quoting: Quoting = Quoting.UNKNOWN

    @cached_property
    def record(self) -> re.Pattern[str]:
        """A whole record. The strict columns and the raw description are its groups, by `place_of`."""
        return re.compile(_BYTE_ORDER_MARK + "?" + ",".join(map(self._column, self.columns)) + r"\r?\Z", re.DOTALL)

    @cached_property
    def head(self) -> re.Pattern[str]:
        """The beginning of a record up to the description's opening quote."""
        before = self.columns[: self.columns.index(DESCRIPTION)]
        return re.compile(_BYTE_ORDER_MARK + "?" + "".join(f"{self._column(name)}," for name in before) + '"')

    @cached_property
    def tail(self) -> re.Pattern[str]:
        """The end of a record from the description's closing quote."""
        after = self.columns[self.columns.index(DESCRIPTION) + 1 :]
        return re.compile('"' + "".join(f",{self._column(name)}" for name in after) + r"\r?\Z")

    def lines_of(self, text: bytes) -> Iterator[Line]:
        """All lines of a text, each taken apart if it is a whole record in the form that almost all have."""
        found: Iterator[Line] = chain.from_iterable(map(self._usual.findall, _pieces(text)))
        order = self._usual_order
        # groups that took no part are empty: all but the first, then, of an unusual line
        return found if order is None else map(itemgetter(*order), found)

    @cached_property
    def _usual(self) -> re.Pattern[bytes]:
        """A line; if it is usual, a group for each column and two for the description: within quotes, and without."""
        usual = ",".join(map(self._usual_column, self.columns))
        return re.compile(rf"({usual}\r?|[^\n]*)\n".encode())

    @cached_property
    def _usual_order(self) -> tuple[int, ...] | None:
        """Where the groups are that `Line` has, None if they are where it has them."""
        required = [name for name in self.columns if name in REQUIRED]
        groups = [0]
        for name in GLACIER_COLUMNS:
            place = required.index(name) + 1
            place += place > required.index(DESCRIPTION) + 1
            groups += [place, place + 1] if name == DESCRIPTION else [place]
        return None if groups == sorted(groups) else tuple(groups)

    def place_of(self, name: str) -> int:
        """The group of a column in `record`."""
        return [column for column in self.columns if column in REQUIRED].index(name) + 1

    @staticmethod
    def _column(name: str) -> str:
        if name == DESCRIPTION:
            return "(.*)"
        return f'"?({_FORMS[name]})"?' if name in _FORMS else _OTHER_COLUMN

    def _usual_column(self, name: str) -> str:
        if name == DESCRIPTION:
            inner = r'[^"\n]*+(?:""[^"\n]*+)*+' if self.quoting is Quoting.RFC else r'[^"\\\n]*+(?:\\["\\][^"\\\n]*+)*+'
            return rf'(?:"({inner})"|([^",\r\n]*+))'
        return f'"?({_USUAL_FORMS[name]})"?' if name in _USUAL_FORMS else _OTHER_COLUMN_OF_A_LINE

    def lead(self, line: str) -> int:
        """1 for a record that follows Glacier's rule alone, -1 for one that follows RFC 4180 alone, 0 for all else."""
        match = self.record.match(line)
        raw = match[self.place_of(DESCRIPTION)] if match else ""
        if len(raw) < 2 or not (raw.startswith('"') and raw.endswith('"')):
            return 0
        inner = raw[1:-1]
        return (not _BARE_QUOTE.search(inner)) - ('"' not in inner.replace('""', ""))


def detect(beginning: str) -> Layout:
    """Columns and quoting of a file from its first lines; without a header the columns are Glacier's.

    Raises:
        InvalidInput: it looks like a header, but a column is missing or there twice.
    """
    first, *lines = beginning.removeprefix(_BYTE_ORDER_MARK).split("\n")
    names = tuple(name.strip() for name in next(csv.reader([first]), []))
    if ARCHIVE_ID not in names:
        layout = Layout(columns=GLACIER_COLUMNS)
        return replace(layout, quoting=quoting_of(sum(map(layout.lead, [first, *lines]))))
    missing = sorted(REQUIRED.difference(names))
    twice = sorted({name for name in names if names.count(name) > 1 and name in REQUIRED})
    if missing or twice:
        raise InvalidInput(
            f"the inventory's header {first!r} lacks {missing} and has {twice} twice: "
            f"an inventory has each of {', '.join(GLACIER_COLUMNS)} once"
        )
    layout = Layout(columns=names)
    return replace(layout, quoting=quoting_of(sum(map(layout.lead, lines))))


def quoting_of(lead: int) -> Quoting:
    """The rule that more descriptions follow which do not follow both."""
    return Quoting.UNKNOWN if lead == 0 else Quoting.GLACIER if lead > 0 else Quoting.RFC


def is_noise(line: str, layout: Layout) -> bool:
    """Whether a line between records says nothing: it is blank, or the header again."""
    bare = re.sub(r'[\ufeff\s"]', "", line)
    return bare in ("", ",".join(name.replace(" ", "") for name in layout.columns))


def _pieces(text: bytes) -> Iterator[bytes]:
    """A text in pieces of whole lines, all UTF-8."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + _PIECE_BYTES) + 1 or len(text)
        piece = text[start:end]
        try:
            piece.decode()
        except UnicodeDecodeError:
            piece = piece.decode(errors="replace").encode()
        yield piece if piece.endswith(b"\n") else piece + b"\n"
        start = end
