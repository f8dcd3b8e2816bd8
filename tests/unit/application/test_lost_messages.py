"""Messages that never come: a run finds out by itself, and asks."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from solution.application.use_cases.follow_up_retrievals import FollowedUp
from solution.domain.chunk_plan import MIB
from solution.domain.errors import QuotaUsed, Throttled
from solution.domain.status import ArchiveStatus
from tests import builders
from tests.unit.application.world import Crash, Queue, World

SMALL = builders.content(2000, 7)
LARGE = builders.content(2 * MIB + 5, 8)
HOUR = 3600


def silent(**contents: bytes) -> World:
    """A world in which all retrievals have ended and no notification has come."""
    world = World(contents)
    world.ask()
    world.finish_jobs()
    world.lose(world.notifications)
    return world


@pytest.mark.holds(2)
def test_with_every_notification_lost_a_run_still_ends_with_everything_copied() -> None:
    world = silent(small=SMALL, large=LARGE)
    world.tick_on()
    world.assert_what_must_always_hold()
    assert world.copied("small") == SMALL
    assert world.copied("large") == LARGE
    assert len(world.glacier.asked) == 2


def test_glacier_is_not_asked_before_a_retrieval_is_overdue() -> None:
    world = silent(small=SMALL)
    world.clock.advance(18 * HOUR)
    assert world.follow_up() == FollowedUp(announced=0, under_way=0, renewed=0)
    world.clock.advance(1)
    assert world.follow_up() == FollowedUp(announced=1, under_way=0, renewed=0)


def test_what_was_announced_once_is_not_announced_at_the_next_tick() -> None:
    world = silent(small=SMALL)
    world.clock.advance(19 * HOUR)
    world.follow_up()
    world.clock.advance(HOUR)
    assert world.follow_up() == FollowedUp(announced=0, under_way=0, renewed=0)


def test_an_announcement_that_is_lost_as_well_is_repeated_or_the_archive_asked_for_anew() -> None:
    world = silent(small=SMALL)
    for _ in range(3):
        world.clock.advance(19 * HOUR)
        world.follow_up()
        world.lose(world.notifications)
    assert world.status("small") is ArchiveStatus.REQUESTED
    world.tick_on()
    world.assert_what_must_always_hold()


def test_a_retrieval_under_way_is_left_alone_for_as_long_again() -> None:
    world = World({"small": SMALL})
    world.ask()
    world.clock.advance(19 * HOUR)
    assert world.follow_up() == FollowedUp(announced=0, under_way=1, renewed=0)
    world.clock.advance(17 * HOUR)
    assert world.follow_up() == FollowedUp(announced=0, under_way=0, renewed=0)
    world.clock.advance(2 * HOUR)
    assert world.follow_up() == FollowedUp(announced=0, under_way=1, renewed=0)
    assert len(world.glacier.asked) == 1


@pytest.mark.holds(6)
def test_a_notification_that_comes_after_all_changes_nothing() -> None:
    world = World({"small": SMALL, "large": LARGE})
    world.ask()
    world.finish_jobs()
    late = [message.body for message in world.notifications.fill()]
    world.lose(world.notifications)
    world.clock.advance(19 * HOUR)
    assert world.follow_up() == FollowedUp(announced=2, under_way=0, renewed=0)
    world.notifications.source.bodies += late
    world.drain()
    world.assert_what_must_always_hold()
    assert len(world.objects.objects) == 2


def test_a_failure_that_was_not_announced_is_recorded_with_glaciers_words() -> None:
    world = World({"small": SMALL})
    world.ask()
    world.finish_jobs(failure="the tape is torn")
    world.lose(world.notifications)
    world.tick_on()
    assert "the tape is torn" in (world.record("small").failure or "")
    world.assert_what_must_always_hold()


def test_an_archive_whose_job_is_forgotten_is_asked_for_anew_within_the_budget() -> None:
    world = World({"small": SMALL, "other": SMALL}, budget=len(SMALL))
    for name in ("small", "other"):
        world.ask(name)
        world.clock.advance(25 * HOUR)
    world.finish_jobs()
    world.lose(world.notifications)
    world.clock.advance(49 * HOUR)
    assert world.follow_up() == FollowedUp(announced=0, under_way=0, renewed=1)
    assert world.follow_up() == FollowedUp(announced=0, under_way=0, renewed=0)
    world.clock.advance(25 * HOUR)
    assert world.follow_up().renewed == 1
    world.tick_on()
    world.assert_what_must_always_hold()
    assert len(world.glacier.asked) == 4


def test_an_archive_deleted_while_nothing_was_heard_of_it_fails() -> None:
    world = silent(small=SMALL)
    world.clock.advance(25 * HOUR)
    world.glacier.archives.clear()
    assert world.follow_up() == FollowedUp(announced=0, under_way=0, renewed=0)
    assert "The archive ID was not found" in (world.record("small").failure or "")


def test_an_announcement_that_the_queue_does_not_take_is_made_at_the_next_tick() -> None:
    world = silent(small=SMALL)
    world.clock.advance(19 * HOUR)
    world.notifications.source.refuse_next = 1
    world.follow_up()
    world.drain()
    assert world.status("small") is ArchiveStatus.REQUESTED
    world.follow_up()
    world.drain()
    assert world.status("small") is ArchiveStatus.DOWNLOADED


@pytest.mark.parametrize("name", ["small", "large"])
def test_chunks_that_were_lost_are_sent_again_when_the_window_is_extended(name: str) -> None:
    world = World({name: {"small": SMALL, "large": LARGE}[name]})
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.lose(world.chunks)
    world.tick_on()
    world.assert_what_must_always_hold()
    assert world.status(name) is ArchiveStatus.DOWNLOADED
    assert len(world.glacier.asked) == 2


def test_of_a_large_archive_only_what_is_missing_is_sent_again() -> None:
    world = World({"large": LARGE})
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.deliver(world.chunks, 1)
    world.lose(world.chunks)
    world.clock.advance(20 * HOUR)
    world.extend()
    world.finish_jobs()
    world.deliver(world.notifications)
    assert len(world.chunks.fill()) == 2
    world.drain()
    world.assert_what_must_always_hold()


def test_a_validation_that_was_lost_is_asked_for_again() -> None:
    world = World({"large": LARGE})
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    for _ in range(3):
        world.deliver(world.chunks)
    world.lose(world.validations)
    world.tick_on()
    world.assert_what_must_always_hold()
    assert world.status("large") is ArchiveStatus.DOWNLOADED


def test_a_chunk_that_is_sent_again_though_it_was_copied_costs_one_read() -> None:
    world = World({"small": SMALL})
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.clock.advance(20 * HOUR)
    world.extend()
    world.finish_jobs()
    world.deliver(world.notifications)
    assert len(world.chunks.fill()) == 2
    world.deliver(world.chunks)
    before = world.fuse.calls
    world.deliver(world.chunks)
    assert world.fuse.calls - before == 1
    world.drain()
    world.assert_what_must_always_hold()


CONTENTS = {
    **{f"small {number}": builders.content(1 + 300 * number, number) for number in range(5)},
    "two chunks": builders.content(MIB + 1, 20),
    "three chunks": builders.content(3 * MIB, 21),
}


class LeftAlone(RuleBasedStateMachine):
    """Whatever is lost or dies, nobody but the rules does anything about it, and the run comes to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(dict(CONTENTS))
        self.world.ask()

    @rule()
    def finish_jobs(self) -> None:
        """Glacier is ready with what it was asked for."""
        self.world.finish_jobs()

    @rule(choice=st.randoms(use_true_random=False), messages=st.integers(1, 8), at=st.integers(1, 20))
    def deliver(self, choice: random.Random, messages: int, at: int) -> None:
        """Some messages are handled, in any order; a function may die at one of its calls."""
        self.world.fuse.arm(at, after=choice.random() < 0.5)
        for _ in range(messages):
            queues = [queue for queue in self._queues() if queue.fill()]
            if queues:
                queue = choice.choice(queues)
                self.world.deliver(queue, choice.randrange(len(queue.messages)), twice=choice.random() < 0.2)

    @rule(choice=st.randoms(use_true_random=False), share=st.sampled_from([0.2, 1.0]))
    def lose(self, choice: random.Random, share: float) -> None:
        """Messages are never delivered."""
        queue = choice.choice(self._queues())
        queue.messages[:] = [message for message in queue.fill() if choice.random() >= share]

    @rule(hours=st.sampled_from([1, 6, 19, 25]), calls=st.integers(1, 30), dies=st.booleans())
    def tick(self, hours: int, calls: int, dies: bool) -> None:
        """Time passes, and the rule starts its machine, which may die."""
        world = self.world
        world.clock.advance(hours * 3600)
        world.fuse.arm(calls if dies else 10**9, after=True)
        try:
            world.extend()
            world.follow_up()
        except (Crash, Throttled):
            pass

    def teardown(self) -> None:
        """Undisturbed, by the rule alone; requests that died are repeated by their state machine."""
        world = self.world
        world.fuse.at = None
        while True:
            try:
                assert world.ask() is not None
                break
            except QuotaUsed:
                world.clock.advance(3600)
        world.tick_on()
        world.assert_what_must_always_hold()
        reasons = {record.failure for record in world.records.records.values() if record.failure}
        assert all("gave up after" in reason for reason in reasons), reasons

    def _queues(self) -> list[Queue]:
        return [self.world.notifications, self.world.chunks, self.world.validations]


TestLeftAlone = LeftAlone.TestCase
TestLeftAlone.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
