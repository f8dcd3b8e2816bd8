"""A state machine acts as its role: calls it may not make are refused, as on AWS.

MiniStack calls its services' functions directly, past IAM. Here each execution runs with a session of its machine's
role in a context variable, which worker threads inherit. Calls through the SDK are signed with it (``sdk_tasks``);
the rest asks MiniStack's evaluator first: Lambda functions, nested executions, item readers, distributed maps.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import lambda_svc, stepfunctions

from solution.local.patches.seam import Seam
from solution.local.sessions import ROOT, Credentials, role_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The state machine whose execution this thread belongs to."""

    arn: str
    role: Credentials


_THROTTLED: Final = "TooManyRequestsException"
_current: ContextVar[Machine | None] = ContextVar("current_machine", default=None)
_EVALUATOR: Final = Seam(iam_evaluator)


def current_machine() -> Machine | None:
    """The machine that this thread works for, if any."""
    return _current.get()


def current_role() -> Credentials:
    """The role to sign with: the machine's, or the root user's outside of executions."""
    machine = _current.get()
    return ROOT if machine is None else machine.role


def check(action: str, service: str, resource: str, error: str) -> None:
    """Refuse what the machine's role may not do.

    Raises:
        stepfunctions._ExecutionError: named ``error``, with the sentence that AWS uses as its cause.
    """
    machine = _current.get()
    if machine is None:
        return
    denied = iam_evaluator.enforce(machine.role.access_key, action, service, get_region(), resource_arn=resource)
    if denied is not None:
        cause = (
            f"User: {machine.role.arn} is not authorized to perform: {action} on resource: {resource} "
            f"because no identity-based policy allows the {action} action"
        )
        raise stepfunctions._ExecutionError(error, cause)


@contextlib.contextmanager
def _acting_for(state_machine: dict[str, Any]) -> Iterator[None]:
    role = role_session(state_machine["roleArn"], state_machine["name"][:64])
    token = _current.set(Machine(arn=state_machine["stateMachineArn"], role=role))
    # The request that started the execution was somebody else's: its signature proves nothing about the role.
    signed = iam_evaluator._signed_request.set(None)
    anonymous = iam_evaluator._anonymous.set(False)
    # Step Functions reads over TLS, also where no request is behind the execution: a rule has started it.
    origin = iam_evaluator._request_origin.set(("127.0.0.1", True))
    try:
        yield
    finally:
        iam_evaluator._request_origin.reset(origin)
        iam_evaluator._anonymous.reset(anonymous)
        iam_evaluator._signed_request.reset(signed)
        _current.reset(token)


def apply() -> None:
    """Run executions as their role, and check what does not pass through the SDK."""
    _EVALUATOR.require("enforce", "_signed_request", "_anonymous", "_request_origin")
    Seam("ministack.services.sts").require("register_session")
    Seam(lambda_svc).require("_get_func_record_for_ref")
    seam = Seam(stepfunctions)
    seam.require("_executions", "_state_machines", "_ExecutionError", "_resolve_params_obj")
    seam.replace("_run_execution", _running, parameters=("exec_arn",))
    seam.replace("_call_lambda", _calling, parameters=("func_ref", "event"))
    seam.replace("_invoke_nested_start_execution", _starting, parameters=("resource", "input_data"))
    seam.replace("_invoke_nested_start_execution_sync", _starting_and_waiting, parameters=("resource", "input_data"))
    seam.replace("_read_map_items", _reading, parameters=("reader", "effective", "ctx"))
    seam.replace(
        "_run_distributed_map",
        _mapping,
        parameters=("state_def", "raw_input", "effective", "iterator", "execution", "ctx"),
    )


def _running(original: Any) -> Any:
    def run(exec_arn: str) -> None:
        execution = stepfunctions._executions.get(exec_arn) or {}
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn", ""))
        with contextlib.nullcontext() if machine is None else _acting_for(machine):
            original(exec_arn)

    return run


def _calling(original: Any) -> Any:
    def call(func_ref: str, event: Any) -> Any:
        _, config, _ = lambda_svc._get_func_record_for_ref(func_ref)
        if config:
            check("lambda:InvokeFunction", "lambda", config["FunctionArn"], "Lambda.AWSLambdaException")
        try:
            return original(func_ref, event)
        except stepfunctions._ExecutionError as error:
            if error.error == "Lambda.Unknown" and _THROTTLED in str(error.cause):
                raise stepfunctions._ExecutionError(f"Lambda.{_THROTTLED}", error.cause) from error
            raise

    return call


_START_ERRORS: Final = frozenset(
    {"StateMachineDoesNotExist", "ExecutionAlreadyExists", "ExecutionLimitExceeded", "InvalidName", "InvalidArn"}
)


def _checked_start(input_data: dict[str, Any]) -> None:
    arn = input_data.get("StateMachineArn", "")
    check("states:StartExecution", "states", arn, "StepFunctions.AccessDeniedException")


@contextlib.contextmanager
def _named_start_errors() -> Iterator[None]:
    """Errors of the call itself carry the service and the suffix, unlike those of the child."""
    try:
        yield
    except stepfunctions._ExecutionError as error:
        if error.error in _START_ERRORS:
            raise stepfunctions._ExecutionError(f"StepFunctions.{error.error}Exception", error.cause) from error
        raise


def _starting(original: Any) -> Any:
    def start(resource: str, input_data: dict[str, Any]) -> Any:
        _checked_start(input_data)
        with _named_start_errors():
            return original(resource, input_data)

    return start


def _refuse_taken_name(input_data: dict[str, Any]) -> None:
    """Where the end is waited for, MiniStack puts the new execution in the place of the one that has the name."""
    machine, name = input_data.get("StateMachineArn", ""), input_data.get("Name")
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    if name and arn in stepfunctions._executions:
        raise stepfunctions._ExecutionError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")


def _starting_and_waiting(original: Any) -> Any:
    def start(resource: str, input_data: dict[str, Any]) -> Any:
        _checked_start(input_data)
        try:
            with _named_start_errors():
                _refuse_taken_name(input_data)
                return original(resource, input_data)
        except stepfunctions._ExecutionError as error:
            if error.error.startswith("StepFunctions."):
                raise
            # The parent sees that its task failed; the child's own error is part of the description in the cause.
            child = {
                "StateMachineArn": input_data.get("StateMachineArn"),
                "Status": "FAILED",
                "Error": error.error,
                "Cause": error.cause,
            }
            raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(child)) from error

    return start


def _reading(original: Any) -> Any:
    def read(reader: dict[str, Any], effective: Any, ctx: dict[str, Any]) -> Any:
        where = stepfunctions._resolve_params_obj(
            reader.get("Parameters") or reader.get("Arguments") or {}, effective, ctx
        )
        bucket = f"arn:aws:s3:::{where.get('Bucket')}"
        if reader.get("Resource", "").endswith(":listObjectsV2"):
            check("s3:ListBucket", "s3", bucket, "States.ItemReaderFailed")
        else:
            check("s3:GetObject", "s3", f"{bucket}/{where.get('Key')}", "States.ItemReaderFailed")
        return original(reader, effective, ctx)

    return read


def _mapping(original: Any) -> Any:
    """A distributed map starts its children with the machine's own role (*IAM policies for Distributed Map*)."""

    def run(*arguments: Any) -> Any:
        machine = current_machine()
        if machine is not None:
            check("states:StartExecution", "states", machine.arn, "StepFunctions.AccessDeniedException")
        return original(*arguments)

    return run
