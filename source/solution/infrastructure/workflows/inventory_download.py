"""The states that ask Glacier for the inventory of a vault, wait, and copy it into one file."""

from __future__ import annotations

from collections.abc import Sequence

from solution.infrastructure.function_groups import InventoryFunctions
from solution.infrastructure.settings import Parameters
from solution.infrastructure.sizing import LONG, QUICK, STREAMING
from solution.infrastructure.states.maps import distributed
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import await_job, catch, chain, invoke

CONCURRENT_RANGES = 10

MOST_JOBS = 3
"""Inventory jobs that are asked for before the run gives up: one may expire, or never end, for reasons of its own."""

MOST_ROUNDS = 3
"""Times that ranges which did not arrive are copied again, or an upload that vanished is begun again."""

MOST_LOOKS = 24
"""At a job whose notification does not come: three days at the default of InventoryPollSeconds."""


def counters(parameters: Parameters) -> State:
    """What the states below count, in ``$.counted``; how long to wait is there too."""
    return {
        "Type": "Pass",
        "Parameters": {
            "jobs": 0,
            "rounds": 0,
            "looks": 0,
            # a number in the definition cannot come from a parameter of the stack
            "poll_seconds.$": f"States.StringToJson('{parameters.inventory_poll_seconds}')",
        },
        "ResultPath": "$.counted",
    }


def download(functions: InventoryFunctions, facilitator_table: str, *, then: str) -> dict[str, State]:
    """From the first request to ``then``, after the inventory lies in the bucket."""
    return chain({**_request(functions, facilitator_table), **_copy(functions), **_complete(functions, then=then)})


def _request(functions: InventoryFunctions, facilitator_table: str) -> dict[str, State]:
    """Ask Glacier and wait for its notification; where none comes, look, and wait again."""
    return {
        "CountJob": _count("jobs", reset=("looks",)),
        "RequestInventoryJob": invoke(
            functions.job_request.function_arn,
            {"workflow_run.$": "$.workflow_run", "vault_name.$": "$.vault_name"},
            timeout=QUICK.timeout,
            select=["job_id"],
            into="inventory_job",
        ),
        "AwaitInventoryJob": {
            **await_job(
                facilitator_table, "$.inventory_job.job_id", timeout="$.counted.poll_seconds", into="job_result"
            ),
            "Catch": [
                *catch("LooksLeft?", into="overdue", errors=["States.Timeout"]),
                *catch("TakeGlaciersWords", into="job_failure", errors=["GlacierJobError"]),
            ],
            "Next": "JobSucceeded?",
        },
        "LooksLeft?": _while("looks", MOST_LOOKS, then="CountLook", otherwise="JobsLeft?"),
        "CountLook": _count("looks"),
        "LookAtInventoryJob": {
            **invoke(
                functions.job_status.function_arn,
                {"vault_name.$": "$.vault_name", "job_id.$": "$.inventory_job.job_id"},
                timeout=QUICK.timeout,
                select=["job_id", "succeeded", "message", "size", "in_progress"],
                into="job_result",
            ),
            "Catch": catch("JobsLeft?", into="gone", errors=["JobExpired"]),
        },
        "StillRunning?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.job_result.in_progress", "BooleanEquals": True, "Next": "AwaitInventoryJob"}],
            "Default": "JobSucceeded?",
        },
        "JobSucceeded?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.job_result.succeeded", "BooleanEquals": True, "Next": "StartUpload"}],
            "Default": "NameJobFailure",
        },
        "TakeGlaciersWords": {
            "Type": "Pass",
            "Parameters": {"message.$": "$.job_failure.Cause"},
            "ResultPath": "$.job_result",
        },
        "NameJobFailure": _fail_with(
            "GlacierJobError",
            "States.Format('the inventory job {} of vault {} failed, says Glacier: {}', "
            "$.inventory_job.job_id, $.vault_name, $.job_result.message)",
        ),
        "JobFailed": {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
        "JobsLeft?": _while("jobs", MOST_JOBS, then="CountJob", otherwise="NoInventory"),
        "NoInventory": {
            "Type": "Fail",
            "Error": "GlacierJobError",
            "Cause": f"Glacier gave no inventory although it was asked {MOST_JOBS} times: each job expired before "
            "its output was copied, or did not end in days; resume the run to ask again",
        },
    }


def _copy(functions: InventoryFunctions) -> dict[str, State]:
    """Ranges of the inventory become the parts of one multipart upload, each in an invocation of its own.

    A map does not say why a child failed. So what is missing afterwards is tried once outside of it, where the
    reason shows, and only then given to the map again.
    """
    function = functions.chunk_transfer.function_arn
    shared = {
        "workflow_run.$": "$.workflow_run",
        "vault_name.$": "$.vault_name",
        "job_id.$": "$.inventory_job.job_id",
        "upload_id.$": "$.upload.upload_id",
        "key.$": "$.upload.key",
        "size.$": "$.job_result.size",
        "range_bytes.$": "$.upload.range_bytes",
    }
    transfer = invoke(function, {}, timeout=STREAMING.timeout)
    transfer["Parameters"] = {"FunctionName": function, "Payload.$": "$"}
    return {
        "StartUpload": {
            **invoke(
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
            "Next": "CopyRanges",
        },
        "CopyFirstMissing": {
            **invoke(function, {**shared, "part.$": "$.upload.parts[0]"}, timeout=STREAMING.timeout),
            "Catch": [
                *catch("JobsLeft?", into="gone", errors=["JobExpired"]),
                *catch("UploadVanished", into="vanished", errors=["UploadVanished"]),
            ],
        },
        "CopyRanges": {
            **distributed(
                {"CopyRange": transfer},
                items_path="$.upload.parts",
                select={**shared, "part.$": "$$.Map.Item.Value"},
                concurrency=CONCURRENT_RANGES,
            ),
            "Catch": catch("CompleteUpload", into="copy_failure"),
        },
    }


def _complete(functions: InventoryFunctions, *, then: str) -> dict[str, State]:
    return {
        "CompleteUpload": {
            **invoke(
                functions.upload_complete.function_arn,
                {
                    "workflow_run.$": "$.workflow_run",
                    "job_id.$": "$.inventory_job.job_id",
                    "key.$": "$.upload.key",
                    "upload_id.$": "$.upload.upload_id",
                    "size.$": "$.job_result.size",
                    "range_bytes.$": "$.upload.range_bytes",
                },
                timeout=LONG.timeout,
                select=["missing"],
                into="completion",
            ),
            "Catch": catch("UploadVanished", into="vanished", errors=["UploadVanished"]),
        },
        "Missing?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.completion.missing[0]", "IsPresent": True, "Next": "RoundsLeft?"}],
            "Default": then,
        },
        "RoundsLeft?": _while("rounds", MOST_ROUNDS, then="CountRound", otherwise="InventoryIncomplete"),
        "CountRound": _count("rounds"),
        "TakeMissing": {
            "Type": "Pass",
            "InputPath": "$.completion.missing",
            "ResultPath": "$.upload.parts",
            "Next": "CopyFirstMissing",
        },
        "InventoryIncomplete": {
            "Type": "Fail",
            "Error": "InventoryIncomplete",
            "Cause": f"ranges of the inventory are still missing after {MOST_ROUNDS} more rounds of copying, although "
            "each could be copied by itself; see the map runs of this execution, then resume the run",
        },
        "UploadVanished": _while("rounds", MOST_ROUNDS, then="CountUpload", otherwise="UploadKeepsVanishing"),
        "CountUpload": {**_count("rounds"), "Next": "StartUpload"},
        "UploadKeepsVanishing": {
            "Type": "Fail",
            "Error": "UploadVanished",
            "Cause": "the multipart upload of the inventory was aborted by somebody else, time and again; find out who "
            "aborts uploads in the inventory bucket, then resume the run",
        },
    }


def _count(name: str, *, reset: Sequence[str] = ()) -> State:
    """Add one to a counter of ``$.counted``."""
    kept = {f"{other}.$": f"$.counted.{other}" for other in ("jobs", "rounds", "looks", "poll_seconds")}
    for other in (name, *reset):
        del kept[f"{other}.$"]
    counted = {f"{name}.$": f"States.MathAdd($.counted.{name}, 1)"}
    return {
        "Type": "Pass",
        "Parameters": {**kept, **counted, **dict.fromkeys(reset, 0)},
        "ResultPath": "$.counted",
    }


def _while(name: str, most: int, *, then: str, otherwise: str) -> State:
    return {
        "Type": "Choice",
        "Choices": [{"Variable": f"$.counted.{name}", "NumericLessThan": most, "Next": then}],
        "Default": otherwise,
    }


def _fail_with(error: str, cause: str) -> State:
    return {"Type": "Pass", "Parameters": {"Error": error, "Cause.$": cause}, "ResultPath": "$.failure"}
