"""Synthetic inventories as Glacier writes them, the same for the same seed, with the descriptions of many tools."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests import descriptions

HEADER: Final = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"

TWINS: Final = frozenset({4, 23, 45, 67, 91})
"""Of every hundred rows, those that ask for the name of the row before; none of them is empty or awkward."""

_FIRST_DAY: Final = datetime(2012, 9, 1, tzinfo=UTC)
_SECONDS: Final = 13 * 365 * 24 * 3600
_ID_BYTES: Final = 103
_ID_CHARACTERS: Final = 138
_LARGEST: Final = 2**32
_FLUSH_ROWS: Final = 5_000
_WORDS: Final = ("photos", "backup", "2013", "mail", "Users", "work", "scans", "music", "db", "archive")
_EXTENSIONS: Final = ("jpg", "tar.gz", "zip", "pdf", "mp4", "doc")
_AWKWARD: Final = (
    'say "{}", twice\nand on',
    "C:\\Пользователи\\日本語\\{}",
    "e\u0301te\u0301/../{}//x.",
    "\u0007bell, {}\r\n",
    '{{"Path": "{}',
)


class Kind(StrEnum):
    """What a description looks like."""

    PLAIN = "plain"
    JSON = "json"
    FAST_GLACIER = "fastglacier"
    MT_AWS = "mt-aws-glacier"
    EMPTY = "empty"
    AWKWARD = "awkward"


MIX: Final = {
    Kind.PLAIN: 50,
    Kind.JSON: 15,
    Kind.FAST_GLACIER: 15,
    Kind.MT_AWS: 10,
    Kind.EMPTY: 5,
    Kind.AWKWARD: 5,
}
"""Rows of each kind in a hundred."""


def kind_of(number: int) -> Kind:
    """The kind of a row: every hundred rows hold exactly the mix, and kinds alternate."""
    place = number * 37 % 100
    for kind, share in MIX.items():
        if place < share:
            return kind
        place -= share
    raise AssertionError("shares are a hundred in all")


def path_of(number: int) -> str:
    """The path in a description; those in `TWINS` repeat the path of the row before."""
    if number % 100 in TWINS:
        number -= 1
    first, second = _WORDS[number % 10], _WORDS[number // 10 % 10]
    return f"{first}/{second}/IMG {number:08d}.{_EXTENSIONS[number % 6]}"


def description_of(number: int) -> str:
    """The description of a row."""
    kind, path = kind_of(number), path_of(number)
    match kind:
        case Kind.PLAIN:
            return path
        case Kind.JSON:
            return descriptions.json_path(path, "Path", ascii_only=True)
        case Kind.FAST_GLACIER:
            return descriptions.fast_glacier(path, 1 + number % 4)
        case Kind.MT_AWS:
            return descriptions.mt_aws(path, 1 + number % 2)
        case Kind.EMPTY:
            return ""
        case Kind.AWKWARD:
            return _AWKWARD[number // 100 % len(_AWKWARD)].format(path)


def rows(count: int, seed: str = "inventory") -> Iterator[str]:
    """Lines of an inventory without its header; archive ids, dates, sizes and hashes are random."""
    chance = random.Random(seed)
    for number in range(count):
        description = description_of(number)
        if '"' in description or "\\" in description:
            description = description.replace("\\", "\\\\").replace('"', '\\"')
        archive_id = base64.urlsafe_b64encode(chance.randbytes(_ID_BYTES))[:_ID_CHARACTERS].decode()
        created = _FIRST_DAY + timedelta(seconds=int(chance.random() * _SECONDS))
        size = 1 + int(chance.random() * _LARGEST)
        yield (f'{archive_id},"{description}",{created:%Y-%m-%dT%H:%M:%SZ},{size},{chance.randbytes(32).hex()}')


def write(path: Path, count: int) -> None:
    """One file with so many rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{HEADER}\n")
        pending: list[str] = []
        for row in rows(count):
            pending.append(row)
            if len(pending) == _FLUSH_ROWS:
                file.write("\n".join(pending) + "\n")
                pending.clear()
        file.write("".join(f"{row}\n" for row in pending))
