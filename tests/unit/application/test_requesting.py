"""Asking Glacier: records first, nothing twice, nothing swallowed, never above the rate."""

from __future__ import annotations

from datetime import timedelta

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.use_cases.backoff import TokenBucket
from solution.application.use_cases.extend_windows import Extended
from solution.application.use_cases.request_archives import Requested
from solution.domain.errors import InvalidInput, Throttled
from solution.domain.status import ArchiveStatus
from tests import builders
from tests.builders import archive, archive_id
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
