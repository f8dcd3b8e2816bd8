"""How messages that failed come again, for the functions whose queues would hide them for six times a quarter hour."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from solution.application.adapters import clients
from solution.application.adapters.queues import SqsRedelivery
from solution.application.wiring.process import settings
from solution.contract import settings as s

if TYPE_CHECKING:
    from solution.application.ports.queues import Redelivery


@functools.cache
def chunks() -> Redelivery:
    """ChunkRetrieval."""
    return SqsRedelivery(clients.sqs(), settings(s.ChunkRetrievalSettings).chunks_queue_url)


@functools.cache
def uncounted_changes() -> Redelivery:
    """UncountedChangesProcessor."""
    return SqsRedelivery(clients.sqs(), settings(s.UncountedChangesProcessorSettings).metrics_failures_queue_url)


@functools.cache
def validations() -> Redelivery:
    """ArchiveValidation."""
    return SqsRedelivery(clients.sqs(), settings(s.ArchiveValidationSettings).validation_queue_url)
