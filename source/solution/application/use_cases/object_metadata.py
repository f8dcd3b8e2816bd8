"""User-defined metadata of the copied objects, within what S3 stores and HTTP carries.

S3 takes at most 2 KB of it, counted over names and values in UTF-8, and returns non-ASCII values encoded as RFC 2047
says ("Working with object metadata", Amazon S3 User Guide). So descriptions that are not plain ASCII are encoded here,
and those that are too long are cut with a remark that says so.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from solution.contract import object_keys as keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solution.domain.archive import Archive

MAX_METADATA_BYTES = 2048

_FIRST_PRINTABLE, _LAST_PRINTABLE = " ", "~"
_BYTES_PER_WORD = 45  # 60 characters of base64; an encoded word has at most 75 in all


def encode_description(description: str) -> str:
    """The description as a header value: itself where that is safe, else encoded words of base64 UTF-8 (RFC 2047)."""
    plain = (
        all(_FIRST_PRINTABLE <= character <= _LAST_PRINTABLE for character in description)
        and description == " ".join(description.split())  # signing and proxies may fold runs of spaces
        and "=?" not in description
    )
    return description if plain else " ".join(_encoded_words(description))


def _encoded_words(text: str) -> Iterator[str]:
    word = b""
    for character in text:
        octets = character.encode()
        if len(word) + len(octets) > _BYTES_PER_WORD:
            yield _encoded_word(word)
            word = b""
        word += octets
    yield _encoded_word(word)


def _encoded_word(octets: bytes) -> str:
    return f"=?UTF-8?B?{base64.b64encode(octets).decode()}?="


def object_metadata(archive: Archive) -> dict[str, str]:
    """Metadata of the object that becomes of ``archive``: id, tree hash, creation date, and description if any."""
    metadata = {
        keys.METADATA_ARCHIVE_ID: archive.archive_id,
        keys.METADATA_TREE_HASH: archive.tree_hash,
        keys.METADATA_CREATION_DATE: archive.creation_date,
    }
    if archive.description:
        used = sum(len(name) + len(value.encode()) for name, value in metadata.items())
        budget = MAX_METADATA_BYTES - used - len(keys.METADATA_DESCRIPTION)
        metadata[keys.METADATA_DESCRIPTION] = _fitted(archive.description, budget)
    return metadata


def _fitted(description: str, budget: int) -> str:
    encoded = encode_description(description)
    if len(encoded) <= budget:
        return encoded
    remark = f" [shortened from {len(description)} characters]"
    kept, too_many = 0, len(description)
    while too_many - kept > 1:
        middle = (kept + too_many) // 2
        if len(encode_description(description[:middle].rstrip() + remark)) <= budget:
            kept = middle
        else:
            too_many = middle
    return encode_description(description[:kept].rstrip() + remark)
