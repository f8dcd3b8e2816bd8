"""Maps: over the segments of a table scan, over the files below a prefix, over the rows of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solution.infrastructure.sizing import ROWS_AT_ONCE
from solution.infrastructure.states.retries import State, retrier
from solution.infrastructure.states.tasks import call, chain, integration, invoke

SCAN_SEGMENTS = 4
"""Parallel readers of the table; more would take capacity from the writers of other runs."""

READER_RETRIES = [retrier(["States.ItemReaderFailed"], interval=5, attempts=4)]


def distributed(
    states: Mapping[str, State],
    *,
    select: Mapping[str, Any] | None = None,
    reader: State | None = None,
    items_path: str | None = None,
    batch_input: Mapping[str, Any] | None = None,
    concurrency: int = 1,
) -> State:
    """A distributed map whose children run ``states`` in order.

    Every child gives back an empty object and the map its own input: the list of results of a large map would not fit
    into the 256 KiB that a state may hand on.
    """
    names = list(states)
    linked = chain(states)
    linked = {label: {**one, "OutputPath": None} if one.get("End") else one for label, one in linked.items()}
    state: State = {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": names[0],
            "States": linked,
        },
        "MaxConcurrency": concurrency,
        "ToleratedFailurePercentage": 0,
        "ResultPath": None,
    }
    if reader:
        state["ItemReader"] = reader
        state["Retry"] = READER_RETRIES
    if items_path:
        state["ItemsPath"] = items_path
    if select:
        state["ItemSelector"] = dict(select)
    if batch_input is not None:
        state["ItemBatcher"] = {"MaxItemsPerBatch": ROWS_AT_ONCE, "BatchInput": dict(batch_input)}
    return state


def csv_reader(bucket: str, *, key_path: str) -> State:
    """Rows of a CSV file with a header."""
    return {
        "Resource": integration("s3:getObject"),
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
        "Parameters": {"Bucket": bucket, "Key.$": key_path},
    }


def file_reader(bucket: str, *, prefix_path: str) -> State:
    """The objects below a prefix, in order of their keys."""
    return {"Resource": integration("s3:listObjectsV2"), "Parameters": {"Bucket": bucket, "Prefix.$": prefix_path}}


def rows_of_files(
    *,
    bucket: str,
    prefix_path: str,
    handed_on: Mapping[str, str],
    name: str,
    task: State,
    detours: Mapping[str, State] | None = None,
    concurrency: int = 1,
) -> State:
    """A map over the CSV files below a prefix, and in each a map over its rows in batches, given to ``task``.

    ``handed_on`` are the fields that each batch gets beside its rows, by the paths where the outer state has them.
    ``detours`` are further states, that the task may go to.
    """
    fields = {f"{field}.$": path for field, path in handed_on.items()}
    rows = distributed(
        {name: {**task, "End": True}, **(detours or {})},
        reader=csv_reader(bucket, key_path="$.key"),
        batch_input={f"{field}.$": f"$.{field}" for field in handed_on},
        concurrency=concurrency,
    )
    return distributed(
        {f"{name}InFile": rows},
        reader=file_reader(bucket, prefix_path=prefix_path),
        select={"key.$": "$$.Map.Item.Value.Key", **fields},
    )


def batch_task(function_arn: str, *, timeout: int) -> State:
    """Give a batch, as the map made it, to a function."""
    task = invoke(function_arn, {}, timeout=timeout)
    task["Parameters"] = {"FunctionName": function_arn, "Payload.$": "$"}
    return task


def scan(function_arn: str, *, purpose: str, prefix_path: str, timeout: int, label: str = "") -> State:
    """Read the whole table in parallel segments; each invocation goes on where the one before stopped.

    A machine with several scans gives each a ``label``, for the names of its states.
    """
    payload = {
        "workflow_run.$": "$.workflow_run",
        "purpose": purpose,
        "output_prefix.$": "$.output_prefix",
        "segment.$": "$.segment",
        "total_segments": SCAN_SEGMENTS,
        "start.$": "$.start",
    }
    read, more, go_on, done = (f"{name}{label}" for name in ("Scan", "More?", "GoOn", "SegmentRead"))
    states = {
        read: {
            **invoke(function_arn, payload, timeout=timeout, select=["next", "found"], into="scan"),
            "Next": more,
        },
        more: {
            "Type": "Choice",
            "Choices": [{"Variable": "$.scan.next", "IsNull": True, "Next": done}],
            "Default": go_on,
        },
        go_on: {"Type": "Pass", "InputPath": "$.scan.next", "ResultPath": "$.start", "Next": read},
        done: {"Type": "Pass", "OutputPath": None, "End": True},
    }
    return {
        "Type": "Map",
        "ItemsPath": "$.segments",
        "ItemSelector": {
            "workflow_run.$": "$.workflow_run",
            "output_prefix.$": prefix_path,
            "segment.$": "$$.Map.Item.Value",
            "start": None,
        },
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": read, "States": states},
        "MaxConcurrency": SCAN_SEGMENTS,
        "ResultPath": None,
    }


def segments() -> list[int]:
    """The numbers of the segments, for the state that prepares a scan."""
    return list(range(SCAN_SEGMENTS))


def any_file(bucket: str, *, prefix_path: str) -> State:
    """Look whether there is an object below a prefix: then there is ``$.listing.Contents[0]``."""
    return call("s3:listObjectsV2", {"Bucket": bucket, "Prefix.$": prefix_path, "MaxKeys": 1}, into="listing")


FILE_FOUND = {"Variable": "$.listing.Contents[0].Key", "IsPresent": True}
