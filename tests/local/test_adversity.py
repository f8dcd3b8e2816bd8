"""A run always ends well: notifications get lost, and every archive is copied all the same."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from solution.cli.automation import LAUNCH_DOCUMENT, StartedRun, start_run
from solution.cli.demo.archives import CHUNK_SIZE_MIB, MIB
from solution.cli.demo.run import launch_parameters
from solution.mocking.glacier.faults import Fault, FaultKind
from tests.local.deployed import Solution, deployed_solution
from tests.local.support import free_port, unique
from tests.local.truth import archives, assert_true, when_ended

CONTENTS = {
    **{f"file {number}.txt": f"content {number}".encode() * number for number in range(1, 25)},
    "two chunks.bin": bytes(CHUNK_SIZE_MIB * MIB) + b"and a bit",
}
FACTOR = 3600


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Solution]:
    """The solution at an hour a second."""
    # Glacier takes at most 12 seconds; a run whose notifications are lost should not be looked at much later
    overdue = {"BulkOverdueSeconds": "13"}
    with deployed_solution(tmp_path_factory.mktemp("rough"), free_port(), factor=FACTOR, parameters=overdue) as found:
        yield found


def launch(solution: Solution, vault: str) -> StartedRun:
    return start_run(solution.target, LAUNCH_DOCUMENT, launch_parameters(run=unique("rough"), vault=vault))


def control(solution: Solution, method: str, path: str, document: Any = None) -> Any:
    """Ask the mock Glacier itself."""
    request = urllib.request.Request(  # noqa: S310 - the local AWS
        f"{solution.environment['AWS_ENDPOINT_URL']}/_mock/{path}",
        method=method,
        data=None if document is None else json.dumps(document).encode(),
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


@contextmanager
def faults(solution: Solution, *wanted: Fault) -> Iterator[None]:
    """Let these happen for a while."""
    for fault in wanted:
        control(solution, "POST", "faults", fault.to_json())
    try:
        yield
    finally:
        control(solution, "DELETE", "faults")


def jobs(solution: Solution, run: str) -> list[int]:
    """How often Glacier was asked for each archive of the run."""
    counted = control(solution, "GET", "statistics")["archives"]
    return [counted[archive_id]["jobs"] for archive_id in archives(solution, run)]


def operations(solution: Solution, name: str) -> int:
    """How often Glacier has been asked to do this."""
    count: int = control(solution, "GET", "statistics")["operations"].get(name, 0)
    return count


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
