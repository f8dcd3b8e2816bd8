"""Runs that end from outside: found, wished for, closed; each once, whoever else does the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.in_memory.executions import InMemoryExecutions, InMemoryInventoryJobs
from solution.application.in_memory.notices import InMemoryNotices
from solution.application.in_memory.runs import InMemoryAttempts, InMemoryRunRecords
from solution.application.ports.counters import Tally
from solution.application.ports.executions import Execution
from solution.application.ports.runs import Attempt, RunRecord
from solution.application.use_cases.begin_cleanup import MOST, BeginCleanup, cleanup_name
from solution.application.use_cases.close_run import MOST_LOOKS, QUIET_LOOKS, CloseRun, Closing, Ownership
from solution.application.use_cases.stop_run import Stopping, StopRun
from solution.application.use_cases.watch_runs import LATEST_WRITE, WatchRuns
from solution.contract.failures import Failure
from solution.contract.tables import RunStatus
from solution.domain.errors import InvalidInput, NotPossible, TransientError
from solution.domain.status import Metric
from tests.unit.application.orchestration.builders import RUN, run_record

EXECUTION = f"{RUN}-1"
RUNNING = Execution(status="RUNNING")
STATUSES_UNDER_WAY = [status for status in RunStatus if not status.ended]
FAILED = Failure(error="States.Timeout", cause="too long")


def machine(name: str) -> str:
    """ARN of a state machine."""
    return f"arn:aws:states:us-east-1:1:stateMachine:{name}"


def execution(name: str, of: str = EXECUTION) -> str:
    """ARN of an execution."""
    return f"arn:aws:states:us-east-1:1:execution:{name}:{of}"


@dataclass
class Desk:
    """One run in its first attempt, with all that ends it."""

    status: RunStatus = RunStatus.RUNNING
    orchestrator: Execution | None = RUNNING
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.attempt = Attempt(run=RUN, execution_arn=execution("orchestrator"))
        self.records = InMemoryRunRecords(
            run_record(execution_arn=self.attempt.execution_arn, status=self.status, **self.changes)
        )
        self.attempts = InMemoryAttempts(self.attempt)
        self.executions = InMemoryExecutions()
        if self.orchestrator is not None:
            self.executions.by_arn[self.attempt.execution_arn] = self.orchestrator
        self.notices = InMemoryNotices()
        self.counters = InMemoryCounters()
        self.jobs = InMemoryInventoryJobs()
        begin_cleanup = BeginCleanup(
            records=self.records,
            executions=self.executions,
            notices=self.notices,
            clock=self.clock,
            machine_arn=machine("cleanup"),
        )
        self.watch = WatchRuns(
            attempts=self.attempts,
            records=self.records,
            executions=self.executions,
            begin_cleanup=begin_cleanup,
            clock=self.clock,
        )
        self.stop = StopRun(
            records=self.records,
            executions=self.executions,
            begin_cleanup=begin_cleanup,
            orchestrator_arn=machine("orchestrator"),
        )
        self.close = CloseRun(
            records=self.records,
            counters=self.counters,
            executions=self.executions,
            clock=self.clock,
            inventory_jobs=self.jobs,
            inventory_retrieval_arn=machine("inventory"),
            children_arns=(machine("stopping"), machine("inventory"), machine("initiate")),
        )

    @property
    def record(self) -> RunRecord:
        """The run's record."""
        return self.records.by_run[RUN]

    @property
    def cleanups(self) -> dict[str, dict[str, Any]]:
        """Failures of the clean-ups that were started, by the execution's name."""
        return {arn.rpartition(":")[2]: dict(payload) for arn, payload in self.executions.payloads.items()}

    def end(self, status: str, number: int = 1, **more: Any) -> None:
        """A clean-up ends."""
        arn = execution("cleanup", cleanup_name(EXECUTION, number))
        self.executions.by_arn[arn] = Execution(status=status, **more)

    def look(self, failure: Failure | None, memory: Any = None) -> Closing:
        """The clean-up's look at the run, ten seconds after the last one."""
        self.clock.advance(10)
        return self.close(RUN, execution_name=EXECUTION, failure=failure, memory=memory)


# --- found


def test_a_run_that_goes_on_is_left_alone() -> None:
    desk = Desk()
    assert desk.watch() == {"going on": 1}
    assert desk.cleanups == {}
    assert desk.attempts.all() == [desk.attempt]


@pytest.mark.parametrize("status", STATUSES_UNDER_WAY)
@pytest.mark.parametrize("ended", ["ABORTED", "FAILED", "TIMED_OUT", "SUCCEEDED", None])
def test_a_run_whose_orchestrator_is_gone_is_cleaned_up_once(status: RunStatus, ended: str | None) -> None:
    desk = Desk(status, None if ended is None else Execution(status=ended))
    for _ in range(3):
        assert desk.watch() == {"being cleaned up": 1}
    assert list(desk.cleanups) == [EXECUTION]
    [payload] = desk.cleanups.values()
    assert payload.items() >= {"workflow_run": RUN, "vault_name": "photos", "execution_name": EXECUTION}.items()
    assert Failure.parse(payload["failure"]) is not None


@pytest.mark.parametrize(
    ("ended", "changes", "failure"),
    [
        (
            Execution(status="ABORTED"),
            {},
            Failure(error="RunStopped", cause="the orchestrator's execution was stopped from outside"),
        ),
        (
            Execution(status="ABORTED", error="", cause="maintenance"),
            {},
            Failure(error="RunStopped", cause="the orchestrator's execution was stopped from outside: maintenance"),
        ),
        (
            Execution(status="ABORTED", error="RunStopped", cause="x"),
            {"stop_reason": "no money"},
            Failure(error="RunStopped", cause="no money"),
        ),
        (
            Execution(status="FAILED", error="States.ServiceRestart", cause="restarted"),
            {},
            Failure(error="States.ServiceRestart", cause="restarted"),
        ),
        (
            Execution(status="TIMED_OUT"),
            {},
            Failure(error="TIMED_OUT", cause="the orchestrator ended TIMED_OUT before it cleaned up"),
        ),
        (
            None,
            {},
            Failure(
                error="OrchestratorLost",
                cause=f"Step Functions does not know {execution('orchestrator')} any more",
            ),
        ),
    ],
    ids=["by hand", "by hand, with a cause", "by command", "restarted", "timed out", "forgotten"],
)
def test_the_run_ends_for_the_reason_for_which_its_orchestrator_did(
    ended: Execution | None, changes: dict[str, Any], failure: Failure
) -> None:
    desk = Desk(orchestrator=ended, changes=changes)
    desk.watch()
    assert Failure.parse(desk.cleanups[EXECUTION]["failure"]) == failure


def test_a_clean_up_that_was_ended_as_well_is_followed_by_another() -> None:
    desk = Desk(orchestrator=Execution(status="ABORTED"))
    desk.watch()
    desk.end("ABORTED")
    desk.watch()
    desk.watch()
    assert list(desk.cleanups) == [EXECUTION, f"{EXECUTION}-cleanup-2"]


def test_a_clean_up_that_ends_while_it_is_looked_at_is_not_repeated() -> None:
    desk = Desk(orchestrator=Execution(status="ABORTED"))
    desk.watch()
    looked = desk.executions.look

    def finish_then_look(arn: str) -> Execution | None:
        if arn == execution("cleanup"):
            desk.end("SUCCEEDED")
            desk.records.finish(RUN, execution_name=EXECUTION, outcome=RunStatus.STOPPED, ended_at="x")
        return looked(arn)

    desk.executions.look = finish_then_look  # type: ignore[method-assign]
    desk.watch()
    assert list(desk.cleanups) == [EXECUTION]


def test_a_run_that_cannot_be_cleaned_up_is_closed_all_the_same_and_the_operator_told() -> None:
    desk = Desk(orchestrator=Execution(status="FAILED"))
    for number in range(1, MOST + 1):
        desk.watch()
        desk.end("FAILED", number)
    assert not desk.record.status.ended
    desk.watch()
    assert desk.records.by_run[RUN].status is RunStatus.FAILED
    assert len(desk.cleanups) == MOST
    [(subject, text)] = desk.notices.sent
    assert subject == "Glacier transfer run-1: FAILED, not cleaned up"
    assert "ResumeAutomationRunbook" in text
    assert desk.watch() == {"ended": 1}
    assert desk.attempts.all() == []


@pytest.mark.parametrize("status", [status for status in RunStatus if status.ended])
def test_a_run_that_has_ended_is_forgotten(status: RunStatus) -> None:
    desk = Desk(status, Execution(status="SUCCEEDED"))
    assert desk.watch() == {"ended": 1}
    assert desk.attempts.all() == []
    assert desk.cleanups == {}


def test_an_attempt_that_never_became_the_runs_is_forgotten_once_it_cannot_become_so_any_more() -> None:
    desk = Desk()
    ended = Execution(status="FAILED", stopped_at=desk.clock.now())
    late = Attempt(run=RUN, execution_arn=execution("orchestrator", "run-1-2"))
    desk.executions.by_arn[late.execution_arn] = ended
    desk.attempts.add(late)
    assert desk.watch() == {"going on": 1, "uncertain": 1}
    desk.clock.advance(LATEST_WRITE.total_seconds())
    assert desk.watch() == {"going on": 1, "ended": 1}
    assert desk.attempts.all() == [desk.attempt]
    assert desk.cleanups == {}


def test_a_record_that_is_written_after_its_orchestrator_has_ended_is_found() -> None:
    desk = Desk(orchestrator=Execution(status="ABORTED", stopped_at=ManualClock().now() - timedelta(minutes=1)))
    written = desk.records.by_run.pop(RUN)
    assert desk.watch() == {"uncertain": 1}
    desk.records.create(written)
    assert desk.watch() == {"being cleaned up": 1}


def test_a_run_that_cannot_be_looked_at_does_not_hide_the_others() -> None:
    desk = Desk(orchestrator=Execution(status="ABORTED"))
    desk.attempts.add(Attempt(run="broken", execution_arn="arn:0"))
    looked = desk.executions.look

    def look(arn: str) -> Execution | None:
        if arn == "arn:0":
            raise TransientError("not now")
        return looked(arn)

    desk.executions.look = look  # type: ignore[method-assign]
    with pytest.raises(TransientError, match="runs broken could not be looked at"):
        desk.watch()
    assert list(desk.cleanups) == [EXECUTION]


# --- wished for


def test_stopping_notes_the_wish_ends_the_orchestrator_and_begins_the_clean_up() -> None:
    desk = Desk()
    assert desk.stop(RUN, reason="no money") is Stopping.STOPPING
    assert (desk.record.status, desk.record.stop_reason) == (RunStatus.STOPPING, "no money")
    assert desk.executions.by_arn[execution("orchestrator")] == Execution(
        status="ABORTED", error="RunStopped", cause="no money"
    )
    assert Failure.parse(desk.cleanups[EXECUTION]["failure"]) == Failure(error="RunStopped", cause="no money")


def test_stopping_twice_is_stopping_once() -> None:
    desk = Desk()
    desk.stop(RUN, reason="first")
    assert desk.stop(RUN, reason="second") is Stopping.ALREADY_STOPPING
    assert desk.record.stop_reason == "first"
    assert list(desk.cleanups) == [EXECUTION]


def test_a_stop_that_died_after_its_note_is_carried_out_by_the_next_tick() -> None:
    desk = Desk(RunStatus.STOPPING, changes={"stop_reason": "no money"})
    assert desk.watch() == {"being cleaned up": 1}
    assert desk.executions.by_arn[execution("orchestrator")].status == "ABORTED"
    assert Failure.parse(desk.cleanups[EXECUTION]["failure"]) == Failure(error="RunStopped", cause="no money")


def test_a_stop_that_died_after_its_note_is_carried_out_by_the_next_stop() -> None:
    desk = Desk(RunStatus.STOPPING, changes={"stop_reason": "no money"})
    assert desk.stop(RUN, reason="again") is Stopping.ALREADY_STOPPING
    assert list(desk.cleanups) == [EXECUTION]


def test_a_run_that_cleans_up_is_not_disturbed() -> None:
    desk = Desk(RunStatus.ENDING)
    assert desk.stop(RUN, reason="late") is Stopping.ALREADY_ENDING
    assert desk.executions.by_arn[execution("orchestrator")] == RUNNING
    assert desk.cleanups == {}


def test_a_run_whose_clean_up_was_lost_gets_another_by_a_stop() -> None:
    desk = Desk(RunStatus.ENDING, Execution(status="ABORTED"))
    desk.end("ABORTED")
    assert desk.stop(RUN, reason="late") is Stopping.ALREADY_ENDING
    assert list(desk.cleanups) == [f"{EXECUTION}-cleanup-2"]


def test_an_unknown_run_cannot_be_stopped() -> None:
    with pytest.raises(InvalidInput, match="run 'run-2' is not known to this stack"):
        Desk().stop("run-2", reason="")


@pytest.mark.parametrize("status", [status for status in RunStatus if status.ended])
def test_a_run_that_has_ended_cannot_be_stopped(status: RunStatus) -> None:
    desk = Desk(status, Execution(status="SUCCEEDED"), {"ended_at": "2025-03-01T13:00:00.000Z"})
    with pytest.raises(NotPossible, match=f"ended 2025-03-01T13:00:00.000Z as {status}: there is nothing to stop"):
        desk.stop(RUN, reason="")


@pytest.mark.parametrize("resumed", [False, True])
def test_a_run_that_just_begins_says_so(resumed: bool) -> None:
    desk = Desk(RunStatus.STOPPED, None)
    name = f"{RUN}-{2 if resumed else 1}"
    if not resumed:
        desk.records.by_run.clear()
    desk.executions.by_arn[execution("orchestrator", name)] = RUNNING
    with pytest.raises(NotPossible, match=f"is being started as {name} and has no record of it yet: try again"):
        desk.stop(RUN, reason="")


def test_a_run_that_ends_while_it_is_stopped_has_ended() -> None:
    desk = Desk()
    stop = desk.records.stop

    def ended_meanwhile(run: str, *, execution_name: str, reason: str) -> bool:
        desk.records.finish(RUN, execution_name=EXECUTION, outcome=RunStatus.COMPLETED, ended_at="x")
        return stop(run, execution_name=execution_name, reason=reason)

    desk.records.stop = ended_meanwhile  # type: ignore[method-assign]
    with pytest.raises(NotPossible, match="has ended at this moment, by itself"):
        desk.stop(RUN, reason="")
    assert desk.cleanups == {}


# --- closed


@pytest.mark.parametrize("status", STATUSES_UNDER_WAY)
def test_a_run_that_came_to_its_end_is_closed_at_once(status: RunStatus) -> None:
    desk = Desk(status)
    closing = desk.look(None)
    assert (closing.found, closing.quiet, closing.failure) == (Ownership.OURS, True, None)
    assert desk.record.status is RunStatus.ENDING


def test_a_run_of_another_execution_is_left_alone() -> None:
    desk = Desk()
    before = desk.record
    closing = desk.close(RUN, execution_name="run-1-2", failure=FAILED, memory=None)
    assert closing.found is Ownership.FOREIGN
    assert desk.record == before


def test_a_run_that_was_never_registered_is_nobodys() -> None:
    assert Desk().close("run-2", execution_name="run-2-1", failure=FAILED, memory=None).found is Ownership.FOREIGN


@pytest.mark.parametrize("status", [status for status in RunStatus if status.ended])
def test_a_run_that_is_cleaned_up_is_not_cleaned_up_again(status: RunStatus) -> None:
    desk = Desk(status)
    before = desk.record
    assert desk.look(FAILED).found is Ownership.ENDED
    assert desk.record == before


def test_what_the_run_has_started_is_ended() -> None:
    desk = Desk()
    for name in ("stopping", "inventory", "initiate"):
        desk.executions.by_arn[execution(name)] = RUNNING
    other = execution("initiate", "run-2-1")
    desk.executions.by_arn[other] = RUNNING
    desk.jobs.running = [RUN, "run-2"]
    desk.look(FAILED)
    for name in ("stopping", "inventory", "initiate"):
        assert desk.executions.by_arn[execution(name)] == Execution(
            status="ABORTED", error=FAILED.error, cause=FAILED.cause
        )
    assert desk.executions.by_arn[other] == RUNNING
    assert desk.jobs.running == ["run-2"]


def test_the_run_is_quiet_when_nothing_of_it_works_and_its_counters_rest() -> None:
    desk = Desk()
    desk.executions.by_arn[execution("initiate")] = RUNNING
    closing = desk.look(FAILED)
    looks = 1
    while not closing.quiet:
        if looks == 3:
            desk.counters.add(RUN, Tally(archives={Metric.DOWNLOADED: 1}))
        closing = desk.look(FAILED, closing.memory)
        looks += 1
    assert looks == 4 + QUIET_LOOKS


def test_a_run_that_never_rests_is_reported_in_the_end() -> None:
    desk = Desk()
    closing = desk.look(FAILED)
    looks = 1
    while not closing.quiet:
        desk.counters.add(RUN, Tally(archives={Metric.DOWNLOADED: 1}))
        closing = desk.look(FAILED, closing.memory)
        looks += 1
    assert looks == MOST_LOOKS


def test_what_fails_because_it_was_stopped_was_stopped() -> None:
    desk = Desk(RunStatus.STOPPING, changes={"stop_reason": "no money"})
    assert desk.look(FAILED).failure == Failure(error="RunStopped", cause="no money")


def test_a_clean_up_that_takes_the_place_of_a_lost_one_keeps_its_reason() -> None:
    desk = Desk()
    desk.look(None)
    closing = desk.look(FAILED)
    assert (closing.failure, closing.quiet) == (None, True)
    desk = Desk()
    desk.look(FAILED)
    assert desk.look(Failure(error="RunStopped", cause="by hand")).failure == FAILED
