"""CSV as people and Step Functions read it, written and read in pieces."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONTENT_TYPE = "text/csv; charset=utf-8"


def encode_rows(rows: Iterable[Sequence[object]], *, line_end: str = "\r\n") -> bytes:
    """Rows as CSV with RFC 4180 quoting, UTF-8. Step Functions' work lists take a plain line feed."""
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end).writerows(rows)
    return text.getvalue().encode()


def text_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines of UTF-8 text, line feeds kept, from bytes cut anywhere. Only the line feed ends a line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + decoder.decode(piece)).split("\n")
        for line in lines:
            yield line + "\n"
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def read_rows(pieces: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """Rows of CSV that we wrote ourselves, by column name."""
    return csv.DictReader(text_lines(pieces))
