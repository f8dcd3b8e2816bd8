"""Use cases of the orchestrator's functions, each made once per process."""

from __future__ import annotations

import functools
import os
import uuid
from datetime import timedelta

from solution.application.adapters import clients
from solution.application.adapters.archive_scan import DynamoArchiveScan, DynamoArchiveStops
from solution.application.adapters.counters import DynamoCounters
from solution.application.adapters.executions import GlueInventoryJobs, StepFunctionsExecutions
from solution.application.adapters.expenses import DynamoExpenses
from solution.application.adapters.glacier import BotoGlacierJobs
from solution.application.adapters.inventory_files import S3InventoryFiles, S3InventoryUploads, S3UnfinishedUploads
from solution.application.adapters.notices import HttpSource, HttpStats, SnsNotices
from solution.application.adapters.records import DynamoRunFacts, DynamoTransferRecords
from solution.application.adapters.run_records import DynamoAttempts, DynamoRunRecords
from solution.application.use_cases.abort_uploads import AbortUploads
from solution.application.use_cases.announce_completion import AnnounceCompletion
from solution.application.use_cases.begin_cleanup import BeginCleanup
from solution.application.use_cases.check_provided_inventory import CheckProvidedInventory
from solution.application.use_cases.close_archives import CloseArchives
from solution.application.use_cases.close_run import CloseRun
from solution.application.use_cases.fetch_naming_override import FetchNamingOverride
from solution.application.use_cases.list_unrequested import ListUnrequested
from solution.application.use_cases.recount import Recount
from solution.application.use_cases.register_run import RegisterRun
from solution.application.use_cases.report_run import ReportRun
from solution.application.use_cases.retrieve_inventory import (
    CompleteInventoryUpload,
    DescribeInventoryJob,
    RequestInventory,
    StartInventoryUpload,
    TransferInventoryRange,
)
from solution.application.use_cases.scan_archives import ScanArchives
from solution.application.use_cases.send_stats import SendStats
from solution.application.use_cases.stop_archives import StopArchives
from solution.application.use_cases.stop_run import StopRun
from solution.application.use_cases.watch_runs import WatchRuns
from solution.application.wiring.process import clock, overdue, settings
from solution.contract import settings as s


@functools.cache
def register_run() -> RegisterRun:
    """RunRegistrar."""
    own = settings(s.RunRegistrarSettings)
    return RegisterRun(
        records=_run_records(own.retrieval_table_name),
        attempts=DynamoAttempts(client=clients.dynamodb(), table=own.metric_table_name),
        clock=clock(),
    )


@functools.cache
def watch_runs() -> WatchRuns:
    """RunWatcher."""
    own = settings(s.RunWatcherSettings)
    return WatchRuns(
        attempts=DynamoAttempts(client=clients.dynamodb(), table=own.metric_table_name),
        records=_run_records(own.retrieval_table_name),
        executions=_executions(),
        begin_cleanup=_begin_cleanup(own),
        clock=clock(),
    )


@functools.cache
def stop_run() -> StopRun:
    """RunStopper."""
    own = settings(s.RunStopperSettings)
    return StopRun(
        records=_run_records(own.retrieval_table_name),
        executions=_executions(),
        begin_cleanup=_begin_cleanup(own),
        orchestrator_arn=own.orchestrator_machine_arn,
    )


@functools.cache
def close_run() -> CloseRun:
    """RunCloser."""
    own = settings(s.RunCloserSettings)
    return CloseRun(
        records=_run_records(own.retrieval_table_name),
        counters=DynamoCounters(clients.dynamodb(), own.metric_table_name),
        executions=_executions(),
        clock=clock(),
        inventory_jobs=GlueInventoryJobs(client=clients.glue(), job=own.inventory_job_name),
        inventory_retrieval_arn=own.inventory_retrieval_machine_arn,
        children_arns=(
            own.archives_status_cleanup_machine_arn,
            own.inventory_retrieval_machine_arn,
            own.initiate_retrieval_machine_arn,
        ),
    )


@functools.cache
def scan_archives() -> ScanArchives:
    """ArchivesScan."""
    own = settings(s.ArchivesScanSettings)
    return ScanArchives(
        scan=DynamoArchiveScan(client=clients.dynamodb(), table=own.retrieval_table_name),
        files=S3InventoryFiles(client=clients.s3(), bucket=own.inventory_bucket_name, owner=own.account_id),
        clock=clock(),
        extend_when_remaining=timedelta(seconds=own.extend_when_remaining_seconds),
        overdue=overdue(own),
    )


@functools.cache
def close_archives() -> CloseArchives:
    """ArchivesScan, when a run ends before its time."""
    own = settings(s.ArchivesScanSettings)
    return CloseArchives(
        scan=DynamoArchiveScan(client=clients.dynamodb(), table=own.retrieval_table_name),
        stops=DynamoArchiveStops(client=clients.dynamodb(), table=own.retrieval_table_name),
        runs=DynamoRunFacts(clients.dynamodb(), own.retrieval_table_name),
    )


@functools.cache
def stop_archives() -> StopArchives:
    """ArchivesStatusStop."""
    own = settings(s.ArchivesStatusStopSettings)
    return StopArchives(stops=DynamoArchiveStops(client=clients.dynamodb(), table=own.retrieval_table_name))


@functools.cache
def recount() -> Recount:
    """CountersRecount."""
    own = settings(s.CountersRecountSettings)
    return Recount(
        scan=DynamoArchiveScan(client=clients.dynamodb(), table=own.retrieval_table_name),
        counters=DynamoCounters(clients.dynamodb(), own.metric_table_name),
    )


@functools.cache
def request_inventory() -> RequestInventory:
    """InventoryJobRequest."""
    own = settings(s.InventoryJobRequestSettings)
    return RequestInventory(glacier=_glacier(own.glacier_endpoint_url, own.async_facilitator_topic_arn))


@functools.cache
def describe_inventory_job() -> DescribeInventoryJob:
    """InventoryJobStatus."""
    own = settings(s.InventoryJobStatusSettings)
    return DescribeInventoryJob(glacier=_glacier(own.glacier_endpoint_url, own.async_facilitator_topic_arn))


@functools.cache
def start_inventory_upload() -> StartInventoryUpload:
    """InventoryUploadStart."""
    own = settings(s.InventoryUploadStartSettings)
    return StartInventoryUpload(
        uploads=_inventory_uploads(own.inventory_bucket_name, own.account_id), range_bytes=own.inventory_range_bytes
    )


@functools.cache
def transfer_inventory_range() -> TransferInventoryRange:
    """InventoryChunkTransfer."""
    own = settings(s.InventoryChunkTransferSettings)
    return TransferInventoryRange(
        glacier=_glacier(own.glacier_endpoint_url, own.async_facilitator_topic_arn),
        uploads=_inventory_uploads(own.inventory_bucket_name, own.account_id),
        clock=clock(),
    )


@functools.cache
def complete_inventory_upload() -> CompleteInventoryUpload:
    """InventoryUploadComplete."""
    own = settings(s.InventoryUploadCompleteSettings)
    return CompleteInventoryUpload(
        uploads=_inventory_uploads(own.inventory_bucket_name, own.account_id),
        files=S3InventoryFiles(client=clients.s3(), bucket=own.inventory_bucket_name, owner=own.account_id),
    )


@functools.cache
def check_provided_inventory() -> CheckProvidedInventory:
    """ProvidedInventoryCheck."""
    own = settings(s.ProvidedInventoryCheckSettings)
    return CheckProvidedInventory(
        files=S3InventoryFiles(client=clients.s3(), bucket=own.inventory_bucket_name, owner=own.account_id)
    )


@functools.cache
def fetch_naming_override() -> FetchNamingOverride:
    """NamingOverrideFetch."""
    own = settings(s.NamingOverrideFetchSettings)
    return FetchNamingOverride(
        web=HttpSource(),
        files=S3InventoryFiles(client=clients.s3(), bucket=own.inventory_bucket_name, owner=own.account_id),
    )


@functools.cache
def send_stats() -> SendStats:
    """SendAnonymizedStats. The region is the one that Lambda tells every function."""
    own = settings(s.SendAnonymizedStatsSettings)
    return SendStats(
        enabled=own.send_anonymized_stats == "true",
        endpoint=own.anonymized_stats_endpoint,
        version=own.solution_version,
        region=os.environ.get("AWS_REGION", ""),
        counters=DynamoCounters(clients.dynamodb(), own.metric_table_name),
        stats=HttpStats(),
        clock=clock(),
        random_id=lambda: str(uuid.uuid4()),
    )


@functools.cache
def abort_uploads() -> AbortUploads:
    """AbortUploads."""
    own = settings(s.AbortUploadsSettings)
    return AbortUploads(
        destination=S3UnfinishedUploads(client=clients.s3(), bucket=own.destination_bucket_name, owner=own.account_id),
        inventories=S3UnfinishedUploads(client=clients.s3(), bucket=own.inventory_bucket_name, owner=own.account_id),
    )


@functools.cache
def list_unrequested() -> ListUnrequested:
    """UnrequestedListing."""
    own = settings(s.UnrequestedListingSettings)
    return ListUnrequested(
        records=DynamoTransferRecords(clients.dynamodb(), own.retrieval_table_name),
        files=S3InventoryFiles(client=clients.s3(), bucket=own.inventory_bucket_name, owner=own.account_id),
    )


@functools.cache
def report_run() -> ReportRun:
    """RunReport."""
    own = settings(s.RunReportSettings)
    return ReportRun(
        records=_run_records(own.retrieval_table_name),
        counters=DynamoCounters(clients.dynamodb(), own.metric_table_name),
        expenses=DynamoExpenses(client=clients.dynamodb(), table=own.metric_table_name),
        files=S3InventoryFiles(client=clients.s3(), bucket=own.inventory_bucket_name, owner=own.account_id),
        clock=clock(),
        chunk_size_mib=own.chunk_size_mib,
        inventory_bucket=own.inventory_bucket_name,
        destination_bucket=own.destination_bucket_name,
    )


@functools.cache
def announce_completion() -> AnnounceCompletion:
    """CompletionNotice."""
    own = settings(s.CompletionNoticeSettings)
    return AnnounceCompletion(
        records=_run_records(own.retrieval_table_name),
        notices=SnsNotices(client=clients.sns(), topic_arn=own.run_notifications_topic_arn),
        clock=clock(),
    )


def _inventory_uploads(bucket: str, owner: str) -> S3InventoryUploads:
    return S3InventoryUploads(client=clients.s3(), streaming=clients.streaming_s3(), bucket=bucket, owner=owner)


def _run_records(table: str) -> DynamoRunRecords:
    return DynamoRunRecords(client=clients.dynamodb(), table=table)


def _executions() -> StepFunctionsExecutions:
    return StepFunctionsExecutions(client=clients.stepfunctions())


def _begin_cleanup(own: s.RunWatcherSettings | s.RunStopperSettings) -> BeginCleanup:
    return BeginCleanup(
        records=_run_records(own.retrieval_table_name),
        executions=_executions(),
        notices=SnsNotices(client=clients.sns(), topic_arn=own.run_notifications_topic_arn),
        clock=clock(),
        machine_arn=own.cleanup_machine_arn,
    )


def _glacier(endpoint_url: str, topic_arn: str) -> BotoGlacierJobs:
    return BotoGlacierJobs(clients.glacier(endpoint_url), topic_arn=topic_arn)
