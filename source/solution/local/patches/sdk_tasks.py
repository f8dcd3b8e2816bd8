"""Tasks that call AWS (``aws-sdk:*`` and the optimised integrations) go through botocore, signed as the machine's role.

MiniStack knows some services and actions, answers with XML's strings where AWS has numbers, and asks no policy.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from ministack.services import stepfunctions

from solution.local import sessions
from solution.local.patches.machine_roles import current_role
from solution.local.patches.seam import Seam
from solution.local.settings import GatewaySettings

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import ServiceModel, Shape

Task = Callable[[str, dict[str, Any]], Any]

_BOTO3_NAMES: Final = {
    "sfn": "stepfunctions",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
    "sagemakerruntime": "sagemaker-runtime",
}
"""Names of the SDK for Java, which state machines use, where boto3 has another."""
_ERROR_PREFIXES: Final = {
    "dynamodb": "DynamoDb",
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
    "eventbridge": "EventBridge",
    "secretsmanager": "SecretsManager",
}
_ERROR_CODES: Final = {"404": "NoSuchKey", "ConditionalCheckFailed": "ConditionalCheckFailedException"}
_FINAL_GLUE_FAILURES: Final = frozenset({"FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED"})
_POLL: Final = 0.2


def apply(settings: GatewaySettings) -> None:
    """Send every such task through botocore."""
    seam = Seam(stepfunctions)
    seam.require("_ExecutionError", "_invoke_resource")
    call = _Caller(settings)
    seam.replace("_invoke_aws_sdk_integration", lambda _: call.sdk, parameters=("resource", "input_data"))
    for service, action, prefix in (
        ("dynamodb", "putItem", "DynamoDB"),
        ("dynamodb", "getItem", "DynamoDB"),
        ("dynamodb", "updateItem", "DynamoDB"),
        ("dynamodb", "deleteItem", "DynamoDB"),
        ("sqs", "sendMessage", "SQS"),
        ("sns", "publish", "SNS"),
    ):
        entry = f"arn:aws:states:::{service}:{action}"
        seam.set_entry("_SERVICE_DISPATCH", entry, call.optimised(service, action, prefix))
    put_events = call.optimised("eventbridge", "putEvents", "EventBridge")
    seam.set_entry("_SERVICE_DISPATCH", "arn:aws:states:::events:putEvents", put_events)
    seam.set_entry("_SERVICE_DISPATCH", "arn:aws:states:::glue:startJobRun", call.glue_job)


class _Caller:
    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings

    def sdk(self, resource: str, input_data: Any) -> Any:
        """``arn:aws:states:::aws-sdk:service:action``, with or without an integration pattern."""
        parts = resource.split(":")
        if len(parts) < 8 or parts[5] != "aws-sdk":
            raise stepfunctions._ExecutionError("States.Runtime", f"{resource} is no SDK integration")
        return self.call(parts[6].lower(), parts[7].split(".")[0], input_data or {})

    def call(self, service: str, action: str, arguments: Mapping[str, Any]) -> Any:
        """One API call as the machine's role; arguments and result in the spelling of Step Functions."""
        try:
            client = sessions.client(_BOTO3_NAMES.get(service, service), current_role(), self._settings)
            operation = _operation(client, action)
        except (BotoCoreError, StopIteration) as error:
            message = f"aws-sdk:{service}:{action} is no action of an AWS service"
            raise stepfunctions._ExecutionError("States.Runtime", message) from error
        model = client.meta.service_model.operation_model(operation)
        try:
            wire = to_request(dict(arguments), model.input_shape)
            answer = client._make_api_call(operation, wire)  # type: ignore[attr-defined]
        except ClientError as error:
            name = error_name(service, error, client.meta.service_model)
            raise stepfunctions._ExecutionError(name, error_cause(service, error)) from error
        except BotoCoreError as error:
            raise stepfunctions._ExecutionError("States.Runtime", str(error)) from error
        return to_result(answer, model.output_shape)

    def optimised(self, service: str, action: str, prefix: str) -> Task:
        """The same call under the name and error prefix of an optimised integration."""

        def task(_: str, input_data: dict[str, Any]) -> Any:
            try:
                return self.call(service, action, input_data)
            except stepfunctions._ExecutionError as error:
                name = f"{prefix}.{error.error.split('.', 1)[-1]}"
                raise stepfunctions._ExecutionError(name, error.cause) from error

        return task

    def glue_job(self, resource: str, input_data: dict[str, Any]) -> Any:
        """``glue:startJobRun``; with ``.sync`` it waits for the end of the run."""
        started = self.call("glue", "startJobRun", input_data)
        if not resource.endswith(".sync"):
            return started
        request = {"JobName": input_data["JobName"], "RunId": started["JobRunId"]}
        while True:
            run = self.call("glue", "getJobRun", request)["JobRun"]
            if run["JobRunState"] == "SUCCEEDED":
                return run
            if run["JobRunState"] in _FINAL_GLUE_FAILURES:
                raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(run))
            time.sleep(_POLL)


def _operation(client: BaseClient, action: str) -> str:
    return next(name for name in client.meta.service_model.operation_names if name.lower() == action.lower())


def error_name(service: str, error: ClientError, model: ServiceModel) -> str:
    """The error as the SDK for Java, which Step Functions is built on, names it (*AWS SDK service integrations*).

    Errors of the service's model have a class of their own, others the service's base class.
    """
    prefix = _ERROR_PREFIXES.get(service, service.capitalize())
    code: str = error.response["Error"].get("Code") or ""
    code = _ERROR_CODES.get(code, code).rsplit(".", 1)[-1]
    shape: Shape | None = model.shape_for_error_code(code)  # type: ignore[arg-type]  # the stub says int
    if shape is not None:
        code = shape.name
    elif not code.endswith("Exception"):
        code = prefix
    return f"{prefix}.{code.removesuffix('Exception')}Exception"


def error_cause(service: str, error: ClientError) -> str:
    """The sentence that the SDK for Java makes of an error."""
    response = error.response
    metadata = response.get("ResponseMetadata", {})
    return (
        f"{response['Error'].get('Message', '')} (Service: {_ERROR_PREFIXES.get(service, service.capitalize())}, "
        f"Status Code: {metadata.get('HTTPStatusCode', 0)}, Request ID: {metadata.get('RequestId', '')}, "
        f"Error Code: {response['Error'].get('Code', '')})"
    )


def to_request(value: Any, shape: Shape | None) -> Any:
    """Arguments of a state as botocore takes them: its spelling of member names, its types."""
    if shape is None:
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        members: dict[str, Shape] = shape.members  # type: ignore[attr-defined]
        spelled = {name.lower(): name for name in members}
        wire = {}
        for name, item in value.items():
            known = spelled.get(str(name).lower(), str(name))
            wire[known] = to_request(item, members.get(known))
        return wire
    if kind == "list" and isinstance(value, list):
        return [to_request(item, shape.member) for item in value]  # type: ignore[attr-defined]
    if kind == "map" and isinstance(value, dict):
        return {name: to_request(item, shape.value) for name, item in value.items()}  # type: ignore[attr-defined]
    return _scalar(value, kind)


def _scalar(value: Any, kind: str) -> Any:
    if kind == "blob" and not isinstance(value, bytes):
        return (value if isinstance(value, str) else json.dumps(value)).encode()
    if kind == "string" and isinstance(value, (dict, list)):
        return json.dumps(value)
    if kind in {"integer", "long"} and isinstance(value, str):
        return int(value)
    return value


def to_result(value: Any, shape: Shape | None) -> Any:
    """An answer of botocore as a state's result: Pascal case, ISO times, text bodies, no metadata."""
    if shape is not None and shape.type_name == "structure" and isinstance(value, dict):
        members: dict[str, Shape] = shape.members  # type: ignore[attr-defined]
        return {
            name[0].upper() + name[1:]: to_result(item, members.get(name))
            for name, item in value.items()
            if name != "ResponseMetadata"
        }
    if isinstance(value, dict):
        inner = getattr(shape, "value", None)
        return {name: to_result(item, inner) for name, item in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        inner = getattr(shape, "member", None)
        return [to_result(item, inner) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else value
