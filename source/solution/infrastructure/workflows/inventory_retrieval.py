"""``InventoryRetrievalStateMachine``: from a vault, or a file of the user's, to a sorted and named inventory."""

from __future__ import annotations

from constructs import Construct

from solution.contract import object_keys as keys
from solution.infrastructure.function_groups import InventoryFunctions, RunFunctions
from solution.infrastructure.inventory_job import InventoryJob
from solution.infrastructure.permissions import listing, table
from solution.infrastructure.settings import Parameters
from solution.infrastructure.sizing import BRIEF, STREAMING
from solution.infrastructure.states.retries import State, retrier
from solution.infrastructure.states.tasks import call, catch, chain, integration, invoke
from solution.infrastructure.storage import InventoryBucket, Tables
from solution.infrastructure.workflows.inventory_download import counters, download
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant


class InventoryRetrieval(Construct):
    """``machine``: input is the orchestrator's, and its ``execution_name``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        functions: InventoryFunctions,
        runs: RunFunctions,
        job: InventoryJob,
        tables: Tables,
        inventory: InventoryBucket,
        parameters: Parameters,
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        bucket = inventory.bucket
        states = chain(
            {
                "Prepare": counters(parameters),
                **_reuse(bucket.bucket_name),
                **self._names(),
                **self._provided(),
                **download(functions, tables.facilitator.table_name, then="SortInventory"),
                **_sort(job, bucket.bucket_name),
                **_statistics(runs),
            }
        )
        self.machine = Machine(
            self,
            "InventoryRetrievalStateMachine",
            defaults=defaults,
            comment="Gets the inventory of a vault and turns it into ordered, well-named work",
            states=states,
            grants=[
                invoke_grant(
                    functions.job_request,
                    functions.job_status,
                    functions.upload_start,
                    functions.chunk_transfer,
                    functions.upload_complete,
                    functions.provided_check,
                    functions.naming_override_fetch,
                    runs.send_anonymized_stats,
                ),
                listing(bucket.bucket_arn, "ListBucket"),
                table(tables.facilitator, "UpdateItem"),
                *job.run_grants(),
            ],
            has_distributed_map=True,
        )

    def _names(self) -> dict[str, State]:
        """The user's names come first: the URL may be good for an hour, and the inventory takes several."""
        url = "$.name_override_presigned_url"
        return {
            "NamesGiven?": {
                "Type": "Choice",
                "Choices": [
                    {
                        "And": [
                            {"Variable": url, "IsPresent": True},
                            {"Not": {"Variable": url, "IsNull": True}},
                            {"Not": {"Variable": url, "StringEquals": ""}},
                        ],
                        "Next": "FetchNames",
                    }
                ],
                "Default": "Provided?",
            },
            "FetchNames": invoke(
                self._functions.naming_override_fetch.function_arn,
                {"workflow_run.$": "$.workflow_run", "name_override_presigned_url.$": url},
                timeout=STREAMING.timeout,
            ),
        }

    def _provided(self) -> dict[str, State]:
        return {
            "Provided?": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.provided_inventory", "StringEquals": "YES", "Next": "BeginCheck"},
                    {"Variable": "$.provided_inventory", "BooleanEquals": True, "Next": "BeginCheck"},
                ],
                "Default": "Received?",
            },
            "BeginCheck": {"Type": "Pass", "Result": {"next": None}, "ResultPath": "$.check"},
            "CheckProvidedInventory": invoke(
                self._functions.provided_check.function_arn,
                {"workflow_run.$": "$.workflow_run", "start.$": "$.check.next"},
                timeout=STREAMING.timeout,
                select=["rows", "next"],
                into="check",
            ),
            "AllChecked?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.check.next", "IsNull": True, "Next": "SortInventory"}],
                "Default": "CheckProvidedInventory",
            },
            "Received?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.received.Contents[0].Key", "IsPresent": True, "Next": "SortInventory"}],
                "Default": "CountJob",
            },
        }


def _reuse(bucket: str) -> dict[str, State]:
    """A resume takes up what the launch has: names once given stay, and an inventory once received is not old yet."""

    def look_for(key: str, into: str) -> State:
        return call(
            "s3:listObjectsV2",
            {"Bucket": bucket, "Prefix.$": f"States.Format('{{}}/{key}', $.workflow_run)", "MaxKeys": 1},
            into=into,
        )

    return {
        "Resume?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.migration_type", "StringEquals": "RESUME", "Next": "LookForSorted"}],
            "Default": "NamesGiven?",
        },
        "LookForSorted": look_for(f"{keys.SORTED_INVENTORY}/{keys.PARTITIONS_FILE}", "sorted"),
        "Sorted?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.sorted.Contents[0].Key", "IsPresent": True, "Next": "InventoryReused"}],
            "Default": "LookForReceived",
        },
        "InventoryReused": {"Type": "Succeed"},
        "LookForReceived": look_for(f"{keys.ORIGINAL_INVENTORY}/inventory.csv", "received"),
    }


def _sort(job: InventoryJob, bucket: str) -> dict[str, State]:
    return {
        "SortInventory": {
            "Type": "Task",
            "Resource": integration("glue:startJobRun.sync"),
            "Parameters": {"JobName": job.name, "Arguments": job.run_arguments(bucket)},
            "TimeoutSeconds": job.TIMEOUT_MINUTES * 60 + 600,
            "Retry": [
                # another run is being sorted; ours waits for its turn
                retrier(["Glue.ConcurrentRunsExceededException"], interval=30, attempts=100, limit=300),
                # a lost worker or a service hiccup is worth a second try; the job writes the same result again
                retrier(["States.TaskFailed"], interval=10, attempts=1),
            ],
            "ResultPath": None,
        }
    }


def _statistics(runs: RunFunctions) -> dict[str, State]:
    function = runs.send_anonymized_stats.function_arn
    payload = {
        "workflow_run.$": "$.workflow_run",
        "tier.$": "$.tier",
        "s3_storage_class.$": "$.s3_storage_class",
        "started_at.$": "$$.Execution.StartTime",
    }
    return {
        "SendAnonymizedStats": {
            **invoke(function, payload, timeout=BRIEF.timeout),
            # statistics never hurt a run, and are not worth a second try
            "Retry": [],
            "Catch": catch("InventoryReady", into="statistics_failure"),
            "Next": "InventoryReady",
        },
        "InventoryReady": {"Type": "Succeed"},
    }
