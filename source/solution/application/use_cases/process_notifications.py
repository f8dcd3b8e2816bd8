"""Turn what Glacier says of its jobs into chunks to copy."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solution.application.use_cases.object_metadata import object_metadata
from solution.application.use_cases.problems import noted
from solution.contract.messages import ChunkMessage, GlacierNotification, JobResult, check_archive
from solution.contract.object_keys import destination_key
from solution.domain.archive import parse_time
from solution.domain.errors import InvalidInput, NotPossible, TransientError
from solution.domain.pacing import window_end
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from solution.application.ports.clock import Clock
    from solution.application.ports.facilitator import Facilitator
    from solution.application.ports.objects import ObjectStore
    from solution.application.ports.queues import MessageQueue
    from solution.application.ports.records import ArchiveRecord, TransferRecords
    from solution.application.use_cases.standing import Standing

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A queue's message: its id, for the answer, and its body."""

    message_id: str
    body: str


class ProcessNotifications:
    """Each notification moves its archive to ``staged`` and sends a message per chunk, in that order.

    Notifications come twice, late, or before our own record says ``requested``; whatever they find, the outcome is the
    same as if each had come once and in time. A failure counts only while its job is the archive's; a success counts
    whichever job it is of, so an archive that was asked for twice goes on with the job that is ready first.

    One that comes twice sends its messages again, for the first may have died before it did; and so does one that
    extends a window: an archive that is still not copied when its window is about to close may have lost a message.
    What is sent again says so: if it has been copied it costs one read.
    """

    def __init__(
        self,
        *,
        records: TransferRecords,
        facilitator: Facilitator,
        chunks: MessageQueue,
        objects: ObjectStore,
        standing: Standing,
        clock: Clock,
        window: timedelta,
    ) -> None:
        """``window``: for how long after its job an archive can be read."""
        self._records = records
        self._facilitator = facilitator
        self._chunks = chunks
        self._objects = objects
        self._standing = standing
        self._clock = clock
        self._window = window

    def __call__(self, messages: Iterable[Incoming]) -> list[str]:
        """Handle a batch; returns the ids of the messages that must come again."""
        failed: set[str] = set()
        chunks: list[tuple[str, ChunkMessage]] = []
        for message in messages:
            try:
                found = self._accept(GlacierNotification.parse(message.body))
            except Exception as error:  # noqa: BLE001 - one message must not hold up the others; this one comes again
                _log.warning("A notification could not be handled", exc_info=error, extra={"body": message.body})
                failed.add(message.message_id)
                continue
            chunks += [(message.message_id, chunk) for chunk in found]
        if chunks:
            refused = self._send(chunks)
            failed |= {chunks[position][0] for position in refused}
        return sorted(failed)

    def _send(self, chunks: Sequence[tuple[str, ChunkMessage]]) -> list[int]:
        refused = self._chunks.send([chunk.dump() for _, chunk in chunks])
        for run, archive_id in {(chunks[position][1].run, chunks[position][1].archive_id) for position in refused}:
            with contextlib.suppress(TransientError), noted(self._records, self._clock, run, archive_id):
                raise TransientError("the queue of chunks did not take the messages for the archive")
        return refused

    def _accept(self, notification: GlacierNotification) -> Sequence[ChunkMessage]:
        if notification.action == "InventoryRetrieval":
            self._facilitator.put_result(
                JobResult(
                    job_id=notification.job_id,
                    succeeded=notification.succeeded,
                    message=notification.status_message or notification.status_code,
                    size=notification.inventory_size,
                ),
                self._clock.now(),
            )
            return ()
        if notification.action != "ArchiveRetrieval":
            raise InvalidInput(
                f"a notification of an unknown kind, {notification.action!r}; this solution asks for none"
            )
        run, archive_id = check_archive(notification.run, notification.archive_id, "the notification")
        with noted(self._records, self._clock, run, archive_id, but=NotPossible):
            if notification.succeeded:
                return self._staged(run, archive_id, notification)
            self._failed(run, archive_id, notification)
        return ()

    def _staged(self, run: str, archive_id: str, notification: GlacierNotification) -> Sequence[ChunkMessage]:
        now = self._clock.now()
        completed = parse_time(notification.completion_date) if notification.completion_date else now
        end = window_end(completed, self._window)
        if end <= now and self._superseded(run, archive_id, notification.job_id):
            _log.info("A late notification of a superseded job is ignored", extra={"archive_id": archive_id})
            return ()
        staging = self._records.stage(run, archive_id, job_id=notification.job_id, window_end=end, now=now)
        record = staging.record
        if record is None:
            raise NotPossible(f"archive {archive_id} has no record in run {run!r} yet; its notification comes again")
        if staging.moved:
            return self._messages(record, notification.job_id)
        if record.status is ArchiveStatus.STAGED:
            job_id = record.job_id or notification.job_id
            if self._records.extend(run, archive_id, job_id=notification.job_id, window_end=end):
                _log.info("The download window is extended", extra={"archive_id": archive_id})
                job_id = notification.job_id
            return self._messages(record, job_id, again=True)
        _log.info("A notification came too late", extra={"archive_id": archive_id, "status": record.status})
        return ()

    def _superseded(self, run: str, archive_id: str, job_id: str) -> bool:
        record = self._records.load(run, archive_id)
        return record is not None and record.job_id != job_id

    def _failed(self, run: str, archive_id: str, notification: GlacierNotification) -> None:
        reason = (
            f"Glacier's retrieval job {notification.job_id} ended as {notification.status_code}: "
            f"{notification.status_message or 'no reason given'}"
        )
        status = self._records.fail(run, archive_id, reason=reason, job_id=notification.job_id)
        if status is None:
            raise NotPossible(f"archive {archive_id} has no record in run {run!r} yet; its notification comes again")
        if status is ArchiveStatus.REQUESTING:
            # Of a job that was asked for before, by whoever died or an earlier attempt; or of one whose id is about to
            # be written down. Only when that is there can it be told.
            raise NotPossible(f"archive {archive_id} is being asked for, and it is not known yet whether by this job")
        _log.warning("A retrieval job failed", extra={"archive_id": archive_id, "reason": reason, "status": status})

    def _messages(self, record: ArchiveRecord, job_id: str, *, again: bool = False) -> Sequence[ChunkMessage]:
        if record.chunk_count == 1:
            return (_message(record, job_id, part=1, upload_id="", again=again),)
        numbers: Sequence[int] = range(1, record.chunk_count + 1)
        upload_id = record.upload_id
        if upload_id is None:
            upload_id = self._open_upload(record)
            if upload_id is None:
                return ()
        else:
            stored = {part.number for part in self._records.parts(record.run, record.archive_id, upload_id=upload_id)}
            # With nothing missing one message is sent all the same: it finds its part stored and asks for validation.
            numbers = [number for number in numbers if number not in stored] or numbers[-1:]
        return [_message(record, job_id, part=number, upload_id=upload_id, again=again) for number in numbers]

    def _open_upload(self, record: ArchiveRecord) -> str | None:
        """None when the run ends, or the archive is stopped meanwhile: an upload nobody completes costs until found."""
        if why := self._standing.over(record.run):
            _log.info("No upload is opened", extra={"archive_id": record.archive_id, "reason": why})
            return None
        key = destination_key(record.run, record.archive.file_name)
        mine = self._objects.create_upload(
            key, metadata=object_metadata(record.archive), storage_class=record.storage_class
        )
        in_force = self._records.register_upload(record.run, record.archive_id, mine)
        # another one, or none since the archive was stopped meanwhile
        if in_force != mine:
            self._objects.abort_upload(key, mine)
        return in_force


def _message(record: ArchiveRecord, job_id: str, *, part: int, upload_id: str, again: bool) -> ChunkMessage:
    archive = record.archive
    return ChunkMessage(
        run=record.run,
        vault_name=record.vault_name,
        archive_id=archive.archive_id,
        job_id=job_id,
        size=archive.size,
        tree_hash=archive.tree_hash,
        creation_date=archive.creation_date,
        description=archive.description,
        file_name=archive.file_name,
        storage_class=record.storage_class,
        chunk_size=record.chunk_size,
        part=part,
        upload_id=upload_id,
        again=again,
        attempt=record.attempt,
    )
