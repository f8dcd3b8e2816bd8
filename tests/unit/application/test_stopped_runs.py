"""After a stop nothing goes on: whatever was on its way when the run ended changes nothing of what its report has said.

The stop comes at any moment, in the midst of any function; then all that was left behind is delivered, by all the
ways there are. A resume transfers what is missing, and asks for nothing else.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.records import InMemoryRunFacts
from solution.application.ports.clock import Deadline
from solution.application.ports.records import RunFacts
from solution.application.use_cases.close_archives import CloseArchives
from solution.application.use_cases.extend_windows import Extended
from solution.application.use_cases.follow_up_retrievals import FollowedUp
from solution.application.use_cases.standing import LEASE, Standing
from solution.contract.tables import RunStatus
from solution.domain.chunk_plan import MIB
from solution.domain.errors import NotPossible
from solution.domain.status import UNFINISHED, ArchiveStatus, Metric, milestones
from tests import builders
from tests.unit.application.world import Report, ScanOfRecords, StopsInRecords, World

CONTENTS = {
    **{f"small {number}": builders.content(1 + 300 * number, number) for number in range(5)},
    "two chunks": builders.content(MIB + 1, 20),
    "three chunks": builders.content(3 * MIB, 21),
}
NOT_RUNNING = [status for status in RunStatus if status is not RunStatus.RUNNING]
LONG_PAUSES_NOT_HERE = frozenset({"request_archive", "create_upload", "register_upload", "facts"})
"""Between a look at the run and these calls lies no time; a clean-up takes longer than that (`CloseRun`)."""


def quietly(function: Callable[[], object]) -> None:
    """Call a function that may refuse."""
    with contextlib.suppress(NotPossible):
        function()


def deliver_one(world: World, choice: random.Random) -> None:
    """Deliver any message."""
    queues = [queue for queue in (world.notifications, world.chunks, world.validations) if queue.fill()]
    if queues:
        queue = choice.choice(queues)
        world.deliver(queue, choice.randrange(len(queue.messages)), twice=choice.random() < 0.3)


def something_happens(world: World, choice: random.Random) -> None:
    """What may happen to a run at any time, stopped or not."""
    choice.choice(
        [
            world.finish_jobs,
            lambda: quietly(lambda: world.ask(*choice.sample(sorted(CONTENTS), 3))),
            lambda: deliver_one(world, choice),
            lambda: deliver_one(world, choice),
            lambda: deliver_one(world, choice),
            lambda: deliver_one(world, choice),
            lambda: deliver_one(world, choice),
            world.stream,
            world.bury_dead,
            lambda: world.clock.advance(choice.choice([1, 20]) * 3600),
            world.extend,
            world.follow_up,
        ]
    )()


def everything_left_behind_comes(world: World, choice: random.Random) -> None:
    """All jobs end, every message is delivered, in any order, and every rule ticks, for two days."""
    for _ in range(2):
        for hours in (0, 1, 20, 20, 20):
            world.clock.advance(hours * 3600)
            quietly(world.ask)
            world.extend()
            world.follow_up()
            world.finish_jobs()
            while any(queue.fill() for queue in (world.notifications, world.chunks, world.validations)):
                deliver_one(world, choice)
            world.bury_dead()
            world.stream()


def check_report(world: World, report: Report) -> None:
    """The report is the truth, and the counters are what the records say."""
    assert not [name for name, status in report.statuses.items() if status in UNFINISHED]
    for record in world.records.records.values():
        name = record.archive.file_name.removesuffix(".bin")
        if record.status is ArchiveStatus.DOWNLOADED:
            assert world.copied(name) == CONTENTS[name]
        else:
            assert record.failure
    counted = {
        metric: sum(metric in milestones(status) for status in report.statuses.values())
        for metric in (Metric.REQUESTED, Metric.STAGED, Metric.DOWNLOADED, Metric.FAILED)
    }
    assert {metric: report.counters[metric] for metric in counted} == counted


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    choice=st.randoms(use_true_random=False),
    before=st.integers(0, 30),
    at=st.integers(1, 14),
    after=st.booleans(),
    whole_end=st.booleans(),
)
@pytest.mark.holds(2)
def test_what_the_report_says_stays_true_and_a_resume_transfers_what_is_missing(
    choice: random.Random, before: int, at: int, after: bool, whole_end: bool
) -> None:
    world = World(dict(CONTENTS))
    quietly(world.ask)
    for _ in range(before):
        something_happens(world, choice)
    reports: list[Report] = []
    if whole_end:  # a copy may take longer than the clean-up
        end = lambda: reports.append(world.end())  # noqa: E731
        world.fuse.arm(at, after=after, meanwhile=end, spared=LONG_PAUSES_NOT_HERE)
    else:
        world.fuse.arm(at, after=after, meanwhile=world.mark)
    for _ in range(3):
        if not world.fuse.blown:
            something_happens(world, choice) if not whole_end else deliver_one(world, choice)
    world.fuse.at = None
    if not reports:
        world.mark()
        reports.append(world.end())
    [report] = reports
    check_report(world, report)
    everything_left_behind_comes(world, choice)
    assert world.report() == report
    assert world.objects.uploads == {}

    world.resume()
    downloaded = {name for name, status in report.statuses.items() if status is ArchiveStatus.DOWNLOADED}
    world.clock.advance(25 * 3600)
    assert world.ask() is not None
    missing = {archive.archive_id for archive in world.archives.values() if archive.file_name not in downloaded}
    assert sorted(world.glacier.asked[len(report.asked) :]) == sorted(missing)
    world.drain()
    world.look()
    world.assert_what_must_always_hold()
    assert {world.status(name) for name in CONTENTS} == {ArchiveStatus.DOWNLOADED}


@pytest.mark.parametrize("status", NOT_RUNNING)
def test_a_run_that_ends_asks_for_nothing_and_claims_nothing(status: RunStatus) -> None:
    world = World(dict(CONTENTS))
    world.mark(status)
    with pytest.raises(NotPossible, match=f"run '{builders.RUN}' is {status}: nothing is asked for"):
        world.ask()
    assert world.glacier.asked == []
    assert world.records.records == {}


def test_a_batch_that_is_being_asked_for_ends_soon_after_the_run_does() -> None:
    world = World({f"archive {number}": b"x" * 10 for number in range(100)})
    world.request._asker._bucket._interval = 1.0
    at_the_mark: list[int] = []

    def mark() -> None:
        at_the_mark.append(len(world.glacier.asked))
        world.mark()

    world.fuse.arm(20, after=True, meanwhile=mark, spared=frozenset({"facts"}))
    with pytest.raises(NotPossible, match="is STOPPING"):
        world.ask()
    assert 5 < at_the_mark[0] <= len(world.glacier.asked) <= at_the_mark[0] + LEASE.total_seconds() + 1


def test_windows_and_silences_of_a_run_that_ends_are_let_go() -> None:
    world = World(dict(CONTENTS))
    world.ask()
    world.clock.advance(20 * 3600)
    world.finish_jobs()
    for _ in range(3):
        world.deliver(world.notifications)
    world.clock.advance(20 * 3600)
    world.mark()
    asked = len(world.glacier.asked)
    assert world.extend() == Extended(extended=0, requested_again=0)
    assert world.follow_up() == FollowedUp(announced=0, under_way=0, renewed=0)
    assert len(world.glacier.asked) == asked


def test_chunks_of_a_run_that_ends_are_dropped() -> None:
    world = World(dict(CONTENTS))
    world.ask()
    world.finish_jobs()
    while world.notifications.fill():
        world.deliver(world.notifications)
    assert len(world.objects.uploads) == 2
    world.mark()
    world.clock.advance(LEASE.total_seconds())
    while world.chunks.fill():
        world.deliver(world.chunks)
    assert world.objects.objects == {}
    assert not world.dead


def test_no_upload_is_opened_for_a_run_that_ends() -> None:
    world = World(dict(CONTENTS))
    world.ask()
    world.finish_jobs()
    world.mark()
    world.clock.advance(LEASE.total_seconds())
    while world.notifications.fill():
        world.deliver(world.notifications)
    assert world.objects.uploads == {}
    assert not world.dead


def test_an_upload_that_is_opened_while_its_archive_is_stopped_is_aborted() -> None:
    world = World({"two chunks": CONTENTS["two chunks"]})
    world.ask()
    world.finish_jobs()

    def create_then_end(*args: object, **kwargs: object) -> str:
        made = create(*args, **kwargs)  # type: ignore[arg-type]
        world.records._set(
            builders.RUN, builders.archive_id("two chunks"), UNFINISHED, {"status": ArchiveStatus.STOPPED}
        )
        return made

    create = world.objects.create_upload
    world.objects.create_upload = create_then_end  # type: ignore[method-assign]
    world.deliver(world.notifications)
    assert world.objects.uploads == {}
    assert world.chunks.fill() == []


def test_archives_are_not_closed_while_their_run_goes_on() -> None:
    world = World(dict(CONTENTS))
    world.ask()
    close = CloseArchives(scan=ScanOfRecords(world.records), stops=StopsInRecords(world.records), runs=world.runs)
    with pytest.raises(NotPossible, match="is RUNNING: its archives are stopped when it is cleaned up"):
        close(run=builders.RUN, segment=0, total_segments=1, start=None, deadline=Deadline.after(world.clock, 60))
    assert {world.status(name) for name in CONTENTS} == {ArchiveStatus.REQUESTED}


# --- what a process knows of a run


def test_one_look_at_a_run_serves_for_a_while_and_no_longer() -> None:
    clock, facts = ManualClock(), InMemoryRunFacts()
    standing = Standing(runs=facts, clock=clock)
    assert standing.over("run-1") is None  # a run without a record is nobody's to end
    facts.by_run["run-1"] = RunFacts(run="run-1", execution_name="run-1-2", attempt=2, status=RunStatus.STOPPING)
    assert standing.over("run-1") is None
    assert "is STOPPING" in (standing.over("run-1", afresh=True) or "")
    facts.by_run["run-1"] = RunFacts(run="run-1", execution_name="run-1-2", attempt=2)
    clock.advance(LEASE.total_seconds())
    assert standing.goes_on("run-1", attempt=2)
    assert standing.over("run-1", attempt=1) == "attempt 1 of run 'run-1' is over: attempt 2 has taken over"


def test_that_a_run_is_over_is_never_believed_from_an_old_look() -> None:
    """A process that has just dropped messages of a stopped run must not drop those of its resume."""
    facts = InMemoryRunFacts(RunFacts(run="run-1", execution_name="run-1-1", attempt=1, status=RunStatus.STOPPED))
    standing = Standing(runs=facts, clock=ManualClock())
    assert not standing.goes_on("run-1", attempt=1)
    facts.by_run["run-1"] = RunFacts(run="run-1", execution_name="run-1-2", attempt=2)
    assert standing.goes_on("run-1", attempt=2)
    assert standing.goes_on("run-1")
    assert not standing.goes_on("run-1", attempt=1)


def test_what_is_known_of_many_runs_stays_small() -> None:
    standing = Standing(runs=InMemoryRunFacts(), clock=ManualClock())
    for number in range(1000):
        assert standing.goes_on(f"run-{number}")
    assert len(standing._known) <= 100
