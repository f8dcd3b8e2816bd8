"""Exactly once: whatever comes twice, late, out of order or half way, the result is the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solution.domain.chunk_plan import MIB
from solution.domain.status import ArchiveStatus
from tests import builders
from tests.unit.application.world import MAX_RECEIVES, World

KIB = 1024
SMALL = builders.content(3 * KIB, 1)
LARGE = builders.content(2 * MIB + 5, 2)


def test_a_run_without_trouble_ends_with_every_byte_copied() -> None:
    world = World({"small": SMALL, "large": LARGE, "byte": b"x"})
    world.ask()
    world.drain()
    assert {world.status(name) for name in world.contents} == {ArchiveStatus.DOWNLOADED}
    world.assert_what_must_always_hold()


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.holds(3)
def test_every_step_may_die_at_any_call_and_the_result_is_the_same(after: bool) -> None:
    at = 1
    while True:
        world = World({"small": SMALL, "large": LARGE})
        world.fuse.arm(at, after=after)
        while world.ask() is None:
            world.fuse.at = None
        world.drain()
        if not world.fuse.blown:
            break
        assert {world.status(name) for name in world.contents} == {ArchiveStatus.DOWNLOADED}, f"died at call {at}"
        world.assert_what_must_always_hold()
        at += 1
    assert at > 30, "the whole transfer was to be cut at each call"


@pytest.mark.holds(3)
def test_each_message_may_come_twice() -> None:
    world = World({"small": SMALL, "large": LARGE})
    world.ask()
    world.ask()
    world.finish_jobs()
    for queue in (world.notifications, world.chunks, world.validations):
        for position in range(len(queue.fill())):
            world.deliver(queue, position, twice=True)
    world.drain()
    assert {world.status(name) for name in world.contents} == {ArchiveStatus.DOWNLOADED}
    assert len(world.objects.objects) == len(world.contents)
    world.assert_what_must_always_hold()


class Chaos:
    """Random trouble, from a seed."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)

    def act(self) -> None:
        """Do one thing."""
        rng, world = self.rng, self.world
        if rng.random() < 0.3:
            world.fuse.arm(rng.randint(1, 6), after=rng.random() < 0.5)
        queues = [queue for queue in (world.notifications, world.chunks, world.validations) if queue.fill()]
        choice = rng.random()
        if choice < 0.1:
            world.ask()
        elif choice < 0.2:
            world.finish_jobs()
        elif choice < 0.25:
            world.glacier.cut_next += 1
        elif choice < 0.3:
            world.glacier.corrupt_next += 1
        elif choice < 0.32:
            world.clock.advance(25 * 3600)
        elif choice < 0.4:
            world.stream(rng)
        elif choice < 0.45:
            world.bury_dead()
        elif choice < 0.5 and world.glacier.jobs:
            job = rng.choice(list(world.glacier.jobs))
            if world.glacier.jobs[job].completed is not None:
                world.notifications.source.bodies.append(world.glacier.finish(job))
        elif queues:
            queue = rng.choice(queues)
            world.deliver(queue, rng.randrange(len(queue.messages)), twice=rng.random() < 0.2)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 80))
@pytest.mark.holds(3)
def test_any_interleaving_of_trouble_ends_known_and_a_resume_copies_the_rest(seed: int, steps: int) -> None:
    world = World({"small": SMALL, "large": LARGE})
    chaos = Chaos(world, seed)
    for _ in range(steps):
        chaos.act()
    world.fuse.at = None
    world.glacier.cut_next = world.glacier.corrupt_next = 0
    world.ask()
    world.drain()
    world.assert_what_must_always_hold()
    world.resume()
    world.ask()
    world.drain()
    world.look()  # where nothing was left to copy, no change releases the run
    assert {world.status(name) for name in world.contents} == {ArchiveStatus.DOWNLOADED}
    world.assert_what_must_always_hold()


@pytest.mark.holds(1)
def test_nothing_is_reported_downloaded_that_is_not_in_the_bucket_byte_for_byte() -> None:
    world = World({"small": SMALL, "large": LARGE})
    world.glacier.corrupt_next = 3
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.deliver(world.notifications)
    for _ in range(3):
        world.deliver(world.chunks)
        assert not world.objects.objects
    world.drain()
    world.assert_what_must_always_hold()


@pytest.mark.holds(2)
def test_a_chunk_that_is_wrong_each_time_ends_as_a_failed_archive_with_the_reason() -> None:
    world = World({"small": SMALL})
    world.glacier.corrupt_next = MAX_RECEIVES
    world.ask()
    world.drain()
    record = world.record("small")
    assert record.status is ArchiveStatus.FAILED
    assert record.failure is not None
    assert record.failure.startswith("gave up after 5 attempts: ChecksumMismatch: tree hash of the 3072 bytes")
    assert not world.objects.objects
    world.assert_what_must_always_hold()


def test_an_archive_whose_window_closed_is_asked_for_again_and_copied() -> None:
    world = World({"small": SMALL, "large": LARGE})
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.deliver(world.notifications)
    world.clock.advance(25 * 3600)
    world.drain()
    assert {world.status(name) for name in world.contents} == {ArchiveStatus.DOWNLOADED}
    assert len(world.glacier.asked) == 4
    world.assert_what_must_always_hold()


def test_parts_that_are_stored_are_not_read_again_after_the_window_closed() -> None:
    world = World({"large": LARGE})
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.deliver(world.chunks)
    world.clock.advance(25 * 3600)
    world.deliver(world.chunks)
    world.chunks.messages.clear()
    world.extend()
    world.finish_jobs()
    world.deliver(world.notifications)
    assert len(world.chunks.fill()) == 2
    world.drain()
    world.assert_what_must_always_hold()


@pytest.mark.holds(2)
def test_a_resume_asks_again_for_what_failed_and_leaves_the_rest_alone() -> None:
    world = World({"small": SMALL, "large": LARGE})
    world.ask("small")
    world.drain()
    world.records.create([builders.record(world.archives["large"])])
    world.records.fail(builders.RUN, builders.archive_id("large"), reason="the network was down")
    requested: Any = world.ask()
    assert (requested.requested, requested.already) == (1, 1)
    world.drain()
    assert world.record("large").failure is None
    world.assert_what_must_always_hold()
