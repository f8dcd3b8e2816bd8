"""A permission that a role lacks makes the transfer fail, and the failure says so.

Three roles of functions and three of state machines lose one permission each, for one small run each; all share one
local AWS. Every other permission stays, so that the run fails for this one alone.
"""

from __future__ import annotations

import time

import pytest

from solution.cli.automation import LAUNCH_DOCUMENT, start_run
from solution.cli.demo.run import launch_parameters
from solution.cli.runs import RunState, read_run
from solution.contract import tables
from tests.local.deployed import Solution
from tests.local.support import unique

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
    [
        ("InventoryJobRequest", "glacier:InitiateJob"),
        ("InventoryUploadStart", "s3:PutObject"),
        ("ChunkRetrieval", "s3:PutObject"),
    ],
)
def test_a_function_without_a_permission_stops_the_transfer(solution: Solution, function: str, action: str) -> None:
    with solution.without(solution.function_role(function), action):
        state = attempt(solution)
    assert not state.complete
    assert state.outcome is not tables.RunStatus.COMPLETED


@pytest.mark.parametrize(
    ("machine", "action"),
    [
        ("OrchestratorStateMachine", "events:PutTargets"),
        ("InventoryRetrievalStateMachine", "glue:StartJobRun"),
        ("InitiateRetrievalStateMachine", "lambda:InvokeFunction"),
    ],
)
def test_a_state_machine_without_a_permission_fails_and_names_it(solution: Solution, machine: str, action: str) -> None:
    with solution.without(solution.machine_role(machine), action):
        state = attempt(solution)
    assert state.outcome is tables.RunStatus.FAILED
    assert "not authorized to perform" in state.failure
    assert action in state.failure


def test_with_all_permissions_back_the_transfer_completes(solution: Solution) -> None:
    state = attempt(solution)
    assert state.failure == ""
    assert state.complete
