"""``CleanupStateMachine``: what a run leaves behind is put away, and what became of it is written down and told."""

from __future__ import annotations

from collections.abc import Mapping

from constructs import Construct

from solution.contract import object_keys as keys
from solution.infrastructure.function_groups import EndFunctions, RunFunctions
from solution.infrastructure.permissions import listing
from solution.infrastructure.schedules import Schedules
from solution.infrastructure.sizing import LONG, QUICK, STEADY
from solution.infrastructure.states.maps import (
    FILE_FOUND,
    SCAN_SEGMENTS,
    any_file,
    distributed,
    file_reader,
    scan,
    segments,
)
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import DAY, call, catch, chain, invoke, run_machine
from solution.infrastructure.storage import InventoryBucket
from solution.infrastructure.workflows.machine import Machine, MachineDefaults, invoke_grant, run_grants

LOOK_SECONDS = 10
"""Between two looks whether the run has come to rest."""


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
        ends: EndFunctions,
        schedules: Schedules,
        inventory: InventoryBucket,
        dashboard_update: Machine,
    ) -> None:
        super().__init__(scope, construct_id)
        states = chain(
            {
                "Prepare": _prepare(),
                **_close(ends, functions),
                **_steps(_remove_targets(schedules), end="Quiet?"),
                **_rest(ends),
                **_steps(_stop_archives(functions), end="ArchivesStopped"),
                **_rest_again(),
                **_steps(_manifest(functions), end="EndedBeforeItsTime?"),
                **_unrequested(functions, inventory.bucket.bucket_name),
                **_steps({**_report(functions), **_tell(functions, dashboard_update)}, end="AnyStepFailed?"),
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
                    ends.run_closer,
                    functions.abort_uploads,
                    functions.archives_scan,
                    functions.unrequested_listing,
                    functions.run_report,
                    functions.completion_notice,
                ),
                listing(inventory.bucket.bucket_arn, "ListBucket"),
                *run_grants(dashboard_update),
            ],
            has_distributed_map=True,
        )


def _prepare() -> State:
    return {
        "Type": "Pass",
        "Parameters": {
            "workflow_run.$": "$.workflow_run",
            "vault_name.$": "$.vault_name",
            "execution_name.$": "$.execution_name",
            "failure.$": "$.failure",
            "memory": None,
            "archives_stopped": False,
            "output_prefix.$": f"States.Format('{{}}/{keys.REPORT}/manifest/{{}}/', $.workflow_run, $.execution_name)",
            "sorted_prefix.$": f"States.Format('{{}}/{keys.SORTED_INVENTORY}/', $.workflow_run)",
            "segments": segments(),
            # what the notice gets when the report could not be written
            "report": {"written": None},
        },
    }


def _close(ends: EndFunctions, functions: RunFunctions) -> dict[str, State]:
    """Whose run is it? One that is not this execution's is left alone; from here on ours does nothing new."""
    return {
        "CloseRun": {**_look(ends), "Catch": catch("NotClosed", into="caught")},
        "WhoseRun?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.closing.found", "StringEquals": "ours", "Next": "TakeReason"},
                {"Variable": "$.closing.found", "StringEquals": "ended", "Next": "CleanedUpBefore"},
            ],
            "Default": "TellNotBegun",
        },
        # RunWatcher finds a run that is not closed, and has it cleaned up again
        "NotClosed": {"Type": "Fail", "Error": "CloseRunFailed", "CausePath": "$.caught.Cause"},
        "CleanedUpBefore": {"Type": "Succeed"},
        "TellNotBegun": {
            **_notify(functions, begun=False),
            "Next": "NotBegun",
        },
        "NotBegun": {"Type": "Succeed", "OutputPath": "$.notice"},
        "TakeReason": {"Type": "Pass", "InputPath": "$.closing.failure", "ResultPath": "$.failure"},
    }


def _rest(ends: EndFunctions) -> dict[str, State]:
    """What is being copied may finish; what is left then is stopped, and that is counted. Then comes the report."""
    return {
        "Quiet?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.closing.quiet", "BooleanEquals": True, "Next": "AnyLeft?"}],
            "Default": "KeepMemory",
        },
        "KeepMemory": {"Type": "Pass", "InputPath": "$.closing.memory", "ResultPath": "$.memory"},
        "WaitForQuiet": {"Type": "Wait", "Seconds": LOOK_SECONDS},
        "LookForQuiet": {**_look(ends), "Catch": catch("AnyLeft?", into="caught"), "Next": "Quiet?"},
        "AnyLeft?": {
            "Type": "Choice",
            "Choices": [
                # a run that has come to its end has no archive that is not at its own
                {"Variable": "$.failure", "IsNull": True, "Next": "AbortUploads"},
                {"Variable": "$.archives_stopped", "BooleanEquals": True, "Next": "AbortUploads"},
            ],
            "Default": "StopArchives",
        },
    }


def _stop_archives(functions: RunFunctions) -> dict[str, State]:
    return {
        "StopArchives": scan(
            functions.archives_scan.function_arn,
            purpose="closing",
            prefix_path="$.output_prefix",
            timeout=LONG.timeout,
            label="ToStop",
        )
    }


def _rest_again() -> dict[str, State]:
    return {
        "ArchivesStopped": {"Type": "Pass", "Result": True, "ResultPath": "$.archives_stopped"},
        "ForgetMemory": {
            "Type": "Pass",
            "Result": {"seen": None, "since": 0},
            "ResultPath": "$.memory",
            "Next": "WaitForQuiet",
        },
    }


def _look(ends: EndFunctions) -> State:
    payload = {f"{field}.$": f"$.{field}" for field in ("workflow_run", "execution_name", "failure", "memory")}
    return invoke(
        ends.run_closer.function_arn,
        payload,
        timeout=QUICK.timeout,
        select=["found", "quiet", "failure", "memory"],
        into="closing",
    )


def _notify(functions: RunFunctions, *, begun: bool) -> State:
    payload = {f"{field}.$": f"$.{field}" for field in ("workflow_run", "vault_name", "execution_name", "failure")}
    return invoke(
        functions.completion_notice.function_arn,
        {**payload, "report.$": "$.report.written", "begun": begun},
        timeout=QUICK.timeout,
        select=["outcome"],
        into="notice",
    )


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


def _manifest(functions: RunFunctions) -> dict[str, State]:
    return {
        "AbortUploads": invoke(
            functions.abort_uploads.function_arn, {"workflow_run.$": "$.workflow_run"}, timeout=STEADY.timeout
        ),
        "WriteManifest": scan(
            functions.archives_scan.function_arn, purpose="report", prefix_path="$.output_prefix", timeout=LONG.timeout
        ),
    }


def _unrequested(functions: RunFunctions, bucket: str) -> dict[str, State]:
    """The table knows nothing of archives that were never asked for; they are looked up in the sorted inventory.

    A run that has come to its end has none, and is spared the reading.
    """
    whole = f"States.Format('{{}}/{keys.SORTED_INVENTORY}/{keys.PARTITIONS_FILE}', $.workflow_run)"
    lookup = {
        "ListUnrequested": distributed(
            {
                "CompareFile": invoke(
                    functions.unrequested_listing.function_arn,
                    {f"{field}.$": f"$.{field}" for field in ("workflow_run", "key", "output_prefix")},
                    timeout=LONG.timeout,
                )
            },
            reader=file_reader(bucket, prefix_path="$.sorted_prefix"),
            select={
                "key.$": "$$.Map.Item.Value.Key",
                "workflow_run.$": "$.workflow_run",
                "output_prefix.$": "$.output_prefix",
            },
            concurrency=SCAN_SEGMENTS,
        )
    }
    return {
        "EndedBeforeItsTime?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.failure", "IsNull": True, "Next": "WriteReport"}],
            "Default": "LookForInventory",
        },
        **_steps({"LookForInventory": any_file(bucket, prefix_path=whole)}, end="InventoryThere?"),
        "InventoryThere?": {
            "Type": "Choice",
            "Choices": [{**FILE_FOUND, "Next": "ListUnrequested"}],
            "Default": "WriteReport",
        },
        **_steps(lookup, end="WriteReport"),
    }


def _report(functions: RunFunctions) -> dict[str, State]:
    shared = {"workflow_run.$": "$.workflow_run", "vault_name.$": "$.vault_name"}
    return {
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
        "Notify": _notify(functions, begun=True),
    }
