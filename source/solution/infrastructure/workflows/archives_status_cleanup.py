"""``ArchivesStatusCleanupStateMachine``: what an earlier attempt left unfinished is stopped, to be asked for again."""

from __future__ import annotations

from constructs import Construct

from solution.contract import object_keys as keys
from solution.infrastructure.function_groups import RunFunctions
from solution.infrastructure.functions import LONG, STEADY
from solution.infrastructure.permissions import area, listing, table
from solution.infrastructure.states.maps import (
    FILE_FOUND,
    any_file,
    batch_task,
    rows_of_files,
    scan,
    segments,
)
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import chain, read_counters
from solution.infrastructure.storage import InventoryBucket, Tables
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant

SETTLE_ROUNDS = 60
SETTLE_SECONDS = 5


class ArchivesStatusCleanup(Construct):
    """``machine``: input ``workflow_run``, ``vault_name``, ``execution_name`` (of the orchestrator)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        functions: RunFunctions,
        tables: Tables,
        inventory: InventoryBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        bucket = inventory.bucket
        states = chain(
            {
                **self._stop(functions, bucket.bucket_name),
                "Settle": {"Type": "Pass", "Result": {"round": 0}, "ResultPath": "$.settle"},
                "ReadCounters": read_counters(tables.metrics.table_name),
                **settle_states(),
            }
        )
        self.machine = Machine(
            self,
            "ArchivesStatusCleanupStateMachine",
            defaults=defaults,
            comment="Stops every archive of the run that an earlier attempt left unfinished",
            states=states,
            grants=[
                invoke_grant(functions.archives_scan, functions.archives_status_stop),
                area(bucket, keys.ARCHIVES_STATUS_CLEANUP, "GetObject"),
                listing(bucket.bucket_arn, "ListBucket"),
                table(tables.metrics, "GetItem"),
            ],
            has_distributed_map=True,
        )

    def _stop(self, functions: RunFunctions, bucket: str) -> dict[str, State]:
        prefix = f"States.Format('{{}}/{keys.ARCHIVES_STATUS_CLEANUP}/{{}}/', $.workflow_run, $.execution_name)"
        return {
            "Prepare": {
                "Type": "Pass",
                "Parameters": {
                    "workflow_run.$": "$.workflow_run",
                    "vault_name.$": "$.vault_name",
                    "output_prefix.$": prefix,
                    "segments": segments(),
                },
            },
            "FindUnfinished": scan(
                functions.archives_scan.function_arn,
                purpose="unfinished",
                prefix_path="$.output_prefix",
                timeout=LONG.timeout,
            ),
            "LookForWork": any_file(bucket, prefix_path="$.output_prefix"),
            "AnyWork?": {"Type": "Choice", "Choices": [{**FILE_FOUND, "Next": "StopArchives"}], "Default": "Settle"},
            "StopArchives": rows_of_files(
                bucket=bucket,
                prefix_path="$.output_prefix",
                handed_on={"workflow_run": "$.workflow_run", "vault_name": "$.vault_name"},
                name="StopBatch",
                task=batch_task(functions.archives_status_stop.function_arn, timeout=STEADY.timeout),
                concurrency=10,
            ),
        }


def settle_states() -> dict[str, State]:
    """Wait until the counters have taken in every stop: only then may they be trusted to tell the run's end."""
    return {
        "Settled?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.metrics.Item", "IsPresent": False, "Next": "Stopped"},
                {
                    "And": [
                        {"Variable": "$.metrics.Item.failed_count.N", "StringEquals": "0"},
                        {
                            "Variable": "$.metrics.Item.requested_count.N",
                            "StringEqualsPath": "$.metrics.Item.downloaded_count.N",
                        },
                    ],
                    "Next": "Stopped",
                },
                {"Variable": "$.settle.round", "NumericGreaterThanEquals": SETTLE_ROUNDS, "Next": "NeverSettled"},
            ],
            "Default": "WaitForCounters",
        },
        "WaitForCounters": {"Type": "Wait", "Seconds": SETTLE_SECONDS},
        "CountRound": {
            "Type": "Pass",
            "Parameters": {"round.$": "States.MathAdd($.settle.round, 1)"},
            "ResultPath": "$.settle",
            "Next": "ReadCounters",
        },
        "NeverSettled": {
            "Type": "Fail",
            "Error": "CountersNotSettled",
            "Cause": f"The counters in MetricTable still differ {SETTLE_ROUNDS * SETTLE_SECONDS} seconds after the "
            "last stop; look at the alarm and the messages of MetricsFailureQueue, then resume again",
        },
        "Stopped": {"Type": "Succeed"},
    }
