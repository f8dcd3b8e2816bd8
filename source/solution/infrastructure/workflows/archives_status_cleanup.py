"""``ArchivesStatusCleanupStateMachine``: what an earlier attempt left unfinished is stopped, to be asked for again."""

from __future__ import annotations

from constructs import Construct

from solution.contract import object_keys as keys
from solution.infrastructure.function_groups import RunFunctions
from solution.infrastructure.permissions import area, listing
from solution.infrastructure.sizing import LONG, STEADY
from solution.infrastructure.states.maps import (
    FILE_FOUND,
    any_file,
    batch_task,
    rows_of_files,
    scan,
    segments,
)
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import chain, invoke
from solution.infrastructure.storage import InventoryBucket
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant


class ArchivesStatusCleanup(Construct):
    """``machine``: input ``workflow_run``, ``vault_name``, ``attempt``, ``execution_name`` (of the orchestrator)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        functions: RunFunctions,
        inventory: InventoryBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        bucket = inventory.bucket
        states = chain(
            {
                **self._stop(functions, bucket.bucket_name),
                **_recount(functions.counters_recount.function_arn),
            }
        )
        self.machine = Machine(
            self,
            "ArchivesStatusCleanupStateMachine",
            defaults=defaults,
            comment="Stops every archive of the run that an earlier attempt left unfinished, and counts again",
            states=states,
            grants=[
                invoke_grant(functions.archives_scan, functions.archives_status_stop, functions.counters_recount),
                area(bucket, keys.ARCHIVES_STATUS_CLEANUP, "GetObject"),
                listing(bucket.bucket_arn, "ListBucket"),
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
                    "attempt.$": "$.attempt",
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
            "AnyWork?": {"Type": "Choice", "Choices": [{**FILE_FOUND, "Next": "StopArchives"}], "Default": "Recount"},
            "StopArchives": rows_of_files(
                bucket=bucket,
                prefix_path="$.output_prefix",
                handed_on={field: f"$.{field}" for field in ("workflow_run", "vault_name", "attempt")},
                name="StopBatch",
                task=batch_task(functions.archives_status_stop.function_arn, timeout=STEADY.timeout),
                concurrency=10,
            ),
        }


def _recount(function_arn: str) -> dict[str, State]:
    """Count again, now that nothing of the attempts before changes any more; each invocation goes on after the last."""
    payload = {"workflow_run.$": "$.workflow_run", "attempt.$": "$.attempt", "start.$": "$.recount.next"}
    return {
        "Recount": {"Type": "Pass", "Result": {"next": None}, "ResultPath": "$.recount"},
        "CountArchives": invoke(function_arn, payload, timeout=LONG.timeout, select=["next"], into="recount"),
        "Counted?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.recount.next", "IsNull": True, "Next": "Stopped"}],
            "Default": "CountArchives",
        },
        "Stopped": {"Type": "Succeed"},
    }
