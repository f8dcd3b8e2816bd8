"""The environment of each function: variable names, types and meaning, in one place.

A settings class is a frozen dataclass; each field is the environment variable of the same name in capitals. The CDK
application sets exactly `variable_names`, the function reads them once with `from_environment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self, get_type_hints

from solution.domain.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every function is told. ``glacier_endpoint_url`` is empty for the real service."""

    @classmethod
    def variable_names(cls) -> tuple[str, ...]:
        """Environment variables this function needs."""
        return tuple(field.name.upper() for field in fields(cls))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings; raises `SettingsError` naming each variable that is missing or malformed."""
        hints = get_type_hints(cls)
        values: dict[str, object] = {}
        problems: list[str] = []
        for field in fields(cls):
            name = field.name.upper()
            text = environment.get(name)
            if text is None:
                problems.append(f"{name} is missing")
                continue
            try:
                values[field.name] = hints[field.name](text)
            except ValueError:
                problems.append(f"{name}={text!r} is not a {hints[field.name].__name__}")
        if problems:
            raise SettingsError(f"environment of {cls.__name__}: " + "; ".join(problems))
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class _Records(Settings):
    retrieval_table_name: str


@dataclass(frozen=True, kw_only=True)
class _Glacier(Settings):
    glacier_endpoint_url: str
    async_facilitator_topic_arn: str


@dataclass(frozen=True, kw_only=True)
class _Quota(Settings):
    """``daily_retrieval_budget_gib`` may be asked for in any ``quota_period_seconds``."""

    metric_table_name: str
    daily_retrieval_budget_gib: int
    quota_period_seconds: int


@dataclass(frozen=True, kw_only=True)
class _Destination(Settings):
    destination_bucket_name: str
    account_id: str


@dataclass(frozen=True, kw_only=True)
class _Inventory(Settings):
    inventory_bucket_name: str
    account_id: str


@dataclass(frozen=True, kw_only=True)
class OverdueSettings(Settings):
    """For how long Glacier may say nothing of a retrieval, in seconds, before it is asked."""

    bulk_overdue_seconds: int
    standard_overdue_seconds: int


@dataclass(frozen=True, kw_only=True)
class RunRegistrarSettings(_Records):
    """Orchestrator's first step: the run's record."""

    metric_table_name: str


@dataclass(frozen=True, kw_only=True)
class _Cleanup(_Records):
    cleanup_machine_arn: str
    run_notifications_topic_arn: str


@dataclass(frozen=True, kw_only=True)
class RunWatcherSettings(_Cleanup):
    """Finds runs whose orchestrator was ended from outside."""

    metric_table_name: str


@dataclass(frozen=True, kw_only=True)
class RunStopperSettings(_Cleanup):
    """Ends a run because somebody wishes it so."""

    orchestrator_machine_arn: str


@dataclass(frozen=True, kw_only=True)
class RunCloserSettings(_Records):
    """Clean-up's first step: the run does nothing new, and what it still does comes to rest."""

    metric_table_name: str
    archives_status_cleanup_machine_arn: str
    inventory_retrieval_machine_arn: str
    initiate_retrieval_machine_arn: str
    inventory_job_name: str


@dataclass(frozen=True, kw_only=True)
class ArchivesScanSettings(_Records, _Inventory, OverdueSettings):
    """Writes work lists from the table. ``extend_when_remaining_seconds``: how little of a window is too little."""

    extend_when_remaining_seconds: int


@dataclass(frozen=True, kw_only=True)
class ArchivesStatusStopSettings(_Records):
    """Marks unfinished archives of an earlier attempt as stopped."""


@dataclass(frozen=True, kw_only=True)
class CountersRecountSettings(_Records):
    """Restates the counters before an attempt begins."""

    metric_table_name: str


@dataclass(frozen=True, kw_only=True)
class InventoryJobRequestSettings(_Glacier):
    """Asks Glacier for the inventory."""


@dataclass(frozen=True, kw_only=True)
class InventoryJobStatusSettings(_Glacier):
    """Looks at the inventory job when no notification came."""


@dataclass(frozen=True, kw_only=True)
class InventoryUploadStartSettings(_Inventory):
    """Cuts the inventory into ranges of ``inventory_range_bytes``, or more, and opens the multipart upload."""

    inventory_range_bytes: int


@dataclass(frozen=True, kw_only=True)
class InventoryChunkTransferSettings(_Glacier, _Inventory):
    """Copies one range of the inventory."""


@dataclass(frozen=True, kw_only=True)
class InventoryUploadCompleteSettings(_Inventory):
    """Checks the parts of the inventory and completes its upload."""


@dataclass(frozen=True, kw_only=True)
class ProvidedInventoryCheckSettings(_Inventory):
    """Checks an inventory that the user provided."""


@dataclass(frozen=True, kw_only=True)
class NamingOverrideFetchSettings(_Inventory):
    """Fetches the user's names."""


@dataclass(frozen=True, kw_only=True)
class SendAnonymizedStatsSettings(Settings):
    """Sends statistics, if the deployer turned it on ("true") and named an endpoint."""

    send_anonymized_stats: str
    anonymized_stats_endpoint: str
    solution_version: str
    metric_table_name: str


@dataclass(frozen=True, kw_only=True)
class InitiateArchiveRetrievalSettings(_Records, _Glacier, _Quota):
    """Asks Glacier for a batch of archives, at most ``initiate_jobs_per_second``, within the quota."""

    initiate_jobs_per_second: float
    chunk_size_mib: int


@dataclass(frozen=True, kw_only=True)
class CalculateTimeoutSettings(_Quota):
    """How long to wait before the quota allows for more."""


@dataclass(frozen=True, kw_only=True)
class ExtendWindowRequestSettings(_Records, _Glacier, _Quota, OverdueSettings):
    """Asks again for staged archives whose window is about to close, and what became of overdue retrievals."""

    notifications_queue_url: str
    initiate_jobs_per_second: float
    extend_when_remaining_seconds: int


@dataclass(frozen=True, kw_only=True)
class NotificationsProcessorSettings(_Records, _Destination):
    """Turns Glacier's notifications into chunk messages; ``download_window_seconds`` is Glacier's 24 h."""

    facilitator_table_name: str
    chunks_queue_url: str
    download_window_seconds: int


@dataclass(frozen=True, kw_only=True)
class ChunkRetrievalSettings(_Records, _Glacier, _Destination):
    """Copies chunks."""

    chunks_queue_url: str
    validation_queue_url: str


@dataclass(frozen=True, kw_only=True)
class ArchiveValidationSettings(_Records, _Destination):
    """Proves and completes archives of several chunks."""

    validation_queue_url: str


@dataclass(frozen=True, kw_only=True)
class MetricsProcessorSettings(_Records):
    """Counts; releases the run when the last archive has ended."""

    metric_table_name: str
    facilitator_table_name: str


@dataclass(frozen=True, kw_only=True)
class UncountedChangesProcessorSettings(MetricsProcessorSettings):
    """Counts what MetricsProcessor has given up."""

    metrics_failures_queue_url: str


@dataclass(frozen=True, kw_only=True)
class CompletionCheckerSettings(MetricsProcessorSettings):
    """The periodic safety net; ends a run whose counters did not move for ``stall_seconds``."""

    stall_seconds: int


@dataclass(frozen=True, kw_only=True)
class AsyncFacilitatorSettings(Settings):
    """Answers task tokens."""

    facilitator_table_name: str


@dataclass(frozen=True, kw_only=True)
class DeadLetterProcessorSettings(_Records):
    """Marks the archives behind dead letters as failed."""


@dataclass(frozen=True, kw_only=True)
class AbortUploadsSettings(_Destination):
    """Aborts the run's incomplete multipart uploads."""

    inventory_bucket_name: str


@dataclass(frozen=True, kw_only=True)
class RunReportSettings(_Records, _Inventory):
    """Writes ``failed_archives.csv`` and the summary; ``chunk_size_mib`` tells how many parts copies took."""

    metric_table_name: str
    destination_bucket_name: str
    chunk_size_mib: int


@dataclass(frozen=True, kw_only=True)
class UnrequestedListingSettings(_Records, _Inventory):
    """Lists archives of the sorted inventory that were never asked for."""


@dataclass(frozen=True, kw_only=True)
class CompletionNoticeSettings(_Records):
    """Writes the run's outcome and tells the operator."""

    run_notifications_topic_arn: str


@dataclass(frozen=True, kw_only=True)
class GlueJobArguments:
    """Arguments of the inventory job, each ``--name value``; URIs are ``s3://`` ones, prefixes end in ``/``."""

    workflow_run: str
    inventory_uri: str
    overrides_uri: str
    output_uri: str
    not_migrated_uri: str
    rejected_uri: str
    metric_table: str
    partition_bytes: str
    partition_archives: str
    file_archives: str

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Argument names in order."""
        return tuple(field.name for field in fields(cls))
