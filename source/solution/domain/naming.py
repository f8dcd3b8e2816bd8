"""From an archive's description to the name its copy gets: formats, safe keys, shortening, uniqueness.

This is the reference: the inventory job recognises the usual cases by patterns and hands the rest to this module, and
tests hold the two together. What is recognised, in this order (white space around the description is ignored):

1. FastGlacier: ``<m><v>4</v><p>base64 of the path</p>…</m>`` (v2 to v4) and
   ``<ArchiveMetadata><Path>base64</Path>…</ArchiveMetadata>`` (v1);
2. JSON objects with a text ``Path``, or else ``path``;
3. mt-aws-glacier: ``mt1 `` or ``mt2 `` and one word, base64url of a JSON object with a text ``filename``;
4. anything else is the name itself.

A description that has one of the first three forms but cannot be decoded gives ``00error/{archive id}``; one that is
empty, or names nothing, gives ``00undefined/{archive id}``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

UNDEFINED_PREFIX: Final = "00undefined/"
ERROR_PREFIX: Final = "00error/"

MAX_KEY_BYTES: Final = 1024
"""The longest object key, in bytes of UTF-8 ("Naming Amazon S3 objects")."""

RUN_PREFIX_BYTES: Final = 51
"""Room kept for ``{run}/``: run ids have at most 50 characters. Fixed, so that a name never depends on the run."""

TAG_DIGITS: Final = 20
SUFFIX_BYTES: Final = 1 + TAG_DIGITS
MAX_NAME_BYTES: Final = MAX_KEY_BYTES - RUN_PREFIX_BYTES
MAX_BASE_BYTES: Final = MAX_NAME_BYTES - SUFFIX_BYTES
"""The longest name before a suffix, in bytes; what is longer is shortened, so that a suffix always fits."""

WHITE_SPACE: Final = " \t\r\n"

EXTENSION_PATTERN: Final = r"(?<=[^/])(?:\.tar)?\.[A-Za-z0-9]{1,10}$"
"""The extension of a name, ``.tar.gz`` and its kin taken whole."""

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_JOINER: Final = "\N{ZERO WIDTH JOINER}"
_MODIFIERS: Final = re.compile("[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""Skin tones, and the tags of flags."""

_XML_FORM = re.compile(r"<(m|ArchiveMetadata)>")
_XML = re.compile(r"<(m|ArchiveMetadata)>((?:\s*<([A-Za-z]+)>[^<&]*</\3>)*)\s*</\1>")
_XML_ELEMENT = re.compile(r"<([A-Za-z]+)>([^<&]*)</\1>")
_JSON_FORM = re.compile(r'\{\s*["}]')
_MT_FORM = re.compile(r"mt[12] ([^\s./\\]+)")


class _Undecodable(Exception):  # noqa: N818 - never leaves this module
    """The description has a known form but does not decode."""


def described_path(description: str) -> str | None:
    """The path a description names, as its author wrote it, or None if it names nothing.

    Raises:
        ValueError: the description has the form of a known format but cannot be decoded.
    """
    text = description.strip(WHITE_SPACE)
    try:
        if match := _XML_FORM.match(text):
            return _fast_glacier(text, "p" if match[1] == "m" else "Path")
        if _JSON_FORM.match(text):
            return _json_text(text, "Path", "path")
        if match := _MT_FORM.fullmatch(text):
            return _json_text(_base64(match[1].rstrip("="), altchars=b"-_"), "filename")
    except _Undecodable as error:
        raise ValueError(str(error)) from error
    return text or None


def _fast_glacier(text: str, path_element: str) -> str:
    # a pattern, not an XML parser: no entity, document type or processing instruction can ever be expanded
    match = _XML.fullmatch(text)
    if not match:
        raise _Undecodable("not the XML that FastGlacier writes")
    paths = [content for name, content in _XML_ELEMENT.findall(match[2]) if name == path_element]
    if len(paths) != 1:
        raise _Undecodable(f"{len(paths)} elements <{path_element}> where FastGlacier writes one")
    return _base64(paths[0].strip(WHITE_SPACE))


def _base64(text: str, altchars: bytes | None = None) -> str:
    if altchars:
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text.encode("ascii"), altchars, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise _Undecodable(f"not base64 of UTF-8: {error}") from error


def _json_text(text: str, *keys: str) -> str | None:
    try:
        # Python refuses to read a whole number of more than 4,300 digits, but not as a fraction; none is asked for
        source: Any = json.loads(text, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise _Undecodable(f"not JSON: {error}") from error
    if not isinstance(source, dict):
        raise _Undecodable("not a JSON object")
    for key in keys:
        if key in source:
            value = source[key]
            if not isinstance(value, str):
                raise _Undecodable(f"{key} is not a text")
            return value
    return None


def safe_key(text: str) -> str:
    r"""Make ``text`` an object key that every tool can handle; empty if nothing of it is left.

    NFC; ``\`` becomes ``/``; control characters, those that turn the direction of text (a name would read otherwise
    than it is) and what XML listings cannot carry become ``_``; empty, ``.`` and ``..`` segments go, and with them
    leading and trailing slashes; longer than `MAX_BASE_BYTES` is shortened.
    """
    text = _UNSAFE.sub("_", unicodedata.normalize("NFC", text.strip(WHITE_SPACE))).replace("\\", "/")
    return shorten("/".join(part for part in text.split("/") if part not in ("", ".", "..")))


def shorten(name: str) -> str:
    """Cut ``name`` to `MAX_BASE_BYTES`: its beginning, a digest of all of it, and its extension."""
    raw = name.encode()
    if len(raw) <= MAX_BASE_BYTES:
        return name
    ending = f"-{hashlib.sha256(raw).hexdigest()[:TAG_DIGITS]}{_extension(name)}"
    return _beginning(name, MAX_BASE_BYTES - len(ending)) + ending


def _beginning(name: str, most: int) -> str:
    """At most so many bytes of ``name``; no letter is cut from its accents, no symbol from what it is joined with."""
    fitting = name.encode()[:most].decode(errors="ignore")
    end = len(fitting)
    while end and _goes_on(name, end):
        end -= 1
    return name[:end] or fitting


def _goes_on(name: str, place: int) -> bool:
    """Whether the character there belongs to the one before."""
    character = name[place]
    return (
        unicodedata.category(character).startswith("M")
        or _JOINER in (character, name[place - 1])
        or _MODIFIERS.match(character) is not None
    )


def _extension(name: str) -> str:
    match = re.search(EXTENSION_PATTERN, name)
    return match[0] if match else ""


def base_name(archive_id: str, description: str, override: str | None = None) -> str:
    """The safe name of an archive before names are made unique; ``override`` is the user's own choice of name."""
    if override is not None and (name := safe_key(override)):
        return name
    try:
        path = described_path(description)
    except ValueError:
        return ERROR_PREFIX + archive_id
    return (safe_key(path) if path else "") or UNDEFINED_PREFIX + archive_id


def with_suffix(name: str, archive_id: str, attempt: int = 0) -> str:
    """``name`` with a suffix that belongs to this archive alone, before its extension; ``attempt`` varies it."""
    salted = archive_id if attempt == 0 else f"{archive_id}#{attempt}"
    tag = hashlib.sha256(salted.encode()).hexdigest()[:TAG_DIGITS]
    extension = _extension(name)
    return f"{name[: len(name) - len(extension)]}-{tag}{extension}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An archive and the name it would like; ``rank`` decides who keeps a name (an override first, then the oldest)."""

    archive_id: str
    name: str
    rank: tuple[int | str, ...]


def unique_names(claims: Iterable[Claim]) -> Mapping[str, str]:
    """Give each archive id a name of its own.

    The lowest rank of those who share a name (ties: archive id) keeps it, the others get a suffix made from their
    archive id, another one if some archive happens to be called just that. The order of ``claims`` does not matter.
    """
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.name, []).append(claim)
    names: dict[str, str] = {}
    for name, group in groups.items():
        first, *others = sorted(group, key=lambda claim: (claim.rank, claim.archive_id))
        names[first.archive_id] = name
        for claim in others:
            attempt = 0
            while (candidate := with_suffix(name, claim.archive_id, attempt)) in groups:
                attempt += 1
            names[claim.archive_id] = candidate
    return names
