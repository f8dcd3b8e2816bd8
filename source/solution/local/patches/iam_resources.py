"""Resources and condition keys that MiniStack's IAM gets wrong, so that correct policies are not refused.

Checked against the *Service Authorization Reference* of each service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ministack.core import iam_actions

from solution.local.patches.seam import Seam
from solution.local.patches.task_limits import machine_of

Body = Mapping[str, Any]
Resource = Callable[[str, Body, str, str], str | None]
"""From action, request body, region and account to the ARN; None keeps MiniStack's."""


def apply() -> None:
    """Correct the ARNs, and add the namespace of metrics as a condition key."""
    seam = Seam(iam_actions)
    seam.replace(
        "extract_resource_arn",
        _with_resources,
        parameters=("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    )
    seam.replace(
        "extract_iam_action",
        _with_single_actions,
        parameters=("service", "method", "path", "headers", "body", "query_params"),
    )
    seam.replace("request_tag_context", _with_namespace, parameters=("service", "iam_action", "body", "params"))
    seam.replace(
        "dynamodb_transaction_checks", _with_statements, parameters=("iam_action", "body", "region", "account_id")
    )


def _with_resources(original: Any) -> Any:
    def extract(service: str, method: str, path: str, headers: Mapping[str, str], body: bytes, *rest: Any) -> str:
        correct = _RESOURCES.get(service)
        if correct is not None:
            query, region, account = rest
            action = headers.get("x-amz-target", "").rsplit(".", 1)[-1] or _first(query.get("Action"))
            found = correct(action, _fields(body, query), region, account)
            if found is not None:
                return found
        return str(original(service, method, path, headers, body, *rest))

    return extract


def _events(action: str, body: Body, region: str, account: str) -> str | None:
    """A rule of the default bus is ``rule/name``; MiniStack writes the bus into it, and forgets the rule of targets."""
    rule = body.get("Rule") or body.get("Name")
    if action == "PutEvents" or action.endswith("EventBus") or not isinstance(rule, str):
        return None
    bus = str(body.get("EventBusName") or "default").rsplit("/", 1)[-1]
    return f"arn:aws:events:{region}:{account}:rule/{rule if bus == 'default' else f'{bus}/{rule}'}"


def _states(action: str, body: Body, region: str, account: str) -> str | None:
    """Task tokens belong to the machine that waits for them; map runs are named by their own ARN."""
    if action.startswith("SendTask"):
        return machine_of(str(body.get("taskToken"))) or f"arn:aws:states:{region}:{account}:stateMachine:*"
    found = body.get("mapRunArn")
    return found if isinstance(found, str) and "stateMachineArn" not in body else None


def _systems_manager(action: str, body: Body, region: str, account: str) -> str | None:
    """Documents and automations are no parameters."""
    base = f"arn:aws:ssm:{region}:{account}"
    name = body.get("DocumentName") or body.get("Name")
    if action == "StartAutomationExecution" and isinstance(name, str):
        return f"{base}:automation-definition/{name.rsplit('/', 1)[-1]}:{body.get('DocumentVersion') or '$DEFAULT'}"
    if action in {"GetAutomationExecution", "StopAutomationExecution", "SendAutomationSignal"}:
        return f"{base}:automation-execution/{body.get('AutomationExecutionId')}"
    if action == "DescribeAutomationStepExecutions":
        return f"{base}:automation-execution/{body.get('AutomationExecutionId')}"
    if "Document" in action and isinstance(name, str):
        return f"{base}:document/{name.rsplit('/', 1)[-1]}"
    return None


def _glue(action: str, body: Body, region: str, account: str) -> str | None:
    """``Name`` means a job in the calls about jobs, not a table."""
    job = body.get("JobName") or body.get("Name")
    if "Job" in action and isinstance(job, str):
        return f"arn:aws:glue:{region}:{account}:job/{job}"
    return None


def _cloudwatch(_action: str, body: Body, _region: str, account: str) -> str | None:
    """Dashboards are resources, without a region."""
    name = body.get("DashboardName")
    return f"arn:aws:cloudwatch::{account}:dashboard/{name}" if isinstance(name, str) and name else None


def _logs(action: str, body: Body, region: str, account: str) -> str | None:
    """A stream is part of the ARN, and a group's ends with ``:*`` (*Overview of managing access*, CloudWatch Logs)."""
    group, stream = body.get("logGroupName"), body.get("logStreamName")
    if not isinstance(group, str) or "Tag" in action:
        return None
    base = f"arn:aws:logs:{region}:{account}:log-group:{group}"
    return f"{base}:log-stream:{stream}" if isinstance(stream, str) else f"{base}:*"


_RESOURCES: Final[dict[str, Resource]] = {
    "events": _events,
    "states": _states,
    "ssm": _systems_manager,
    "glue": _glue,
    "monitoring": _cloudwatch,
    "logs": _logs,
}


def _with_namespace(original: Any) -> Any:
    """``cloudwatch:namespace`` is how PutMetricData, which has no resource, is narrowed."""

    def context(service: str, iam_action: str, body: bytes, params: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = original(service, iam_action, body, params)
        if iam_action == "cloudwatch:PutMetricData":
            namespace = _fields(body, params).get("Namespace")
            return {**found, "cloudwatch:namespace": namespace} if namespace else found
        return found

    return context


def _with_single_actions(original: Any) -> Any:
    """Batch calls of SQS need the permission of the single ones (*Amazon SQS API permissions*)."""

    def extract(service: str, *request: Any) -> str | None:
        found: str | None = original(service, *request)
        return found.removesuffix("Batch") if service == "sqs" and found else found

    return extract


def _with_statements(original: Any) -> Any:
    """PartiQL calls are no IAM actions: each statement is authorised as what it does to its table.

    *IAM security policies with PartiQL for DynamoDB*, Amazon DynamoDB Developer Guide.
    """

    def checks(iam_action: str, body: bytes, region: str, account_id: str) -> list[tuple[str, str]]:
        if iam_action not in {"dynamodb:BatchExecuteStatement", "dynamodb:ExecuteStatement"}:
            return list(original(iam_action, body, region, account_id))
        request = _fields(body, {})
        statements = [entry.get("Statement", "") for entry in request.get("Statements", [request])]
        found = [_STATEMENT.match(statement) for statement in statements]
        return [
            (
                f"dynamodb:PartiQL{match['verb'].capitalize()}",
                f"arn:aws:dynamodb:{region}:{account_id}:table/{match['table']}",
            )
            for match in found
            if match
        ]

    return checks


_STATEMENT: Final = re.compile(
    r'\s*(?P<verb>SELECT|INSERT|UPDATE|DELETE)\b(?:.*?\bFROM\b|\s+INTO\b)?\s*"(?P<table>[^"]+)"',
    re.IGNORECASE | re.DOTALL,
)


def _fields(body: bytes, query: Mapping[str, Any]) -> Body:
    """Fields of a request, JSON or a form."""
    fields = {name: _first(value) for name, value in query.items()}
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return fields
    return {**fields, **document} if isinstance(document, dict) else fields


def _first(value: Any) -> Any:
    return (value[0] if value else "") if isinstance(value, list) else (value or "")
