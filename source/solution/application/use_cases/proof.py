"""Proof that an object in the destination bucket is the archive we were about to store."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from solution.contract import object_keys as keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solution.application.ports.objects import StoredObject
    from solution.application.ports.records import Part
    from solution.domain.archive import Archive


def composite_checksum(parts: Sequence[Part]) -> str:
    """SHA-256 of a multipart object as S3 computes it: over the parts' checksums, with their number appended."""
    digest = hashlib.sha256(b"".join(base64.b64decode(part.checksum) for part in parts)).digest()
    return f"{base64.b64encode(digest).decode()}-{len(parts)}"


def difference(stored: StoredObject, archive: Archive, checksum: str) -> str | None:
    """In what the stored object differs from the archive; None if it is that archive, byte for byte.

    Size and checksum speak of the bytes; the metadata say that they were put there as this archive.
    """
    expectations = (
        ("size", stored.size, archive.size),
        ("archive id in its metadata", stored.metadata.get(keys.METADATA_ARCHIVE_ID), archive.archive_id),
        ("tree hash in its metadata", stored.metadata.get(keys.METADATA_TREE_HASH), archive.tree_hash),
        ("SHA-256", stored.checksum, checksum),
    )
    for what, found, expected in expectations:
        if found != expected:
            return f"its {what} is {found!r}, this archive's is {expected!r}"
    return None


def collision(key: str, why: str) -> str:
    """Reason for an archive whose key is taken."""
    return (
        f"the destination bucket has another object under the key {key!r} ({why}) and nothing is overwritten: "
        "move that object away, or give this archive another name, and resume the run"
    )
