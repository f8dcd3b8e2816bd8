"""What stories of whole runs are told with: launching, the mock Glacier's controls, and how far a run has come."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from solution.application.ports.executions import execution_arn
from solution.cli.automation import LAUNCH_DOCUMENT, RESUME_DOCUMENT, StartedRun, start_run
from solution.cli.demo.run import launch_parameters
from solution.contract.tables import ArchiveItem
from solution.mocking.glacier.faults import Fault
from tests.local.deployed import Solution
from tests.local.support import unique
from tests.local.truth import archives, states


def launch(solution: Solution, vault: str) -> StartedRun:
    """Start a new run of the vault."""
    return start_run(solution.target, LAUNCH_DOCUMENT, launch_parameters(run=unique("rough"), vault=vault))


def resume(solution: Solution, run: str) -> StartedRun:
    """Start the run's next attempt."""
    return start_run(solution.target, RESUME_DOCUMENT, {"WorkflowRun": run})


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


def jobs(solution: Solution, run: str) -> dict[str, int]:
    """How often Glacier was asked for each archive of the run, by name; it counts from its last start."""
    counted = control(solution, "GET", "statistics")["archives"]
    return {
        str(record[ArchiveItem.FILE_NAME]): counted.get(archive_id, {}).get("jobs", 0)
        for archive_id, record in archives(solution, run).items()
    }


def operations(solution: Solution, name: str) -> int:
    """How often Glacier has been asked to do this."""
    count: int = control(solution, "GET", "statistics")["operations"].get(name, 0)
    return count


def progress(solution: Solution, started: StartedRun) -> tuple[int, list[tuple[str, str]]]:
    """How far a run has come: states that its attempt's executions have left, and states of its archives.

    Differs from what it was before if and only if the run has moved; a task that failed and is tried again is none.
    """
    client = solution.client("stepfunctions")
    name = started.execution_arn.rpartition(":")[2]
    left = 0
    for machine in client.list_state_machines()["stateMachines"]:
        try:
            events = client.get_execution_history(
                executionArn=execution_arn(machine["stateMachineArn"], name), maxResults=1000
            )["events"]
        except client.exceptions.ExecutionDoesNotExist:
            continue
        left += sum(event["type"].endswith("StateExited") for event in events)
    return left, sorted(states(solution, started.run).items())
