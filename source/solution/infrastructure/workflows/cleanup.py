"""``CleanupStateMachine``: what a run leaves behind is put away, and what became of it is written down and told."""

from __future__ import annotations

from collections.abc import Mapping

from constructs import Construct

from solution.contract import object_keys as keys
from solution.infrastructure.function_groups import RunFunctions
from solution.infrastructure.functions import LONG, QUICK, STEADY
from solution.infrastructure.schedules import Schedules
from solution.infrastructure.states.maps import scan, segments
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import DAY, call, catch, chain, invoke, run_machine
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant, run_grants


class Cleanup(Construct):
    """``machine``: input ``workflow_run``, ``vault_name``, ``execution_name``, ``failure`` (Error, Cause; or null).

    A step that fails is remembered and does not keep the next ones from running; the execution fails at its end.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        functions: RunFunctions,
        schedules: Schedules,
        dashboard_update: Machine,
    ) -> None:
        super().__init__(scope, construct_id)
        states = chain(
            {
                "Prepare": _prepare(),
                **_steps(
                    {**_remove_targets(schedules), **_report(functions), **_tell(functions, dashboard_update)},
                    end="AnyStepFailed?",
                ),
                "AnyStepFailed?": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.step_failure", "IsPresent": True, "Next": "StepFailed"}],
                    "Default": "CleanedUp",
                },
                "StepFailed": {
                    "Type": "Fail",
                    "ErrorPath": "$.step_failure.Error",
                    "CausePath": "$.step_failure.Cause",
                },
                "CleanedUp": {"Type": "Succeed", "OutputPath": "$.notice"},
            }
        )
        self.machine = Machine(
            self,
            "CleanupStateMachine",
            defaults=defaults,
            comment="Puts away what a run leaves behind, writes its report and tells the operator",
            states=states,
            grants=[
                schedules.remove_targets_grant(),
                invoke_grant(
                    functions.abort_uploads,
                    functions.archives_scan,
                    functions.run_report,
                    functions.completion_notice,
                ),
                *run_grants(dashboard_update),
            ],
        )


def _prepare() -> State:
    return {
        "Type": "Pass",
        "Parameters": {
            "workflow_run.$": "$.workflow_run",
            "vault_name.$": "$.vault_name",
            "execution_name.$": "$.execution_name",
            "failure.$": "$.failure",
            "output_prefix.$": f"States.Format('{{}}/{keys.REPORT}/manifest/{{}}/', $.workflow_run, $.execution_name)",
            "segments": segments(),
            # what the notice gets when the report could not be written
            "report": {"written": None},
        },
    }


def _steps(steps: Mapping[str, State], *, end: str) -> dict[str, State]:
    """Steps in order, each followed by the next whether it succeeds or fails; a failure is remembered on the way."""
    names = list(steps)
    states: dict[str, State] = {}
    for name, following in zip(names, [*names[1:], end], strict=True):
        step = steps[name]
        handlers = [{**handler, "Next": following} for handler in step.get("Catch", [])]
        states[name] = {**step, "Catch": [*handlers, *catch(f"Remember{name}", into="caught")], "Next": following}
        states[f"Remember{name}"] = {
            "Type": "Pass",
            "Parameters": {"Error": f"{name}Failed", "Cause.$": "$.caught.Cause"},
            "ResultPath": "$.step_failure",
            "Next": following,
        }
    return states


def _remove_targets(schedules: Schedules) -> dict[str, State]:
    return {
        f"Remove{name}Target": {
            **call("eventbridge:removeTargets", {"Rule": rule, "Ids.$": "States.Array($.workflow_run)"}),
            # the run ended before it had targets, or an earlier clean-up removed them
            "Catch": catch("", into="absent", errors=["EventBridge.ResourceNotFoundException"]),
        }
        for name, rule in schedules.names.items()
    }


def _report(functions: RunFunctions) -> dict[str, State]:
    shared = {"workflow_run.$": "$.workflow_run", "vault_name.$": "$.vault_name"}
    return {
        "AbortUploads": invoke(
            functions.abort_uploads.function_arn, {"workflow_run.$": "$.workflow_run"}, timeout=STEADY.timeout
        ),
        "WriteManifest": scan(
            functions.archives_scan.function_arn, purpose="report", prefix_path="$.output_prefix", timeout=LONG.timeout
        ),
        "WriteReport": {
            **invoke(
                functions.run_report.function_arn,
                {**shared, "execution_name.$": "$.execution_name", "failure.$": "$.failure"},
                timeout=LONG.timeout,
            ),
            "ResultSelector": {"written.$": "$.Payload"},
            "ResultPath": "$.report",
        },
    }


def _tell(functions: RunFunctions, dashboard_update: Machine) -> dict[str, State]:
    shared = {"workflow_run.$": "$.workflow_run", "vault_name.$": "$.vault_name"}
    return {
        "UpdateDashboard": {
            **run_machine(dashboard_update.arn, shared, timeout=DAY),
            # the last metrics are a courtesy; the report has the numbers
            "Catch": catch("", into="dashboard_failure"),
        },
        "Notify": invoke(
            functions.completion_notice.function_arn,
            {**shared, "report.$": "$.report.written", "failure.$": "$.failure"},
            timeout=QUICK.timeout,
            select=["outcome"],
            into="notice",
        ),
    }
