"""What the operator sees: a dashboard, alarms on everything that should stay empty, and saved queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from solution.contract import metrics
from solution.domain.status import Metric
from solution.infrastructure.inventory_job import InventoryJob
from solution.infrastructure.settings import instance_suffix
from solution.infrastructure.workflows.machine import Machine

JOB_TASKS = {
    "glue.driver.aggregate.numCompletedTasks": "completed",
    "glue.driver.aggregate.numFailedTasks": "failed",
}
JOB_MEMORY = {"glue.driver.jvm.heap.usage": "driver", "glue.ALL.jvm.heap.usage": "all executors"}
"""Shares of the heap in use ("Monitoring AWS Glue using Amazon CloudWatch metrics")."""

SHOWN = (Metric.TOTAL, Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED, Metric.FAILED)


class Dashboard(Construct):
    """``name`` of the dashboard. Its graphs find every run by search, so nothing is changed when a run begins."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        work_queues: Sequence[sqs.Queue],
        watched_queues: Sequence[sqs.Queue],
        functions: Sequence[lambda_.Function],
        job: InventoryJob,
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = f"GlacierTransfer-{instance_suffix(self)}"
        dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=self.name, default_interval=cdk.Duration.days(7)
        )
        dashboard.add_widgets(
            _search_graph("Archives", [metrics.archives_metric(metric) for metric in SHOWN]),
            _search_graph("Bytes", [metrics.bytes_metric(metric) for metric in SHOWN]),
        )
        dashboard.add_widgets(
            _queue_graph("Waiting messages", work_queues), _queue_graph("What went wrong", watched_queues)
        )
        dashboard.add_widgets(
            _function_graph("Errors of functions", [function.metric_errors() for function in functions]),
            _function_graph("Throttles of functions", [function.metric_throttles() for function in functions]),
        )
        dashboard.add_widgets(
            _job_graph("Tasks of the inventory job", job.name, JOB_TASKS),
            _job_graph("Memory of the inventory job", job.name, JOB_MEMORY),
        )


def _search_graph(title: str, names: Sequence[str]) -> cloudwatch.GraphWidget:
    schema = f"{{{metrics.NAMESPACE},{metrics.RUN_DIMENSION}}}"
    return cloudwatch.GraphWidget(
        title=title,
        width=12,
        height=8,
        left=[
            cloudwatch.MathExpression(
                expression=f"SEARCH('{schema} MetricName=\"{name}\"', 'Maximum', 300)", label=name, using_metrics={}
            )
            for name in names
        ],
    )


def _queue_graph(title: str, queues: Sequence[sqs.Queue]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        width=12,
        left=[queue.metric_approximate_number_of_messages_visible(label=queue.node.id) for queue in queues],
    )


def _function_graph(title: str, shown: Sequence[cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, width=12, left=list(shown))


def _job_graph(title: str, job: str, names: Mapping[str, str]) -> cloudwatch.GraphWidget:
    """Every run of the job is a dimension of its own, found by search."""
    return cloudwatch.GraphWidget(
        title=title,
        width=12,
        left=[
            cloudwatch.MathExpression(
                expression=f'SEARCH(\'{{Glue,JobName,JobRunId,Type}} JobName="{job}" MetricName="{name}"\', '
                "'Maximum', 60)",
                label=label,
                using_metrics={},
            )
            for name, label in names.items()
        ],
    )


class Alarms(Construct):
    """Alarms on queues in which a message means trouble, and on what a rule calls and fails, told to ``topic``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queues: Sequence[sqs.Queue],
        machines: Sequence[Machine],
        functions: Sequence[lambda_.Function],
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)
        for queue in queues:
            self._alarm(
                queue.node.id,
                queue.metric_approximate_number_of_messages_visible(
                    period=cdk.Duration.minutes(5), statistic="Maximum"
                ),
                f"Messages lie in {queue.node.id}: something could not be handled; see its messages and the logs of "
                "the function before it",
            )
        for machine in machines:
            self._alarm(
                f"{machine.node.id}Failures",
                cloudwatch.Metric(
                    namespace="AWS/States",
                    metric_name="ExecutionsFailed",
                    dimensions_map={"StateMachineArn": machine.arn},
                    period=cdk.Duration.minutes(5),
                    statistic="Sum",
                ),
                f"{machine.node.id}, which a rule starts, has failed; see its executions",
            )
        for function in functions:
            self._alarm(
                f"{function.node.id}Errors",
                function.metric_errors(period=cdk.Duration.minutes(5), statistic="Sum"),
                f"{function.node.id}, which a rule calls, has failed; see its log",
            )

    def _alarm(self, name: str, metric: cloudwatch.Metric, description: str) -> None:
        alarm = metric.create_alarm(
            self,
            f"{name}Alarm",
            alarm_name=f"{name}-{instance_suffix(self)}",
            alarm_description=description,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)


class SavedQueries(Construct):
    """Questions to the logs that operators ask, saved under the stack's name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Sequence[lambda_.Function],
        machines: Sequence[Machine],
        job: InventoryJob,
    ) -> None:
        super().__init__(scope, construct_id)
        function_logs = [function.log_group.log_group_name for function in functions]
        self._query(
            "ErrorsOfFunctions",
            function_logs,
            'fields @timestamp, function_name, message, exception_name | filter level in ["ERROR", "CRITICAL"] '
            "| sort @timestamp desc | limit 200",
        )
        self._query(
            "StoryOfAnArchive",
            function_logs,
            "fields @timestamp, function_name, message | filter archive_id = 'PUT THE ARCHIVE ID HERE' "
            "| sort @timestamp asc | limit 1000",
        )
        self._query(
            "FailedStepsOfRuns",
            [machine.log_group_name for machine in machines],
            "fields @timestamp, execution_arn, type, details.error, details.cause | filter type like /Failed|TimedOut/ "
            "| sort @timestamp desc | limit 200",
        )

        self._query(
            "LogOfTheInventoryJob",
            job.log_group_names,
            "fields @timestamp, @logStream, @message | filter @message like /ERROR|Error|Exception|WARN/ "
            "| sort @timestamp desc | limit 500",
        )

    def _query(self, name: str, log_groups: Sequence[str], query: str) -> None:
        logs.CfnQueryDefinition(
            self,
            name,
            name=cdk.Fn.join("/", [cdk.Aws.STACK_NAME, name]),
            log_group_names=list(log_groups),
            query_string=query,
        )
