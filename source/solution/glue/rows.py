"""A row: what the job knows of an archive, as one line of text that sorts by creation date and archive id.

A row is what is shuffled and sorted, a hundred million of them, so it is bytes and no object: the moment of creation
in 23 characters, then the line of the sorted inventory it will become. No column but the name has commas or quotes.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from solution.domain import naming
from solution.domain.archive import MAX_OBJECT_BYTES
from solution.glue.names import name_of
from solution.glue.records import Record

UNREADABLE: Final = "not a row of an inventory: archive id, creation date, size and tree hash were not found in it"
NO_DATE: Final = "its creation date is not a date"
EMPTY: Final = "its size is 0: an archive has at least one byte"
TWICE: Final = "its archive id appears in an earlier row"
TOO_LARGE: Final = f"larger than {MAX_OBJECT_BYTES} bytes, the largest S3 object"

MOMENT: Final = 23
"""Characters of ``2012-05-15T17:21:39.339``."""

LINE: Final = MOMENT + 1
"""Where the line of the sorted inventory begins in a row."""

ORDINARY: Final = b","
"""What stands between moment and line, unless the archive is larger than an S3 object can be."""

_OUTSIZE: Final = b"~"

KEY: Final = LINE + 138
"""Characters that decide the order: moment and archive id."""

_LONG_SIZE: Final = len(str(MAX_OBJECT_BYTES))

_DATE: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:T([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]*))?(Z|[+-](?:[0-9]{1,2}(?::[0-9]{1,2})?|[0-9]{4}))?)?)?)?"
)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be migrated, or lines that are no row: a line of the listing. ``size`` None is not known."""

    archive_id: str
    size: int | None
    creation_date: str
    row: str
    reason: str


@dataclass(frozen=True, slots=True)
class Values:
    """What a row says."""

    archive_id: str
    size: int
    creation_date: str
    tree_hash: str
    description: str
    name: str


def moment_of(date: str) -> str | None:
    """Creation dates in one form that sorts: milliseconds of UTC; None for what is not a date.

    Days and times with one digit, any fraction of a second and offsets from UTC are understood; without an offset it
    is UTC, and what is not said of the time is zero.
    """
    match = _DATE.fullmatch(date)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(match[place] or 0) for place in range(1, 7))
    try:
        local = datetime(year, month, day, hour, minute, second, int((match[7] or "").ljust(6, "0")[:6]), tzinfo=UTC)
        offset = _offset(match[8])
    except ValueError:
        return None
    try:
        moment = local - offset
    except OverflowError:
        # it leads out of the years there are: an archive is not lost for that
        moment = local
    return moment.isoformat(timespec="milliseconds")[:MOMENT]


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    digits = zone[1:]
    hours, minutes = digits.split(":") if ":" in digits else (digits[:2], digits[2:] or "0")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if int(minutes) > 59 or offset > timedelta(hours=18):
        raise ValueError(zone)
    return -offset if zone[0] == "-" else offset


def row_of(record: Record) -> bytes | Rejected:
    """The row of a record, or why there is none."""
    size = int(record.size)
    moment = moment_of(record.creation_date)
    if moment is None or size < 1:
        reason = NO_DATE if moment is None else EMPTY
        return Rejected(record.archive_id, size, record.creation_date, record.description, reason)
    archive_id, description = record.archive_id.encode(), record.description.encode()
    return row(
        moment.encode(),
        archive_id,
        str(size).encode(),
        record.creation_date.encode(),
        record.tree_hash.encode(),
        description,
        name_of(archive_id, description),
    )


def row(  # noqa: PLR0917 - in the order of the columns, and called for every row
    moment: bytes, archive_id: bytes, size: bytes, date: bytes, tree_hash: bytes, description: bytes, name: bytes
) -> bytes:
    """Put a row together."""
    if b"," in name or b'"' in name:
        name = quoted(name)
    made = b",".join((moment, archive_id, size, date, tree_hash, b2a_base64(description, newline=False), name))
    if len(size) < _LONG_SIZE or int(size) <= MAX_OBJECT_BYTES:
        return made
    return made[:MOMENT] + _OUTSIZE + made[LINE:]


def quoted(name: bytes) -> bytes:
    """A name as RFC 4180 writes it."""
    return b'"%b"' % name.replace(b'"', b'""') if b"," in name or b'"' in name else name


def unquoted(text: bytes) -> bytes:
    """The inverse of `quoted`."""
    return text[1:-1].replace(b'""', b'"') if text.startswith(b'"') else text


def fields_of(row: bytes) -> list[bytes]:
    """Columns of the sorted inventory as they are written."""
    return row[LINE:].split(b",", 5)


def values_of(row: bytes) -> Values:
    """Take a row apart."""
    archive_id, size, date, tree_hash, encoded, name = fields_of(row)
    return Values(
        archive_id.decode(),
        int(size),
        date.decode(),
        tree_hash.decode(),
        a2b_base64(encoded).decode(),
        unquoted(name).decode(),
    )


def with_name(row: bytes, name: str) -> bytes:
    """The row with another name."""
    return row[:LINE] + b",".join((*fields_of(row)[:5], quoted(name.encode())))


def with_suffix(row: bytes, taken: frozenset[str]) -> bytes:
    """The row with its own suffix to its name, varied until it gives a name that is not ``taken``."""
    values = values_of(row)
    attempt = 0
    while (name := naming.with_suffix(values.name, values.archive_id, attempt)) in taken:
        attempt += 1
    return with_name(row, name)


def rejected_twice(row: bytes) -> Rejected:
    """The listing's line for a row whose archive id an earlier row has."""
    values = values_of(row)
    return Rejected(values.archive_id, values.size, values.creation_date, values.description, TWICE)
