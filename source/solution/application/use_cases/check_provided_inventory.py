"""An inventory that the user provides is read to its last row before anything is asked for.

Two ways of quoting are in use: RFC 4180 doubles a quote inside a quoted field, Glacier's own files put a backslash
before it. One file may even hold rows of both. A row is therefore taken whole: its first and its last three fields have
a rigid form, and the description between them is accepted in either way of quoting. While neither reading closes the
description, the row goes on in the next line.

The check is stricter than the inventory job, which finds columns by name and reports rows it cannot read: here somebody
can still correct the file, and a column that was moved by hand is a sign that more was moved than the header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from solution.contract.object_keys import INVENTORY_COLUMNS, ORIGINAL_INVENTORY, prefix
from solution.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from solution.application.ports.inventory_files import InventoryFiles, StoredFile

MAX_ROW_BYTES: Final = 64 * 1024
"""Descriptions have at most 1,024 characters; a row this long is an unclosed quote."""

MAX_SHOWN: Final = 60

_RFC_4180: Final = rb'(?:[^",\r\n]*|"(?:[^"]|"")*")'
_GLACIER: Final = rb'(?:[^",\r\n]*|"(?:[^"\\]|\\.)*")'
_TAIL: Final = (
    rb',"?(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"?'
    rb',"?[0-9]{1,15}"?'
    rb',"?[0-9a-fA-F]{64}"?'
)
_ID: Final = rb'"?[A-Za-z0-9_-]{138}"?,'
_WHOLE_ROW: Final = tuple(re.compile(_ID + form + _TAIL, re.DOTALL) for form in (_GLACIER, _RFC_4180))

_OPEN: Final = tuple(
    re.compile(rb'(?:"[^"]*"|[^",]*),"' + rest, re.DOTALL) for rest in (rb'(?:[^"\\]|\\.)*\\?', rb'(?:[^"]|"")*')
)
"""A row whose description is not closed yet."""

_FIELDS: Final = tuple(
    re.compile(rb"(" + form + rb")(?:,|$)", re.DOTALL)
    for form in (rb'"(?:[^"\\]|\\.)*"|[^",\r\n]*', rb'"(?:[^"]|"")*"|[^",\r\n]*')
)
_RULES: Final = (
    (re.compile(rb"[A-Za-z0-9_-]{138}"), "an archive id: 138 characters of letters, digits, hyphen and underscore"),
    None,
    (re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*"), "a time in ISO 8601 such as 2012-05-15T17:21:39.339Z"),
    (re.compile(rb"[0-9]{1,15}"), "a whole number of bytes, 0 or more"),
    (re.compile(rb"[0-9a-fA-F]{64}"), "a SHA-256 tree hash: 64 hexadecimal digits"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidedInventory:
    """What was found: files, their bytes, and rows."""

    files: int
    size: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProvidedInventory:
    """Reads every ``.csv`` below the run's prefix for original inventories, ``.CSV`` too: the inventory job does."""

    files: InventoryFiles

    def __call__(self, run: str) -> ProvidedInventory:
        """Raises `InvalidInput` naming file, row and reason, or the place where a file is missing."""
        place = prefix(run, ORIGINAL_INVENTORY)
        found = [file for file in self.files.list(place) if file.key.lower().endswith(".csv")]
        if not found:
            message = (
                f"there is no inventory to use: put it, as one or more .csv files with the header "
                f"{','.join(INVENTORY_COLUMNS)}, below {place} in the inventory bucket, "
                "or launch with ProvidedInventory=NO"
            )
            raise InvalidInput(message)
        rows = sum(self._check(file) for file in found)
        return ProvidedInventory(files=len(found), size=sum(file.size for file in found), rows=rows)

    def _check(self, file: StoredFile) -> int:
        """Returns the number of rows below the header, which is row 1; a row of several lines counts once."""
        lines = _lines(self.files.read(file.key))
        _check_header(next(lines, b""), file.key)
        rows = 0
        for number, row in enumerate(_rows(lines), start=2):
            if not row.whole:
                message = f"{file.key}, row {number}: {_reason(row.text)}"
                raise InvalidInput(message)
            try:
                row.text.decode()
            except UnicodeDecodeError as error:
                message = (
                    f"{file.key}, row {number}: not UTF-8, its byte {error.start + 1} is {row.text[error.start]:#04x}"
                )
                raise InvalidInput(message) from error
            rows += 1
        return rows


@dataclass(frozen=True, slots=True)
class _Row:
    text: bytes
    whole: bool


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their line feed; memory holds one piece, or one line where that is longer."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def _check_header(line: bytes, key: str) -> None:
    text = line.decode("utf-8", "replace").removeprefix("\N{BYTE ORDER MARK}").rstrip("\r\n")
    if tuple(name.strip('"') for name in text.split(",")) != INVENTORY_COLUMNS:
        message = (
            f"{key}, row 1: the header is {text[:200]!r}, it must be {','.join(INVENTORY_COLUMNS)!r}: "
            "put the columns in this order, leave out all others, and resume or launch again"
        )
        raise InvalidInput(message)


def _rows(lines: Iterator[bytes]) -> Iterator[_Row]:
    """Rows without their line end; blank lines are none. A row that may go on is joined with the next line."""
    for first in lines:
        text = first
        whole = _is_whole(text)
        while not whole and _is_open(text) and len(text) < MAX_ROW_BYTES:
            following = next(lines, None)
            if following is None:
                break
            text += following
            whole = _is_whole(text)
        text = text.rstrip(b"\r\n")
        if text:
            yield _Row(text, whole)


def _is_whole(row: bytes) -> bool:
    text = row.rstrip(b"\r\n")
    return any(form.fullmatch(text) for form in _WHOLE_ROW)


def _is_open(row: bytes) -> bool:
    return any(form.fullmatch(row) for form in _OPEN)


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
        if rule is not None and not rule[0].fullmatch(value):
            return f"{name} {_shown(value)} is not {rule[1]}"
    return f"cannot be read as {columns}: {_shown(row)}"


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
