"""Time-outs, heartbeats and tokens of tasks, time-outs of whole machines, and what follows the end of an execution.

MiniStack ignores ``HeartbeatSeconds``, ``TimeoutSecondsPath`` and a machine's ``TimeoutSeconds``, swallows the error of
a function that was to hand on a task token, and lets a task that ends late overwrite the status of a stopped execution.
A task token says which machine it belongs to, as on AWS, where a token is judged by its machine even when nobody waits
for it any more.
"""

from __future__ import annotations

import base64
import binascii
import contextvars
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from solution.local.patches.machine_roles import current_machine
from solution.local.patches.seam import Seam

_FOREVER: Final = 99_999_999
"""Seconds: the default of ``TimeoutSeconds`` of a task (*Task workflow state*)."""
_REMEMBERED_TOKENS: Final = 10_000

_GLANCE: Final = 1.0
"""Seconds between two looks at whether the execution was stopped meanwhile."""

_timed_out: OrderedDict[str, None] = OrderedDict()
_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("execution", default=None)
_token_owner: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("token_owner", default=None)
"""The machine of the token that is about to be made; taken out by the first name that is made."""


def apply() -> None:
    """Replace the wait for task tokens, and wrap tasks and executions."""
    seam = Seam(stepfunctions)
    seam.require(
        *("_task_tokens", "_invoke_resource", "_ExecutionError", "_resolve_path_or_ctx", "_executions"),
        *("_state_machines", "_add_event", "_emit_execution_status_event", "now_iso"),
    )
    seam.replace(
        "_invoke_with_callback",
        lambda _: _invoke_with_callback,
        parameters=("resource", "input_data", "token", "state_def"),
    )
    seam.replace("new_uuid", _with_owner, parameters=())
    seam.replace("_execute_task", _with_owned_token, parameters=("state_def", "raw_input", "execution", "ctx"))
    seam.replace("_execute_task", _with_limits_resolved, parameters=("state_def", "raw_input", "execution", "ctx"))
    seam.replace("_run_execution", _with_timeout, parameters=("exec_arn",))
    seam.replace("_fail_execution", _only_while_running, parameters=("execution", "error", "cause"))
    seam.replace("_send_task_heartbeat", _with_moment, parameters=("data",))
    for name in ("_send_task_success", "_send_task_failure", "_send_task_heartbeat"):
        seam.replace(name, _with_timed_out_tokens, parameters=("data",))


def machine_of(token: str) -> str | None:
    """ARN of the machine that the token was made for; None for what is no token of a task state."""
    try:
        return base64.urlsafe_b64decode(token.partition(".")[2]).decode() or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _with_owner(original: Any) -> Any:
    def make() -> str:
        owner = _token_owner.get()
        name = str(original())
        return f"{name}.{base64.urlsafe_b64encode(owner.pop().encode()).decode()}" if owner else name

    return make


def _with_owned_token(original: Any) -> Any:
    """The first name that MiniStack makes in a task with a token is the token."""

    def execute(state_def: dict[str, Any], *rest: Any) -> Any:
        machine = current_machine()
        waits = str(state_def.get("Resource", "")).endswith(".waitForTaskToken")
        token = _token_owner.set([machine.arn] if machine and waits else None)
        try:
            return original(state_def, *rest)
        finally:
            _token_owner.reset(token)

    return execute


def _with_limits_resolved(original: Any) -> Any:
    def execute(state_def: dict[str, Any], raw_input: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
        found = {
            name: stepfunctions._resolve_path_or_ctx(state_def[f"{name}Path"], raw_input, ctx)
            for name in ("TimeoutSeconds", "HeartbeatSeconds")
            if f"{name}Path" in state_def
        }
        return original({**state_def, **found}, raw_input, execution, ctx)

    return execute


def _invoke_with_callback(resource: str, input_data: Any, token: str, state_def: dict[str, Any]) -> Any:
    """Start the task, then wait for its token to come back."""
    waiting: dict[str, Any] = {"event": threading.Event(), "result": None, "error": None, "heartbeat": None}
    stepfunctions._task_tokens[token] = waiting
    try:
        stepfunctions._invoke_resource(resource.replace(".waitForTaskToken", ""), input_data)
        _wait(token, waiting, state_def)
    finally:
        stepfunctions._task_tokens.pop(token, None)
    if waiting["error"]:
        error = waiting["error"]
        raise stepfunctions._ExecutionError(error.get("Error", "TaskFailed"), error.get("Cause", ""))
    result = waiting["result"]
    try:
        return json.loads(result) if isinstance(result, str) else result
    except json.JSONDecodeError:
        return result


def _wait(token: str, waiting: dict[str, Any], state_def: dict[str, Any]) -> None:
    """Wait for the token, the end of the time allowed, a missing heartbeat, or the end of the execution."""
    end = time.monotonic() + float(state_def.get("TimeoutSeconds", _FOREVER))
    heartbeat = float(state_def.get("HeartbeatSeconds", _FOREVER))
    execution = _execution.get()
    waiting["beaten"] = time.monotonic()
    while True:
        now = time.monotonic()
        silent = waiting["beaten"] + heartbeat
        if waiting["event"].wait(max(0.0, min(end - now, silent - now, _GLANCE))):
            return
        if execution is not None and execution["status"] != "RUNNING":
            raise stepfunctions._ExecutionError("States.TaskFailed", "The execution has ended")
        now = time.monotonic()
        if now >= end or now >= waiting["beaten"] + heartbeat:
            _remember(token)
            raise stepfunctions._ExecutionError("States.Timeout" if now >= end else "States.HeartbeatTimeout", "")


def _remember(token: str) -> None:
    _timed_out[token] = None
    while len(_timed_out) > _REMEMBERED_TOKENS:
        _timed_out.popitem(last=False)


def _with_timed_out_tokens(original: Any) -> Any:
    def send(data: dict[str, Any]) -> Any:
        if data.get("taskToken") in _timed_out:
            return error_response_json("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'", 400)
        return original(data)

    return send


def _with_moment(original: Any) -> Any:
    """MiniStack stamps a heartbeat by the second, too coarse to count from."""

    def beat(data: dict[str, Any]) -> Any:
        waiting = stepfunctions._task_tokens.get(data.get("taskToken"))
        if waiting:
            waiting["beaten"] = time.monotonic()
        return original(data)

    return beat


def _with_timeout(original: Any) -> Any:
    def run(exec_arn: str) -> None:
        execution = stepfunctions._executions.get(exec_arn) or {}
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn", "")) or {}
        seconds = _machine_timeout(machine.get("definition", "{}"))
        timer = None
        if seconds is not None:
            end = contextvars.copy_context().run
            timer = threading.Timer(seconds, end, args=(_time_out, execution))
            timer.daemon = True
            timer.start()
        token = _execution.set(execution or None)
        try:
            original(exec_arn)
        finally:
            _execution.reset(token)
            if timer is not None:
                timer.cancel()

    return run


def _machine_timeout(definition: str) -> float | None:
    try:
        return float(json.loads(definition)["TimeoutSeconds"])
    except (ValueError, KeyError, TypeError):
        return None


def _time_out(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=stepfunctions.now_iso(), error="States.Timeout")
    stepfunctions._add_event(
        execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
    )
    stepfunctions._emit_execution_status_event(execution)


def _only_while_running(original: Callable[..., None]) -> Any:
    def fail(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            original(execution, error, cause)

    return fail
