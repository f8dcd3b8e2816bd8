"""``InventoryRetrievalStateMachine``: from a vault, or a file of the user's, to a sorted and named inventory."""

from __future__ import annotations

from constructs import Construct

from solution.contract import object_keys as keys
from solution.infrastructure.function_groups import InventoryFunctions, RunFunctions
from solution.infrastructure.functions import LONG, QUICK, STREAMING
from solution.infrastructure.inventory_job import InventoryJob
from solution.infrastructure.permissions import listing, table
from solution.infrastructure.states.maps import distributed
from solution.infrastructure.states.retries import State, retrier
from solution.infrastructure.states.tasks import DAY, await_job, call, catch, chain, integration, invoke
from solution.infrastructure.storage import InventoryBucket, Tables
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant

CONCURRENT_RANGES = 10


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
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        bucket = inventory.bucket
        states = chain(
            {
                **self._reuse(bucket.bucket_name),
                **self._provided(),
                **self._request(tables.facilitator.table_name),
                **self._copy(),
                **self._names(),
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

    def _reuse(self, bucket: str) -> dict[str, State]:
        """A resume takes up the sorted inventory of the launch; sorting again could give other names."""
        return {
            "Resume?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.migration_type", "StringEquals": "RESUME", "Next": "LookForInventory"}],
                "Default": "Provided?",
            },
            "LookForInventory": call(
                "s3:listObjectsV2",
                {
                    "Bucket": bucket,
                    "Prefix.$": f"States.Format('{{}}/{keys.SORTED_INVENTORY}/partitions.csv', $.workflow_run)",
                    "MaxKeys": 1,
                },
                into="sorted",
            ),
            "Sorted?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.sorted.Contents[0].Key", "IsPresent": True, "Next": "InventoryReused"}],
                "Default": "Provided?",
            },
            "InventoryReused": {"Type": "Succeed"},
        }

    def _provided(self) -> dict[str, State]:
        return {
            "Provided?": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.provided_inventory", "StringEquals": "YES", "Next": "CheckProvidedInventory"},
                    {"Variable": "$.provided_inventory", "BooleanEquals": True, "Next": "CheckProvidedInventory"},
                ],
                "Default": "RequestInventoryJob",
            },
            "CheckProvidedInventory": {
                **invoke(
                    self._functions.provided_check.function_arn,
                    {"workflow_run.$": "$.workflow_run"},
                    timeout=LONG.timeout,
                ),
                "Next": "NamesGiven?",
            },
        }

    def _request(self, facilitator_table: str) -> dict[str, State]:
        """Ask Glacier and wait for its notification; after a day without one, look, and wait again."""
        return {
            "RequestInventoryJob": invoke(
                self._functions.job_request.function_arn,
                {"workflow_run.$": "$.workflow_run", "vault_name.$": "$.vault_name"},
                timeout=QUICK.timeout,
                select=["job_id"],
                into="inventory_job",
            ),
            "AwaitInventoryJob": {
                **await_job(facilitator_table, "$.inventory_job.job_id", timeout=DAY, into="job_result"),
                "Catch": catch("LookAtInventoryJob", into="overdue", errors=["States.Timeout"]),
                "Next": "JobSucceeded?",
            },
            "LookAtInventoryJob": invoke(
                self._functions.job_status.function_arn,
                {"vault_name.$": "$.vault_name", "job_id.$": "$.inventory_job.job_id"},
                timeout=QUICK.timeout,
                select=["job_id", "succeeded", "message", "size", "in_progress"],
                into="job_result",
            ),
            "StillRunning?": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.job_result.in_progress", "BooleanEquals": True, "Next": "AwaitInventoryJob"}
                ],
                "Default": "JobSucceeded?",
            },
            "JobSucceeded?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.job_result.succeeded", "BooleanEquals": True, "Next": "StartUpload"}],
                "Default": "JobFailed",
            },
            "JobFailed": {"Type": "Fail", "Error": "GlacierJobError", "CausePath": "$.job_result.message"},
        }

    def _copy(self) -> dict[str, State]:
        """Ranges of the inventory become the parts of one multipart upload, each in an invocation of its own."""
        functions = self._functions
        per_range = {
            "workflow_run.$": "$.workflow_run",
            "vault_name.$": "$.vault_name",
            "job_id.$": "$.inventory_job.job_id",
            "upload_id.$": "$.upload.upload_id",
            "key.$": "$.upload.key",
            "size.$": "$.job_result.size",
            "range_bytes.$": "$.upload.range_bytes",
            "part.$": "$$.Map.Item.Value",
        }
        transfer = invoke(functions.chunk_transfer.function_arn, {}, timeout=STREAMING.timeout)
        transfer["Parameters"] = {"FunctionName": functions.chunk_transfer.function_arn, "Payload.$": "$"}
        return {
            "StartUpload": invoke(
                functions.upload_start.function_arn,
                {
                    "workflow_run.$": "$.workflow_run",
                    "job_id.$": "$.inventory_job.job_id",
                    "size.$": "$.job_result.size",
                },
                timeout=QUICK.timeout,
                select=["upload_id", "key", "range_bytes", "parts"],
                into="upload",
            ),
            "CopyRanges": distributed(
                {"CopyRange": transfer},
                items_path="$.upload.parts",
                select=per_range,
                concurrency=CONCURRENT_RANGES,
            ),
            "CompleteUpload": invoke(
                functions.upload_complete.function_arn,
                {
                    "workflow_run.$": "$.workflow_run",
                    "key.$": "$.upload.key",
                    "upload_id.$": "$.upload.upload_id",
                    "size.$": "$.job_result.size",
                    "parts.$": "States.ArrayLength($.upload.parts)",
                },
                timeout=LONG.timeout,
            ),
        }

    def _names(self) -> dict[str, State]:
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
                "Default": "SortInventory",
            },
            "FetchNames": invoke(
                self._functions.naming_override_fetch.function_arn,
                {"workflow_run.$": "$.workflow_run", "name_override_presigned_url.$": url},
                timeout=STREAMING.timeout,
            ),
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
    return {
        "SendAnonymizedStats": {
            **invoke(
                runs.send_anonymized_stats.function_arn,
                {
                    "workflow_run.$": "$.workflow_run",
                    "tier.$": "$.tier",
                    "s3_storage_class.$": "$.s3_storage_class",
                    "started_at.$": "$$.Execution.StartTime",
                },
                timeout=QUICK.timeout,
            ),
            # statistics never hurt a run
            "Catch": catch("InventoryReady", into="statistics_failure"),
            "Next": "InventoryReady",
        },
        "InventoryReady": {"Type": "Succeed"},
    }
