"""The budget in the hands of the use cases: runs share it, crashes and retries do not exceed it, nothing waits idly."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from solution.application.in_memory.clock import ManualClock
from solution.application.in_memory.expenses import InMemoryExpenses
from solution.application.in_memory.glacier import InMemoryGlacier
from solution.application.in_memory.quota import InMemoryQuotaLedger
from solution.application.use_cases.allowance import Allowance
from solution.application.use_cases.asking import JobAsker
from solution.application.use_cases.backoff import FullJitter, TokenBucket
from solution.application.use_cases.calculate_timeout import CalculateTimeout
from solution.application.use_cases.extend_windows import Extended
from solution.domain.archive import Tier
from solution.domain.errors import InvalidInput, QuotaUsed, Throttled
from solution.domain.pacing import Budget
from solution.domain.status import ArchiveStatus
from tests.builders import RUN, archive_id, content
from tests.unit.application.world import Crash, World

DAY = timedelta(days=1)


def vault(count: int, size: int) -> dict[str, bytes]:
    """So many archives of this size."""
    return {f"archive {number}": content(size, number) for number in range(count)}


def timeout(world: World) -> CalculateTimeout:
    return CalculateTimeout(ledger=world.ledger, clock=world.clock, budget=world.budget)


def asked(world: World) -> int:
    return len(world.glacier.asked)


def test_a_batch_asks_for_what_the_budget_allows_and_says_that_the_rest_must_wait() -> None:
    world = World(vault(10, 10), budget=64)
    with pytest.raises(QuotaUsed, match="4 of 10 archives must wait"):
        world.ask()
    assert world.glacier.asked == [archive_id(f"archive {number}") for number in range(6)]
    assert world.status("archive 6") is ArchiveStatus.REQUESTING


def test_a_batch_that_waits_as_told_asks_for_its_rest_and_only_for_that() -> None:
    world = World(vault(10, 10), budget=64)
    with pytest.raises(QuotaUsed):
        world.ask()
    world.clock.advance(timeout(world)())
    outcome = world.ask()
    assert outcome is not None
    assert (outcome.requested, outcome.already) == (4, 6)
    assert asked(world) == 10


def test_nothing_waits_when_nothing_is_left_to_ask_for() -> None:
    world = World(vault(6, 10), budget=60)
    before = world.clock.now()
    assert world.ask() is not None
    assert world.ask() is not None  # a retry finds all of it asked for: the budget, used up, is not needed
    assert world.clock.now() - before < timedelta(seconds=1)


def test_what_a_resume_finds_downloaded_needs_no_budget() -> None:
    world = World(vault(3, 10), budget=30)
    world.ask()
    world.drain()
    assert world.status("archive 0") is ArchiveStatus.DOWNLOADED
    used = world.ledger.page
    world.ask()
    assert world.ledger.page == used


def test_two_runs_share_one_budget() -> None:
    first, second = World(vault(6, 10), budget=60), World(vault(6, 10), budget=60)
    second.ledger.page = first.ledger.page
    second.request._allowance = first.allowance
    first.ask()
    with pytest.raises(QuotaUsed):
        second.ask()
    assert asked(second) == 0


def test_a_writer_that_was_overtaken_reads_again() -> None:
    ledger, clock = InMemoryQuotaLedger(), ManualClock()
    allowance = Allowance(
        ledger=ledger,
        expenses=InMemoryExpenses(),
        clock=clock,
        jitter=FullJitter(seed=1),
        budget=Budget(size=100, period=DAY),
        jobs_per_second=1,
    )
    ledger.conflicts = 3
    assert allowance.take([40, 40, 40]) == 2
    ledger.conflicts = 100
    with pytest.raises(Throttled, match="times in a row"):
        allowance.take([1])


def test_runs_ask_in_turn_so_that_together_they_keep_to_the_rate() -> None:
    ledger, budget = InMemoryQuotaLedger(), Budget(size=100, period=DAY)
    clocks = [ManualClock() for _ in range(3)]
    runs = [
        Allowance(
            ledger=ledger,
            expenses=InMemoryExpenses(),
            clock=clock,
            jitter=FullJitter(seed=1),
            budget=budget,
            jobs_per_second=10,
        )
        for clock in clocks
    ]
    assert [run.take([1] * 20) for run in runs] == [20, 20, 20]
    assert [clock.monotonic() for clock in clocks] == pytest.approx([0, 2, 4], abs=0.01)
    # an extension of a window costs no budget, but it takes its turn
    assert runs[0].take([0] * 10) == 10
    assert clocks[0].monotonic() == pytest.approx(6, abs=0.01)
    assert ledger.page.ledger.size == 60
    clocks[0].advance(60)
    assert runs[0].take([1]) == 1
    assert clocks[0].monotonic() == pytest.approx(66, abs=0.01)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must be positive"):
        Allowance(
            ledger=InMemoryQuotaLedger(),
            expenses=InMemoryExpenses(),
            clock=ManualClock(),
            jitter=FullJitter(seed=1),
            budget=Budget(size=1, period=DAY),
            jobs_per_second=0,
        )


def test_budget_is_entered_before_anything_is_asked_for() -> None:
    world = World(vault(3, 10), budget=100)
    world.fuse.arm(
        7, after=False
    )  # load, create, is the run over, before and after, two for the ledger, and then the job
    assert world.ask() is None
    assert asked(world) == 0
    assert world.ledger.page.ledger.size == 30


@pytest.mark.parametrize("seed", range(20))
def test_crashes_and_retries_never_exceed_the_budget_and_everything_is_asked_for_in_the_end(seed: int) -> None:
    rng = random.Random(seed)
    world = World(vault(30, 10), budget=70)
    moments: list[float] = []
    for _ in range(400):
        if rng.random() < 0.5:
            world.fuse.arm(rng.randint(1, 25), after=rng.random() < 0.5)
        else:
            world.fuse.arm(10**9, after=False)
        world.glacier.throttle_next = rng.choice([0, 0, 0, 20, 10**6])
        world.glacier.lose_answers_next = rng.choice([0, 0, 0, 1])
        names = rng.sample(sorted(world.archives), rng.randint(1, 30))
        must_wait = False
        try:
            world.ask(*sorted(names))
        except QuotaUsed:
            must_wait = True
        except Throttled:
            pass
        moments += [world.clock.monotonic()] * (asked(world) - len(moments))
        if must_wait:
            world.clock.advance(timeout(world)())
        statuses = [record.status for record in world.records.records.values()]
        if statuses == [ArchiveStatus.REQUESTED] * len(world.archives):
            break
    else:
        pytest.fail("not everything was asked for")
    period = DAY.total_seconds()
    assert max(sum(10 for m in moments if start <= m <= start + period) for start in moments) <= 70


class Paid(InMemoryGlacier):
    """Notes the moment and size of every retrieval; a job on an archive that can be read costs nothing."""

    def __init__(self, clock: ManualClock, archives: dict[str, bytes]) -> None:
        super().__init__(clock, archives)
        self.paid: list[tuple[datetime, int]] = []

    def request_archive(self, *, vault: str, archive_id: str, tier: Tier, run: str) -> str:
        now = self._clock.now()
        readable = any(
            job.archive_id == archive_id and job.completed is not None and now < job.completed + DAY
            for job in self.jobs.values()
        )
        job_id = super().request_archive(vault=vault, archive_id=archive_id, tier=tier, run=run)
        if not readable:
            self.paid.append((now, len(self.archives[archive_id])))
        return job_id


@pytest.mark.parametrize("seed", range(20))
def test_windows_that_close_and_jobs_that_get_lost_never_exceed_the_budget(seed: int) -> None:
    rng = random.Random(seed)
    world = World(vault(12, 10), budget=70)
    world.glacier = glacier = Paid(world.clock, world.glacier.archives)
    world._assemble()
    acts: list[Callable[[], object]] = [world.ask, world.extend, world.follow_up, world.finish_jobs]
    for _ in range(300):
        world.fuse.arm(rng.randint(1, 40), after=rng.random() < 0.5)
        with contextlib.suppress(QuotaUsed, Crash):
            rng.choice(acts)()
        queues = [queue for queue in (world.notifications, world.chunks) if queue.fill()]
        for queue in queues if rng.random() < 0.3 else []:
            world.deliver(queue, rng.randrange(len(queue.messages)))
        world.clock.advance(rng.choice([60, 3600, 5 * 3600]))
    assert len(glacier.paid) > 12, "archives were to be paid for again"
    for start, _ in glacier.paid:
        assert sum(size for moment, size in glacier.paid if start <= moment <= start + DAY) <= 70


def test_an_archive_whose_time_in_the_budget_is_over_is_not_asked_for() -> None:
    world = World(vault(2, 10), budget=100)
    # one archive in ten minutes: the second would go out when the ledger has stopped counting on it
    world.request._asker = JobAsker(
        glacier=world.glacier,
        clock=world.clock,
        bucket=TokenBucket(world.clock, 1 / 600),
        jitter=FullJitter(seed=1),
        workers=1,
    )
    with pytest.raises(Throttled, match="no time left"):
        world.ask()
    assert asked(world) == 1


def test_an_extension_costs_no_budget_and_a_closed_window_does() -> None:
    world = World(vault(4, 10), budget=40)
    world.ask()
    world.finish_jobs()
    while world.notifications.fill():
        world.deliver(world.notifications)
    world.clock.advance(20 * 3600)
    assert world.extend() == Extended(extended=4, requested_again=0)
    world.clock.advance(30 * 3600)
    world.allowance.take([15])
    assert world.extend() == Extended(extended=0, requested_again=2)
    assert world.extend() == Extended(extended=0, requested_again=0)
    world.clock.advance(timeout(world)())
    assert world.extend() == Extended(extended=0, requested_again=2)


def test_an_archive_larger_than_the_budget_is_asked_for_although_another_run_never_pauses() -> None:
    ledger, clock, budget = InMemoryQuotaLedger(), ManualClock(), Budget(size=100, period=DAY)
    allowance = Allowance(
        ledger=ledger,
        expenses=InMemoryExpenses(),
        clock=clock,
        jitter=FullJitter(seed=1),
        budget=budget,
        jobs_per_second=100,
    )
    timeout = CalculateTimeout(ledger=ledger, clock=clock, budget=budget)
    allowance.take([10] * 5, owner="other")
    begun = clock.now()
    while not allowance.take([101], owner="giant"):
        allowance.take([10] * 5, owner="other")
        clock.advance(timeout())
        allowance.take([10] * 5, owner="other")
        assert clock.now() - begun < 1.1 * DAY
    assert ledger.page.ledger.size == 101
    assert [one.owner for one in ledger.page.ledger.waiting] == ["other"]


def test_archives_asked_for_by_a_rule_wait_for_themselves() -> None:
    world = World(vault(1, 60), budget=60)
    world.ask()
    world.finish_jobs()
    world.deliver(world.notifications)
    world.clock.advance(24 * 3600)
    assert world.extend() == Extended(extended=0, requested_again=0)
    assert [(one.owner, one.size) for one in world.ledger.page.ledger.waiting] == [(f"{RUN}|rule", 60)]
    world.clock.advance(3600)
    assert world.extend() == Extended(extended=0, requested_again=1)
    assert world.ledger.page.ledger.waiting == ()
