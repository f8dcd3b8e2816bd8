"""Tasks: functions, other state machines, and AWS services called directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk

from solution.infrastructure.states.retries import LAMBDA_RETRIES, SDK_RETRIES, State

DAY = 86_400


def integration(name: str) -> str:
    """ARN of a service integration, such as ``lambda:invoke``."""
    return f"arn:{cdk.Aws.PARTITION}:states:::{name}"


def invoke(
    function_arn: str,
    payload: Mapping[str, Any],
    *,
    timeout: int,
    select: Sequence[str] = (),
    into: str | None = None,
) -> State:
    """Call a function. Fields ``select`` of its answer go into ``$.{into}``; without ``into`` the answer is dropped."""
    state: State = {
        "Type": "Task",
        "Resource": integration("lambda:invoke"),
        "Parameters": {"FunctionName": function_arn, "Payload": dict(payload)},
        # a little more than the function's own limit, which should speak first
        "TimeoutSeconds": timeout + 30,
        "Retry": list(LAMBDA_RETRIES),
        "ResultPath": None,
    }
    if into is not None:
        state["ResultSelector"] = {f"{field}.$": f"$.Payload.{field}" for field in select}
        state["ResultPath"] = f"$.{into}"
    return state


def run_machine(
    machine_arn: str, execution_input: Mapping[str, Any], *, timeout: int, name_path: str | None = None
) -> State:
    """Start another state machine and wait for its end; its failure is this task's (``States.TaskFailed``).

    With a name, found at ``name_path``, others can tell its ARN; without, it gets one that nobody knows.
    """
    return {
        "Type": "Task",
        "Resource": integration("states:startExecution.sync:2"),
        "Parameters": {
            "StateMachineArn": machine_arn,
            **({"Name.$": name_path} if name_path else {}),
            # the console links parent and child by this key
            "Input": {**execution_input, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id"},
        },
        "TimeoutSeconds": timeout,
        "Retry": [
            {
                "ErrorEquals": ["StepFunctions.SdkClientException", "StepFunctions.ThrottlingException"],
                "IntervalSeconds": 2,
                "MaxAttempts": 6,
                "BackoffRate": 2,
                "JitterStrategy": "FULL",
            }
        ],
        "ResultPath": None,
    }


def call(
    action: str, parameters: Mapping[str, Any], *, into: str | None = None, select: Mapping[str, str] | None = None
) -> State:
    """Call an AWS service, ``service:action``; the answer goes into ``$.{into}`` or is dropped."""
    state: State = {
        "Type": "Task",
        "Resource": integration(f"aws-sdk:{action}"),
        "Parameters": dict(parameters),
        "TimeoutSeconds": 60,
        "Retry": list(SDK_RETRIES),
        "ResultPath": f"$.{into}" if into else None,
    }
    if select:
        state["ResultSelector"] = dict(select)
    return state


def await_job(table_name: str, job_id_path: str, *, timeout: int | str, into: str) -> State:
    """Leave a task token in AsyncFacilitatorTable and wait until the result of the job is there too.

    ``timeout`` is in seconds, or the path where they are.
    """
    limit = {"TimeoutSecondsPath": timeout} if isinstance(timeout, str) else {"TimeoutSeconds": timeout}
    return {
        "Type": "Task",
        "Resource": integration("aws-sdk:dynamodb:updateItem.waitForTaskToken"),
        "Parameters": {
            "TableName": table_name,
            "Key": {"job_id": {"S.$": job_id_path}},
            "UpdateExpression": "SET task_token = :token",
            "ExpressionAttributeValues": {":token": {"S.$": "$$.Task.Token"}},
        },
        **limit,
        "Retry": list(SDK_RETRIES),
        "ResultPath": f"$.{into}",
    }


def read_counters(table_name: str) -> State:
    """The run's counters into ``$.metrics``; before the inventory is counted there is no ``$.metrics.Item``."""
    return call(
        "dynamodb:getItem",
        {"TableName": table_name, "Key": {"pk": {"S.$": "$.workflow_run"}}, "ConsistentRead": True},
        into="metrics",
    )


def catch(next_state: str, *, into: str = "failure", errors: Sequence[str] = ("States.ALL",)) -> list[State]:
    """Go on with ``next_state`` when a task fails; error and cause are in ``$.{into}``."""
    return [{"ErrorEquals": list(errors), "ResultPath": f"$.{into}", "Next": next_state}]


def chain(states: Mapping[str, State], *, end: str | None = None) -> dict[str, State]:
    """Let a state that names no successor be followed by the next one; the last one by ``end``, or nothing."""
    linked: dict[str, State] = {}
    names = list(states)
    for name, following in zip(names, [*names[1:], end], strict=True):
        state = dict(states[name])
        decided = {"Next", "End"} & state.keys() or state["Type"] in ("Choice", "Succeed", "Fail")
        if not decided:
            state.update({"Next": following} if following else {"End": True})
        linked[name] = state
    return linked
