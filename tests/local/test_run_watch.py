"""The rule that looks after runs, by its own tick: schedule, function, a run that nobody carries out, its clean-up."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from solution.application.adapters.clock import SystemClock
from solution.application.adapters.records import DynamoTransferRecords
from solution.application.adapters.run_records import DynamoAttempts, DynamoRunRecords
from solution.application.ports.executions import execution_arn
from solution.application.ports.records import Outcome
from solution.application.ports.runs import Attempt, RunRecord
from solution.contract import object_keys
from solution.contract.tables import RunStatus
from solution.domain.status import ArchiveStatus
from tests import builders
from tests.local.deployed import Solution
from tests.local.support import unique, until
from tests.unit.application.orchestration.builders import run_record


@pytest.mark.holds(2)
def test_a_run_whose_orchestrator_is_lost_is_found_by_the_tick_of_the_rule_and_cleaned_up(solution: Solution) -> None:
    run, client, output = unique("lost"), solution.client("dynamodb"), solution.target.output
    runs = DynamoRunRecords(client=client, table=output("GlacierRetrievalTableName"))
    attempts = DynamoAttempts(client=client, table=output("MetricTableName"))
    machines = solution.client("stepfunctions").list_state_machines()["stateMachines"]
    [machine] = [one["stateMachineArn"] for one in machines if one["name"].startswith("OrchestratorStateMachine")]
    lost = execution_arn(machine, f"{run}-1")
    archives = DynamoTransferRecords(client, output("GlacierRetrievalTableName"))
    runs.create(run_record(run=run, execution_arn=lost, execution_name=f"{run}-1"))
    left = [builders.record(builders.archive(name, b"x"), chunk_size=1024**2, run=run) for name in ("asked", "staged")]
    archives.create(left)
    now = SystemClock().now()
    archives.settle(run, [Outcome(archive_id=one.archive_id, job_id="job") for one in left], now)
    staged = builders.archive_id("staged")
    archives.stage(run, staged, job_id="job", window_end=now + timedelta(days=1), now=now)
    attempts.add(Attempt(run=run, execution_arn=lost))

    def ended() -> RunRecord | None:
        found = runs.read(run)
        return found if found and found.status.ended else None

    record = until(ended, timeout=300, seen=lambda: runs.read(run))
    assert (record.status, record.failure.partition(":")[0]) == (RunStatus.FAILED, "OrchestratorLost")
    assert {one.status for one in archives.load_many(run, [one.archive_id for one in left]).values()} == {
        ArchiveStatus.STOPPED
    }
    found = solution.client("s3").get_object(
        Bucket=output("InventoryBucketName"), Key=object_keys.summary_json_key(run)
    )
    summary = json.loads(found["Body"].read())
    assert (summary["outcome"], summary["archives"]["stopped"], summary["archives"]["unfinished"]) == ("FAILED", 2, 0)
    until(lambda: run not in {one.run for one in attempts.all()}, timeout=60, seen=attempts.all)
