"""``InitiateRetrievalStateMachine``: every archive is asked for, partition by partition, in order, within the quota."""

from __future__ import annotations

from constructs import Construct

from solution.contract import object_keys as keys
from solution.contract import tables as table_keys
from solution.infrastructure.function_groups import RequestFunctions
from solution.infrastructure.permissions import area, listing, table
from solution.infrastructure.sizing import QUICK, STEADY
from solution.infrastructure.states.maps import batch_task, csv_reader, distributed, rows_of_files
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import call, catch, chain, invoke, read_counters
from solution.infrastructure.storage import InventoryBucket, Tables
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant

HANDED_ON = ("workflow_run", "vault_name", "tier", "s3_storage_class", "attempt")

_PARTITIONS = f"{keys.SORTED_INVENTORY}/{keys.PARTITIONS_FILE}"


class InitiateRetrieval(Construct):
    """``machine``: input ``workflow_run``, ``vault_name``, ``tier``, ``s3_storage_class``, ``attempt``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        functions: RequestFunctions,
        tables: Tables,
        inventory: InventoryBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        bucket = inventory.bucket
        states = chain(
            {
                "ReadCounters": read_counters(tables.metrics.table_name),
                **_empty_vault_choice(),
                "Partitions": distributed(
                    _partition(functions, tables, bucket.bucket_name),
                    reader=csv_reader(
                        bucket.bucket_name,
                        key_path=f"States.Format('{{}}/{_PARTITIONS}', $.workflow_run)",
                    ),
                    select={
                        "partition.$": "$$.Map.Item.Value",
                        **{f"{field}.$": f"$.{field}" for field in HANDED_ON},
                    },
                ),
                "AllRequested": {"Type": "Succeed"},
                "NotCounted": {
                    "Type": "Fail",
                    "Error": "NotCounted",
                    "Cause": "MetricTable has no counters of this run: its inventory job has not finished; resume it",
                },
            }
        )
        self.machine = Machine(
            self,
            "InitiateRetrievalStateMachine",
            defaults=defaults,
            comment="Asks Glacier for every archive of the sorted inventory, in order of creation",
            states=states,
            grants=[
                invoke_grant(functions.initiate_archive_retrieval, functions.calculate_timeout),
                area(bucket, keys.SORTED_INVENTORY, "GetObject"),
                listing(bucket.bucket_arn, "ListBucket"),
                table(tables.metrics, "GetItem"),
                table(tables.retrieval, "UpdateItem"),
            ],
            has_distributed_map=True,
        )


def _empty_vault_choice() -> dict[str, State]:
    """A vault without archives to transfer has a sorted inventory without partitions, over which no map can run."""
    item = "$.metrics.Item"
    return {
        "Counted?": {
            "Type": "Choice",
            "Choices": [{"Variable": item, "IsPresent": True, "Next": "AddUp"}],
            "Default": "NotCounted",
        },
        "AddUp": {
            "Type": "Pass",
            "Parameters": {
                "total.$": f"States.StringToJson({item}.total_count.N)",
                "left_out.$": f"States.MathAdd(States.StringToJson({item}.skipped_count.N), "
                f"States.StringToJson({item}.rejected_count.N))",
            },
            "ResultPath": "$.archives",
        },
        "AnyToTransfer?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.archives.total", "NumericEqualsPath": "$.archives.left_out", "Next": "AllRequested"}
            ],
            "Default": "Partitions",
        },
    }


def _partition(functions: RequestFunctions, tables: Tables, bucket: str) -> dict[str, State]:
    return {
        "BeginPartition": call(
            "dynamodb:updateItem",
            {
                "TableName": tables.retrieval.table_name,
                "Key": {table_keys.PK: {"S.$": "$.workflow_run"}, table_keys.SK: {"S": table_keys.META}},
                "UpdateExpression": f"SET {table_keys.Run.PARTITION_STARTED_AT} = :now",
                "ExpressionAttributeValues": {":now": {"S.$": "$$.State.EnteredTime"}},
            },
        ),
        "RequestArchives": rows_of_files(
            bucket=bucket,
            prefix_path="$.partition.Prefix",
            handed_on={field: f"$.{field}" for field in HANDED_ON},
            name="RequestBatch",
            task={
                **batch_task(functions.initiate_archive_retrieval.function_arn, timeout=STEADY.timeout),
                "Catch": catch("CalculateTimeout", into="quota", errors=["QuotaUsed"]),
            },
            detours=_wait_for_quota(functions),
        ),
        "PartitionRequested": {"Type": "Pass"},
    }


def _wait_for_quota(functions: RequestFunctions) -> dict[str, State]:
    """A batch that the budget has no room for waits, and then asks for what is left of it.

    The way there is an error, not a choice: a choice would be one more state transition for every batch of a run, paid
    for even where the budget is never reached.
    """
    return {
        "CalculateTimeout": invoke(
            functions.calculate_timeout.function_arn,
            {"workflow_run.$": "$.BatchInput.workflow_run"},
            timeout=QUICK.timeout,
            select=["seconds"],
            into="wait",
        ),
        "WaitForQuota": {"Type": "Wait", "SecondsPath": "$.wait.seconds", "Next": "RequestBatch"},
    }
