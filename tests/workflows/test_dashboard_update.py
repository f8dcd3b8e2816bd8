"""``CloudWatchDashboardUpdateStateMachine``: a run's counters become metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from solution.contract import metrics
from solution.domain.status import Metric
from tests.workflows.stubs import Stubs
from tests.workflows.world import VAULT, World

MACHINE = "CloudWatchDashboardUpdate"


def order(run: str) -> dict[str, str]:
    """The input as the rule's target gives it."""
    return {"workflow_run": run, "vault_name": VAULT}


def latest(world: World, run: str) -> dict[str, float]:
    """The greatest value of each metric of the run within the last hour."""
    cloudwatch: Any = world.solution.client("cloudwatch")
    dimensions = [{"Name": metrics.RUN_DIMENSION, "Value": run}]
    now = datetime.now(UTC)
    found = {}
    for metric in cloudwatch.list_metrics(Namespace=metrics.NAMESPACE, Dimensions=dimensions)["Metrics"]:
        points = cloudwatch.get_metric_statistics(
            Namespace=metrics.NAMESPACE,
            MetricName=metric["MetricName"],
            Dimensions=dimensions,
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=5),
            Period=7200,
            Statistics=["Maximum"],
        )["Datapoints"]
        found[metric["MetricName"]] = max(point["Maximum"] for point in points)
    return found


def test_every_counter_of_the_run_is_a_metric(world: World, stubs: Stubs, run: str) -> None:
    counters = {metric: 10 + at for at, metric in enumerate(Metric)}
    world.count(run, **counters)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    expected = {metrics.archives_metric(metric): count for metric, count in counters.items()}
    expected |= {metrics.bytes_metric(metric): 1024 * count for metric, count in counters.items()}
    assert latest(world, run) == expected
    assert stubs.called() == []


def test_each_update_tells_the_present_state(world: World, run: str) -> None:
    world.count(run, total=5, requested=1)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    world.count(run, total=5, requested=4)
    assert world.execute(MACHINE, order(run)).status == "SUCCEEDED"
    assert latest(world, run)["RequestedArchives"] == 4


def test_a_run_that_is_not_counted_yet_has_no_metrics(world: World, run: str) -> None:
    ended = world.execute(MACHINE, order(run))
    assert ended.status == "SUCCEEDED"
    assert ended.states == ["ReadCounters", "Counted?", "NothingCounted"]
    assert latest(world, run) == {}


def test_a_refused_metric_is_seen_in_the_execution(world: World, run: str) -> None:
    world.count(run, total=5)
    with world.refused("CloudWatchDashboardUpdate", "cloudwatch:PutMetricData"):
        ended = world.execute(MACHINE, order(run))
    assert ended.status == "FAILED"
    assert ended.error.startswith("CloudWatch.")
    assert latest(world, run) == {}
