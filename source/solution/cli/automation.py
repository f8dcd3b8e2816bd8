"""Starting a run through its Systems Manager runbook, and understanding its answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from solution.cli.failures import EnvironmentProblem
from solution.domain.errors import NotPossible

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import AutomationExecutionTypeDef

    from solution.cli.target import Target

LAUNCH_DOCUMENT: Final = "LaunchAutomationRunbook"
RESUME_DOCUMENT: Final = "ResumeAutomationRunbook"
"""Stack outputs that name the documents."""

_UNFINISHED: Final = frozenset({"Pending", "InProgress", "Waiting", "Cancelling"})
_APPENDED: Final = "Please refer to Automation Service Troubleshooting Guide for more diagnosis details."
_RUNBOOK_SECONDS: Final = 900
"""Longest time a runbook may take; its script only checks and starts, which takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """A run's id, and the orchestrator's execution that a runbook started for it."""

    run: str
    execution_arn: str


def start_run(
    target: Target, document: str, parameters: Mapping[str, str], *, sleep: Callable[[float], None] = time.sleep
) -> StartedRun:
    """Execute a runbook and return the run it started.

    Args:
        target: where the stack is deployed.
        document: the stack output that names the document.
        parameters: the runbook's parameters; empty ones are left to its defaults.
        sleep: how to wait between two looks, in seconds.

    Raises:
        NotPossible: the runbook refused a parameter; the message is the runbook's.
        EnvironmentProblem: the automation did not end, was cancelled, or does not say which run it started.
    """
    execution_id = target.ssm.start_automation_execution(
        DocumentName=target.output(document),
        Parameters={name: [value] for name, value in parameters.items() if value},
    )["AutomationExecutionId"]
    execution = _finished(target, execution_id, sleep)
    if execution["AutomationExecutionStatus"] == "Success":
        return _run_of(execution)
    if execution["AutomationExecutionStatus"] == "Failed":
        raise NotPossible(reason(execution.get("FailureMessage", "the runbook failed and gave no reason")))
    raise EnvironmentProblem(
        f"automation {execution_id} ended {execution['AutomationExecutionStatus']}: "
        "look at it in the Systems Manager console, then start it again"
    )


def _finished(target: Target, execution_id: str, sleep: Callable[[float], None]) -> AutomationExecutionTypeDef:
    waited = 0.0
    pause = 0.25
    while waited < _RUNBOOK_SECONDS:
        execution = target.ssm.get_automation_execution(AutomationExecutionId=execution_id)["AutomationExecution"]
        if execution["AutomationExecutionStatus"] not in _UNFINISHED:
            return execution
        sleep(pause)
        waited += pause
        pause = min(pause * 2, 5)
    raise EnvironmentProblem(
        f"automation {execution_id} has not ended after {_RUNBOOK_SECONDS} s: look at it in the Systems Manager console"
    )


def _run_of(execution: AutomationExecutionTypeDef) -> StartedRun:
    outputs = {name.rpartition(".")[2]: values[0] for name, values in execution.get("Outputs", {}).items() if values}
    try:
        return StartedRun(run=outputs["WorkflowRun"], execution_arn=outputs["ExecutionArn"])
    except KeyError as error:
        raise EnvironmentProblem(
            f"automation {execution['AutomationExecutionId']} succeeded but has no output {error}: "
            "look at it in the Systems Manager console"
        ) from error


def reason(message: str) -> str:
    """The sentence inside a step's failure message.

    Systems Manager wraps what a script raised: "Step fails when it is … Traceback … ValueError: sentence". The last
    line of the traceback is the script's own message; anything else is returned as it is.
    """
    message = message.replace(_APPENDED, "")
    last = [line.strip() for line in message.strip().splitlines() if line.strip()][-1:]
    found = re.match(r"^(?:[\w.]*(?:Error|Exception|Exit|Refused|Invalid\w*))\s*[:-]\s*(.+)$", last[0] if last else "")
    return found.group(1) if found and "Traceback" in message else " ".join(message.split())
