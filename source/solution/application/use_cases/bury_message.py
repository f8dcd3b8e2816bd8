"""Give up what a queue has given up: its archive is recorded as failed, with the reason."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solution.application.ports.records import FAIL_FROM
from solution.contract.messages import ChunkMessage, GlacierNotification, ValidationMessage, check_archive
from solution.domain.errors import InvalidInput
from solution.domain.status import ArchiveStatus

if TYPE_CHECKING:
    from solution.application.ports.records import TransferRecords

_log = logging.getLogger(__name__)

_UNEXPLAINED = "the function ended without an answer each time (time-out or memory), see its log"


class BuryMessage:
    """Dead letters of the notification, chunk and validation queues.

    A chunk or validation speaks of a staged archive only: once the archive is being asked for again, or has ended,
    the message is a leftover. So it is when it is of another upload or another attempt than the archive is now. A
    notification speaks of the archive's job only. What belongs to no archive is logged with its body and dropped.

    Of a chunk it does not matter which job it is of: each extension of the window sends another message for it, and if
    that were enough to forgive this one, an archive that can never be copied might never end.
    """

    def __init__(self, *, records: TransferRecords) -> None:
        self._records = records

    def __call__(self, body: str, *, attempts: int) -> None:
        """``attempts``: how often the message had been tried."""
        subject = _subject(body)
        if subject is None:
            _log.error("A dead letter belongs to no archive and is dropped", extra={"body": body})
            return
        run, archive_id = subject.run, subject.archive_id
        if not self._is_current(subject):
            _log.error("A dead letter of an abandoned upload or attempt is dropped", extra={"body": body})
            return
        problem = self._records.problem(run, archive_id) or _UNEXPLAINED
        reason = f"gave up after {attempts} attempts: {problem}"
        status = self._records.fail(run, archive_id, reason=reason, only=subject.states, job_id=subject.job_id)
        if status is None:
            _log.error("A dead letter's archive is unknown and the letter is dropped", extra={"body": body})
        else:
            _log.error(
                "A message was given up",
                extra={
                    "archive_id": archive_id,
                    "workflow_run": run,
                    "reason": reason,
                    "status": status,
                    "body": body,
                },
            )

    def _is_current(self, subject: _Subject) -> bool:
        if not subject.upload_id and not subject.attempt:
            return True
        record = self._records.load(subject.run, subject.archive_id)
        return (
            record is not None
            and (not subject.upload_id or record.upload_id == subject.upload_id)
            and (not subject.attempt or record.attempt == subject.attempt)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a letter is about, and the states in which it matters; job, upload and attempt where it is of one."""

    run: str
    archive_id: str
    states: frozenset[ArchiveStatus]
    job_id: str | None = None
    upload_id: str = ""
    attempt: int = 0


def _subject(body: str) -> _Subject | None:
    staged = frozenset({ArchiveStatus.STAGED})
    try:
        chunk = ChunkMessage.parse(body)
    except InvalidInput:
        pass
    else:
        return _Subject(
            run=chunk.run,
            archive_id=chunk.archive_id,
            states=staged,
            upload_id=chunk.upload_id,
            attempt=chunk.attempt,
        )
    try:
        validation = ValidationMessage.parse(body)
    except InvalidInput:
        pass
    else:
        return _Subject(
            run=validation.run, archive_id=validation.archive_id, states=staged, upload_id=validation.upload_id
        )
    try:
        notification = GlacierNotification.parse(body)
        run, archive_id = check_archive(notification.run, notification.archive_id, "the notification")
    except InvalidInput:
        return None
    return _Subject(run=run, archive_id=archive_id, states=FAIL_FROM, job_id=notification.job_id)
