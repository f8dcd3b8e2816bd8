"""The ``solution`` stack: a table of contents. Each part is a construct of its own; here they are only put together."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from solution import SOLUTION_NAME, VERSION
from solution.infrastructure.bundle import Assets
from solution.infrastructure.environment import function_environment
from solution.infrastructure.function_groups import Functions, timeouts
from solution.infrastructure.functions import FunctionFactory
from solution.infrastructure.inventory_job import InventoryJob
from solution.infrastructure.messaging import Queues, Topics
from solution.infrastructure.observability import Alarms, Dashboard, SavedQueries
from solution.infrastructure.permissions import TracingPolicy
from solution.infrastructure.runbooks import Runbooks
from solution.infrastructure.schedules import RunWatch, Schedules
from solution.infrastructure.settings import Parameters
from solution.infrastructure.storage import DestinationBucket, InventoryBucket, Tables
from solution.infrastructure.workflows.workflows import Workflows


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
        environment = function_environment(
            self,
            parameters=self.parameters,
            tables=self.tables,
            inventory=self.inventory,
            destination=self.destination,
            topics=self.topics,
            queues=self.queues,
        )
        tracing = TracingPolicy(self, "LambdaTracing", switch=self.parameters.lambda_tracing)
        self.functions = Functions(
            self,
            "Functions",
            factory=FunctionFactory(code=assets.function_code(), environment=environment, tracing=tracing),
            tables=self.tables,
            inventory=self.inventory,
            destination=self.destination,
            topics=self.topics,
            queues=self.queues,
        )
        self.schedules.let_invoke("CompletionCheck", self.functions.retrieval.completion_checker)
        RunWatch(self, "RunWatch", parameters=self.parameters, watcher=self.functions.ends.run_watcher)

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
            functions=self.functions,
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

    def _watch(self) -> None:
        self.dashboard = Dashboard(
            self,
            "Dashboard",
            work_queues=self.queues.work,
            watched_queues=self.queues.watched,
            functions=self.functions.all,
            job=self.job,
        )
        Alarms(
            self,
            "Alarms",
            queues=self.queues.watched,
            machines=self.workflows.unattended,
            functions=[self.functions.ends.run_watcher],
            topic=self.topics.run_notifications,
        )
        SavedQueries(self, "SavedQueries", functions=self.functions.all, machines=self.workflows.all, job=self.job)

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
            "RunStopperFunctionName": self.functions.ends.run_stopper.function_name,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
