"""Use cases of archive retrieval, each made once per process."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING

from solution.application.adapters import clients
from solution.application.adapters.change_stream import DynamoChangeStream
from solution.application.adapters.counters import DynamoCounters
from solution.application.adapters.expenses import DynamoExpenses
from solution.application.adapters.facilitator import DynamoFacilitator, StepFunctionsGate
from solution.application.adapters.glacier import BotoGlacierJobs
from solution.application.adapters.objects import S3ObjectStore
from solution.application.adapters.queues import SqsQueue
from solution.application.adapters.quota import DynamoQuotaLedger
from solution.application.adapters.records import DynamoRunFacts, DynamoTransferRecords
from solution.application.ports.clock import Deadline
from solution.application.use_cases.allowance import Allowance
from solution.application.use_cases.answer_task import AnswerTask
from solution.application.use_cases.asking import JobAsker
from solution.application.use_cases.backoff import FullJitter, TokenBucket
from solution.application.use_cases.bury_message import BuryMessage
from solution.application.use_cases.calculate_timeout import CalculateTimeout
from solution.application.use_cases.completion import CheckCompletion
from solution.application.use_cases.count_again import CountAgain
from solution.application.use_cases.count_changes import CountChanges
from solution.application.use_cases.extend_windows import ExtendWindows
from solution.application.use_cases.follow_up_retrievals import FollowUpRetrievals
from solution.application.use_cases.process_notifications import ProcessNotifications
from solution.application.use_cases.request_archives import RequestArchives
from solution.application.use_cases.standing import Standing
from solution.application.use_cases.transfer_chunk import TransferChunk
from solution.application.use_cases.validate_archive import ValidateArchive
from solution.application.wiring.process import clock, overdue, settings
from solution.contract import settings as s
from solution.domain.pacing import Budget

if TYPE_CHECKING:
    from solution.application.ports.facilitator import Facilitator
    from solution.application.ports.glacier import GlacierJobs
    from solution.application.ports.objects import ObjectStore
    from solution.application.ports.records import TransferRecords

GIB = 1024**3


def deadline(seconds: float) -> Deadline:
    """``seconds`` from now, on the process's clock."""
    return Deadline.after(clock(), seconds)


@functools.cache
def request_archives() -> RequestArchives:
    """InitiateArchiveRetrieval."""
    own = settings(s.InitiateArchiveRetrievalSettings)
    return RequestArchives(
        records=_records(own.retrieval_table_name),
        standing=_standing(own.retrieval_table_name),
        allowance=_allowance(own),
        asker=_asker(_glacier(own.glacier_endpoint_url, own.async_facilitator_topic_arn), own.initiate_jobs_per_second),
        clock=clock(),
        chunk_size_mib=own.chunk_size_mib,
    )


@functools.cache
def calculate_timeout() -> CalculateTimeout:
    """CalculateTimeout."""
    own = settings(s.CalculateTimeoutSettings)
    return CalculateTimeout(
        ledger=DynamoQuotaLedger(clients.dynamodb(), own.metric_table_name),
        clock=clock(),
        budget=_budget(own.daily_retrieval_budget_gib, own.quota_period_seconds),
    )


@functools.cache
def extend_windows() -> ExtendWindows:
    """ExtendWindowRequest."""
    own = settings(s.ExtendWindowRequestSettings)
    return ExtendWindows(
        records=_records(own.retrieval_table_name),
        standing=_standing(own.retrieval_table_name),
        allowance=_allowance(own),
        asker=_asker(_glacier(own.glacier_endpoint_url, own.async_facilitator_topic_arn), own.initiate_jobs_per_second),
        clock=clock(),
        threshold=timedelta(seconds=own.extend_when_remaining_seconds),
    )


@functools.cache
def follow_up_retrievals() -> FollowUpRetrievals:
    """ExtendWindowRequest, the other half of it."""
    own = settings(s.ExtendWindowRequestSettings)
    return FollowUpRetrievals(
        records=_records(own.retrieval_table_name),
        standing=_standing(own.retrieval_table_name),
        allowance=_allowance(own),
        asker=_asker(_glacier(own.glacier_endpoint_url, own.async_facilitator_topic_arn), own.initiate_jobs_per_second),
        notifications=SqsQueue(clients.sqs(), own.notifications_queue_url),
        clock=clock(),
        overdue=overdue(own),
    )


@functools.cache
def process_notifications() -> ProcessNotifications:
    """NotificationsProcessor."""
    own = settings(s.NotificationsProcessorSettings)
    return ProcessNotifications(
        records=_records(own.retrieval_table_name),
        facilitator=_facilitator(own.facilitator_table_name),
        chunks=SqsQueue(clients.sqs(), own.chunks_queue_url),
        objects=_objects(own.destination_bucket_name, own.account_id),
        standing=_standing(own.retrieval_table_name),
        clock=clock(),
        window=timedelta(seconds=own.download_window_seconds),
    )


@functools.cache
def transfer_chunk() -> TransferChunk:
    """ChunkRetrieval."""
    own = settings(s.ChunkRetrievalSettings)
    return TransferChunk(
        records=_records(own.retrieval_table_name),
        glacier=_glacier(own.glacier_endpoint_url, own.async_facilitator_topic_arn),
        objects=_objects(own.destination_bucket_name, own.account_id),
        validations=SqsQueue(clients.sqs(), own.validation_queue_url),
        standing=_standing(own.retrieval_table_name),
        clock=clock(),
        jitter=FullJitter(),
    )


@functools.cache
def validate_archive() -> ValidateArchive:
    """ArchiveValidation."""
    own = settings(s.ArchiveValidationSettings)
    return ValidateArchive(
        records=_records(own.retrieval_table_name),
        objects=_objects(own.destination_bucket_name, own.account_id),
        clock=clock(),
    )


@functools.cache
def count_changes() -> CountChanges:
    """MetricsProcessor."""
    own = settings(s.MetricsProcessorSettings)
    return CountChanges(
        counters=DynamoCounters(clients.dynamodb(), own.metric_table_name),
        runs=DynamoRunFacts(clients.dynamodb(), own.retrieval_table_name),
        facilitator=_facilitator(own.facilitator_table_name),
        clock=clock(),
        jitter=FullJitter(base=0.05, cap=2.0),
    )


@functools.cache
def count_again() -> CountAgain:
    """UncountedChangesProcessor."""
    return CountAgain(stream=DynamoChangeStream(clients.dynamodb_streams()), count=count_changes())


@functools.cache
def check_completion() -> CheckCompletion:
    """CompletionChecker."""
    own = settings(s.CompletionCheckerSettings)
    return CheckCompletion(
        counters=DynamoCounters(clients.dynamodb(), own.metric_table_name),
        facilitator=_facilitator(own.facilitator_table_name),
        clock=clock(),
        stall=timedelta(seconds=own.stall_seconds),
    )


@functools.cache
def answer_task() -> AnswerTask:
    """AsyncFacilitator."""
    settings(s.AsyncFacilitatorSettings)
    return AnswerTask(gate=StepFunctionsGate(clients.stepfunctions()))


@functools.cache
def bury_message() -> BuryMessage:
    """DeadLetterProcessor."""
    own = settings(s.DeadLetterProcessorSettings)
    return BuryMessage(records=_records(own.retrieval_table_name))


def _budget(gib: int, period_seconds: int) -> Budget:
    return Budget(size=gib * GIB, period=timedelta(seconds=period_seconds))


def _allowance(own: s.InitiateArchiveRetrievalSettings | s.ExtendWindowRequestSettings) -> Allowance:
    return Allowance(
        ledger=DynamoQuotaLedger(clients.dynamodb(), own.metric_table_name),
        expenses=DynamoExpenses(client=clients.dynamodb(), table=own.metric_table_name),
        clock=clock(),
        jitter=FullJitter(base=0.05, cap=2.0),
        budget=_budget(own.daily_retrieval_budget_gib, own.quota_period_seconds),
        jobs_per_second=own.initiate_jobs_per_second,
    )


def _records(table: str) -> TransferRecords:
    return DynamoTransferRecords(clients.dynamodb(), table)


def _standing(table: str) -> Standing:
    return Standing(runs=DynamoRunFacts(clients.dynamodb(), table), clock=clock())


def _facilitator(table: str) -> Facilitator:
    return DynamoFacilitator(clients.dynamodb(), table)


def _glacier(endpoint_url: str, topic_arn: str) -> GlacierJobs:
    return BotoGlacierJobs(clients.glacier(endpoint_url), topic_arn=topic_arn)


def _objects(bucket: str, owner: str) -> ObjectStore:
    return S3ObjectStore(clients.s3(), streaming=clients.streaming_s3(), bucket=bucket, owner=owner)


def _asker(glacier: GlacierJobs, rate: float) -> JobAsker:
    return JobAsker(glacier=glacier, clock=clock(), bucket=TokenBucket(clock(), rate), jitter=FullJitter())
