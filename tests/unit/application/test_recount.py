"""A recount sets the counters to the truth, whatever the stream has told, lost, or will tell late."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solution.application.in_memory.archive_scan import InMemoryArchiveTable
from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.counters import InMemoryCounters
from solution.application.ports.clock import Deadline
from solution.application.ports.counters import Tally
from solution.application.use_cases.count_changes import Change, CountChanges
from solution.application.use_cases.recount import Recount, RecountPosition
from solution.domain.errors import NotPossible
from solution.domain.status import ALLOWED_FROM, ArchiveStatus, Metric, milestones
from tests import builders
from tests.builders import RUN
from tests.unit.application.orchestration.builders import kept
from tests.unit.application.test_counting import change, counting
from tests.unit.application.world import World

S = ArchiveStatus
SIZE = 10


class Archives:
    """The archives of a run, whatever attempt it is in, and the stream of their changes."""

    def __init__(self, number: int) -> None:
        self.attempt = 1
        self.states: dict[int, ArchiveStatus] = {}
        self.attempts: dict[int, int] = {}
        self.number = number
        self.stream: list[Change] = []

    def move(self, archive: int, after: ArchiveStatus) -> None:
        """A change, told by the stream."""
        before, attempt = self.states.get(archive), self.attempts.get(archive, 0)
        claims = after in (S.REQUESTING, S.STOPPED)
        self.states[archive] = after
        self.attempts[archive] = self.attempt if claims else attempt
        number = len(self.stream)
        self.stream.append(
            change(
                number,
                before,
                after,
                slot=number // 7,
                size=SIZE + archive,
                attempt_before=attempt,
                attempt_after=self.attempts[archive],
            )
        )

    def live(self, rng: random.Random, moves: int) -> None:
        """Any changes that may happen within an attempt."""
        for _ in range(moves):
            archive = rng.randrange(self.number)
            before = self.states.get(archive)
            possible = [after for after, sources in ALLOWED_FROM.items() if before in sources]
            if possible:
                self.move(archive, rng.choice(possible))

    def stop(self) -> None:
        """The next attempt begins."""
        self.attempt += 1
        for archive, status in list(self.states.items()):
            if status in ALLOWED_FROM[S.STOPPED]:
                self.move(archive, S.STOPPED)

    def table(self) -> InMemoryArchiveTable:
        """As a scan finds them."""
        return InMemoryArchiveTable(
            *(
                kept(archive, status, size=SIZE + archive, attempt=self.attempts[archive])
                for archive, status in self.states.items()
            ),
            page=2,
        )

    def truth(self) -> tuple[dict[Metric, int], dict[Metric, int]]:
        """Archives and bytes by counter."""
        reached = [(metric, SIZE + one) for one, status in self.states.items() for metric in milestones(status)]
        return (
            {metric: sum(1 for one, _ in reached if one is metric) for metric in Metric},
            {metric: sum(size for one, size in reached if one is metric) for metric in Metric},
        )


def recount(archives: Archives, counters: InMemoryCounters) -> int:
    """CountersRecount, invocation by invocation, each with time for one page; how many there were."""
    clock = ManualClock()
    use_case = Recount(scan=archives.table(), counters=counters)
    position: RecountPosition | None = None
    invocations = 0
    while True:
        invocations += 1
        position = use_case(run=RUN, attempt=archives.attempt, start=position, deadline=Deadline.after(clock, 0))
        if position is None:
            return invocations


def stated(counters: InMemoryCounters) -> tuple[dict[Metric, int], dict[Metric, int]]:
    """Archives and bytes by counter."""
    tally = counters.read(RUN) or Tally()
    return {m: tally.count(m) for m in Metric}, {m: tally.size.get(m, 0) for m in Metric}


def fresh_counters() -> InMemoryCounters:
    """As the inventory job leaves them."""
    counters = InMemoryCounters()
    counters.add(RUN, Tally())
    return counters


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), number=st.integers(1, 6), attempts=st.integers(2, 4))
@pytest.mark.holds(6)
def test_what_the_stream_lost_or_tells_late_of_earlier_attempts_makes_no_difference(
    seed: int, number: int, attempts: int
) -> None:
    rng = random.Random(seed)
    archives, counters = Archives(number), fresh_counters()
    count = counting(counters)
    late: list[Change] = []
    begun = 0
    for _ in range(attempts - 1):
        archives.live(rng, rng.randint(0, 30))
        archives.stop()
        told = archives.stream[begun:]
        begun = len(archives.stream)
        rng.shuffle(told)
        lost, in_time = rng.randint(0, len(told)), rng.randint(0, len(told))
        late += told[lost:]
        deliver(count, told[lost : lost + in_time], rng, counters)
        recount(archives, counters)
        assert stated(counters) == archives.truth()
        deliver(count, rng.sample(late, rng.randint(0, len(late))), rng, counters)
        assert stated(counters) == archives.truth()
    archives.live(rng, rng.randint(0, 60))
    told = [*archives.stream[begun:], *late, *rng.sample(late, len(late))]
    rng.shuffle(told)
    deliver(count, told, rng, counters)
    assert stated(counters) == archives.truth()


def deliver(count: CountChanges, changes: list[Change], rng: random.Random, counters: InMemoryCounters) -> None:
    """In pieces that overlap, while somebody else counts as well."""
    position = 0
    while position < len(changes):
        counters.conflicts = rng.randint(0, 2)
        end = position + rng.randint(1, 20)
        count(changes[max(0, position - rng.randint(0, 5)) : end])
        position = end


def test_a_count_under_way_while_the_counters_are_restated_is_made_again_and_finds_nothing_to_count() -> None:
    archives, counters = Archives(2), fresh_counters()
    archives.move(0, S.REQUESTING)
    archives.move(0, S.REQUESTED)
    archives.stop()
    late = archives.stream[1]

    class Slow(InMemoryCounters):
        def commit(self, *args: object, **kwargs: object) -> bool:
            recount(archives, counters)
            return counters.commit(*args, **kwargs)  # type: ignore[arg-type]

    slow = Slow()
    slow.memory, slow.read = counters.memory, counters.read  # type: ignore[method-assign]
    counting(slow)([late])
    assert stated(counters) == archives.truth()
    assert counters.memory(RUN, [late.slot]).slots == {}


def test_a_recount_is_done_once_for_an_attempt() -> None:
    archives, counters = Archives(5), fresh_counters()
    for archive in range(5):
        for status in (S.REQUESTING, S.REQUESTED, S.STAGED, S.DOWNLOADED):
            archives.move(archive, status)
    archives.stop()
    assert recount(archives, counters) == 3
    archives.move(7, S.REQUESTING)
    archives.move(7, S.REQUESTED)
    counting(counters)(archives.stream[-2:])
    assert recount(archives, counters) == 1
    assert stated(counters) == archives.truth()


def test_a_run_that_was_never_counted_needs_no_recount() -> None:
    counters = InMemoryCounters()
    archives = Archives(1)
    archives.stop()
    assert recount(archives, counters) == 1
    assert counters.read(RUN) is None


LIVES = {f"archive {number}": b"x" * (1 + number) for number in range(6)}


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.holds(6)
def test_a_resume_in_the_midst_of_asking_leaves_nothing_unasked_and_nothing_uncounted(after: bool) -> None:
    """The first attempt's invocation goes on after the resume has stopped everything, as far as it is let."""
    at = 1
    while True:
        world = World(dict(LIVES))
        world.ask("archive 0", "archive 1", "archive 2")
        world.records.fail(RUN, builders.archive_id("archive 2"), reason="refused")
        world.fuse.arm(at, after=after, meanwhile=world.resume)
        try:
            world.ask()
        except Exception as error:  # noqa: BLE001 - it may be refused, and must be where it has claimed
            assert "attempt 1 of run 'run-1' is over" in str(error)  # noqa: PT017
        if not world.fuse.blown:
            break
        world.finish_jobs()
        assert world.ask() is not None
        world.drain()
        world.assert_what_must_always_hold()
        assert {world.status(name) for name in LIVES} == {S.DOWNLOADED}, f"resumed at call {at}"
        at += 1
    assert at >= 10


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.holds(2)
def test_an_invocation_of_the_attempt_before_takes_no_archive_away_from_the_present_one(after: bool) -> None:
    """Archives that the last resume but one has stopped still bear its attempt's number, and that attempt may claim."""
    at = 1
    while True:
        world = World(dict(LIVES))
        world.ask()
        world.resume()
        world.resume()

        def straggle(world: World = world) -> None:
            with pytest.raises(NotPossible):
                world.ask(attempt=2)

        world.fuse.arm(at, after=after, meanwhile=straggle)
        answer = world.ask()
        if not world.fuse.blown:
            break
        assert answer is not None
        assert {record.status for record in world.records.records.values()} == {S.REQUESTED}, f"at call {at}"
        world.drain()
        world.assert_what_must_always_hold()
        at += 1
    assert at > 10
