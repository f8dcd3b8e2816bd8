"""An inventory that the user provides is read to its last row before anything is asked for.

Two ways of quoting are in use: RFC 4180 doubles a quote inside a quoted field, Glacier's own files put a backslash
before it. One file may even hold rows of both. A row is therefore taken whole: its first and its last three fields have
a rigid form, and the description between them is accepted in either way of quoting. While neither reading closes the
description, the row goes on in the next line.

The check is stricter than the inventory job, which finds columns by name and reports rows it cannot read: here somebody
can still correct the file, and a column that was moved by hand is a sign that more was moved than the header. What it
accepts, the job reads as the same number of archives. That no archive is listed twice it cannot tell; the job can.

A file of any size is checked, by one invocation after the other: each ends at a row when its time is up and says where
the next one takes over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from solution.contract.object_keys import INVENTORY_COLUMNS, ORIGINAL_INVENTORY, prefix
from solution.domain.archive import ARCHIVE_ID_FORM
from solution.domain.errors import InvalidInput, NotPossible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from solution.application.ports.clock import Deadline
    from solution.application.ports.inventory_files import InventoryFiles, StoredFile

MAX_ROW_BYTES: Final = 64 * 1024
"""Descriptions have at most 1,024 characters; a row this long is an unclosed quote."""

PROBLEMS_SHOWN: Final = 10
"""So many bad rows are told at once; who mends a file of millions of rows does not want to learn of them one by one."""

ROWS_BETWEEN_LOOKS: Final = 5000
"""At the clock: some hundredths of a second."""

MAX_SHOWN: Final = 60

_ID: Final = ARCHIVE_ID_FORM.encode()
_DAY: Final = rb"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8]|(?P<late>29|3[01]))"
_TIME: Final = rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-7]):?[0-5]\d)?"
_DATE: Final = rb"(?P<day>" + _DAY + rb")T" + _TIME
_SIZE: Final = rb"[1-9][0-9]{0,13}"
_HASH: Final = rb"[0-9a-fA-F]{64}"
_TAIL: Final = rb',"?' + _DATE + rb'"?,"?' + _SIZE + rb'"?,"?' + _HASH + rb'"?'
_RFC_4180: Final = rb'(?:[^",\r\n]*|"(?:[^"]|"")*")'
_GLACIER: Final = rb'(?:[^",\r\n]*|"(?:[^"\\]|\\.)*")'
_WHOLE_ROW: Final = tuple(
    re.compile(rb'"?' + _ID + rb'"?,' + form + _TAIL, re.DOTALL) for form in (_GLACIER, _RFC_4180)
)

_OPEN: Final = tuple(
    re.compile(rb'(?:"[^"]*"|[^",]*),"' + rest, re.DOTALL) for rest in (rb'(?:[^"\\]|\\.)*\\?', rb'(?:[^"]|"")*')
)
"""A row whose description is not closed yet."""

_FIELDS: Final = tuple(
    re.compile(rb"(" + form + rb")(?:,|$)", re.DOTALL)
    for form in (rb'"(?:[^"\\]|\\.)*"|[^",\r\n]*', rb'"(?:[^"]|"")*"|[^",\r\n]*')
)
_RULES: Final = (
    (re.compile(_ID), "an archive id: 138 characters of letters, digits, hyphen and underscore"),
    None,
    (re.compile(_DATE), "a time in ISO 8601 such as 2012-05-15T17:21:39.339Z"),
    (re.compile(_SIZE), "a whole number of bytes, 1 or more, of at most 14 digits"),
    (re.compile(_HASH), "a SHA-256 tree hash: 64 hexadecimal digits"),
)
_UNREADABLE: Final = {
    b"\x1f\x8b": "it is compressed with gzip: put it there uncompressed",
    b"PK\x03\x04": "it is a zip archive or a workbook: save it as CSV",
    b"\xff\xfe": "it is text in UTF-16: save it in UTF-8",
    b"\xfe\xff": "it is text in UTF-16: save it in UTF-8",
}
"""What files begin with that are taken for CSV by mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPosition:
    """Where an invocation takes over: in which file, after how many bytes, rows and lines of it.

    ``listing`` stands for all files as they were; ``rows_before`` are those of earlier files.
    """

    listing: str
    file: int
    offset: int
    row: int
    line: int
    rows_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidedInventory:
    """What was found: files, their bytes, and rows so far; where to go on, None when all is read."""

    files: int
    size: int
    rows: int
    next: CheckPosition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProvidedInventory:
    """Reads every ``.csv`` below the run's prefix for original inventories, ``.CSV`` too: the inventory job does."""

    files: InventoryFiles

    def __call__(self, run: str, *, deadline: Deadline, start: CheckPosition | None = None) -> ProvidedInventory:
        """Check until the end, or until the deadline.

        Raises `InvalidInput` naming file, row and reason, or the place where a file is missing; `NotPossible` when the
        files are no longer those that the check began with.
        """
        found = self._files(run)
        listing = _fingerprint(found)
        if start is not None and start.listing != listing:
            message = f"the files below {prefix(run, ORIGINAL_INVENTORY)} changed while they were read: resume the run"
            raise NotPossible(message)
        position = start or CheckPosition(listing=listing, file=0, offset=0, row=0, line=0, rows_before=0)
        rows = position.rows_before
        size = sum(file.size for file in found)
        for number in range(position.file, len(found)):
            begin = position if number == position.file else None
            reader = _FileCheck(self.files, found[number], begin)
            if not reader.run(deadline):
                stopped = CheckPosition(
                    listing=listing,
                    file=number,
                    offset=reader.offset,
                    row=reader.row,
                    line=reader.line,
                    rows_before=rows,
                )
                return ProvidedInventory(files=len(found), size=size, rows=rows + reader.row - 1, next=stopped)
            rows += reader.row - 1
        return ProvidedInventory(files=len(found), size=size, rows=rows)

    def _files(self, run: str) -> list[StoredFile]:
        place = prefix(run, ORIGINAL_INVENTORY)
        # consoles mark a folder by an object whose key ends in a slash
        found = [file for file in self.files.list(place) if not file.key.endswith("/")]
        others = [file.key for file in found if not file.key.lower().endswith(".csv")]
        if others:
            message = (
                f"{others[0]} is no .csv file and would be left out: unpack it, name it .csv, or remove it; "
                f"below {place} there must be nothing but the inventory"
            )
            raise InvalidInput(message)
        if not found:
            message = (
                f"there is no inventory to use: put it, as one or more .csv files with the header "
                f"{','.join(INVENTORY_COLUMNS)}, below {place} in the inventory bucket, "
                "or launch with ProvidedInventory=NO"
            )
            raise InvalidInput(message)
        return found


def _fingerprint(files: Sequence[StoredFile]) -> str:
    text = "\n".join(f"{file.key}\t{file.size}\t{file.version}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class _FileCheck:
    """One file being read. The header is row 1; a row of several lines counts once, blank lines not at all."""

    files: InventoryFiles
    file: StoredFile
    begin: CheckPosition | None
    offset: int = 0
    row: int = 0
    line: int = 0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.begin is not None:
            self.offset, self.row, self.line = self.begin.offset, self.begin.row, self.begin.line

    def run(self, deadline: Deadline) -> bool:
        """Returns False when time was up before the end. Raises `InvalidInput` for rows that are none."""
        lines = _lines(self.files.read(self.file.key, start=self.offset)) if self.offset < self.file.size else iter(())
        if not self.row:
            self._check_header(lines)
        ended = stopped = False
        while not ended and not stopped:
            ended, torn = self._check_rows(lines, ROWS_BETWEEN_LOOKS)
            stopped = torn or deadline.remaining() <= 0
        if self.problems:
            message = (
                f"{self.file.key}, {'; '.join(self.problems)}: correct the file, put it there again, and resume the run"
            )
            raise InvalidInput(message)
        return ended

    def _check_header(self, lines: Iterator[bytes]) -> None:
        first = next(lines, b"")
        self.offset, self.row, self.line = len(first), 1, 1
        text = first.decode("utf-8", "replace").removeprefix("\N{BYTE ORDER MARK}").rstrip("\r\n")
        if tuple(name.strip('"') for name in text.split(",")) == INVENTORY_COLUMNS:
            return
        known = next((reason for magic, reason in _UNREADABLE.items() if first.startswith(magic)), None)
        if known or not first:
            raise InvalidInput(f"{self.file.key} cannot be read: {known or 'it is empty: replace or remove it'}")
        message = (
            f"{self.file.key}, row 1: the header is {text[:200]!r}, it must be {','.join(INVENTORY_COLUMNS)!r}: "
            "put the columns in this order, leave out all others, and resume or launch again"
        )
        raise InvalidInput(message)

    def _check_rows(self, lines: Iterator[bytes], most: int) -> tuple[bool, bool]:
        """Check at most so many rows; says whether the file ended, and whether to go on would tell nothing new."""
        for _ in range(most):
            first = next(lines, None)
            if first is None:
                return True, False
            found = _complete(first, lines)
            begin = self.line + 1
            self.line += found.lines
            self.offset += len(found.text)
            text = found.text.rstrip(b"\r\n")
            if not text:
                continue
            self.row += 1
            if found.whole and text.isascii():
                continue
            reason = _not_utf_8(text) if found.whole else _reason(text)
            if reason is not None:
                place = f"row {self.row}" if begin == self.row else f"row {self.row} (line {begin})"
                self.problems.append(f"{place}: {reason}")
                if found.torn or len(self.problems) == PROBLEMS_SHOWN:
                    return False, True
        return False, False


@dataclass(frozen=True, slots=True)
class _Row:
    """The text of a row, how many lines it has, whether it is one, and whether more rows may hide in it."""

    text: bytes
    lines: int
    whole: bool
    torn: bool


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their line feed, cut where they are longer than a row may be; memory holds one piece."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in lines)
        while len(rest) > MAX_ROW_BYTES:
            yield rest[:MAX_ROW_BYTES]
            rest = rest[MAX_ROW_BYTES:]
    if rest:
        yield rest


def _complete(first: bytes, lines: Iterator[bytes]) -> _Row:
    """A row with the lines that go on in it."""
    text, count = first, 1
    while not (whole := _is_whole(text.rstrip(b"\r\n"))) and _is_open(text):
        following = next(lines, None) if len(text) < MAX_ROW_BYTES else None
        if following is None:
            return _Row(text, count, whole=False, torn=True)
        text += following
        count += 1
    return _Row(text, count, whole=whole, torn=False)


def _is_whole(row: bytes) -> bool:
    for form in _WHOLE_ROW:
        found = form.fullmatch(row)
        if found is not None:
            return found["late"] is None or _is_day(found["day"])
    return False


def _is_day(text: bytes) -> bool:
    try:
        date.fromisoformat(text.decode())
    except ValueError:
        return False
    return True


def _is_open(row: bytes) -> bool:
    return any(form.fullmatch(row) for form in _OPEN)


def _not_utf_8(row: bytes) -> str | None:
    try:
        row.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8, its byte {error.start + 1} is {row[error.start]:#04x}: save the file in UTF-8"
    return None


def _reason(row: bytes) -> str:
    """Why a row is not one: the first broken field, by a reading that finds the right number of fields, if one does."""
    columns = ",".join(INVENTORY_COLUMNS)
    readings = [fields for form in _FIELDS if (fields := _split(row, form)) is not None]
    fitting = next((fields for fields in readings if len(fields) == len(INVENTORY_COLUMNS)), None)
    if fitting is None and readings:
        return (
            f"found {len(readings[0])} columns, expected the {len(INVENTORY_COLUMNS)} columns {columns}: {_shown(row)}"
        )
    if fitting is None:
        return f"a quote stands alone or is never closed: {_shown(row)}"
    for name, value, rule in zip(INVENTORY_COLUMNS, fitting, _RULES, strict=True):
        if rule is not None and not _fits(rule[0], value):
            return f"{name} {_shown(value)} is not {rule[1]}"
    return f"cannot be read as {columns}: {_shown(row)}"


def _fits(rule: re.Pattern[bytes], value: bytes) -> bool:
    found = rule.fullmatch(value)
    return found is not None and (not found.groupdict().get("late") or _is_day(found["day"]))


def _split(row: bytes, form: re.Pattern[bytes]) -> list[bytes] | None:
    fields: list[bytes] = []
    position = 0
    while position <= len(row):
        found = form.match(row, position)
        if found is None:
            return None
        fields.append(found[1].removeprefix(b'"').removesuffix(b'"'))
        if found.end() == len(row) and not found[0].endswith(b","):
            return fields
        position = found.end()
    return fields


def _shown(text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    return repr(shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…")
