"""Which module serves which function, and the settings it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from solution.contract import settings as s


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """A Lambda function: its construct id (also the beginning of its physical name), handler and settings."""

    name: str
    settings: type[s.Settings]

    @property
    def module(self) -> str:
        """Dotted module of the handler, ``solution.application.handlers.<name in snake case>``."""
        return "solution.application.handlers." + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).lower()

    @property
    def handler(self) -> str:
        """Lambda's handler setting."""
        return f"{self.module}.handler"


def _entry(name: str, settings: type[s.Settings]) -> EntryPoint:
    return EntryPoint(name=name, settings=settings)


RUN_REGISTRAR = _entry("RunRegistrar", s.RunRegistrarSettings)
RUN_WATCHER = _entry("RunWatcher", s.RunWatcherSettings)
RUN_STOPPER = _entry("RunStopper", s.RunStopperSettings)
RUN_CLOSER = _entry("RunCloser", s.RunCloserSettings)
ARCHIVES_SCAN = _entry("ArchivesScan", s.ArchivesScanSettings)
ARCHIVES_STATUS_STOP = _entry("ArchivesStatusStop", s.ArchivesStatusStopSettings)
COUNTERS_RECOUNT = _entry("CountersRecount", s.CountersRecountSettings)
INVENTORY_JOB_REQUEST = _entry("InventoryJobRequest", s.InventoryJobRequestSettings)
INVENTORY_JOB_STATUS = _entry("InventoryJobStatus", s.InventoryJobStatusSettings)
INVENTORY_UPLOAD_START = _entry("InventoryUploadStart", s.InventoryUploadStartSettings)
INVENTORY_CHUNK_TRANSFER = _entry("InventoryChunkTransfer", s.InventoryChunkTransferSettings)
INVENTORY_UPLOAD_COMPLETE = _entry("InventoryUploadComplete", s.InventoryUploadCompleteSettings)
PROVIDED_INVENTORY_CHECK = _entry("ProvidedInventoryCheck", s.ProvidedInventoryCheckSettings)
NAMING_OVERRIDE_FETCH = _entry("NamingOverrideFetch", s.NamingOverrideFetchSettings)
SEND_ANONYMIZED_STATS = _entry("SendAnonymizedStats", s.SendAnonymizedStatsSettings)
INITIATE_ARCHIVE_RETRIEVAL = _entry("InitiateArchiveRetrieval", s.InitiateArchiveRetrievalSettings)
CALCULATE_TIMEOUT = _entry("CalculateTimeout", s.CalculateTimeoutSettings)
EXTEND_WINDOW_REQUEST = _entry("ExtendWindowRequest", s.ExtendWindowRequestSettings)
NOTIFICATIONS_PROCESSOR = _entry("NotificationsProcessor", s.NotificationsProcessorSettings)
CHUNK_RETRIEVAL = _entry("ChunkRetrieval", s.ChunkRetrievalSettings)
ARCHIVE_VALIDATION = _entry("ArchiveValidation", s.ArchiveValidationSettings)
METRICS_PROCESSOR = _entry("MetricsProcessor", s.MetricsProcessorSettings)
UNCOUNTED_CHANGES_PROCESSOR = _entry("UncountedChangesProcessor", s.UncountedChangesProcessorSettings)
COMPLETION_CHECKER = _entry("CompletionChecker", s.CompletionCheckerSettings)
ASYNC_FACILITATOR = _entry("AsyncFacilitator", s.AsyncFacilitatorSettings)
DEAD_LETTER_PROCESSOR = _entry("DeadLetterProcessor", s.DeadLetterProcessorSettings)
ABORT_UPLOADS = _entry("AbortUploads", s.AbortUploadsSettings)
UNREQUESTED_LISTING = _entry("UnrequestedListing", s.UnrequestedListingSettings)
RUN_REPORT = _entry("RunReport", s.RunReportSettings)
COMPLETION_NOTICE = _entry("CompletionNotice", s.CompletionNoticeSettings)

ENTRY_POINTS: tuple[EntryPoint, ...] = tuple(v for v in list(globals().values()) if isinstance(v, EntryPoint))
"""All functions of the ``solution`` stack."""
