"""State machines log where their template says; MiniStack drops the configuration and writes nothing.

Record shape and levels: *Using CloudWatch Logs to log execution history in Step Functions*.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

from ministack.services import cloudwatch_logs, stepfunctions
from ministack.services.cloudformation import provisioners

from solution.local.patches.seam import Seam

_TYPE: Final = "AWS::StepFunctions::StateMachine"
_FAILURES: Final = ("Failed", "TimedOut", "Aborted")
_PAYLOADS: Final = frozenset({"input", "output"})

Json = dict[str, Any]


def apply() -> None:
    """Keep the configuration of templates, and write each event to the log group that it names."""
    Seam(cloudwatch_logs).require("_create_log_stream", "_put_log_events", "_log_groups")
    machines = Seam(stepfunctions)
    machines.require("_state_machines")
    machines.replace("_add_event", _logging, parameters=("execution", "event_type", "details"))
    templates = Seam(provisioners)
    templates.require("_RESOURCE_HANDLERS")
    known: Json = dict(provisioners._RESOURCE_HANDLERS[_TYPE])

    def create(logical_id: str, properties: Json, stack_name: str) -> Any:
        return known["create"](logical_id, _spelled(properties), stack_name)

    def update(made: str, old: Json, new: Json, stack: str, logical_id: str | None = None) -> Any:
        return known["update"](made, _spelled(old), _spelled(new), stack, logical_id=logical_id)

    templates.set_entry("_RESOURCE_HANDLERS", _TYPE, {**known, "create": create, "update": update})


def _spelled(properties: Json) -> Json:
    """The configuration in the API's spelling: templates begin names with a capital."""
    found = properties.get("LoggingConfiguration")
    return properties if not isinstance(found, dict) else {**properties, "LoggingConfiguration": _lowered(found)}


def _lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _lowered(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    # Parameters and conditions of templates are text.
    return value == "true" if value in {"true", "false"} else value


def _logging(original: Any) -> Any:
    def add(execution: Json, event_type: str, details: Json | None = None) -> Any:
        result = original(execution, event_type, details)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"].partition("/")[0]) or {}
        configuration = machine.get("loggingConfiguration") or {}
        if wanted(configuration.get("level", "OFF"), event_type):
            for destination in configuration.get("destinations", []):
                arn = destination["cloudWatchLogsLogGroup"]["logGroupArn"]
                event = record(
                    execution, event_type, details, payloads=configuration.get("includeExecutionData", False)
                )
                _write(arn.split(":log-group:")[1].removesuffix(":*"), machine["name"], event)
        return result

    return add


def wanted(level: str, event_type: str) -> bool:
    """Whether events of this type are logged at this level."""
    failure = event_type.endswith(_FAILURES)
    return (
        level == "ALL"
        or (level == "ERROR" and failure)
        or (level == "FATAL" and failure and event_type.startswith("Execution"))
    )


def record(execution: Json, event_type: str, details: Json | None, *, payloads: bool) -> Json:
    """One line of the log."""
    inner: Json = next(iter((details or {}).values()), {})
    shown = {name: value for name, value in inner.items() if payloads or name not in _PAYLOADS}
    number = len(execution.get("events", []))
    return {
        "id": str(number),
        "type": event_type,
        "details": shown,
        "previous_event_id": str(max(0, number - 1)),
        "event_timestamp": str(int(time.time() * 1000)),
        "execution_arn": execution["executionArn"],
    }


def _write(group: str, machine: str, event: Json) -> None:
    if group not in cloudwatch_logs._log_groups:
        return
    stream = {"logGroupName": group, "logStreamName": f"states/{machine}/{time.strftime('%Y-%m-%d', time.gmtime())}"}
    if stream["logStreamName"] not in cloudwatch_logs._log_groups[group]["streams"]:
        cloudwatch_logs._create_log_stream(dict(stream))
    line = {"timestamp": int(event["event_timestamp"]), "message": json.dumps(event)}
    cloudwatch_logs._put_log_events({**stream, "logEvents": [line]})
