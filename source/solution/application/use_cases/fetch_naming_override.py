"""The user's own names for archives, fetched from a URL before anything is named."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from solution.application.use_cases.csv_text import CONTENT_TYPE
from solution.contract.object_keys import OVERRIDE_COLUMNS, naming_overrides_key
from solution.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.application.ports.inventory_files import InventoryFiles
    from solution.application.ports.notices import WebSource

MAX_BYTES: Final = 5 * 1024**3
"""Far beyond any list of names (100 million of 50 bytes); a URL that gives more is not one."""

_HEADER_ROOM: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideFile:
    """Where the names are kept, and how many bytes they are."""

    key: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchNamingOverride:
    """Copies the file into the inventory bucket; nothing is kept of one that is refused."""

    web: WebSource
    files: InventoryFiles

    def __call__(self, *, run: str, url: str) -> OverrideFile:
        """Raises `InvalidInput` for a file that is too large, not UTF-8 or not CSV ``GlacierArchiveID,FileName``."""
        key = naming_overrides_key(run)
        size = 0
        with self.web.open(url) as pieces, self.files.writer(key, content_type=CONTENT_TYPE) as output:
            for piece in _utf_8(_checked(pieces)):
                size += len(piece)
                if size > MAX_BYTES:
                    message = f"NamingOverrideFile is larger than {MAX_BYTES} bytes: is it the right URL?"
                    raise InvalidInput(message)
                output.write(piece)
        return OverrideFile(key=key, size=size)


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, once the first line is known to be the header."""
    begin = b""
    for piece in pieces:
        begin += piece
        if b"\n" in begin or len(begin) > _HEADER_ROOM:
            break
    header = begin.split(b"\n", 1)[0][:_HEADER_ROOM].decode("utf-8", "replace")
    header = header.removeprefix("\N{BYTE ORDER MARK}").rstrip("\r")
    if tuple(name.strip('"') for name in header.split(",")) != OVERRIDE_COLUMNS:
        message = (
            f"NamingOverrideFile begins with {header[:100]!r}: its first line must be {','.join(OVERRIDE_COLUMNS)!r}"
        )
        raise InvalidInput(message)
    yield begin
    yield from pieces


def _utf_8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, unless they are none of UTF-8: names would stay garbled for ever."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    try:
        for piece in pieces:
            decoder.decode(piece)
            line += piece.count(b"\n")
            yield piece
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)
        found = error.object[error.start]
        message = f"NamingOverrideFile, line {line}: not UTF-8, its byte {found:#04x} is not: save it in UTF-8"
        raise InvalidInput(message) from None
