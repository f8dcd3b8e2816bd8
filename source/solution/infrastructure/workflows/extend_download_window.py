"""``ExtendDownloadWindowStateMachine``: windows are kept open, and overdue retrievals looked after."""

from __future__ import annotations

from constructs import Construct

from solution.contract import object_keys as keys
from solution.infrastructure.function_groups import RequestFunctions, RunFunctions
from solution.infrastructure.permissions import area, listing, table
from solution.infrastructure.sizing import LONG, STEADY
from solution.infrastructure.states.maps import FILE_FOUND, any_file, batch_task, rows_of_files, scan, segments
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import chain, read_counters
from solution.infrastructure.storage import InventoryBucket, Tables
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant


class ExtendDownloadWindow(Construct):
    """``machine``: input ``workflow_run``, ``vault_name``, ``tier``, from the rule's target."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        runs: RunFunctions,
        requests: RequestFunctions,
        tables: Tables,
        inventory: InventoryBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        bucket = inventory.bucket
        states = chain(
            {
                "ReadCounters": read_counters(tables.metrics.table_name),
                **_under_way_choice(),
                **_extend(runs, requests, bucket.bucket_name),
                "NothingToDo": {"Type": "Succeed"},
            }
        )
        self.machine = Machine(
            self,
            "ExtendDownloadWindowStateMachine",
            defaults=defaults,
            comment="Asks again for archives whose window is about to close, and what became of overdue retrievals",
            states=states,
            grants=[
                invoke_grant(runs.archives_scan, requests.extend_window_request),
                area(bucket, keys.DOWNLOAD_WINDOW_EXTENSION, "GetObject"),
                listing(bucket.bucket_arn, "ListBucket"),
                table(tables.metrics, "GetItem"),
            ],
            has_distributed_map=True,
        )


def _under_way_choice() -> dict[str, State]:
    return {
        "AnyUnderWay?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.metrics.Item", "IsPresent": False, "Next": "NothingToDo"},
                {
                    "Variable": "$.metrics.Item.requested_count.N",
                    "StringEqualsPath": "$.metrics.Item.downloaded_count.N",
                    "Next": "NothingToDo",
                },
            ],
            "Default": "Prepare",
        }
    }


def _extend(runs: RunFunctions, requests: RequestFunctions, bucket: str) -> dict[str, State]:
    prefix = f"States.Format('{{}}/{keys.DOWNLOAD_WINDOW_EXTENSION}/{{}}/', $.workflow_run, $$.Execution.Name)"
    handed_on = ("workflow_run", "vault_name", "tier")
    return {
        "Prepare": {
            "Type": "Pass",
            "Parameters": {
                **{f"{field}.$": f"$.{field}" for field in handed_on},
                "output_prefix.$": prefix,
                "segments": segments(),
            },
        },
        "FindDue": scan(
            runs.archives_scan.function_arn, purpose="due", prefix_path="$.output_prefix", timeout=LONG.timeout
        ),
        "LookForWork": any_file(bucket, prefix_path="$.output_prefix"),
        "AnyWork?": {
            "Type": "Choice",
            "Choices": [{**FILE_FOUND, "Next": "ExtendWindows"}],
            "Default": "NothingToDo",
        },
        "ExtendWindows": rows_of_files(
            bucket=bucket,
            prefix_path="$.output_prefix",
            handed_on={field: f"$.{field}" for field in handed_on},
            name="ExtendBatch",
            task=batch_task(requests.extend_window_request.function_arn, timeout=STEADY.timeout),
        ),
    }
