"""The user's own names: ``GlacierArchiveID,FileName``, any number of files, and what is wrong with them."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from solution.contract.object_keys import OVERRIDE_COLUMNS
from solution.domain import naming
from solution.domain.archive import ARCHIVE_ID_FORM
from solution.domain.errors import InvalidInput
from solution.glue import claims
from solution.glue.messages import Addressed, Chosen, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from solution.glue.storage import Storage, StoredFile

REMEDY: Final = "put a name with a comma or a quote into quotes, and its quotes twice"
QUOTES: Final = f"its quotes are not closed, or do not stand around a whole column; {REMEDY}"
MALFORMED: Final = "not a Glacier archive id"
NAMELESS: Final = "the file name is empty, or nothing is left of it in a safe key"
_HEADER_BYTES: Final = 4096
_ID: Final = re.compile(ARCHIVE_ID_FORM)

Line = tuple[str, str]
"""Archive id and name as the user wrote them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How many columns a file has, and which are the archive id and the name."""

    count: int
    archive_id: int
    name: int


def columns_of(storage: Storage, file: StoredFile) -> Columns:
    """The columns of a file; raises `InvalidInput` for a wrong header."""
    beginning = storage.read(file.uri, 0, _HEADER_BYTES).decode("utf-8-sig", errors="replace")
    header = next(csv.reader([beginning.split("\n")[0]]), [])
    if not set(OVERRIDE_COLUMNS).issubset(header):
        raise InvalidInput(
            f"{file.uri} begins with {header}, not with {','.join(OVERRIDE_COLUMNS)}: correct its first line"
        )
    return Columns(len(header), *map(header.index, OVERRIDE_COLUMNS))


def lines_of(text: bytes, columns: Columns, *, is_first: bool) -> Iterator[Line | Problem]:
    """Lines of a block of a file, or why they are none; the first one of a file is its header."""
    found = text.decode(errors="replace").split("\n")
    for line in found[1:] if is_first else found:
        if bare := line.removesuffix("\r"):
            yield _line(bare, columns)


def _line(text: str, columns: Columns) -> Line | Problem:
    try:
        values = next(csv.reader([text], strict=True))
    except csv.Error:
        return Problem("", text, QUOTES)
    if len(values) != columns.count:
        return Problem("", text, f"a line of {len(values)} columns where the first has {columns.count}; {REMEDY}")
    return values[columns.archive_id].strip(" "), values[columns.name]


def problem_of(line: Line) -> str | None:
    """Why a line cannot be used, None for a good one."""
    if not _ID.fullmatch(line[0]):
        return MALFORMED
    return None if naming.safe_key(line[1]) else NAMELESS


def messages(number: int, lines: Iterable[Line | Problem], shards: int) -> Iterator[Addressed]:
    """Good lines for the shards that know the archives, and what is wrong with the others."""
    good: dict[int, list[Line]] = {}
    for line in lines:
        if isinstance(line, Problem):
            yield number % shards, line
        elif reason := problem_of(line):
            yield number % shards, Problem(*line, reason)
        else:
            (digest,) = claims.digests_of([line[0].encode()], Kind.ID)
            good.setdefault(claims.shard_of(digest, shards), []).append(line)
    for shard, chosen in good.items():
        yield shard, Chosen(tuple(chosen))
