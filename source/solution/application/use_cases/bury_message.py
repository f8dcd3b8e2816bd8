"""Give up what a queue has given up: its archive is recorded as failed, with the reason."""

from __future__ import annotations

import logging
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
    the message is a leftover. What belongs to no archive is logged with its body and dropped.
    """

    def __init__(self, *, records: TransferRecords) -> None:
        self._records = records

    def __call__(self, body: str, *, attempts: int) -> None:
        """``attempts``: how often the message had been tried."""
        subject = _subject(body)
        if subject is None:
            _log.error("A dead letter belongs to no archive and is dropped", extra={"body": body})
            return
        run, archive_id, upload_id, states = subject
        if upload_id and not self._is_current(run, archive_id, upload_id):
            _log.info("A dead letter of an abandoned upload is dropped", extra={"body": body})
            return
        problem = self._records.problem(run, archive_id) or _UNEXPLAINED
        reason = f"gave up after {attempts} attempts: {problem}"
        status = self._records.fail(run, archive_id, reason=reason, only=states)
        if status is None:
            _log.error("A dead letter's archive is unknown and the letter is dropped", extra={"body": body})
        else:
            _log.error(
                "A message was given up",
                extra={"archive_id": archive_id, "workflow_run": run, "reason": reason, "status": status},
            )

    def _is_current(self, run: str, archive_id: str, upload_id: str) -> bool:
        record = self._records.load(run, archive_id)
        return record is not None and record.upload_id == upload_id


def _subject(body: str) -> tuple[str, str, str, frozenset[ArchiveStatus]] | None:
    """Run, archive, upload if it is of one, and the states in which the message matters."""
    staged = frozenset({ArchiveStatus.STAGED})
    try:
        chunk = ChunkMessage.parse(body)
    except InvalidInput:
        pass
    else:
        return chunk.run, chunk.archive_id, chunk.upload_id, staged
    try:
        validation = ValidationMessage.parse(body)
    except InvalidInput:
        pass
    else:
        return validation.run, validation.archive_id, "", staged
    try:
        notification = GlacierNotification.parse(body)
        run, archive_id = check_archive(notification.run, notification.archive_id, "the notification")
    except InvalidInput:
        return None
    return run, archive_id, "", FAIL_FROM
