"""The ``solution`` stack: a table of contents. Each part is a construct of its own; here they are only put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from solution import SOLUTION_NAME, VERSION
from solution.infrastructure.function_groups import (
    InventoryFunctions,
    RequestFunctions,
    RetrievalFunctions,
    RunFunctions,
    timeouts,
)
from solution.infrastructure.functions import FunctionFactory
from solution.infrastructure.inventory_job import InventoryJob
from solution.infrastructure.messaging import Queues, Topics
from solution.infrastructure.observability import Alarms, Dashboard, SavedQueries
from solution.infrastructure.permissions import TracingPolicy
from solution.infrastructure.runbooks import Runbooks
from solution.infrastructure.schedules import Schedules
from solution.infrastructure.settings import Parameters
from solution.infrastructure.storage import DestinationBucket, InventoryBucket, Tables
from solution.infrastructure.workflows.workflows import Workflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """The files that the stack ships; tests hand in others, so that nothing is built.

    ``function_code`` makes the code anew for every stack: CDK ties an asset to the first stack that uses it.
    """

    function_code: Callable[[], lambda_.Code]
    glue_script: Path
    glue_libraries: Path
    runbook_scripts: Path


class SolutionStack(cdk.Stack):
    """The vault transfer."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        assets: Assets,
        output_bucket_name: str,
        stack_name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=stack_name,
            description=f"{SOLUTION_NAME} {VERSION}: copies every archive of an S3 Glacier vault into S3",
        )
        self.parameters = Parameters(self, destination_bucket_name=output_bucket_name)
        self._keep_and_send()
        self._run_code(assets)
        self._orchestrate(assets)
        self._watch()
        self._publish()

    def _keep_and_send(self) -> None:
        self.tables = Tables(self, "Tables", backup=self.parameters.ddb_backup)
        self.inventory = InventoryBucket(self, "Inventory")
        self.destination = DestinationBucket(self, "Destination", existing_name=self.parameters.destination_bucket)
        self.topics = Topics(self, "Topics")
        self.queues = Queues(self, "Queues", facilitator_topic=self.topics.facilitator, **timeouts())
        self.schedules = Schedules(self, "Schedules", parameters=self.parameters)

    def _run_code(self, assets: Assets) -> None:
        factory = FunctionFactory(
            code=assets.function_code(),
            environment=self._environment(),
            tracing=TracingPolicy(self, "LambdaTracing", switch=self.parameters.lambda_tracing),
        )
        self.runs = RunFunctions(
            self,
            "Runs",
            factory=factory,
            tables=self.tables,
            inventory=self.inventory,
            destination=self.destination,
            topics=self.topics,
        )
        self.inventories = InventoryFunctions(self, "Inventories", factory=factory, inventory=self.inventory)
        self.requests = RequestFunctions(self, "Requests", factory=factory, tables=self.tables)
        self.retrieval = RetrievalFunctions(
            self,
            "Retrieval",
            factory=factory,
            tables=self.tables,
            destination=self.destination,
            queues=self.queues,
        )
        self.schedules.let_invoke("CompletionCheck", self.retrieval.completion_checker)

    def _orchestrate(self, assets: Assets) -> None:
        self.job = InventoryJob(
            self,
            "InventoryJob",
            script=assets.glue_script,
            libraries=assets.glue_libraries,
            parameters=self.parameters,
            tables=self.tables,
            inventory=self.inventory,
        )
        self.workflows = Workflows(
            self,
            "Workflows",
            parameters=self.parameters,
            runs=self.runs,
            inventories=self.inventories,
            requests=self.requests,
            retrieval=self.retrieval,
            job=self.job,
            tables=self.tables,
            inventory=self.inventory,
            schedules=self.schedules,
        )
        self.runbooks = Runbooks(
            self,
            "Runbooks",
            scripts=assets.runbook_scripts,
            orchestrator=self.workflows.orchestrator,
            topics=self.topics,
            tables=self.tables,
            inventory=self.inventory,
            destination=self.destination,
            parameters=self.parameters,
        )

    def _environment(self) -> dict[str, str]:
        """The value of every variable that a settings class of `solution.contract.settings` names."""
        given = self.parameters
        return {
            "RETRIEVAL_TABLE_NAME": self.tables.retrieval.table_name,
            "METRIC_TABLE_NAME": self.tables.metrics.table_name,
            "FACILITATOR_TABLE_NAME": self.tables.facilitator.table_name,
            "INVENTORY_BUCKET_NAME": self.inventory.bucket.bucket_name,
            "DESTINATION_BUCKET_NAME": self.destination.name,
            "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
            "ASYNC_FACILITATOR_TOPIC_ARN": self.topics.facilitator.topic_arn,
            "RUN_NOTIFICATIONS_TOPIC_ARN": self.topics.run_notifications.topic_arn,
            "CHUNKS_QUEUE_URL": self.queues.chunks.queue.queue_url,
            "VALIDATION_QUEUE_URL": self.queues.validation.queue.queue_url,
            "GLACIER_ENDPOINT_URL": given.glacier_endpoint_url,
            "CHUNK_SIZE_MIB": given.chunk_size_mib,
            "DAILY_RETRIEVAL_BUDGET_GIB": given.daily_retrieval_budget_gib,
            "QUOTA_PERIOD_SECONDS": given.quota_period_seconds,
            "INITIATE_JOBS_PER_SECOND": given.initiate_jobs_per_second,
            "DOWNLOAD_WINDOW_SECONDS": given.download_window_seconds,
            "EXTEND_WHEN_REMAINING_SECONDS": given.extend_when_remaining_seconds,
            "STALL_SECONDS": given.stall_seconds,
            "SEND_ANONYMIZED_STATS": given.send_anonymized_stats,
            "ANONYMIZED_STATS_ENDPOINT": given.anonymized_stats_endpoint,
            "SOLUTION_VERSION": VERSION,
        }

    def _watch(self) -> None:
        functions = (*self.runs.all, *self.inventories.all, *self.requests.all, *self.retrieval.all)
        self.dashboard = Dashboard(
            self,
            "Dashboard",
            work_queues=self.queues.work,
            watched_queues=self.queues.watched,
            functions=functions,
        )
        Alarms(self, "Alarms", queues=self.queues.watched, topic=self.topics.run_notifications)
        SavedQueries(self, "SavedQueries", functions=functions, machines=self.workflows.all)

    def _publish(self) -> None:
        outputs = {
            "OrchestratorStateMachineArn": self.workflows.orchestrator.arn,
            "LaunchAutomationRunbook": self.runbooks.launch_name,
            "ResumeAutomationRunbook": self.runbooks.resume_name,
            "DestinationBucketName": self.destination.name,
            "InventoryBucketName": self.inventory.bucket.bucket_name,
            "GlacierRetrievalTableName": self.tables.retrieval.table_name,
            "MetricTableName": self.tables.metrics.table_name,
            "AsyncFacilitatorTableName": self.tables.facilitator.table_name,
            "AsyncFacilitatorTopicArn": self.topics.facilitator.topic_arn,
            "RunNotificationsTopicArn": self.topics.run_notifications.topic_arn,
            "DashboardName": self.dashboard.name,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
