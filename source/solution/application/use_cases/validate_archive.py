"""Prove and complete an archive of several parts."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from solution.application.use_cases.problems import noted
from solution.application.use_cases.proof import collision, composite_checksum, difference
from solution.contract.object_keys import destination_key
from solution.domain.errors import ChecksumMismatch, ObjectExists, PartsReplaced, TransientError, UploadVanished
from solution.domain.status import ArchiveStatus
from solution.domain.tree_hash import combine

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.objects import ObjectStore
    from solution.application.ports.records import ArchiveRecord, Part, TransferRecords
    from solution.contract.messages import ValidationMessage

_log = logging.getLogger(__name__)


class ValidateArchive:
    """The tree hash of the parts must be the inventory's; then the upload is completed, once.

    A repetition finds the upload gone or the object there, and proves by the object itself that it was completed.
    """

    def __init__(self, *, records: TransferRecords, objects: ObjectStore, clock: Clock) -> None:
        self._records = records
        self._objects = objects
        self._clock = clock

    def __call__(self, message: ValidationMessage) -> None:
        """Complete the archive, or fail it with the reason. Raises what should bring the message again."""
        with noted(self._records, self._clock, message.run, message.archive_id):
            record = self._records.load(message.run, message.archive_id)
            if record is None or record.status is not ArchiveStatus.STAGED or record.upload_id is None:
                _log.info("A validation is not needed", extra={"status": record.status if record else None})
                return
            parts = self._records.parts(record.run, record.archive_id, upload_id=record.upload_id)
            if len(parts) != record.chunk_count:
                # Whoever stores the last part asks again.
                _log.info("A validation came early", extra={"parts": len(parts), "chunks": record.chunk_count})
                return
            self._conclude(record, record.upload_id, parts)

    def _conclude(self, record: ArchiveRecord, upload_id: str, parts: list[Part]) -> None:
        key = destination_key(record.run, record.archive.file_name)
        tree_hash = combine(part.tree_hash for part in parts)
        if tree_hash != record.archive.tree_hash:
            self._give_up(
                record,
                key,
                upload_id,
                f"its {len(parts)} parts have tree hash {tree_hash}, the inventory says {record.archive.tree_hash}",
            )
            return
        checksum = composite_checksum(parts)
        try:
            self._complete(key, upload_id, parts)
        except (ObjectExists, UploadVanished) as error:
            stored = self._objects.head(key)
            if stored is None and isinstance(error, ObjectExists):
                raise TransientError(f"the object {key!r} was in the way and is gone again") from error
            if stored is None:
                self._give_up(
                    record,
                    key,
                    upload_id,
                    f"its multipart upload vanished before it was complete ({error}); resume the run",
                )
                return
            why = difference(stored, record.archive, checksum)
            if why is not None:
                self._give_up(record, key, upload_id, collision(key, why))
                return
        status = self._records.complete(record.run, record.archive_id, checksum=checksum, now=self._clock.now())
        if status is not ArchiveStatus.DOWNLOADED:
            _log.warning("A completed archive is no longer expected", extra={"status": status})

    def _complete(self, key: str, upload_id: str, parts: list[Part]) -> None:
        try:
            self._objects.complete_upload(key, upload_id, parts)
        except PartsReplaced:
            # A chunk that came twice was stored twice. Where an ETag is no hash, as with keys of KMS, it is another one
            # now; the checksum says whether the bytes are those that were proven.
            stored = self._objects.stored_parts(key, upload_id)
            for part in parts:
                if part.number not in stored or stored[part.number].checksum != part.checksum:
                    raise ChecksumMismatch(
                        f"part {part.number} is stored as {stored.get(part.number)}, expected SHA-256 {part.checksum}"
                    ) from None
            current = [replace(part, etag=stored[part.number].etag) for part in parts]
            self._objects.complete_upload(key, upload_id, current)

    def _give_up(self, record: ArchiveRecord, key: str, upload_id: str, reason: str) -> None:
        status = self._records.fail(
            record.run, record.archive_id, reason=reason, only=frozenset({ArchiveStatus.STAGED})
        )
        _log.error("An archive cannot be completed", extra={"reason": reason, "status": status})
        if status is ArchiveStatus.FAILED:
            self._objects.abort_upload(key, upload_id)
            self._records.forget_parts(record.run, record.archive_id)
