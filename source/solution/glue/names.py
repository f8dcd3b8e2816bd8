"""Names as `solution.domain.naming` gives them, sooner where a few patterns prove what it would say.

What the patterns are not sure about goes to the reference: text that is not plain ASCII, backslashes, dots at the
beginning of a segment, spaces around, names too long, JSON with escapes, what does not decode. Tests hold both
together.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import Final

from solution.domain import naming

# first segment, further segments; none is empty or begins with a dot, nothing ends with a space
_SEGMENTS: Final = rb"(?![ ./])[ -.0-\[\]-~]+(?:/(?![./])[ -.0-\[\]-~]+)*(?<! )"
_SAFE: Final = re.compile(_SEGMENTS)
_PLAIN: Final = re.compile(rb"(?![<{]|mt[12] )" + _SEGMENTS)
_BASE64: Final = rb"((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"
_FAST_GLACIER: Final = re.compile(
    rb"<m><v>[0-9]+</v><p>" + _BASE64 + rb"</p>(?:<lm>[^<>&]*</lm>)?</m>"
    rb"|<ArchiveMetadata><Path>" + _BASE64 + rb"</Path>(?:<LastModified>[^<>&]*</LastModified>)?</ArchiveMetadata>"
)
_MT: Final = re.compile(rb"mt[12] ([A-Za-z0-9_-]+)={0,2}")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_JSON_OTHERS: Final = (
    rb'(?:, ?"(?![Pp]ath"|filename")[A-Za-z0-9_]+": ?(?:"[^"\\\x00-\x1f]*"|[1-9][0-9]{0,17}|true|false|null))*'
)
_JSON_PATH: Final = re.compile(rb'\{"[Pp]ath": ?"([^"\\]*)"' + _JSON_OTHERS + rb"\}")
_UNDEFINED: Final = naming.UNDEFINED_PREFIX.encode()
_JSON_FILENAME: Final = re.compile(rb'\{"filename": ?"([^"\\]*)"' + _JSON_OTHERS + rb"\}")


def name_of(archive_id: bytes, description: bytes) -> bytes:
    """The safe name of an archive before names are made unique, in UTF-8."""
    # what begins like a known format is not safe as it stands, so most names need one pattern alone
    if len(description) <= naming.MAX_BASE_BYTES and _PLAIN.fullmatch(description):
        return description
    if not description:
        return _UNDEFINED + archive_id
    path = _path(description)
    if path and len(path) <= naming.MAX_BASE_BYTES and _SAFE.fullmatch(path):
        return path
    return naming.base_name(archive_id.decode(), description.decode()).encode()


def _path(description: bytes) -> bytes | None:
    """The path that a description in one of the known formats names; None where the reference must say."""
    if description[0] == ord("<"):
        match = _FAST_GLACIER.fullmatch(description)
        return a2b_base64(match[1] or match[2] or b"") if match else None
    if description[0] == ord("{"):
        match = _JSON_PATH.fullmatch(description)
        return match[1] if match else None
    match = _MT.fullmatch(description)
    # not one of them at all, or not surely
    if not match or len(match[1]) % 4 == 1:
        return None
    document = _JSON_FILENAME.fullmatch(a2b_base64(match[1].translate(_FROM_URL) + b"=" * (-len(match[1]) % 4)))
    return document[1] if document else None
