"""Asking Glacier: records first, nothing twice, nothing swallowed, never above the rate."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.glacier import InMemoryGlacier
from solution.application.use_cases.asking import JobAsker
from solution.application.use_cases.backoff import FullJitter, TokenBucket
from solution.application.use_cases.extend_windows import Extended
from solution.application.use_cases.request_archives import Requested
from solution.domain.archive import Tier
from solution.domain.costs import Asked
from solution.domain.errors import InvalidInput, QuotaUsed, Throttled, TransientError
from solution.domain.status import ArchiveStatus
from tests import builders
from tests.builders import RUN, archive, archive_id, content
from tests.unit.application.world import World

HOUR = 3600


def many(count: int) -> dict[str, bytes]:
    """Contents of so many archives."""
    return {f"archive {number}": b"x" for number in range(count)}


def test_the_record_is_written_before_the_job_is_asked_for() -> None:
    world = World(many(1))
    world.fuse.arm(6, after=False)  # load, create, is the attempt over, two for the ledger, and then the job
    assert world.ask() is None
    assert world.status("archive 0") is ArchiveStatus.REQUESTING
    assert world.glacier.asked == []


def test_a_retried_batch_asks_only_for_what_was_not_asked() -> None:
    world = World(many(60))
    world.fuse.arm(40, after=False)
    assert world.ask() is None
    recorded = {one.archive_id for one in world.records.records.values() if one.job_id is not None}
    assert 0 < len(recorded) < 60
    world.ask()
    assert {one for one in recorded if world.glacier.asked.count(one) > 1} == set()
    assert {record.status for record in world.records.records.values()} == {ArchiveStatus.REQUESTED}


def test_a_retried_batch_does_not_ask_again_for_what_has_failed_since() -> None:
    world = World(many(3), budget=2)
    with pytest.raises(QuotaUsed):
        world.ask()
    world.records.fail(RUN, archive_id("archive 0"), reason="its key is taken")
    world.clock.advance(25 * HOUR)
    assert world.ask() == Requested(requested=1, failed=0, already=2)
    assert world.status("archive 0") is ArchiveStatus.FAILED
    assert len(world.glacier.asked) == 3
    world.resume()
    world.clock.advance(25 * HOUR)
    world.ask("archive 0")
    assert world.status("archive 0") is ArchiveStatus.REQUESTED


def test_an_archive_that_is_listed_twice_is_asked_for_once() -> None:
    world = World(many(1))
    assert world.ask("archive 0", "archive 0") == Requested(requested=1, failed=0, already=0)
    assert len(world.glacier.asked) == 1


def test_an_archive_that_glacier_refuses_is_failed_with_glaciers_reason() -> None:
    world = World(many(2))
    del world.glacier.archives[archive_id("archive 1")]
    assert world.ask() == Requested(requested=1, failed=1, already=0)
    failed = world.record("archive 1")
    assert failed.status is ArchiveStatus.FAILED
    assert failed.failure is not None
    assert "The archive ID was not found" in failed.failure


@pytest.mark.parametrize("size", [0, 5 * 1024**4 + 1])
def test_an_archive_that_s3_cannot_hold_is_failed_and_not_asked_for(size: int) -> None:
    world = World(many(1))
    world.archives["archive 0"] = archive("archive 0", size=size)
    assert world.ask() == Requested(requested=0, failed=1, already=0)
    assert "largest S3 object" in (world.record("archive 0").failure or "")
    assert world.glacier.asked == []


def test_throttling_is_waited_out() -> None:
    world = World(many(3))
    world.glacier.throttle_next = 5
    assert world.ask() == Requested(requested=3, failed=0, already=0)


def test_throttling_beyond_the_time_left_is_raised_after_the_outcomes_are_written() -> None:
    world = World(many(5))
    assert world.ask("archive 0") is not None
    world.glacier.throttle_next = 10**6
    with pytest.raises(Throttled, match="no time left"):
        world.ask()
    assert world.status("archive 0") is ArchiveStatus.REQUESTED
    assert world.status("archive 1") is ArchiveStatus.REQUESTING
    world.glacier.throttle_next = 0
    assert world.ask() == Requested(requested=4, failed=0, already=1)


def test_throttling_for_minutes_is_waited_out_within_one_invocation_and_without_hammering() -> None:
    world = World(many(100))
    world.glacier.throttle_until = world.clock.now() + timedelta(minutes=4)
    refused: list[float] = []
    tell = world.glacier._throttle

    def throttle() -> None:
        try:
            tell()
        except Throttled:
            refused.append(world.clock.monotonic())
            raise

    world.glacier._throttle = throttle  # type: ignore[method-assign]
    assert world.ask() == Requested(requested=100, failed=0, already=0)
    assert sorted(world.glacier.asked) == sorted(record.archive_id for record in world.records.records.values())
    assert len(refused) < 60
    waits = [round(later - earlier, 1) for earlier, later in pairwise(refused)]
    assert len(set(waits)) > len(waits) / 2, "waits are drawn at random"
    assert max(waits) <= 20.1


@pytest.mark.parametrize("lost", [0, 3])
def test_throttling_for_an_hour_is_waited_out_by_asking_again_only_for_what_was_not_asked(lost: int) -> None:
    world = World(many(100))
    world.ask(*sorted(world.archives)[:10])
    world.glacier.throttle_until = world.clock.now() + timedelta(hours=1)
    world.glacier.lose_answers_next = lost
    invocations = 0
    while True:
        invocations += 1
        begun = world.clock.monotonic()
        try:
            assert world.ask() == Requested(requested=90, failed=0, already=10)
            break
        except Throttled:
            world.clock.advance(60)  # as the state machine does
        assert world.clock.monotonic() - begun <= 300 + 60 + 1
    assert 5 < invocations <= 1 + 12, "the state machine gives up after twelve retries"
    assert len(world.glacier.asked) == 100 + lost
    assert world.ledger.page.ledger.size == 100 + lost, "nothing stays entered for what Glacier did not hear"


def test_what_glacier_may_have_heard_is_not_given_back_to_the_budget() -> None:
    world = World(many(5))
    world.glacier.lose_answers_next = 1
    answers = world.glacier.request_archive

    def request(**arguments: Any) -> str:
        try:
            return answers(**arguments)
        except TransientError:
            world.glacier.throttle_until = world.clock.now() + timedelta(hours=1)
            raise

    world.glacier.request_archive = request  # type: ignore[method-assign]
    with pytest.raises(Throttled):
        world.ask()
    assert len(world.glacier.asked) == 1
    assert world.ledger.page.ledger.size == 1 + 1  # it was entered once more, to be asked for again


def test_what_cannot_be_given_back_at_once_stays_entered() -> None:
    world = World(many(5))
    world.glacier.throttle_until = world.clock.now() + timedelta(hours=1)
    write, writes = world.ledger.replace, []

    def replace(*arguments: Any, **more: Any) -> bool:
        writes.append(more)
        return write(*arguments, **more) and len(writes) == 1  # the second is made, and its answer lost

    world.ledger.replace = replace  # type: ignore[method-assign]
    with pytest.raises(Throttled):
        world.ask()
    assert len(writes) == 2


def test_jobs_are_never_asked_for_above_the_rate() -> None:
    world = World(many(51))
    world.ask()
    assert world.clock.monotonic() == pytest.approx(0.5)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lets nothing through"):
        TokenBucket(ManualClock(), 0)


def staged_world() -> World:
    """One archive, staged, its chunk not yet copied."""
    world = World(many(1))
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    return world


def test_a_window_with_time_left_is_left_alone() -> None:
    world = staged_world()
    world.clock.advance(18 * HOUR)
    assert world.extend() == Extended(extended=0, requested_again=0)


def test_a_window_about_to_close_is_extended_once_however_often_the_rule_ticks() -> None:
    world = staged_world()
    world.clock.advance(20 * HOUR)
    assert world.extend() == Extended(extended=1, requested_again=0)
    assert world.extend() == Extended(extended=0, requested_again=0)
    world.finish_jobs()
    world.deliver(world.notifications)
    end = world.record("archive 0").window_end
    assert end is not None
    assert end > world.clock.now() + timedelta(hours=23)
    world.clock.advance(10 * HOUR)
    world.drain()
    assert world.status("archive 0") is ArchiveStatus.DOWNLOADED


def test_an_extension_that_never_came_is_asked_for_again() -> None:
    world = staged_world()
    world.clock.advance(23 * HOUR)
    world.extend()
    world.clock.advance(16 * HOUR)
    assert world.extend() == Extended(extended=0, requested_again=1)
    assert world.status("archive 0") is ArchiveStatus.REQUESTED


def test_a_closed_window_is_a_new_retrieval() -> None:
    world = staged_world()
    world.clock.advance(25 * HOUR)
    assert world.extend() == Extended(extended=0, requested_again=1)
    world.drain()
    assert world.status("archive 0") is ArchiveStatus.DOWNLOADED


def test_an_archive_deleted_meanwhile_fails_when_its_window_has_closed() -> None:
    world = staged_world()
    world.clock.advance(25 * HOUR)
    world.glacier.archives.clear()
    assert world.extend() == Extended(extended=0, requested_again=0)
    assert world.status("archive 0") is ArchiveStatus.FAILED


@pytest.mark.holds(7)
def test_a_record_left_by_another_run_is_none_of_ours() -> None:
    world = World(many(1))
    world.records.create([builders.record(world.archives["archive 0"], run="run-2")])
    assert world.ask() == Requested(requested=1, failed=0, already=0)


class Meeting(InMemoryGlacier):
    """Answers nobody before two dozen ask at the same time."""

    def __init__(self, clock: ManualClock, archives: dict[str, bytes]) -> None:
        super().__init__(clock, archives)
        self._meet = threading.Barrier(24, timeout=30)

    def request_archive(self, *, vault: str, archive_id: str, tier: Tier, run: str) -> str:
        self._meet.wait()
        return super().request_archive(vault=vault, archive_id=archive_id, tier=tier, run=run)


def test_two_dozen_archives_of_a_batch_are_asked_for_at_the_same_time() -> None:
    world = World(many(96))
    world.glacier = Meeting(world.clock, world.glacier.archives)
    world.request._asker = JobAsker(
        glacier=world.glacier,
        clock=world.clock,
        bucket=TokenBucket(world.clock, 100),
        jitter=FullJitter(seed=1),
    )
    assert world.ask() == Requested(requested=96, failed=0, already=0)
    assert sorted(world.glacier.asked) == sorted(record.archive_id for record in world.records.records.values())


def test_what_was_asked_for_is_counted_for_the_cost_each_attempt_anew() -> None:
    world = World({"a": content(10), "b": content(30)})
    world.glacier.throttle_next = 1
    world.ask()
    world.ask()
    assert world.expenses.read(RUN) == {Tier.BULK: Asked(requests=2, size=40)}
    world.resume()
    world.ask("a")
    assert world.expenses.read(RUN) == {Tier.BULK: Asked(requests=3, size=50)}


def test_an_extension_is_a_request_that_retrieves_nothing_and_a_refusal_is_none() -> None:
    world = World({"a": content(10), "b": content(30)})
    del world.glacier.archives[archive_id("b")]
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.clock.advance(20 * 3600)
    assert world.extend().extended == 1
    assert world.expenses.read(RUN) == {Tier.BULK: Asked(requests=2, size=10)}


def test_a_cost_that_cannot_be_noted_costs_no_archive() -> None:
    world = World({"a": content(10)})
    world.expenses.by_run = None  # type: ignore[assignment]
    assert world.ask() is not None
    assert world.status("a") is ArchiveStatus.REQUESTED
