"""Runs automations: their steps in the clean interpreter, with the credentials of the role they assume."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from solution.local import children
from solution.local.interpreter import function_python
from solution.local.services.automation_documents import (
    SCRIPT_ACTION,
    Document,
    Step,
    as_text,
    select,
    substitute,
)
from solution.local.sessions import Credentials
from solution.local.settings import GatewaySettings, emulator_environment

LONGEST_SCRIPT: Final = 600.0
"""Seconds that a script may take (*aws:executeScript*)."""
_RUNNER: Final = Path(__file__).with_name("automation_script.py")
_ADVICE: Final = "Please refer to Automation Service Troubleshooting Guide for more diagnosis details."

Execution = dict[str, Any]


class StepError(Exception):
    """A step failed; the message is what the API shows."""


class Automation:
    """One running automation. Its thread writes into ``record``, which the API shows."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        document: Document,
        record: Execution,
        parameters: Mapping[str, Any],
        credentials: Credentials,
        changed: Callable[[Execution], None],
    ) -> None:
        self._settings = settings
        self._document = document
        self._credentials = credentials
        self._changed = changed
        self._stop = threading.Event()
        self._process: Any = None
        self.record = record
        self._known: dict[str, Any] = {**parameters, **self._system_variables()}

    def start(self) -> None:
        """Run it in a thread of its own."""
        threading.Thread(
            target=self._run, name=f"automation-{self.record['AutomationExecutionId']}", daemon=True
        ).start()

    def stop(self) -> None:
        """Cancel it: the running step is ended, none follows."""
        self._stop.set()
        process = self._process
        if process is not None:
            process.kill()

    def _run(self) -> None:
        steps = list(self._document.steps)
        at = 0
        status, failure = "Success", ""
        while at < len(steps) and not self._stop.is_set():
            step = steps[at]
            message = self._run_step(step)
            if message and step.on_failure != "Continue" and not step.on_failure.startswith("step:"):
                status, failure = "Failed", message
                break
            following = step.on_failure.removeprefix("step:") if message and ":" in step.on_failure else step.next_step
            if step.is_end and not message:
                break
            at = next((place for place, other in enumerate(steps) if other.name == following), at + 1)
        if self._stop.is_set():
            status, failure = "Cancelled", ""
        outputs = {name: [as_text(self._known[name])] for name in self._document.outputs if name in self._known}
        self.record.update(AutomationExecutionStatus=status, ExecutionEndTime=time.time(), Outputs=outputs)
        if failure:
            self.record["FailureMessage"] = failure
        self._changed(self.record)

    def _run_step(self, step: Step) -> str:
        """The failure's message, empty on success."""
        shown: Execution = {
            "StepName": step.name,
            "Action": step.action,
            "StepExecutionId": str(uuid.uuid4()),
            "ExecutionStartTime": time.time(),
            "StepStatus": "InProgress",
            "OnFailure": step.on_failure,
            "MaxAttempts": step.attempts,
            "IsEnd": step.is_end,
            "Inputs": {},
            "Outputs": {},
        }
        self.record["StepExecutions"].append(shown)
        self.record.update(CurrentStepName=step.name, CurrentAction=step.action)
        self._changed(self.record)
        message = ""
        for _ in range(max(1, step.attempts)):
            try:
                self._perform(step, shown)
            except StepError as error:
                message = str(error)
            else:
                message = ""
                break
            if self._stop.is_set():
                break
        shown["ExecutionEndTime"] = time.time()
        shown["StepStatus"] = "Cancelled" if self._stop.is_set() else "Failed" if message else "Success"
        if message:
            shown["FailureMessage"] = message
            shown["FailureDetails"] = {"FailureStage": "Invocation", "FailureType": "Execution"}
        self._changed(self.record)
        return message

    def _perform(self, step: Step, shown: Execution) -> None:
        if step.action != SCRIPT_ACTION:
            raise StepError(f"The local AWS runs {SCRIPT_ACTION} alone, step {step.name} is {step.action}. {_ADVICE}")
        try:
            inputs = substitute({name: value for name, value in step.inputs.items() if name != "Script"}, self._known)
        except KeyError as error:
            raise StepError(f"Step {step.name} refers to {error}, which no earlier step produced. {_ADVICE}") from error
        shown["Inputs"] = {name: as_text(value) for name, value in {**inputs, "Script": step.inputs["Script"]}.items()}
        payload = self._execute_script(step, inputs)
        self._known[f"{step.name}.Payload"] = self._known[f"{step.name}.OutputPayload"] = payload
        shown["Outputs"]["OutputPayload"] = [as_text({"Payload": payload})]
        for output in step.outputs:
            value = select(payload, str(output.get("Selector", "$")))
            self._known[f"{step.name}.{output['Name']}"] = value
            shown["Outputs"][str(output["Name"])] = [as_text(value)]

    def _execute_script(self, step: Step, inputs: Mapping[str, Any]) -> Any:
        with tempfile.TemporaryDirectory(prefix="automation-") as folder:
            result = Path(folder) / "result.json"
            task = {
                "script": step.inputs["Script"],
                "handler": inputs["Handler"],
                "payload": inputs.get("InputPayload", {}),
                "context": self._system_variables(),
                "result": str(result),
            }
            command = [str(function_python()), str(_RUNNER)]
            self._process = children.start(command, cwd=Path(folder), env=self._environment())
            if self._stop.is_set():
                # It was stopped while the process began.
                self._process.kill()
            timeout = min(step.timeout or LONGEST_SCRIPT, LONGEST_SCRIPT)
            done = children.finish(self._process, text=json.dumps(task), timeout=timeout)
            self._process = None
            if done.timed_out:
                raise StepError(f"Step timed out while it was executing: {timeout:g} seconds are allowed. {_ADVICE}")
            if not result.exists():
                last = (done.errors.strip().splitlines() or [f"exit code {done.code}"])[-1]
                raise StepError(f"Step fails when it is Execute/Cancelling action. {last}. {_ADVICE}")
            outcome = json.loads(result.read_text(encoding="utf-8"))
        if "payload" in outcome:
            return outcome["payload"]
        raise StepError(
            f"Step fails when it is Execute/Cancelling action. Traceback (most recent call last):\n{outcome['trace']}\n"
            f"{outcome['type']} - {outcome['message']}. {_ADVICE}"
        )

    def _environment(self) -> dict[str, str]:
        private = emulator_environment(self._settings)
        return {
            **{name: value for name, value in os.environ.items() if name not in private},
            **self._credentials.environment(),
            "AWS_ENDPOINT_URL": self._settings.endpoint,
        }

    def _system_variables(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "global:DATE": now.strftime("%Y-%m-%d"),
            "global:DATE_TIME": now.strftime("%Y-%m-%d_%H.%M.%S"),
            "global:REGION": self._settings.region,
            "global:AWS_PARTITION": "aws",
            "automation:EXECUTION_ID": self.record["AutomationExecutionId"],
        }
