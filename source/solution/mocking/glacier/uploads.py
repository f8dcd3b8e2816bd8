"""Operations that bring archives in and take them away: single and multipart upload, deletion."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from pathlib import Path
from typing import Final

from solution.domain.tree_hash import MIB, combine
from solution.mocking.glacier.bodies import Incoming
from solution.mocking.glacier.clock import iso
from solution.mocking.glacier.context import Context
from solution.mocking.glacier.errors import InvalidParameterError, NotFoundError, RequestTimeoutError
from solution.mocking.glacier.messages import (
    CHUNK,
    Request,
    Response,
    check_description,
    page_limit,
    page_marker,
    parse_range,
    reply,
    required_header,
)
from solution.mocking.glacier.store import Vault
from solution.mocking.vaults.virtual import ARCHIVE_ID_BYTES, VirtualContent

GIB: Final = 1024 * MIB
LARGEST_SINGLE_UPLOAD: Final = 4 * GIB
MOST_PARTS: Final = 10_000
_UPLOAD_ID_BYTES: Final = 69
_MOST_PER_PAGE: Final = 50
_PART_SIZES: Final = frozenset(MIB << exponent for exponent in range(13))
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TREE_HASH: Final = "x-amz-sha256-tree-hash"


class Uploads:
    """Archive and multipart operations (*Archive Operations*, *Multipart Upload Operations*)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store
        # Copying a part to its place may take long and must not hold up the database; but nobody may complete or
        # abort an upload meanwhile.
        self._parts = threading.Lock()

    def upload_archive(self, vault_name: str, request: Request, incoming: Incoming) -> Response:
        """POST archives: the whole archive in one request."""
        vault = self._context.vault(vault_name)
        description = _description(request)
        self._check_body(request, incoming)
        if incoming.size > LARGEST_SINGLE_UPLOAD:
            message = (
                f"Request body of {incoming.size} bytes is over {LARGEST_SINGLE_UPLOAD} bytes. Use a multipart upload."
            )
            raise InvalidParameterError(message)
        tree_hash = incoming.tree_hash
        size = incoming.size
        body = self._store.bodies.keep(incoming)
        archive_id = self._insert(vault, description, size, tree_hash, body=body)
        return self._created(vault_name, archive_id, tree_hash)

    def add_archive(
        self,
        vault: Vault,
        content: bytes | Path | VirtualContent,
        *,
        description: str = "",
        created: float | None = None,
        archive_id: str | None = None,
    ) -> str:
        """Put an archive into a vault past the API, as old as wanted and with any description; returns its id."""
        if isinstance(content, VirtualContent):
            return self._insert(
                vault,
                description,
                content.size,
                content.tree_hash(),
                virtual=content,
                created=created,
                archive_id=archive_id,
            )
        incoming = self._store.bodies.incoming()
        if isinstance(content, bytes):
            incoming.write(content)
        else:
            with content.open("rb") as file:
                while piece := file.read(CHUNK):
                    incoming.write(piece)
        if not incoming.size:
            incoming.discard()
            message = "an archive of 0 bytes cannot be: Glacier refuses it"
            raise ValueError(message)
        tree_hash, size = incoming.tree_hash, incoming.size
        body = self._store.bodies.keep(incoming)
        return self._insert(vault, description, size, tree_hash, body=body, created=created, archive_id=archive_id)

    def delete_archive(self, vault_name: str, archive_id: str) -> Response:
        """DELETE archive; jobs on it that are under way keep their bytes. Deleting twice is no error."""
        with self._store.transaction():
            vault = self._context.vault(vault_name)
            archive = self._store.archive(vault, archive_id)
            if archive is None:
                return reply(204)
            if archive.position.startswith("v"):
                message = f"The archive {archive_id} belongs to a virtual vault, which cannot be changed."
                raise InvalidParameterError(message)
            self._store.execute(
                "UPDATE archives SET deleted_after = (SELECT COALESCE(MAX(seq), 0) FROM jobs) WHERE archive_id = ?",
                (archive_id,),
            )
            used = self._store.row("SELECT 1 FROM jobs WHERE body = ? LIMIT 1", (archive.body,))
        if archive.body and not used:
            self._store.bodies.discard_body(archive.body)
        return reply(204)

    def initiate(self, vault_name: str, request: Request) -> Response:
        """POST multipart-uploads."""
        vault = self._context.vault(vault_name)
        text = required_header(request, "x-amz-part-size", "part size")
        if not text.isascii() or not text.isdigit() or int(text) not in _PART_SIZES:
            message = f"Invalid part size: {text}. Use a power of two MiB in bytes, from 1 MiB to 4 GiB."
            raise InvalidParameterError(message)
        description = _description(request)
        upload_id = self._context.new_id(_UPLOAD_ID_BYTES)
        self._store.insert(
            "uploads",
            {
                "upload_id": upload_id,
                "vault_id": vault.vault_id,
                "description": description,
                "part_size": int(text),
                "created": self._context.clock.now(),
            },
        )
        location = f"/{self._context.settings.account_id}/vaults/{vault_name}/multipart-uploads/{upload_id}"
        return reply(201, Location=location, x_amz_multipart_upload_id=upload_id)

    def upload_part(self, vault_name: str, upload_id: str, request: Request, incoming: Incoming) -> Response:
        """PUT part, at the place its Content-Range says; uploading a part again replaces it."""
        part_size = int(self._upload(vault_name, upload_id)["part_size"])
        first, last = parse_range(required_header(request, "content-range", "content range"), "Content-Range")
        self._check_body(request, incoming)
        if last - first + 1 != incoming.size:
            message = f"Content-Range {first}-{last} does not match the body of {incoming.size} bytes."
            raise InvalidParameterError(message)
        if first % part_size or incoming.size > part_size:
            message = (
                f"Content-Range {first}-{last} does not fit the part size {part_size}: "
                "begin at a multiple of it and end within it."
            )
            raise InvalidParameterError(message)
        if first // part_size >= MOST_PARTS:
            message = f"Content-Range {first}-{last} is past part {MOST_PARTS}. Use a larger part size."
            raise InvalidParameterError(message)
        tree_hash, size = incoming.tree_hash, incoming.size
        with self._parts:
            self._upload(vault_name, upload_id)
            self._store.bodies.keep_part(incoming, upload_id, first)
            self._store.execute(
                "INSERT OR REPLACE INTO parts (upload_id, start, size, tree_hash) VALUES (?, ?, ?, ?)",
                (upload_id, first, size, tree_hash),
            )
        return reply(204, x_amz_sha256_tree_hash=tree_hash)

    def complete(self, vault_name: str, upload_id: str, request: Request) -> Response:
        """POST multipart-upload: all parts there, size and tree hash as the caller says.

        Repeating a completion that succeeded answers with the same archive (*Complete Multipart Upload*).
        """
        size_text = required_header(request, "x-amz-archive-size", "archive size")
        claimed = required_header(request, _TREE_HASH, "tree hash of the archive")
        with self._parts, self._store.transaction():
            done = self._completed(upload_id, claimed)
            if done:
                return self._created(vault_name, done, claimed.lower())
            upload = self._upload(vault_name, upload_id)
            parts = self._store.rows("SELECT * FROM parts WHERE upload_id = ? ORDER BY start", (upload_id,))
            if not parts:
                message = f"The upload {upload_id} has no parts. Upload at least one."
                raise InvalidParameterError(message)
            size = 0
            for part in parts:
                if part["start"] != size or (part["size"] != upload["part_size"] and part is not parts[-1]):
                    message = f"The parts do not cover the archive without a gap: bytes are missing at {size}."
                    raise InvalidParameterError(message)
                size += part["size"]
            if size_text != str(size):
                message = f"Archive size {size_text} does not match the {size} bytes uploaded."
                raise InvalidParameterError(message)
            tree_hash = combine(part["tree_hash"] for part in parts)
            if claimed.lower() != tree_hash:
                message = f"Checksum mismatch: expected {claimed}, the tree hash of the parts is {tree_hash}."
                raise InvalidParameterError(message)
            body = self._store.bodies.keep_upload(upload_id, size)
            vault = self._context.vault(vault_name)
            archive_id = self._insert(vault, upload["description"], size, tree_hash, body=body)
            self._store.execute("DELETE FROM parts WHERE upload_id = ?", (upload_id,))
            self._store.execute("UPDATE uploads SET archive_id = ? WHERE upload_id = ?", (archive_id, upload_id))
        return self._created(vault_name, archive_id, tree_hash)

    def abort(self, vault_name: str, upload_id: str) -> Response:
        """DELETE multipart-upload."""
        with self._parts:
            with self._store.transaction():
                self._upload(vault_name, upload_id)
                self._store.execute("DELETE FROM parts WHERE upload_id = ?", (upload_id,))
                self._store.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))
            self._store.bodies.discard_upload(upload_id)
        return reply(204)

    def list_parts(self, vault_name: str, upload_id: str, request: Request) -> Response:
        """GET multipart-upload; the marker is the first byte of the next part."""
        upload = self._upload(vault_name, upload_id)
        limit = page_limit(request, _MOST_PER_PAGE)
        rows = self._store.rows(
            "SELECT * FROM parts WHERE upload_id = ? AND start >= ? ORDER BY start LIMIT ?",
            (upload_id, page_marker(request), limit + 1),
        )
        parts = [
            {
                "RangeInBytes": f"{row['start']}-{row['start'] + row['size'] - 1}",
                "SHA256TreeHash": row["tree_hash"],
            }
            for row in rows[:limit]
        ]
        return reply(
            200,
            {
                "MultipartUploadId": upload_id,
                "VaultARN": self._context.settings.vault_arn(vault_name),
                "ArchiveDescription": upload["description"] or None,
                "PartSizeInBytes": upload["part_size"],
                "CreationDate": iso(upload["created"]),
                "Parts": parts,
                "Marker": str(rows[limit]["start"]) if len(rows) > limit else None,
            },
        )

    def list_uploads(self, vault_name: str, request: Request) -> Response:
        """GET multipart-uploads."""
        vault = self._context.vault(vault_name)
        limit = page_limit(request, _MOST_PER_PAGE)
        rows = self._store.rows(
            "SELECT * FROM uploads WHERE vault_id = ? AND archive_id IS NULL AND seq > ? ORDER BY seq LIMIT ?",
            (vault.vault_id, page_marker(request), limit + 1),
        )
        uploads = [
            {
                "MultipartUploadId": row["upload_id"],
                "VaultARN": self._context.settings.vault_arn(vault_name),
                "ArchiveDescription": row["description"] or None,
                "PartSizeInBytes": row["part_size"],
                "CreationDate": iso(row["created"]),
            }
            for row in rows[:limit]
        ]
        following = str(rows[limit - 1]["seq"]) if len(rows) > limit else None
        return reply(200, {"UploadsList": uploads, "Marker": following})

    def _upload(self, vault_name: str, upload_id: str) -> sqlite3.Row:
        vault = self._context.vault(vault_name)
        row = self._store.row(
            "SELECT * FROM uploads WHERE upload_id = ? AND vault_id = ? AND archive_id IS NULL",
            (upload_id, vault.vault_id),
        )
        if row is None:
            message = f"The upload ID was not found: {upload_id}"
            raise NotFoundError(message)
        return row

    def _completed(self, upload_id: str, tree_hash: str) -> str | None:
        row = self._store.row(
            "SELECT archive_id FROM uploads JOIN archives USING (archive_id) WHERE upload_id = ? AND tree_hash = ?",
            (upload_id, tree_hash.lower()),
        )
        return str(row["archive_id"]) if row else None

    def _check_body(self, request: Request, incoming: Incoming) -> None:
        """The body is whole, not empty, and hashes to what its headers say."""
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > incoming.size:
            message = f"The request timed out: {incoming.size} of {announced} bytes of the body arrived."
            raise RequestTimeoutError(message)
        if not incoming.size:
            message = "Invalid Content-Length: 0. An archive or part has at least 1 byte."
            raise InvalidParameterError(message)
        tree_hash = required_header(request, _TREE_HASH, "tree hash of the body").lower()
        linear = required_header(request, "x-amz-content-sha256", "SHA-256 of the body").lower()
        for claimed, computed, name in (
            (tree_hash, incoming.tree_hash, _TREE_HASH),
            (linear, incoming.sha256, "x-amz-content-sha256"),
        ):
            if name != _TREE_HASH and not _HEX_DIGEST.fullmatch(claimed):
                continue  # UNSIGNED-PAYLOAD and streaming signatures say nothing about the content
            if claimed != computed:
                message = f"Checksum mismatch: {name} is {claimed}, the body has {computed}."
                raise InvalidParameterError(message)

    def _insert(
        self,
        vault: Vault,
        description: str,
        size: int,
        tree_hash: str,
        *,
        body: str | None = None,
        virtual: VirtualContent | None = None,
        created: float | None = None,
        archive_id: str | None = None,
    ) -> str:
        name = archive_id or self._context.new_id(ARCHIVE_ID_BYTES)
        self._store.insert(
            "archives",
            {
                "vault_id": vault.vault_id,
                "archive_id": name,
                "description": description,
                "created": self._context.clock.now() if created is None else created,
                "size": size,
                "tree_hash": tree_hash,
                "body": body,
                "virtual": json.dumps(virtual.to_json()) if virtual else None,
            },
        )
        self._context.statistics.total("bytes_in", size)
        return name

    def _created(self, vault_name: str, archive_id: str, tree_hash: str) -> Response:
        location = f"/{self._context.settings.account_id}/vaults/{vault_name}/archives/{archive_id}"
        return reply(201, Location=location, x_amz_archive_id=archive_id, x_amz_sha256_tree_hash=tree_hash)


def _description(request: Request) -> str:
    return check_description(request.headers.get("x-amz-archive-description", ""), "archive description")
