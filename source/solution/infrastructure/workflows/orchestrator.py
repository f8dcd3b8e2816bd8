"""``OrchestratorStateMachine``: a whole run, from its record to its clean-up."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from constructs import Construct

from solution.infrastructure.function_groups import RetrievalFunctions, RunFunctions
from solution.infrastructure.permissions import table
from solution.infrastructure.schedules import Schedules
from solution.infrastructure.sizing import QUICK
from solution.infrastructure.states.retries import State
from solution.infrastructure.states.tasks import DAY, await_job, catch, chain, invoke, run_machine
from solution.infrastructure.storage import Tables
from solution.infrastructure.workflows.machine import (
    Machine,
    MachineDefaults,
    invoke_grant,
    pass_role,
    run_grants,
)

LONGEST_RUN = 90 * DAY
"""Even the largest vault is through by then; a run that is not has been forgotten."""

CLEANUP = "Cleanup"


class Orchestrator(Construct):
    """``machine``: input is `solution.contract.messages.OrchestratorInput`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: MachineDefaults,
        runs: RunFunctions,
        retrieval: RetrievalFunctions,
        tables: Tables,
        schedules: Schedules,
        archives_status_cleanup: Machine,
        inventory_retrieval: Machine,
        initiate_retrieval: Machine,
        extend_download_window: Machine,
        dashboard_update: Machine,
        cleanup: Machine,
    ) -> None:
        super().__init__(scope, construct_id)
        self._schedules = schedules
        starting_role = schedules.starting_role([extend_download_window.arn, dashboard_update.arn])
        children = (archives_status_cleanup, inventory_retrieval, initiate_retrieval, cleanup)
        states = chain(
            {
                "Prepare": _prepare(),
                **_register(runs),
                **_to_inventory(archives_status_cleanup, inventory_retrieval),
                **self._periodic(starting_role, extend_download_window, dashboard_update),
                "InitiateRetrieval": _guarded(
                    _run_child(
                        initiate_retrieval,
                        _fields("workflow_run", "vault_name", "tier", "s3_storage_class", "attempt", "execution_name"),
                        timeout=LONGEST_RUN,
                    )
                ),
                **self._await_completion(retrieval.completion_checker.function_arn, tables),
                **_clean_up(cleanup),
            }
        )
        self.machine = Machine(
            self,
            "OrchestratorStateMachine",
            defaults=defaults,
            comment="One run: every archive of a vault is copied, or the run says which were not and why",
            states=states,
            grants=[
                invoke_grant(runs.run_registrar),
                *run_grants(*children),
                schedules.put_targets_grant(),
                pass_role(starting_role, "events.amazonaws.com"),
                table(tables.facilitator, "UpdateItem"),
            ],
        )

    def _periodic(self, role: iam.Role, extend_window: Machine, dashboard: Machine) -> dict[str, State]:
        return {
            **self._target("WindowExtension", {"Arn": extend_window.arn, "RoleArn": role.role_arn}),
            **self._target("DashboardUpdate", {"Arn": dashboard.arn, "RoleArn": role.role_arn}),
        }

    def _target(self, purpose: str, target: dict[str, str]) -> dict[str, State]:
        """PutTargets succeeds even when it has refused; the answer says so."""
        put = self._schedules.put_target(purpose, target, f"$.target_inputs.{purpose}")
        return {
            f"Add{purpose}Target": _guarded(put),
            f"{purpose}TargetRefused?": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.target.FailedEntryCount", "NumericGreaterThan": 0, "Next": "TargetRefused"}
                ],
                "Default": f"{purpose}TargetAdded",
            },
            f"{purpose}TargetAdded": {"Type": "Pass"},
        }

    def _await_completion(self, checker_arn: str, tables: Tables) -> dict[str, State]:
        return {
            **self._target("CompletionCheck", {"Arn": checker_arn}),
            "AwaitCompletion": _guarded(
                await_job(
                    tables.facilitator.table_name,
                    "$.registration.completion_job_id",
                    timeout=LONGEST_RUN,
                    into="completion",
                )
            ),
            "Completed?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.completion.succeeded", "BooleanEquals": True, "Next": CLEANUP}],
                "Default": "NotCompleted",
            },
            "NotCompleted": {
                "Type": "Pass",
                "Parameters": {"Error": "RunNotCompleted", "Cause.$": "$.completion.message"},
                "ResultPath": "$.failure",
                "Next": CLEANUP,
            },
        }


def _prepare() -> State:
    return {
        "Type": "Pass",
        "Parameters": {"input.$": "$", "execution_name.$": "$$.Execution.Name", "failure": None},
    }


def _register(runs: RunFunctions) -> dict[str, State]:
    return {
        "RegisterRun": {
            **invoke(
                runs.run_registrar.function_arn,
                {
                    "input.$": "$.input",
                    "execution_arn.$": "$$.Execution.Id",
                    "execution_name.$": "$.execution_name",
                },
                timeout=QUICK.timeout,
                select=["attempt", "completion_job_id", "rule_target_id"],
                into="registration",
            ),
            # whether it was written or not: the clean-up leaves alone what is not this execution's
            "Catch": catch(CLEANUP),
        },
        "PrepareTargets": {
            "Type": "Pass",
            "Parameters": {
                "WindowExtension": {f"{f}.$": f"$.input.{f}" for f in ("workflow_run", "vault_name", "tier")},
                "DashboardUpdate": {f"{f}.$": f"$.input.{f}" for f in ("workflow_run", "vault_name")},
                "CompletionCheck": {
                    "workflow_run.$": "$.input.workflow_run",
                    "vault_name.$": "$.input.vault_name",
                    "execution_name.$": "$.execution_name",
                    "completion_job_id.$": "$.registration.completion_job_id",
                },
            },
            "ResultPath": "$.target_inputs",
        },
    }


def _to_inventory(archives_status_cleanup: Machine, inventory_retrieval: Machine) -> dict[str, State]:
    return {
        # a launch has no earlier attempt, and a scan of the whole table would find nothing at some expense
        "Resume?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.input.migration_type", "StringEquals": "RESUME", "Next": "ArchivesStatusCleanup"}
            ],
            "Default": "InventoryRetrieval",
        },
        "ArchivesStatusCleanup": _guarded(
            _run_child(
                archives_status_cleanup,
                _fields("workflow_run", "vault_name", "attempt", "execution_name"),
                timeout=7 * DAY,
            )
        ),
        "InventoryRetrieval": _guarded(
            _run_child(
                inventory_retrieval,
                _fields(
                    *("workflow_run", "vault_name", "migration_type", "provided_inventory", "tier", "s3_storage_class"),
                    *("name_override_presigned_url", "execution_name"),
                ),
                timeout=30 * DAY,
            )
        ),
    }


def _clean_up(cleanup: Machine) -> dict[str, State]:
    return {
        "TargetRefused": {
            "Type": "Pass",
            "Result": {
                "Error": "TargetRefused",
                "Cause": "EventBridge did not take the run as a target of a rule; a rule has at most five targets, so "
                "at most five runs can be under way: wait for one to end, then resume this run",
            },
            "ResultPath": "$.failure",
        },
        CLEANUP: {
            **_run_child(
                cleanup,
                {
                    **_fields("workflow_run", "vault_name", "tier", "s3_storage_class", "execution_name"),
                    "failure.$": "$.failure",
                },
                timeout=7 * DAY,
            ),
            "ResultPath": "$.cleanup",
            "Catch": catch("CleanupFailed", into="cleanup_failure"),
        },
        "Failure?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.failure", "IsNull": True, "Next": "RunEnded"}],
            "Default": "RunFailed",
        },
        "RunEnded": {"Type": "Succeed", "OutputPath": "$.cleanup.Output"},
        "CleanupFailed": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.failure", "IsNull": True, "Next": "OnlyCleanupFailed"}],
            "Default": "RunFailed",
        },
        "OnlyCleanupFailed": {"Type": "Fail", "Error": "CleanupFailed", "CausePath": "$.cleanup_failure.Cause"},
        "RunFailed": {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
    }


_NOT_OF_THE_INPUT = {"execution_name": "$.execution_name", "attempt": "$.registration.attempt"}


def _fields(*names: str) -> dict[str, str]:
    return {f"{name}.$": _NOT_OF_THE_INPUT.get(name, f"$.input.{name}") for name in names}


def _run_child(machine: Machine, payload: dict[str, str], *, timeout: int) -> State:
    """Named after this execution: so they can be found and ended, and be started once only."""
    return run_machine(machine.arn, payload, timeout=timeout, name_path="$.execution_name")


def _guarded(state: State) -> State:
    """Whatever goes wrong, the run is cleaned up."""
    return {**state, "Catch": catch(CLEANUP)}
