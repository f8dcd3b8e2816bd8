"""Copy one chunk of an archive from Glacier to S3."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from solution.application.ports.records import Part, PartStored
from solution.application.use_cases.object_metadata import object_metadata
from solution.application.use_cases.problems import noted
from solution.application.use_cases.proof import collision, difference
from solution.application.use_cases.verified_stream import VerifiedStream
from solution.contract.messages import ValidationMessage
from solution.contract.object_keys import destination_key
from solution.domain.archive import Archive
from solution.domain.chunk_plan import ChunkPlan
from solution.domain.errors import (
    ChecksumMismatch,
    JobExpired,
    ObjectExists,
    Throttled,
    TransientError,
    UploadVanished,
)
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from solution.application.ports.clock import Clock
    from solution.application.ports.glacier import GlacierJobs, JobOutput
    from solution.application.ports.objects import ObjectStore
    from solution.application.ports.queues import MessageQueue
    from solution.application.ports.records import Progress, TransferRecords
    from solution.application.use_cases.backoff import FullJitter
    from solution.application.use_cases.standing import Standing
    from solution.contract.messages import ChunkMessage
    from solution.domain.chunk_plan import Chunk

_log = logging.getLogger(__name__)

_JOBS_TRIED = 3

_THROTTLES_WAITED_OUT = 6
"""At random intervals, a quarter of a minute in all at most. Longer trouble is for the queue, where waiting is free."""


class TransferChunk:
    """A chunk that is the whole archive becomes an object at once; any other becomes a part of a multipart upload.

    Bodies stream and are verified on the way (`VerifiedStream`): a body that is short or wrong breaks the upload off,
    so S3 never stores it. The message carries all the copy needs; tables are read only when something is unusual.
    """

    def __init__(
        self,
        *,
        records: TransferRecords,
        glacier: GlacierJobs,
        objects: ObjectStore,
        validations: MessageQueue,
        standing: Standing,
        clock: Clock,
        jitter: FullJitter,
    ) -> None:
        self._records = records
        self._glacier = glacier
        self._objects = objects
        self._validations = validations
        self._standing = standing
        self._clock = clock
        self._jitter = jitter

    def __call__(self, message: ChunkMessage, *, deliveries: int = 1) -> None:
        """Copy the chunk; ``deliveries`` counts how often this message has come. Raises what should bring it again.

        Of a run that has ended, or is ending, nothing is copied any more: the message is dropped.
        """
        if why := self._standing.over(message.run):
            _log.info("A chunk is not copied", extra={"reason": why})
            return
        with noted(self._records, self._clock, message.run, message.archive_id):
            if (message.again or deliveries > 1) and self._done_before(message):
                return
            current = message
            for _ in range(_JOBS_TRIED):
                try:
                    self._copy(current)
                except JobExpired:
                    newer = self._with_newer_job(current)
                    if newer is None:
                        return
                    current = newer
                else:
                    return
            raise TransientError(f"{_JOBS_TRIED} jobs of the archive had expired, one after the other")

    def _copy(self, message: ChunkMessage) -> None:
        plan = ChunkPlan(size=message.size, chunk_size=message.chunk_size)
        if plan.count == 1:
            with ExitStack() as until_stored:
                self._store_whole(message, self._open(until_stored, message))
            return
        chunk = plan.chunk(message.part)
        with ExitStack() as until_stored:
            output = self._open(until_stored, message, chunk)
            if output.tree_hash is None:
                raise ChecksumMismatch(
                    f"Glacier sent no tree hash for the bytes {chunk.first}-{chunk.last}, which are tree-hash aligned"
                )
            stream = VerifiedStream(output, length=chunk.size, tree_hash=output.tree_hash)
            try:
                etag = self._objects.upload_part(_key(message), message.upload_id, message.part, stream)
            except UploadVanished:
                self._upload_vanished(message, plan)
                return
        part = Part(number=message.part, etag=etag, checksum=stream.checksum(), tree_hash=stream.tree_hash)
        self._remember(message, plan, part)

    def _open(self, until_closed: ExitStack, message: ChunkMessage, chunk: Chunk | None = None) -> JobOutput:
        """The chunk's bytes, or the whole archive's. Raises `Throttled` when Glacier throttles again and again."""
        first, last = (chunk.first, chunk.last) if chunk else (None, None)
        attempt = 0
        while True:
            try:
                return until_closed.enter_context(
                    self._glacier.open_output(vault=message.vault_name, job_id=message.job_id, first=first, last=last)
                )
            except Throttled:
                if attempt == _THROTTLES_WAITED_OUT:
                    raise
            self._clock.sleep(self._jitter.delay(attempt))
            attempt += 1

    def _store_whole(self, message: ChunkMessage, output: JobOutput) -> None:
        archive = _archive(message)
        stream = VerifiedStream(output, length=message.size, tree_hash=message.tree_hash)
        key = _key(message)
        try:
            checksum = self._objects.put(
                key, stream, metadata=object_metadata(archive), storage_class=message.storage_class
            )
        except ObjectExists:
            record = self._records.load(message.run, message.archive_id)
            if record is not None and record.status is ArchiveStatus.DOWNLOADED:
                return
            stream.drain()
            checksum = stream.checksum()
            stored = self._objects.head(key)
            if stored is None:
                raise TransientError(f"the object {key!r} was in the way and is gone again") from None
            why = difference(stored, archive, checksum)
            if why is not None:
                self._fail(message, collision(key, why))
                return
        status = self._records.complete(message.run, message.archive_id, checksum=checksum, now=self._clock.now())
        if status is not ArchiveStatus.DOWNLOADED:
            _log.warning("A copied archive is no longer expected", extra={"status": status})

    def _remember(self, message: ChunkMessage, plan: ChunkPlan, part: Part) -> None:
        run, archive_id, upload_id = message.run, message.archive_id, message.upload_id
        stored = self._records.store_part(run, archive_id, upload_id=upload_id, part=part)
        if stored is PartStored.ABANDONED:
            _log.info("A chunk of an abandoned upload is dropped", extra={"part": part.number})
            return
        if stored is PartStored.NEW:
            progress = self._records.count_part(run, archive_id, upload_id=upload_id)
        else:
            progress = self._records.count_replay(run, archive_id, upload_id=upload_id)
        self._validate_if_last(message, plan, progress)

    def _validate_if_last(self, message: ChunkMessage, plan: ChunkPlan, progress: Progress) -> None:
        if progress.counted + progress.replays < plan.count:
            return
        if progress.replays and not self._all_stored(message, plan):
            return
        body = ValidationMessage(run=message.run, archive_id=message.archive_id, upload_id=message.upload_id).dump()
        if self._validations.send([body]):
            raise TransientError("the validation queue did not take the message")

    def _all_stored(self, message: ChunkMessage, plan: ChunkPlan) -> bool:
        stored = self._records.parts(message.run, message.archive_id, upload_id=message.upload_id)
        return len(stored) == plan.count

    def _done_before(self, message: ChunkMessage) -> bool:
        run, archive_id = message.run, message.archive_id
        plan = ChunkPlan(size=message.size, chunk_size=message.chunk_size)
        if plan.count == 1:
            record = self._records.load(run, archive_id)
            return record is not None and record.status is ArchiveStatus.DOWNLOADED
        if self._records.part(run, archive_id, upload_id=message.upload_id, number=message.part) is None:
            return False
        progress = self._records.count_replay(run, archive_id, upload_id=message.upload_id)
        self._validate_if_last(message, plan, progress)
        return True

    def _upload_vanished(self, message: ChunkMessage, plan: ChunkPlan) -> None:
        record = self._records.load(message.run, message.archive_id)
        current = record is not None and record.status is ArchiveStatus.STAGED and record.upload_id == message.upload_id
        if not current:
            _log.info("A chunk of an abandoned upload is dropped", extra={"part": message.part})
        elif self._all_stored(message, plan):
            # Completed, perhaps, and the answer lost: validation finds out.
            progress = self._records.count_replay(message.run, message.archive_id, upload_id=message.upload_id)
            self._validate_if_last(message, plan, progress)
        else:
            self._fail(
                message,
                f"the multipart upload {message.upload_id} of {_key(message)!r} was aborted by somebody else "
                "before all parts were there; a resume copies the archive anew",
            )

    def _with_newer_job(self, message: ChunkMessage) -> ChunkMessage | None:
        """The message with the archive's newest job; None when none is there and the message has had its day.

        Then nothing is asked for here: a new retrieval counts against the budget, and whoever extends windows keeps it
        (`ExtendWindows`). When the archive is there again, a new message comes for what is missing.
        """
        run, archive_id = message.run, message.archive_id
        record = self._records.load(run, archive_id)
        if record is None or record.status is not ArchiveStatus.STAGED:
            _log.info("A chunk of an expired job is dropped", extra={"status": record.status if record else None})
            return None
        if record.job_id is not None and record.job_id != message.job_id:
            return replace(message, job_id=record.job_id)
        early = self._records.close_window(run, archive_id, expired_job=message.job_id, now=self._clock.now())
        _log.warning("The download window has closed and the archive must be asked for again", extra={"early": early})
        return None

    def _fail(self, message: ChunkMessage, reason: str) -> None:
        status = self._records.fail(
            message.run, message.archive_id, reason=reason, only=frozenset({ArchiveStatus.STAGED})
        )
        _log.error("An archive cannot be copied", extra={"reason": reason, "status": status})


def _key(message: ChunkMessage) -> str:
    return destination_key(message.run, message.file_name)


def _archive(message: ChunkMessage) -> Archive:
    return Archive(
        archive_id=message.archive_id,
        size=message.size,
        tree_hash=message.tree_hash,
        creation_date=message.creation_date,
        description=message.description,
        file_name=message.file_name,
    )
