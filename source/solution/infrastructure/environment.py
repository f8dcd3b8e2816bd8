"""The environment of functions: the value of every variable that a settings class names, in one table."""

from __future__ import annotations

from typing import Final

import aws_cdk as cdk
from constructs import Construct

from solution import VERSION
from solution.domain.chunk_plan import MIB
from solution.infrastructure.messaging import Queues, Topics
from solution.infrastructure.settings import Parameters, inventory_job_name, state_machine_arn
from solution.infrastructure.storage import DestinationBucket, InventoryBucket, Tables

INVENTORY_RANGE_BYTES: Final = 64 * MIB
"""Seconds of a function's fifteen minutes, and 160 of them for an inventory of 10 GiB."""


def function_environment(
    scope: Construct,
    *,
    parameters: Parameters,
    tables: Tables,
    inventory: InventoryBucket,
    destination: DestinationBucket,
    topics: Topics,
    queues: Queues,
) -> dict[str, str]:
    """Values by variable name; each function gets those that its class in `solution.contract.settings` names."""
    return {
        "RETRIEVAL_TABLE_NAME": tables.retrieval.table_name,
        "METRIC_TABLE_NAME": tables.metrics.table_name,
        "FACILITATOR_TABLE_NAME": tables.facilitator.table_name,
        "INVENTORY_BUCKET_NAME": inventory.bucket.bucket_name,
        "DESTINATION_BUCKET_NAME": destination.name,
        "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
        "ASYNC_FACILITATOR_TOPIC_ARN": topics.facilitator.topic_arn,
        "RUN_NOTIFICATIONS_TOPIC_ARN": topics.run_notifications.topic_arn,
        "NOTIFICATIONS_QUEUE_URL": queues.notifications.queue.queue_url,
        "CHUNKS_QUEUE_URL": queues.chunks.queue.queue_url,
        "METRICS_FAILURES_QUEUE_URL": queues.metrics_failures.queue_url,
        "VALIDATION_QUEUE_URL": queues.validation.queue.queue_url,
        "GLACIER_ENDPOINT_URL": parameters.glacier_endpoint_url,
        "CHUNK_SIZE_MIB": parameters.chunk_size_mib,
        "DAILY_RETRIEVAL_BUDGET_GIB": parameters.daily_retrieval_budget_gib,
        "QUOTA_PERIOD_SECONDS": parameters.quota_period_seconds,
        "INITIATE_JOBS_PER_SECOND": parameters.initiate_jobs_per_second,
        "DOWNLOAD_WINDOW_SECONDS": parameters.download_window_seconds,
        "EXTEND_WHEN_REMAINING_SECONDS": parameters.extend_when_remaining_seconds,
        "BULK_OVERDUE_SECONDS": parameters.bulk_overdue_seconds,
        "STANDARD_OVERDUE_SECONDS": parameters.standard_overdue_seconds,
        "STALL_SECONDS": parameters.stall_seconds,
        "INVENTORY_RANGE_BYTES": str(INVENTORY_RANGE_BYTES),
        "SEND_ANONYMIZED_STATS": parameters.send_anonymized_stats,
        "ANONYMIZED_STATS_ENDPOINT": parameters.anonymized_stats_endpoint,
        "SOLUTION_VERSION": VERSION,
        "INVENTORY_JOB_NAME": inventory_job_name(scope),
        "ORCHESTRATOR_MACHINE_ARN": state_machine_arn(scope, "OrchestratorStateMachine"),
        "CLEANUP_MACHINE_ARN": state_machine_arn(scope, "CleanupStateMachine"),
        "ARCHIVES_STATUS_CLEANUP_MACHINE_ARN": state_machine_arn(scope, "ArchivesStatusCleanupStateMachine"),
        "INVENTORY_RETRIEVAL_MACHINE_ARN": state_machine_arn(scope, "InventoryRetrievalStateMachine"),
        "INITIATE_RETRIEVAL_MACHINE_ARN": state_machine_arn(scope, "InitiateRetrievalStateMachine"),
    }
