"""Notifications of completed jobs: their wording, the outbox they wait in, and their delivery.

They are written to the database in the transaction that completes the job and leave it when they are
published, so that a stop in between repeats a notification rather than losing it, as SNS does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from solution.mocking.glacier.clock import iso
from solution.mocking.glacier.context import Context

logger = logging.getLogger(__name__)

_BATCH: Final = 200
_MOST_ATTEMPTS: Final = 8
_FIRST_PAUSE: Final = 0.5


class Notifier(Protocol):
    """Whoever publishes to a topic: SNS, or a list in a test. Called from several threads."""

    def publish(self, topic_arn: str, message: str) -> None:
        """Publish, or raise: then it is tried again, a few times."""


class SilentNotifier:
    """Publishes nothing; for services whose callers poll."""

    def publish(self, topic_arn: str, message: str) -> None:
        """Nothing happens."""


class RecordingNotifier:
    """Keeps what was published, in order."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []

    def publish(self, topic_arn: str, message: str) -> None:
        """Remember the topic and the parsed message."""
        self.published.append((topic_arn, json.loads(message)))


def job_message(job: dict[str, Any], vault_arn: str) -> str:
    """The message of a completed job, field for field Glacier's (*Configuring Vault Notifications*)."""
    byte_range = f"{job['range_start']}-{job['range_end']}" if job["range_start"] is not None else None
    return json.dumps(
        {
            "Action": job["action"],
            "ArchiveId": job["archive_id"],
            "ArchiveSHA256TreeHash": job["archive_tree_hash"],
            "ArchiveSizeInBytes": job["archive_size"],
            "Completed": True,
            "CompletionDate": iso(job["completed"]),
            "CreationDate": iso(job["created"]),
            "InventoryRetrievalParameters": json.loads(job["inventory"]) if job["inventory"] else None,
            "InventorySizeInBytes": job["inventory_size"],
            "JobDescription": job["description"],
            "JobId": job["job_id"],
            "RetrievalByteRange": byte_range,
            "SHA256TreeHash": job["range_tree_hash"],
            "SNSTopic": job["topic"],
            "StatusCode": job["status"],
            "StatusMessage": job["message"],
            "Tier": job["tier"],
            "VaultARN": vault_arn,
        }
    )


class Outbox:
    """Notifications waiting to be published."""

    def __init__(self, context: Context, notifier: Notifier) -> None:
        self._context = context
        self._notifier = notifier
        self._threads = ThreadPoolExecutor(context.settings.notification_threads, thread_name_prefix="glacier-notify")

    def close(self) -> None:
        """Wait for publications under way."""
        self._threads.shutdown()

    def put(self, notifications: Sequence[tuple[float, str, str]]) -> None:
        """Queue (due, topic, message); call it in the transaction that makes them true."""
        self._context.store.execute_many(
            "INSERT INTO notifications (due, topic, message) VALUES (?, ?, ?)", notifications
        )

    def deliver(self) -> int:
        """Publish all that is due; returns how many were published."""
        store, published = self._context.store, 0
        while True:
            now = self._context.clock.now()
            rows = store.rows("SELECT * FROM notifications WHERE due <= ? ORDER BY due, seq LIMIT ?", (now, _BATCH))
            if not rows:
                return published
            outcomes = list(self._threads.map(self._publish, [dict(row) for row in rows]))
            with store.transaction():
                for row, failure in zip(rows, outcomes, strict=True):
                    self._settle(dict(row), failure, now)
            published += outcomes.count(None)

    def next_due(self) -> float | None:
        """When the next notification is due."""
        row = self._context.store.row("SELECT MIN(due) AS due FROM notifications")
        return row["due"] if row else None

    def _publish(self, row: dict[str, Any]) -> Exception | None:
        try:
            self._notifier.publish(row["topic"], row["message"])
        except Exception as error:  # noqa: BLE001  # any failure of a foreign notifier means: try again
            return error
        return None

    def _settle(self, row: dict[str, Any], failure: Exception | None, now: float) -> None:
        statistics = self._context.statistics
        if failure is not None and row["attempts"] + 1 < _MOST_ATTEMPTS:
            pause = _FIRST_PAUSE * 2 ** row["attempts"]
            self._context.store.execute(
                "UPDATE notifications SET attempts = attempts + 1, due = ? WHERE seq = ?",
                (now + pause, row["seq"]),
            )
            return
        if failure is None:
            statistics.total("notifications_published")
        else:
            statistics.total("notifications_lost")
            logger.warning("notification to %s given up: %s", row["topic"], failure)
        self._context.store.execute("DELETE FROM notifications WHERE seq = ?", (row["seq"],))
