"""Runs that end from outside, in each phase: found, or stopped, and cleaned up by the real functions and machines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from solution.application.adapters.run_records import DynamoAttempts, DynamoRunRecords
from solution.application.ports.executions import execution_arn
from solution.application.ports.runs import Attempt
from solution.contract import entry_points as functions
from solution.contract.tables import RunStatus
from solution.domain.archive import MigrationType
from tests.local.support import until
from tests.unit.application.orchestration.builders import run_record
from tests.workflows.stubs import Stubs, always, error
from tests.workflows.test_orchestrator import job_id, order
from tests.workflows.world import VAULT, World

__all__ = ["job_id"]

MACHINE = "Orchestrator"


@dataclass
class Office:
    """A run whose record is real, and the functions that end it."""

    world: World
    run: str

    def __post_init__(self) -> None:
        client, output = self.world.solution.client("dynamodb"), self.world.solution.target.output
        self.records = DynamoRunRecords(client=client, table=output("GlacierRetrievalTableName"))
        self.attempts = DynamoAttempts(client=client, table=output("MetricTableName"))
        self.executed = f"{self.run}-1"
        self.refusals: list[str] = []

    def register(self, event: dict[str, Any]) -> dict[str, Any]:
        """What RunRegistrar does."""
        self.attempts.add(Attempt(run=self.run, execution_arn=event["execution_arn"]))
        self.records.create(
            run_record(
                run=self.run,
                vault_name=VAULT,
                execution_arn=event["execution_arn"],
                execution_name=event["execution_name"],
            )
        )
        job = f"completion|{self.run}|{event['execution_name']}"
        return {"attempt": 1, "completion_job_id": job, "rule_target_id": self.run}

    def ask(self, _event: dict[str, Any]) -> Any:
        """What InitiateArchiveRetrieval does while the budget is used."""
        self.refusals.append("QuotaUsed" if self.status is RunStatus.RUNNING else "RunEnded")
        raise error(self.refusals[-1])

    def close(self, event: dict[str, Any]) -> dict[str, Any]:
        """What RunCloser does, but for the waiting."""
        self.records.begin_end(self.run, execution_name=event["execution_name"], reason=json.dumps(event["failure"]))
        return {"found": "ours", "quiet": True, "failure": event["failure"], "memory": {}}

    def announce(self, event: dict[str, Any]) -> dict[str, Any]:
        """What CompletionNotice does."""
        outcome = RunStatus.STOPPED if event["failure"]["Error"] == "RunStopped" else RunStatus.FAILED
        self.records.finish(self.run, execution_name=event["execution_name"], outcome=outcome, ended_at="now")
        return {"outcome": str(outcome)}

    def invoke(self, name: str, payload: dict[str, Any]) -> Any:
        """Call a function."""
        answer = self.world.solution.client("lambda").invoke(
            FunctionName=f"{name}-{self.world.suffix}", Payload=json.dumps(payload).encode()
        )
        return json.loads(answer["Payload"].read())

    def tick(self) -> Any:
        """What the rule does."""
        return self.invoke("RunWatcher", {})

    def stop_execution(self, arn: str) -> None:
        """What an operator does in the console."""
        self.world.solution.client("stepfunctions").stop_execution(executionArn=arn, cause="by hand")

    @property
    def status(self) -> RunStatus | None:
        """What the record says."""
        record = self.records.read(self.run)
        return record.status if record else None

    def ended(self) -> RunStatus:
        """Wait for the end of the clean-up."""
        status = until(lambda: found if (found := self.status) and found.ended else None, timeout=60)
        arn = execution_arn(self.world.arn("Cleanup"), self.executed)
        assert self.world.outcome(arn).status == "SUCCEEDED"
        return status


@pytest.fixture
def office(world: World, stubs: Stubs, run: str, job_id: str) -> Office:  # noqa: ARG001 - the run has an inventory
    made = Office(world, run)
    stubs.answer(functions.RUN_REGISTRAR, made.register)
    stubs.answer(functions.RUN_CLOSER, made.close)
    stubs.answer(functions.COMPLETION_NOTICE, made.announce)
    return made


PHASES = {
    "ArchivesStatusCleanup": (MigrationType.RESUME, functions.ARCHIVES_SCAN),
    "InventoryRetrieval": (MigrationType.LAUNCH, functions.PROVIDED_INVENTORY_CHECK),
    "InitiateRetrieval": (MigrationType.LAUNCH, functions.INITIATE_ARCHIVE_RETRIEVAL),
    "WaitForQuota": (MigrationType.LAUNCH, functions.CALCULATE_TIMEOUT),
    "AwaitCompletion": (MigrationType.LAUNCH, None),
}
each_phase = pytest.mark.parametrize("phase", PHASES)


def begin(office: Office, stubs: Stubs, phase: str) -> str:
    """Start the run and let it come as far as the phase, where it stays."""
    migration, held = PHASES[phase]
    if phase == "WaitForQuota":
        stubs.answer(functions.CALCULATE_TIMEOUT, always({"seconds": 1}))
        stubs.answer(functions.INITIATE_ARCHIVE_RETRIEVAL, office.ask)
    elif held is not None:
        stubs.answer(held, hold(stubs, lambda event: event.get("purpose") not in ("closing", "report")))
    world = office.world
    arn = world.start(MACHINE, order(office.run, migration), office.executed)
    if phase == "AwaitCompletion":
        world.reaches(arn, phase)
    elif held is not None:
        until(lambda: stubs.begun(held, office.run), timeout=60)
    return arn


def hold(stubs: Stubs, held: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], Any]:
    """An answer that comes only after the test, for the events that are held."""

    def answer(event: dict[str, Any]) -> Any:
        if held(event):
            stubs.hang(event)
        return {"next": None, "found": 0}

    return answer


def rests(office: Office, stubs: Stubs, phase: str) -> None:
    """A map goes on when its execution has ended, until a batch is refused because of that."""
    if phase == "WaitForQuota":
        until(lambda: "RunEnded" in office.refusals, timeout=60)
        asked = len(stubs.events(functions.INITIATE_ARCHIVE_RETRIEVAL))
        assert asked == len(office.refusals)


@each_phase
def test_a_run_whose_orchestrator_is_stopped_by_hand_is_cleaned_up(office: Office, stubs: Stubs, phase: str) -> None:
    arn = begin(office, stubs, phase)
    office.stop_execution(arn)
    office.tick()
    assert office.ended() is RunStatus.STOPPED
    [notice] = stubs.events(functions.COMPLETION_NOTICE)
    assert notice["failure"] == {
        "Error": "RunStopped",
        "Cause": "the orchestrator's execution was stopped from outside: by hand",
        "Machine": "",
    }
    assert office.world.targets(office.run) == {}
    office.tick()
    assert [attempt.run for attempt in office.attempts.all() if attempt.run == office.run] == []
    rests(office, stubs, phase)


@each_phase
def test_a_run_can_be_stopped(office: Office, stubs: Stubs, phase: str) -> None:
    arn = begin(office, stubs, phase)
    found = office.invoke("RunStopper", {"workflow_run": office.run, "reason": "no money"})
    assert found == {"found": "stopping"}
    assert office.world.look(arn).status == "ABORTED"
    assert office.ended() is RunStatus.STOPPED
    [notice] = stubs.events(functions.COMPLETION_NOTICE)
    assert notice["failure"] == {"Error": "RunStopped", "Cause": "no money", "Machine": ""}
    assert office.world.targets(office.run) == {}
    rests(office, stubs, phase)


def test_the_end_of_an_orchestrator_is_noticed_without_a_tick(office: Office, stubs: Stubs) -> None:
    office.stop_execution(begin(office, stubs, "AwaitCompletion"))
    assert office.ended() is RunStatus.STOPPED


def test_two_looks_at_once_clean_up_once(office: Office, stubs: Stubs) -> None:
    office.stop_execution(begin(office, stubs, "AwaitCompletion"))
    looks = [threading.Thread(target=office.tick) for _ in range(4)]
    for look in looks:
        look.start()
    for look in looks:
        look.join()
    assert office.ended() is RunStatus.STOPPED
    assert len(stubs.events(functions.COMPLETION_NOTICE)) == 1


def test_a_clean_up_that_is_stopped_as_well_is_done_by_another(office: Office, stubs: Stubs) -> None:
    hanging = threading.Event()

    def hang_once(event: dict[str, Any]) -> Any:
        if not hanging.is_set():
            hanging.set()
            stubs.hang(event)
        return {"aborted": 0}

    stubs.answer(functions.ABORT_UPLOADS, hang_once)
    arn = begin(office, stubs, "AwaitCompletion")
    office.stop_execution(arn)
    office.tick()
    assert hanging.wait(60)
    office.stop_execution(execution_arn(office.world.arn("Cleanup"), office.executed))
    assert office.status is RunStatus.ENDING
    office.tick()
    until(lambda: office.status is RunStatus.STOPPED, timeout=60)
    again = execution_arn(office.world.arn("Cleanup"), f"{office.executed}-cleanup-2")
    assert office.world.outcome(again).status == "SUCCEEDED"


def test_a_run_in_its_clean_up_is_not_stopped_but_ends(office: Office, stubs: Stubs) -> None:
    closing = threading.Event()
    go_on = threading.Event()

    def abort(_event: dict[str, Any]) -> dict[str, int]:
        closing.set()
        go_on.wait(60)
        return {"aborted": 0}

    stubs.answer(functions.ABORT_UPLOADS, abort)
    stubs.answer(functions.INITIATE_ARCHIVE_RETRIEVAL, refuse)
    arn = office.world.start(MACHINE, order(office.run), office.executed)
    assert closing.wait(60)
    found = office.invoke("RunStopper", {"workflow_run": office.run, "reason": "late"})
    assert found == {"found": "already ending"}
    go_on.set()
    assert office.world.outcome(arn).status == "FAILED"
    assert office.status is RunStatus.FAILED


def refuse(_event: dict[str, Any]) -> Any:
    raise error("NotPossible", "the vault is gone")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (None, "InvalidInput", "is not known to this stack"),
        (RunStatus.COMPLETED, "NotPossible", "ended now as COMPLETED: there is nothing to stop"),
        (RunStatus.STOPPED, "NotPossible", "ended now as STOPPED: there is nothing to stop"),
    ],
)
def test_what_cannot_be_stopped_says_so(office: Office, status: RunStatus | None, kind: str, words: str) -> None:
    if status is not None:
        office.records.create(run_record(run=office.run, status=RunStatus.RUNNING))
        office.records.finish(office.run, execution_name="run-1-1", outcome=status, ended_at="now")
    answer = office.invoke("RunStopper", {"workflow_run": office.run, "reason": ""})
    assert answer["errorType"] == kind
    assert words in answer["errorMessage"]


def test_a_run_that_is_just_being_registered_cannot_be_stopped_yet(office: Office, stubs: Stubs) -> None:
    stubs.answer(functions.RUN_REGISTRAR, stubs.hang)
    office.world.start(MACHINE, order(office.run), office.executed)
    until(lambda: stubs.begun(functions.RUN_REGISTRAR, office.run), timeout=60)
    answer = office.invoke("RunStopper", {"workflow_run": office.run, "reason": ""})
    assert answer["errorType"] == "NotPossible"
    assert "has no record of it yet: try again in a moment" in answer["errorMessage"]
