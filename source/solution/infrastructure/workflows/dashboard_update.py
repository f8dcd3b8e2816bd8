"""``CloudWatchDashboardUpdateStateMachine``: a run's counters become CloudWatch metrics."""

from __future__ import annotations

from constructs import Construct

from solution.contract import metrics
from solution.contract import tables as keys
from solution.domain.status import Metric
from solution.infrastructure.permissions import Grant, table
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import call, chain, read_counters
from solution.infrastructure.storage import Tables
from solution.infrastructure.workflows.machine import Machine, MachineDefaults


class DashboardUpdate(Construct):
    """``machine``: input ``workflow_run`` and ``vault_name``, from the rule's target or from Cleanup."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: MachineDefaults, tables: Tables) -> None:
        super().__init__(scope, construct_id)
        states = chain(
            {
                "ReadCounters": read_counters(tables.metrics.table_name),
                "Counted?": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.metrics.Item", "IsPresent": True, "Next": "PutMetrics"}],
                    "Default": "NothingCounted",
                },
                "PutMetrics": {
                    **call("cloudwatch:putMetricData", {"Namespace": metrics.NAMESPACE, "MetricData": _data()}),
                    "End": True,
                },
                "NothingCounted": {"Type": "Succeed"},
            }
        )
        self.machine = Machine(
            self,
            "CloudWatchDashboardUpdateStateMachine",
            defaults=defaults,
            comment="Publishes the counters of a run as metrics",
            states=states,
            grants=[
                table(tables.metrics, "GetItem"),
                Grant(
                    actions=["cloudwatch:PutMetricData"],
                    resources=["*"],
                    conditions={"StringEquals": {"cloudwatch:namespace": metrics.NAMESPACE}},
                    why_wildcard="PutMetricData has no resource to name; the condition confines it to our namespace",
                ),
            ],
        )


def _data() -> list[State]:
    return [
        {
            "MetricName": name,
            "Dimensions": [{"Name": metrics.RUN_DIMENSION, "Value.$": "$.workflow_run"}],
            "Value.$": f"States.StringToJson($.metrics.Item.{attribute}.N)",
            "Unit": unit,
        }
        for metric in Metric
        for name, attribute, unit in (
            (metrics.archives_metric(metric), keys.count_attribute(metric), "Count"),
            (metrics.bytes_metric(metric), keys.bytes_attribute(metric), "Bytes"),
        )
    ]
