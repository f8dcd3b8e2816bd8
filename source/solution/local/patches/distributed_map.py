"""Distributed maps: item batches, the result writer, limits given as paths, and each child's own context.

MiniStack ignores ``ItemBatcher``, ``ResultWriter`` and the ``...Path`` limits, shows a child the execution of its
parent, and goes on after more failures than are tolerated. Field reference: *Distributed Map state*.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any, Final

from ministack.services import stepfunctions

from solution.local.patches.seam import Seam

_LIMITS: Final = ("MaxConcurrency", "ToleratedFailurePercentage", "ToleratedFailureCount")
_LARGEST_INPUT: Final = 262_144
"""Bytes that a child's input may hold (*Step Functions quotas*)."""
_NOT_WRITTEN: Final = frozenset({"events", "testCase", "mockAttempts", "mapRunArn"})
_WRITERS_OWN: Final = ("ResultWriter", "ResultSelector", "ResultPath", "OutputPath")

State = dict[str, Any]


def apply() -> None:
    """Replace the runner of distributed maps, and the one of their children."""
    seam = Seam(stepfunctions)
    seam.require(
        *("_read_map_items", "_resolve_path_or_ctx", "_resolve_params_obj", "_map_runs", "_executions"),
        *("_invoke_aws_sdk_integration", "_apply_result_selector", "_apply_result_path", "_apply_output_path"),
        *("_next_or_end", "_ExecutionError"),
    )
    seam.replace(
        "_run_sub_machine", _with_own_context, parameters=("states", "start_at", "input_data", "execution", "ctx")
    )
    parameters = ("state_def", "raw_input", "effective", "iterator", "execution", "ctx")
    seam.replace("_run_distributed_map", _with_batches, parameters=parameters)
    seam.replace("_run_distributed_map", _with_results_written, parameters=parameters)
    seam.replace("_run_distributed_map", _with_limits_resolved, parameters=parameters)


def _with_own_context(original: Any) -> Any:
    def run(states: State, start_at: str, input_data: Any, execution: State, ctx: State) -> Any:
        map_run = stepfunctions._map_runs.get(execution.get("mapRunArn"))
        if map_run and _given_up(map_run):
            raise stepfunctions._ExecutionError("States.Runtime", "The map run failed before this child began")
        if execution.get("mapRunArn") and ctx["Execution"]["Id"] != execution["executionArn"]:
            ctx["Execution"] = {
                "Id": execution["executionArn"],
                "Name": execution["name"],
                "Input": json.loads(execution["input"]),
                "StartTime": execution["startDate"],
            }
        return original(states, start_at, input_data, execution, ctx)

    return run


def _given_up(map_run: State) -> bool:
    """Whether more children have failed than the map tolerates: then it starts no further ones (*Setting failure
    thresholds for Distributed Map states*).
    """
    counts = map_run["executionCounts"]
    by_percentage = map_run["toleratedFailurePercentage"] * counts["total"] / 100
    return bool(counts["failed"] > max(map_run["toleratedFailureCount"], by_percentage))


def _with_limits_resolved(original: Any) -> Any:
    def run(state: State, *rest: Any) -> Any:
        _, effective, _, _, ctx = rest
        found = {
            name: stepfunctions._resolve_path_or_ctx(state[f"{name}Path"], effective, ctx)
            for name in _LIMITS
            if f"{name}Path" in state
        }
        return original({**state, **found}, *rest)

    return run


def _with_batches(original: Any) -> Any:
    def run(state: State, *rest: Any) -> Any:
        raw_input, effective, iterator, execution, ctx = rest
        batcher = state.get("ItemBatcher")
        if not batcher:
            return original(state, *rest)
        items = _items(state, effective, ctx)
        shared = (
            stepfunctions._resolve_params_obj(batcher["BatchInput"], effective, ctx)
            if "BatchInput" in batcher
            else None
        )
        most = _limit(batcher, "MaxItemsPerBatch", effective, ctx)
        largest = _limit(batcher, "MaxInputBytesPerBatch", effective, ctx) or _LARGEST_INPUT
        batches = list(pack(items, shared=shared, most=most, largest=min(largest, _LARGEST_INPUT)))
        consumed = {"ItemBatcher", "ItemReader", "ItemSelector", "Parameters", "ItemsPath"}
        bare = {name: value for name, value in state.items() if name not in consumed}
        return original({**bare, "ItemsPath": "$.batches"}, raw_input, {"batches": batches}, iterator, execution, ctx)

    return run


def _items(state: State, effective: Any, ctx: State) -> list[Any]:
    if state.get("ItemReader"):
        items = stepfunctions._read_map_items(state["ItemReader"], effective, ctx)
    else:
        items = stepfunctions._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, ctx)
    items = items if isinstance(items, list) else [items]
    selector = state.get("ItemSelector") or state.get("Parameters")
    if not selector:
        return items
    return [
        stepfunctions._resolve_params_obj(selector, effective, {**ctx, "Map": {"Item": {"Index": at, "Value": item}}})
        for at, item in enumerate(items)
    ]


def _limit(batcher: State, name: str, effective: Any, ctx: State) -> int:
    """A number, given as such or as a path; 0 when it is not given."""
    if f"{name}Path" in batcher:
        return int(stepfunctions._resolve_path_or_ctx(batcher[f"{name}Path"], effective, ctx))
    return int(batcher.get(name) or 0)


def pack(items: list[Any], *, shared: Any, most: int, largest: int) -> Iterator[dict[str, Any]]:
    """Group items into inputs of children.

    Args:
        items: in order.
        shared: ``BatchInput``, part of every input; None for none.
        most: items per group; 0 for any number.
        largest: bytes per input. An item that exceeds it alone is a group of its own, as nothing smaller exists.

    Yields:
        Inputs with ``Items`` and, if given, ``BatchInput``.
    """
    frame: dict[str, Any] = {} if shared is None else {"BatchInput": shared}
    base = _size({**frame, "Items": []})
    group: list[Any] = []
    size = base
    for item in items:
        more = _size(item) + (1 if group else 0)
        if group and ((most and len(group) >= most) or size + more > largest):
            yield {**frame, "Items": group}
            group, size, more = [], base, _size(item)
        group.append(item)
        size += more
    if group:
        yield {**frame, "Items": group}


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _with_results_written(original: Any) -> Any:
    def run(state: State, *rest: Any) -> Any:
        raw_input, effective, _, execution, ctx = rest
        writer = state.get("ResultWriter")
        if not writer:
            return original(state, *rest)
        where = stepfunctions._resolve_params_obj(writer.get("Parameters") or {}, effective, ctx)
        bare = {name: value for name, value in state.items() if name not in _WRITERS_OWN}
        # The label is the only handle on the map run that the original makes.
        bare["Label"] = label = state.get("Label") or uuid.uuid4().hex
        before = set(stepfunctions._map_runs)
        failure = None
        try:
            original(bare, *rest)
        except stepfunctions._ExecutionError as error:
            failure = error
        map_run = next(
            arn
            for arn, run in list(stepfunctions._map_runs.items())
            if arn not in before and run["executionArn"] == execution["executionArn"] and f"/{label}:" in arn
        )
        result = {"MapRunArn": map_run, "ResultWriterDetails": _write_results(map_run, where)}
        if failure is not None:
            raise failure
        selected = stepfunctions._apply_result_selector(state, result)
        output = stepfunctions._apply_result_path(state, raw_input, selected)
        return stepfunctions._apply_output_path(state, output, ctx), stepfunctions._next_or_end(state)

    return run


def _write_results(map_run: str, where: State) -> dict[str, str]:
    """The manifest and the files it names (*ResultWriter*), written as the machine's role."""
    bucket, prefix = where["Bucket"], where.get("Prefix", "").strip("/")
    base = f"{prefix}/{map_run.rsplit(':', 1)[1]}".lstrip("/")
    children = [run for run in list(stepfunctions._executions.values()) if run.get("mapRunArn") == map_run]
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status in ("SUCCEEDED", "FAILED"):
        rows = [_written(child) for child in children if child["status"] == status]
        if rows:
            body, key = json.dumps(rows), f"{base}/{status}_0.json"
            _put(bucket, key, body)
            files[status].append({"Key": key, "Size": len(body.encode())})
    manifest = {"DestinationBucket": bucket, "MapRunArn": map_run, "ResultFiles": files}
    _put(bucket, f"{base}/manifest.json", json.dumps(manifest))
    return {"Bucket": bucket, "Key": f"{base}/manifest.json"}


def _written(child: State) -> dict[str, Any]:
    return {
        name[0].upper() + name[1:]: value
        for name, value in child.items()
        if name not in _NOT_WRITTEN and value is not None
    }


def _put(bucket: str, key: str, body: str) -> None:
    arguments = {"Bucket": bucket, "Key": key, "Body": body}
    try:
        stepfunctions._invoke_aws_sdk_integration("arn:aws:states:::aws-sdk:s3:putObject", arguments)
    except stepfunctions._ExecutionError as error:
        raise stepfunctions._ExecutionError("States.ResultWriterFailed", error.cause) from error
