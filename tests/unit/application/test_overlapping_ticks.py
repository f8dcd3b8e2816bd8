"""The rule that extends windows ticks whether or not its last execution has ended: nothing is asked for twice."""

from __future__ import annotations

from collections import Counter

import pytest

from solution.application.use_cases.extend_windows import Extended
from solution.application.use_cases.follow_up_retrievals import FollowedUp
from solution.domain.errors import Throttled
from solution.domain.status import ArchiveStatus
from tests.builders import archive_id, content
from tests.unit.application.world import World

NAMES = [f"archive {number}" for number in range(6)]


def staged() -> World:
    """Six archives that nobody copies."""
    world = World({name: content(10, number) for number, name in enumerate(NAMES)})
    world.ask()
    world.finish_jobs()
    while world.notifications.fill():
        world.deliver(world.notifications)
    world.lose(world.chunks)
    return world


def asked_again(world: World) -> Counter[str]:
    """How often each archive was asked for after its first time."""
    return Counter(world.glacier.asked[len(NAMES) :])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 16))
@pytest.mark.parametrize("hours", [20, 25], ids=["open", "closed"])
def test_two_ticks_at_once_ask_for_each_window_once(hours: int, at: int, after: bool) -> None:
    world = staged()
    world.clock.advance(hours * 3600)
    world.fuse.arm(at, after=after, meanwhile=lambda: counts.append(world.extend()))
    counts: list[Extended] = []
    counts.append(world.extend())
    assert asked_again(world) == dict.fromkeys(map(archive_id, NAMES), 1)
    assert sum(count.extended + count.requested_again for count in counts) == len(NAMES)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 24))
def test_two_ticks_at_once_ask_for_each_forgotten_retrieval_once(at: int, after: bool) -> None:
    world = World({name: content(10, number) for number, name in enumerate(NAMES)})
    world.ask()
    world.glacier.jobs.clear()
    world.clock.advance(19 * 3600)
    again: list[FollowedUp] = []
    world.fuse.arm(at, after=after, meanwhile=lambda: again.append(world.follow_up()))
    world.follow_up()
    again.append(world.follow_up())
    assert sum(one.renewed for one in again) <= len(NAMES)
    assert asked_again(world) == dict.fromkeys(map(archive_id, NAMES), 1)


def test_what_one_tick_has_claimed_costs_the_other_no_budget() -> None:
    world = staged()
    world.clock.advance(26 * 3600)
    before = world.ledger.page.ledger.weighing(world.budget, world.clock.now()).size
    counts: list[Extended] = []
    # both have read the archives, and entered them
    world.fuse.arm(4, after=False, meanwhile=lambda: counts.append(world.extend()))
    world.extend()
    weighing = world.ledger.page.ledger.weighing(world.budget, world.clock.now()).size
    assert weighing - before == sum(len(data) for data in world.contents.values())


def test_what_glacier_did_not_hear_is_asked_for_at_the_next_tick() -> None:
    world = staged()
    world.clock.advance(20 * 3600)
    world.glacier.throttle_next = 10_000
    with pytest.raises(Throttled):
        world.extend()
    assert asked_again(world) == {}
    world.glacier.throttle_next = 0
    world.clock.advance(60)
    assert world.extend().extended == len(NAMES)


def test_who_dies_with_a_claim_on_a_closed_window_holds_it_up_for_a_tick() -> None:
    world = staged()
    world.clock.advance(25 * 3600)
    world.fuse.arm(6, after=True)
    with pytest.raises(BaseException, match="request_archive"):
        world.extend()
    assert world.extend() == Extended(extended=0, requested_again=0)
    world.clock.advance(3600)
    world.extend()
    assert {record.status for record in world.records.records.values()} == {ArchiveStatus.REQUESTED}


def test_who_dies_with_a_claim_on_an_open_window_lets_it_close_and_no_more() -> None:
    world = staged()
    world.clock.advance(20 * 3600)
    world.fuse.arm(6, after=False)
    with pytest.raises(BaseException, match="request_archive"):
        world.extend()
    assert world.extend() == Extended(extended=0, requested_again=0)
    world.tick_on(days=3)
    assert {record.status for record in world.records.records.values()} == {ArchiveStatus.DOWNLOADED}
