"""A run always ends well: functions are killed and notifications get lost, and every archive is copied all the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from solution.cli.automation import StartedRun
from solution.cli.demo.archives import CHUNK_SIZE_MIB, MIB
from solution.local import Instance
from solution.mocking.glacier.faults import Fault, FaultKind
from tests.local.deployed import Solution, deployed_solution
from tests.local.processes import kill_workers
from tests.local.stories import faults, launch, operations, progress
from tests.local.support import free_port
from tests.local.truth import assert_true, when_ended

CONTENTS = {
    **{f"file {number}.txt": f"content {number}".encode() * number for number in range(1, 13)},
    "two chunks.bin": bytes(CHUNK_SIZE_MIB * MIB) + b"and a bit",
}
FACTOR = 3600
KILLING_EVERY = 5.0
"""Seconds: a message is given up after five attempts, so a chunk must be able to live between two kills."""


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Solution]:
    """The solution at an hour a second."""
    # Glacier takes at most 12 seconds; a run whose notifications are lost should not be looked at much later
    overdue = {"BulkOverdueSeconds": "13"}
    with deployed_solution(tmp_path_factory.mktemp("rough"), free_port(), factor=FACTOR, parameters=overdue) as found:
        yield found


@pytest.mark.holds(2)
def test_with_every_notification_of_an_archive_lost_a_run_still_copies_everything(rough: Solution) -> None:
    vault = rough.fill(CONTENTS)
    described = operations(rough, "DescribeJob")
    lost = Fault(kind=FaultKind.NOTIFICATION_MISSING, vault_name=vault, action="ArchiveRetrieval")
    with faults(rough, lost):
        started = launch(rough, vault)
        state = when_ended(rough, started.run, started.execution_arn)
    assert state.failure == ""
    assert state.complete
    assert operations(rough, "DescribeJob") - described >= len(CONTENTS)
    assert_true(rough, started.run, CONTENTS)


@pytest.mark.holds(3)
def test_with_all_functions_killed_again_and_again_a_run_still_copies_everything(rough: Solution) -> None:
    vault = rough.fill(CONTENTS)
    before = deaths(rough)
    started = launch(rough, vault)
    with killing(rough, started) as killed:
        state = when_ended(rough, started.run, started.execution_arn)
    assert state.failure == ""
    assert state.complete
    assert len(killed) >= 3
    assert sum(killed) >= 20
    # those that died at work; the others were waiting for some
    assert deaths(rough) - before >= 3
    assert_true(rough, started.run, CONTENTS)


@contextmanager
def killing(solution: Solution, started: StartedRun) -> Iterator[list[int]]:
    """Kill every process of a function again and again while the run goes on; how many there were each time.

    Between two times the run has moved, so that it can come to its end on a slow machine as well: processes take long
    to start where all of them start at once.
    """
    server = Instance(solution.state_dir).status().pid
    assert server is not None
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        before = progress(solution, started)
        while not over.wait(KILLING_EVERY):
            if (now := progress(solution, started)) != before:
                killed.append(kill_workers(server))
                before = now

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


def deaths(solution: Solution) -> int:
    """Invocations whose process was killed before it had answered."""
    logs = solution.client("logs")
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/")
        for group in page["logGroups"]
    ]
    return sum(
        "signal: killed" in event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    )
