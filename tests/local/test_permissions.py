"""A permission that a role lacks makes the transfer or its archives fail, and the failure says so.

Three roles of functions and three of state machines lose one permission each, for one small run each; all share one
local AWS. Every other permission stays, so that the run fails for this one alone.
"""

from __future__ import annotations

import time

import pytest

from solution.cli.automation import LAUNCH_DOCUMENT, start_run
from solution.cli.demo.run import launch_parameters
from solution.cli.runs import RunState, read_run
from solution.contract import object_keys, tables
from solution.domain.status import Metric
from tests.local.deployed import Solution
from tests.local.support import unique
from tests.local.truth import rows

CONTENTS = {"first.txt": b"one", "second.txt": b"two"}


def attempt(solution: Solution) -> RunState:
    """Transfer a small vault; the run when it has ended."""
    run = unique("denied")
    vault = solution.fill(CONTENTS)
    started = start_run(solution.target, LAUNCH_DOCUMENT, launch_parameters(run=run, vault=vault))
    while not (state := read_run(solution.target, run, execution_arn=started.execution_arn)).ended:
        time.sleep(0.5)
    return state


@pytest.mark.parametrize(
    ("function", "action"),
    [("RunRegistrar", "dynamodb:UpdateItem"), ("InventoryUploadStart", "s3:PutObject")],
)
def test_a_function_without_a_permission_fails_the_run_and_names_it(
    solution: Solution, function: str, action: str
) -> None:
    with solution.without(solution.function_role(function), action):
        state = attempt(solution)
    assert state.outcome is tables.RunStatus.FAILED
    assert f"{function}-" in state.failure
    assert f"not authorized to perform: {action}" in state.failure


@pytest.mark.holds(2)
def test_without_the_permission_to_write_objects_nothing_is_called_copied(solution: Solution) -> None:
    with solution.without(solution.function_role("ChunkRetrieval"), "s3:PutObject"):
        state = attempt(solution)
    solution.empty_queues()
    failures = rows(solution, object_keys.failed_archives_key(state.run))
    assert state.outcome is tables.RunStatus.COMPLETED_WITH_FAILURES
    assert (state.counts[Metric.DOWNLOADED].archives, state.counts[Metric.FAILED].archives) == (0, len(CONTENTS))
    assert len(failures) == len(CONTENTS)
    for failure in failures:
        assert "gave up after 5 attempts" in failure["Reason"]
        assert "not authorized to perform: s3:PutObject" in failure["Reason"]


@pytest.mark.parametrize(
    ("machine", "action"),
    [
        ("OrchestratorStateMachine", "events:PutTargets"),
        ("InventoryRetrievalStateMachine", "glue:StartJobRun"),
        ("InitiateRetrievalStateMachine", "dynamodb:GetItem"),
    ],
)
def test_a_state_machine_without_a_permission_fails_the_run_and_names_it(
    solution: Solution, machine: str, action: str
) -> None:
    with solution.without(solution.machine_role(machine), action):
        state = attempt(solution)
    assert state.outcome is tables.RunStatus.FAILED
    assert f"{machine}-" in state.failure
    assert f"not authorized to perform: {action}" in state.failure


def test_with_all_permissions_back_the_transfer_completes(solution: Solution) -> None:
    state = attempt(solution)
    assert state.failure == ""
    assert state.complete
